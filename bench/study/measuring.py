"""Times models outside any study: reference points, trials and files, interleaved in one session, and keeps them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.errors import MeasureError
from bench.measure import (
    FULL,
    Job,
    JobArtifact,
    Measurement,
    Setup,
    exclusive,
    file_artifact,
    make_artifact,
    make_form,
    measure,
    resolve_runner,
    shared,
    summarise,
)
from bench.measure.artifacts import REFERENCE, reference_architecture
from bench.measure.catalogue import RUNTIMES
from bench.measure.exclusive import cpu_lock_folder
from bench.measure.measurement import samples_of
from bench.measure.protocol import Progress
from bench.networks.models import TimmModel
from bench.store import Store
from bench.study.models import Named


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Where and how models are timed.

    Attributes:
        runner: "cpu", "cuda" or "apple".
        runtimes: names of `catalogue.RUNTIMES`; empty takes the runner's usual one.
        threads: of each runtime; several give several rows.
        precision: of runtimes that can choose; None: each one's usual.
        channels_last: memory format of torch.
        forms: "deploy", "train" or "timm"; several give several rows.
        resolution: of the input; None: each model's own.
        cpus: the timed processes are pinned to; None leaves them free.
        options: of the runtimes' own.
        is_quick: three restarts and an aim of 3 % in place of six and 1 %.
        target: half width of the ratio's interval that is aimed at; None: by `is_quick`.
        limit_s: no further restart begins after so many seconds; None: the protocol's.
        most_restarts: while the target is missed; None: the protocol's.
        reference_resolution: of the pinned FastViT-T8, or the nearest that it can take; None: that of the first model,
            so that sessions at other resolutions tell ratios to another network.
        seed: of weights and of the order of visits.
    """

    runner: str = "cpu"
    runtimes: tuple[str, ...] = ()
    threads: tuple[int, ...] = (1,)
    precision: str | None = None
    channels_last: bool = False
    forms: tuple[str, ...] = ("deploy",)
    resolution: int | None = None
    cpus: tuple[int, ...] | None = None
    options: tuple[tuple[str, str], ...] = ()
    is_quick: bool = False
    target: float | None = None
    limit_s: float | None = None
    most_restarts: int | None = None
    reference_resolution: int | None = None
    seed: int = 0

    def setups(self) -> tuple[Setup, ...]:
        """Every runtime with every number of threads; refused here if it cannot run on this machine."""
        names = self.runtimes or (resolve_runner(self.runner).runtime,)
        for name in names:
            resolve_runner(self.runner, runtime=name)
        _check_cpus(self.cpus)
        return tuple(
            Setup(
                runtime=name,
                threads=threads,
                precision=self.precision or RUNTIMES[name].precisions[0],
                channels_last=self.channels_last,
                options=self.options,
            )
            for name in names
            for threads in self.threads
        )


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
        MeasureError: a runtime cannot run here, a file cannot be read, or a form does not exist.
    """
    setups = conditions.setups()
    tell = announce or (lambda text: None)
    with tempfile.TemporaryDirectory(prefix="bench-artifacts-") as folder:
        # Another session may be timing: preparing waits for it as training does.
        with shared(cpu_lock_folder()):
            job = make_job(models, conditions, setups, Path(folder), tell)
        tell("waiting for the CPU")
        with exclusive(cpu_lock_folder()):
            return measure(job, progress=progress)


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
        runner=conditions.runner,
        runtime=setups[0].runtime,
        threads=setups[0].threads,
        precision=setups[0].precision,
        channels_last=setups[0].channels_last,
        cpus=conditions.cpus,
        seed=conditions.seed,
        **protocol,
    )


def keep(store: Store, measurement: Measurement) -> None:
    """Writes a measurement outside any study with its summary and samples."""
    summary = asdict(summarise(measurement)) if measurement.has_figures else {}
    record(store, measurement.to_dict(), summary)


def record(
    store: Store, measurement: Mapping[str, Any], summary: Mapping[str, Any], *, trial_id: int | None = None
) -> None:
    """Writes a measurement as `Measurement.to_dict` gives it."""
    names = ("architecture_id", "runner", "runtime", "threads", "resolution", "artifact_sha256", "verdict", "reason")
    store.record_measurement(
        trial_id=trial_id,
        **{name: measurement[name] for name in names},
        protocol=measurement["protocol"],
        fingerprint=measurement["fingerprint"],
        summary=summary,
        samples=samples_of(measurement),
        label=measurement["label"],
        session=measurement["session"],
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


def _check_cpus(cpus: tuple[int, ...] | None) -> None:
    if cpus is None:
        return
    if not hasattr(os, "sched_getaffinity"):
        raise MeasureError("--cpus; this system cannot pin a process; leave it out")
    allowed = os.sched_getaffinity(0)
    if not cpus or not set(cpus) <= allowed:
        told = ",".join(map(str, sorted(allowed)))
        raise MeasureError(f"--cpus {','.join(map(str, cpus)) or 'none'}; this process may use {told}; choose of these")


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
