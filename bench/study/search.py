"""Starts a study, or takes one up again, and sees it to its end."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.errors import ConfigError, SearchError
from bench.measure import JobArtifact, exclusive, fingerprint, measure, summarise
from bench.proxies.datasets import open_data
from bench.space import Architecture, Space, load_space, parse_space
from bench.store import Store, StudyRecord
from bench.study import runner
from bench.study.config import StudyConfig
from bench.study.evaluation import cache_folder, cpu_lock_folder, make_artifact, proxy_resolution, timing_job
from bench.study.objectives import parse_objectives
from bench.study.preflight import Checked, check
from bench.study.session import Listener, Session
from bench.version import __version__

Progress = Callable[[str, int, int], None]

_PACKAGES = ("torch", "torchvision", "timm", "optuna", "ray", "onnx", "onnxruntime", "numpy", "moocore")
# The pinned network that every candidate is timed beside.
REFERENCE = "fastvit_t8"
# The worst corner of the hypervolume lies this far beyond the largest network.
_MARGIN = 1.25


def start(
    config: StudyConfig,
    store: Store,
    *,
    name: str | None = None,
    space: Space | None = None,
    folder: Path | None = None,
    listener: Listener | None = None,
    progress: Progress | None = None,
) -> StudyRecord:
    """Runs a new study to its end and gives its record.

    Args:
        config: the settings.
        store: an open store.
        name: of the study; None makes one of space and time.
        space: with all rules, instead of the one that `config` names.
        folder: for checkpoints and weights; `results/studies/NAME` by default.
        listener: hears every event.
        progress: is told what is prepared before the first trial: what, done, total.

    Raises:
        BenchError: it cannot start, or cannot go on; what was recorded stays and can be resumed.
    """
    name = _checked_name(name) if name else _new_name(config)
    _refuse_taken(store, name)
    folder = folder or study_folder(name)
    checked = check(config, folder, space=space)
    config = replace(config, data=replace(config.data, source=_absolute(config.data.source)))
    study = store.create_study(
        name,
        config=config.to_dict(),
        space_name=checked.space.name,
        space_text=checked.space.text,
        space_hash=checked.space.hash,
        objectives=_directions(config),
        hypervolume_reference={},
        seed=config.seed,
        versions=versions(),
        git_revision=git_revision(),
        fingerprint=dict(fingerprint()),
    )
    return _run(study, config, checked, store, folder, listener, progress)


def resume(
    store: Store,
    name: str,
    *,
    folder: Path | None = None,
    listener: Listener | None = None,
    progress: Progress | None = None,
    execution: Mapping[str, Any] | None = None,
) -> StudyRecord:
    """Goes on with a study that was interrupted, from what the store holds.

    Args:
        store: an open store.
        name: of the study.
        folder, listener, progress: as for `start`.
        execution: settings of `ExecutionConfig` that differ now; they do not change what is tried.

    Raises:
        SearchError: the study is complete.
        BenchError: as for `start`.
    """
    study = store.study(name)
    if study.status == "complete":
        raise SearchError(
            f"study {name!r} is complete; only unfinished studies go on; start one with --name and a new name"
        )
    config = StudyConfig.from_dict(study.config)
    if execution:
        config = replace(config, execution=replace(config.execution, **execution))
    folder = folder or study_folder(name)
    checked = check(config, folder, space=parse_space(study.space_text, source=f"space of study {name!r}"))
    store.set_study_status(study.id, "running")
    return _run(study, config, checked, store, folder, listener, progress)


def repeat(
    store: Store,
    original: str,
    *,
    name: str | None = None,
    listener: Listener | None = None,
    progress: Progress | None = None,
) -> StudyRecord:
    """Runs a stored study again, from the settings and the space that the database holds; errors as for `start`."""
    study = store.study(original)
    config = StudyConfig.from_dict(study.config)
    space = parse_space(study.space_text, source=f"space of study {original!r}")
    return start(config, store, name=name, space=space, listener=listener, progress=progress)


def study_folder(name: str) -> Path:
    """Where a study keeps checkpoints, weights and logs."""
    return Path("results").resolve() / "studies" / name


def versions() -> dict[str, str]:
    """Versions of the packages that decide what a study gives."""
    found = {"bench": __version__}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "missing"
    return found


def git_revision() -> str | None:
    """The commit of this checkout, with `+changes` when it was edited since; None in an installed package."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists() or shutil.which("git") is None:
        return None
    commit = _git(root, "rev-parse", "HEAD")
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    return (commit + "+changes" if changed else commit) if commit else None


