"""One job of a study, as a worker does it: build, prove, export, time, train, score.

A job is plain data and so are the updates it yields; nothing here knows Ray or the database. The steps of a new
candidate are ordered by cost: what fails to fold or to export is never timed, what cannot be timed is never trained.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.errors import MeasureError
from bench.measure import Job, JobArtifact, Summary, artifacts, measure, summarise
from bench.measure.catalogue import DEFAULT_RUNTIME
from bench.measure.exclusive import cpu_lock_folder, exclusive, shared
from bench.networks import build, cost_quantities
from bench.networks.weights import save_weights
from bench.proxies.cache import PackedData
from bench.proxies.datasets import open_data
from bench.proxies.training import Training, TrainingConfig
from bench.space import Architecture
from bench.study.config import StudyConfig

# Between two signs of life of a training.
_CHUNK_S = 5.0
# While someone else is timed, or before it can be timed itself.
_WAIT = "wait for the CPU"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationJob:
    """What a worker needs to know.

    Attributes:
        number: of the trial in its study.
        architecture: `Architecture.to_dict()`.
        rung: where the training goes.
        rungs: pictures seen at each rung.
        config: `StudyConfig.to_dict()`.
        folder: of the study, shared by all workers.
        reference: `JobArtifact` of the pinned network as a mapping; None when nothing is to be timed.
        reference_ms: what that network took when the study began; None: ms are those of the session.
        is_prepared: costs and latency are known already.
        threads: CPU threads of the training.
        device: "cpu" or "cuda".
        cache_folder: where packed pictures lie.
    """

    number: int
    architecture: Mapping[str, Any]
    rung: int
    rungs: tuple[int, ...]
    config: Mapping[str, Any]
    folder: str
    reference: Mapping[str, Any] | None
    reference_ms: float | None
    is_prepared: bool
    threads: int
    device: str
    cache_folder: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EvaluationJob:
        """The job that `to_dict` gave."""
        return cls(**{**data, "rungs": tuple(data["rungs"])})


Update = dict[str, Any]


def proxy_resolution(deploy_resolution: int) -> int:
    """A quarter of the deployment resolution, 64 px at least: a smaller input is never free, nor useless.

    To the nearest multiple of 32, which every family can take: resolutions that lie close then share their pictures.
    """
    return max(64, round(deploy_resolution / 128) * 32)


def reference_resolution(config: StudyConfig, resolution: int) -> int:
    """Which of the study's references a candidate of that deployment resolution is timed beside, by its key."""
    return config.timing.reference_resolution or resolution


def cache_folder() -> Path:
    """Where packed pictures are kept: BENCH_CACHE, or `results/cache` in the current folder."""
    return Path(os.environ.get("BENCH_CACHE") or "results/cache").expanduser().resolve()


def checkpoint_path(folder: Path, number: int, rung: int) -> Path:
    """Where a training waits at a rung below the top."""
    return folder / "checkpoints" / f"{number:05d}-rung{rung}.pt"


def weights_path(folder: Path, number: int) -> Path:
    """Where the weights of a trial that reached the top are kept."""
    return folder / "weights" / f"{number:05d}.safetensors"


def evaluate(job: EvaluationJob) -> Iterator[Update]:
    """Does the job; yields `prepared`, `measured`, `training` and at the end `scored`.

    Raises:
        BenchError: the candidate failed; the message is the reason.
    """
    with _crash_log(Path(job.folder), job.number):
        config = StudyConfig.from_dict(job.config)
        architecture = Architecture.from_dict(job.architecture)
        if not job.is_prepared:
            yield from _prepare_and_measure(job, config, architecture)
        yield from _train(job, config, architecture)


def crash_report(folder: Path, number: int) -> str | None:
    """What the worker's last words were if it died of a signal, such as `Segmentation fault`."""
    path = _log_path(folder, number)
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    fatal = [line.removeprefix("Fatal Python error: ") for line in lines if line.startswith("Fatal Python error")]
    return fatal[-1] if fatal else None


