"""Times models outside any study: reference points, trials and files, interleaved in one session."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.errors import MeasureError
from bench.measure import (
    FULL,
    Job,
    JobArtifact,
    Measurement,
    Setup,
    file_artifact,
    make_artifact,
    make_form,
    shared,
)
from bench.measure.artifacts import REFERENCE, reference_architecture
from bench.measure.catalogue import RUNTIMES
from bench.measure.exclusive import cpu_lock_folder
from bench.measure.session import Progress
from bench.networks.models import TimmModel
from bench.study.conditions import Conditions
from bench.study.models import Named


def measure_models(
    models: Sequence[Named],
    conditions: Conditions,
    *,
    progress: Progress | None = None,
    announce: Callable[[str], None] | None = None,
) -> tuple[Measurement, ...]:
    """Times all models in one session beside FastViT-T8; one measurement for each model, setup and form.

    Args:
        models: networks by name (bench.study.models), or files to be timed as they are.
        conditions: where and how.
        progress: is called with steps done and steps of all.
        announce: is told what is being prepared, in words.

    Raises:
        MeasureError: a runtime cannot run there, a file cannot be read, or a form does not exist.
        FleetError: the hub of a registered runner refuses the job.
    """
    setups = conditions.setups()
    tell = announce or (lambda text: None)
    with tempfile.TemporaryDirectory(prefix="bench-artifacts-") as folder:
        # Another session may be timing: preparing waits for it as training does.
        with shared(cpu_lock_folder()):
            job = make_job(models, conditions, setups, Path(folder), tell)
        return conditions.time(job, progress=progress, announce=tell)


def make_job(
    models: Sequence[Named],
    conditions: Conditions,
    setups: Sequence[Setup],
    folder: Path,
    tell: Callable[[str], None],
) -> Job:
    """The session, its artifacts made or read."""
    artifacts = []
    for model in models:
        for setup in _fitting(model, setups, conditions.forms):
            for form in _forms(model, conditions):
                tell(f"preparing {model.name}")
                artifacts.append(_artifact(model, conditions, setup, form, folder))
    artifacts = _distinct(artifacts)
    side = conditions.resolution or next(
        (artifact.resolution for artifact in artifacts if artifact.resolution is not None), 256
    )
    tell(f"preparing the reference {REFERENCE}")
    pinned = reference_architecture(conditions.reference_resolution or side)
    reference, _ = make_artifact(
        pinned,
        folder,
        f"{REFERENCE} (reference)",
        runtime=setups[0].runtime,
        precision=setups[0].precision,
    )
    protocol: dict[str, Any] = {} if conditions.is_quick else dict(FULL)
    if conditions.target is not None:
        protocol["target"] = conditions.target
    if conditions.limit_s is not None:
        protocol["limit_s"] = conditions.limit_s
    if conditions.most_restarts is not None:
        protocol["most_restarts"] = conditions.most_restarts
    return Job(
        artifacts=tuple(artifacts),
        reference=replace(reference, setup=setups[0], resolution=int(pinned.settings["input_resolution"])),
        resolution=side,
        runner=conditions.kind,
        runtime=setups[0].runtime,
        threads=setups[0].threads,
        precision=setups[0].precision,
        channels_last=setups[0].channels_last,
        cpus=conditions.cpus,
        seed=conditions.seed,
        **protocol,
    )


def _forms(model: Named, conditions: Conditions) -> tuple[str, ...]:
    """A network of timm has timm's form, whatever the others have."""
    return ("timm",) if isinstance(model, TimmModel) else conditions.forms


def _fitting(model: Named, setups: Sequence[Setup], forms: Sequence[str]) -> list[Setup]:
    """The setups that can run a model: any for a network, those that read its format for a file."""
    if not isinstance(model, Path):
        return list(setups)
    if tuple(forms) != ("deploy",):
        raise MeasureError(f"{model} with --form {', '.join(forms)}; a file is timed as it is; leave --form out")
    kind = model.suffix.removeprefix(".").lower()
    fitting = [setup for setup in setups if kind in RUNTIMES[setup.runtime].formats]
    if not fitting:
        names = [name for name, runtime in RUNTIMES.items() if kind in runtime.formats]
        raise MeasureError(
            f"{model} is no file for {', '.join(setup.runtime for setup in setups)}; {', '.join(names) or 'nothing'} "
            f"reads .{kind}; give --runtime {names[0] if names else 'another, and export it so'}"
        )
    return fitting


def _artifact(model: Named, conditions: Conditions, setup: Setup, form: str, folder: Path) -> JobArtifact:
    if isinstance(model, Path):
        found = file_artifact(model)
        side = conditions.resolution
    elif isinstance(model, TimmModel):
        side = conditions.resolution or model.resolution
        found = make_form(
            None,
            folder,
            model.label,
            form=form,
            runtime=setup.runtime,
            timm_name=model.timm_name,
            seed=conditions.seed,
            resolution=side,
        )
    else:
        side = conditions.resolution or model.resolution
        label = model.label if form == "deploy" else f"{model.label} ({form} form)"
        if form == "deploy":
            found, _ = make_artifact(
                model.architecture,
                folder,
                label,
                runtime=setup.runtime,
                seed=conditions.seed,
                resolution=side,
                precision=setup.precision,
            )
        else:
            found = make_form(
                model.architecture,
                folder,
                label,
                form=form,
                runtime=setup.runtime,
                timm_name=model.timm_name,
                seed=conditions.seed,
                resolution=side,
            )
    return replace(found, setup=setup, resolution=side)


def _distinct(artifacts: Sequence[JobArtifact]) -> list[JobArtifact]:
    """Labels that tell apart: the setup where several are timed, a number where a model was given twice."""
    setups = {artifact.setup for artifact in artifacts}
    labelled: list[JobArtifact] = []
    for artifact in artifacts:
        assert artifact.setup is not None
        label = artifact.label if len(setups) == 1 else f"{artifact.label}, {artifact.setup.name}"
        same = sum(other.label == label or other.label.startswith(f"{label} #") for other in labelled)
        labelled.append(replace(artifact, label=f"{label} #{same + 1}" if same else label))
    if not labelled:
        raise MeasureError("nothing to measure; a reference point, STUDY/NUMBER or a file is needed; name one")
    return labelled