def _run(
    study: StudyRecord,
    config: StudyConfig,
    checked: Checked,
    store: Store,
    folder: Path,
    listener: Listener | None,
    progress: Progress | None,
) -> StudyRecord:
    report = progress or (lambda what, done, total: None)
    is_timed = "latency_ms" in study.objectives
    try:
        _pack_data(config, checked, report)
        reference = _reference_artifact(config, checked.largest, folder) if is_timed else None
        report("reference point of the hypervolume", 0, 1)
        if not study.hypervolume_reference:
            corner = _worst_corner(config, checked.largest, reference, folder)
            study = store.set_hypervolume_reference(study.id, corner)
        report("reference point of the hypervolume", 1, 1)
        session = Session(
            store,
            study,
            config,
            checked.space,
            folder,
            concurrency=checked.concurrency,
            threads=checked.threads,
            device=checked.device,
            reference=None if reference is None else asdict(reference),
            listener=listener or (lambda session, kind, data: None),
        )
        if not session.plan.is_done:
            runner.run(
                session,
                concurrency=checked.concurrency,
                ray_address=config.execution.ray_address,
                uses_gpu=checked.device == "cuda",
            )
        record = session.finish()
    except BaseException as error:
        _mark_interrupted(store, study, error)
        raise
    shutil.rmtree(folder / "artifacts", ignore_errors=True)
    return record


def _mark_interrupted(store: Store, study: StudyRecord, error: BaseException) -> None:
    reason = "interrupted by the user" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
    try:
        store.set_study_status(study.id, "interrupted", reason=reason[:500])
    except Exception:
        # The store itself is what failed; its own error is on its way to the user.
        return


def _pack_data(config: StudyConfig, checked: Checked, report: Progress) -> None:
    data = config.data
    open_data(
        data.source,
        resolution=proxy_resolution(int(checked.largest.settings["input_resolution"])),
        seed=data.seed,
        classes=data.classes,
        train_per_class=data.per_class,
        val_per_class=data.val_per_class,
        download=data.download,
        cache_dir=cache_folder(),
        progress=lambda done, total: report("pictures", done, total),
    )


def _reference_artifact(config: StudyConfig, largest: Architecture, folder: Path) -> JobArtifact:
    """FastViT-T8 at the study's deployment resolution."""
    published: dict[str, Any] = dict(load_space("fastvit").reference_points[REFERENCE].to_dict())
    published["settings"] = {**published["settings"], "input_resolution": largest.settings["input_resolution"]}
    artifact, _ = make_artifact(config, Architecture.from_dict(published), folder / "artifacts", "reference")
    return artifact


def _worst_corner(
    config: StudyConfig, largest: Architecture, reference: JobArtifact | None, folder: Path
) -> dict[str, float]:
    """Accuracy 0 and a quarter more than the costs of the largest network: the whole range that was asked for."""
    artifact, update = make_artifact(config, largest, folder / "artifacts", "largest")
    costs = {"accuracy": 0.0, **{name: value * _MARGIN for name, value in update["figures"].items()}}
    if reference is not None:
        job = timing_job(config, (artifact,), asdict(reference), resolution=int(largest.settings["input_resolution"]))
        with exclusive(cpu_lock_folder()):
            (measurement,) = measure(job)
        costs["latency_ms"] = summarise(measurement).median_ms * _MARGIN
    return {objective.name: costs[objective.name] for objective in parse_objectives(config.objectives)}


def _directions(config: StudyConfig) -> dict[str, str]:
    return {
        objective.name: "maximize" if objective.maximise else "minimize"
        for objective in parse_objectives(config.objectives)
    }


def _new_name(config: StudyConfig) -> str:
    space = re.sub(r"[^a-z0-9]+", "-", Path(config.space).stem.lower()).strip("-")
    return f"{space}-{datetime.now(UTC).strftime('%Y%m%d-%H%M%S')}"


def _checked_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name):
        raise ConfigError(
            f"study name {name!r}; letters, digits, '.', '_' and '-' are allowed, 80 at most; choose another"
        )
    return name


def _refuse_taken(store: Store, name: str) -> None:
    for study in store.studies():
        if study.name == name:
            raise SearchError(
                f"there is a study {name!r} already ({study.status}); --resume {name} goes on with it; "
                "or choose another --name"
            )


def _absolute(source: str) -> str:
    """Data sources with their folder made absolute, so that workers and a later resume find it."""
    kind, colon, rest = source.rpartition(":")
    path = Path(rest).expanduser()
    return f"{kind}{colon}{path.resolve()}" if path.is_dir() else source


def _git(root: Path, *arguments: str) -> str:
    found = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=False
    )
    return found.stdout.strip() if found.returncode == 0 else ""