def runtime_of(config: StudyConfig) -> str:
    """What runs a candidate where it is timed."""
    return config.timing.runtime or DEFAULT_RUNTIME[config.timing.runner]


def timing_job(
    config: StudyConfig, artifacts: tuple[JobArtifact, ...], reference: Mapping[str, Any], *, resolution: int
) -> Job:
    """The quick measuring session of a search."""
    timing = config.timing
    return Job(
        artifacts=artifacts,
        # This machine made and checked it when the study began.
        reference=replace(JobArtifact.from_dict(reference), is_checked=True),
        resolution=resolution,
        runner=timing.runner,
        runtime=runtime_of(config),
        threads=timing.threads,
        restarts=timing.restarts,
        most_restarts=timing.restarts,
        blocks=timing.blocks,
        iterations=timing.iterations,
        deadline_s=timing.deadline_s,
        seed=config.seed,
    )


def make_artifact(
    config: StudyConfig, architecture: Architecture, folder: Path, label: str
) -> tuple[JobArtifact, Update]:
    """The file that is timed, and what became known while it was made (bench.measure.artifacts)."""
    artifact, prepared = artifacts.make_artifact(
        architecture, folder, label, runtime=runtime_of(config), seed=config.seed
    )
    made = prepared.artifact
    return artifact, {
        "kind": "prepared",
        "figures": {
            # As rules count them, wherever it runs; what this artifact holds stands with the artifact.
            **cost_quantities(architecture),
            "artifact_mb": made.bytes / 1e6,
        },
        "artifact": {
            **made.to_dict(),
            "path": made.path.name,
            "fold_error": prepared.fold_error,
            "params": prepared.costs.params,
            "macs": prepared.costs.macs,
        },
        "seconds": dict(prepared.seconds),
        "resolution": int(architecture.settings["input_resolution"]),
    }


def _prepare_and_measure(job: EvaluationJob, config: StudyConfig, architecture: Architecture) -> Iterator[Update]:
    folder = Path(job.folder) / "artifacts"
    label = f"trial-{job.number}"
    try:
        with shared(cpu_lock_folder()) as waited:
            _use_threads(job.threads)
            artifact, update = make_artifact(config, architecture, folder, label)
        yield {**update, "seconds": {**update["seconds"], _WAIT: waited}}
        if job.reference is not None:
            measured = _measured(job, config, artifact, update["resolution"])
            yield measured  # a failed one too: its samples and reason are data
            if not measured["summary"]:
                found = measured["measurement"]
                raise MeasureError(f"timing failed ({found['verdict']}): {found['reason']}")
    finally:
        for path in folder.glob(f"{label}.*"):
            path.unlink()


def _measured(job: EvaluationJob, config: StudyConfig, artifact: JobArtifact, resolution: int) -> Update:
    assert job.reference is not None
    session = timing_job(config, (artifact,), job.reference, resolution=resolution)
    # Nothing else of ours runs meanwhile, on a GPU neither: launching the kernels of a small network takes the CPU.
    begin = time.perf_counter()
    with exclusive(cpu_lock_folder()) as waited:
        (measurement,) = measure(session)
    summary = comparable(summarise(measurement), job.reference_ms) if measurement.has_figures else {}
    return {
        "kind": "measured",
        "figures": {"latency_ms": summary["comparable_ms"]} if summary else {},
        "measurement": measurement.to_dict(),
        "summary": summary,
        "seconds": {_WAIT: waited, "time": time.perf_counter() - begin - waited},
    }


def comparable(summary: Summary, reference_ms: float | None) -> dict[str, Any]:
    """The summary as a mapping, with milliseconds that compare across the sessions of a study.

    On a shared machine the milliseconds of one file drift by a third within an hour, its ratio to a network timed in
    the same blocks by a percent. So a study decides by that ratio, told in milliseconds by what the reference took
    when the study began.
    """
    own = (summary.median_ms, summary.low_ms, summary.high_ms)
    ratios = (summary.ratio_to_reference, summary.ratio_low, summary.ratio_high)
    told = own if reference_ms is None else tuple(ratio * reference_ms for ratio in ratios)
    names = ("comparable_ms", "comparable_low_ms", "comparable_high_ms")
    return asdict(summary) | dict(zip(names, told, strict=True))


def study_data(
    config: StudyConfig, side: int, cache: Path, *, progress: Callable[[int, int], None] | None = None
) -> PackedData:
    """The study's pictures at `side` pixels; packed on the first call, milliseconds afterwards."""
    data = config.data
    return open_data(
        data.source,
        resolution=side,
        seed=data.seed,
        classes=data.classes,
        train_per_class=data.per_class,
        val_per_class=data.val_per_class,
        download=data.download,
        cache_dir=cache,
        progress=progress,
    )


def training_config(config: StudyConfig, images: int) -> TrainingConfig:
    """How the study's candidates are trained when the top rung sees `images` pictures."""
    proxy = config.proxy
    return TrainingConfig(
        images=images,
        batch_size=proxy.batch_size,
        learning_rate=proxy.learning_rate,
        weight_decay=proxy.weight_decay,
        label_smoothing=proxy.label_smoothing,
        ema_decay=proxy.ema_decay,
        augmentation=proxy.augmentation,
        seed=config.seed,
    )


def _train(job: EvaluationJob, config: StudyConfig, architecture: Architecture) -> Iterator[Update]:
    _use_threads(job.threads)
    folder = Path(job.folder)
    begin = time.perf_counter()
    side = proxy_resolution(int(architecture.settings["input_resolution"]))
    with shared(cpu_lock_folder()) as waited:
        data = study_data(config, side, Path(job.cache_folder))
        training = Training(
            build(architecture, num_classes=len(data.classes), seed=config.seed, resolution=side),
            data,
            config=training_config(config, job.rungs[-1]),
            device=job.device,
            step_guard=lambda: shared(cpu_lock_folder()),
        )
        checkpoint = checkpoint_path(folder, job.number, job.rung - 1)
        # Without its checkpoint a training starts over, and arrives at the same weights: only the seed decides.
        if job.rung > 0 and checkpoint.is_file():
            training.load(checkpoint)
    seen_before, spent_before = training.images_seen, training.seconds
    yield {
        "kind": "training",
        "images_seen": training.images_seen,
        "seconds": {_WAIT: waited, "build to train": time.perf_counter() - begin - waited},
    }
    while not training.advance(job.rungs[job.rung], seconds=_CHUNK_S):
        yield {"kind": "training", "images_seen": training.images_seen}
    trained = training.seconds
    score = training.score()
    begin = time.perf_counter()
    path = _keep(training, job, folder)
    yield {
        "kind": "scored",
        "rung": job.rung,
        "score": score.to_dict(),
        "weights_path": path,
        "images": training.images_seen - seen_before,
        "seconds": {
            "train": trained - spent_before,
            _WAIT: training.held_seconds,
            "score": training.seconds - trained,
            "keep weights": time.perf_counter() - begin,
        },
    }


def _keep(training: Training, job: EvaluationJob, folder: Path) -> str | None:
    """Weights at the top, a checkpoint below it; the checkpoint of the rung before is no longer needed."""
    path = None
    if job.rung == len(job.rungs) - 1:
        file = weights_path(folder, job.number)
        file.parent.mkdir(parents=True, exist_ok=True)
        save_weights(training.finish(), file)
        path = str(file.relative_to(folder))
    else:
        training.save(checkpoint_path(folder, job.number, job.rung))
    checkpoint_path(folder, job.number, job.rung - 1).unlink(missing_ok=True)
    return path


def _use_threads(threads: int) -> None:
    import torch

    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


def _log_path(folder: Path, number: int) -> Path:
    return folder / "logs" / f"{number:05d}.log"


@contextlib.contextmanager
def _crash_log(folder: Path, number: int) -> Iterator[None]:
    """A segmentation fault leaves no exception; Python's fault handler writes it here on the way down."""
    path = _log_path(folder, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        faulthandler.enable(file=file)
        try:
            yield
        finally:
            faulthandler.disable()
    if not path.stat().st_size:
        path.unlink()
