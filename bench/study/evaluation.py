"""The scoring job of a study, as a worker does it: train a candidate up to a rung, score it, keep it; or score it as it
is (bench/study/untrained.py), or with the weights of a supernet (bench/study/inherited.py).

A job is plain data and so are the updates it yields; nothing here knows Ray or the database. Where latency is no
objective, a new candidate is prepared here too, just before; else bench.study.timing has done so.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.measure.exclusive import cpu_lock_folder, shared
from bench.networks import build
from bench.networks.weights import save_weights
from bench.proxies.cache import PackedData
from bench.proxies.datasets import open_data
from bench.proxies.training import Training, TrainingConfig
from bench.space import Architecture
from bench.study.config import StudyConfig
from bench.study.inherited import inherited_score
from bench.study.timing import prepare, remove_artifacts
from bench.study.untrained import Standards, untrained_score
from bench.study.worker import WAIT, Update, crash_log, use_threads

# Between two signs of life of a training.
_CHUNK_S = 5.0


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
        is_prepared: what its deploy form costs is known already.
        threads: CPU threads of the training.
        device: "cpu" or "cuda".
        cache_folder: where packed pictures lie.
        standards: what a zero-cost score is told by; None where candidates are trained.
        seed: of a training of the front, after the search, which keeps no weights; None: the study's own.
    """

    number: int
    architecture: Mapping[str, Any]
    rung: int
    rungs: tuple[int, ...]
    config: Mapping[str, Any]
    folder: str
    is_prepared: bool
    threads: int
    device: str
    cache_folder: str
    standards: Standards | None = None
    seed: int | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of the one candidate."""
        return (self.number,)

    @property
    def last_update(self) -> tuple[str, int]:
        """Kind of the update that it ends with, and how many of them there are."""
        return "scored", 1

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EvaluationJob:
        """The job that `to_dict` gave."""
        return cls(**{**data, "rungs": tuple(data["rungs"])})


def proxy_resolution(deploy_resolution: int) -> int:
    """A quarter of the deployment resolution, 64 px at least: a smaller input is never free, nor useless.

    To the nearest multiple of 32, which every family can take: resolutions that lie close then share their pictures.
    """
    return max(64, round(deploy_resolution / 128) * 32)


def cache_folder() -> Path:
    """Where packed pictures are kept: BENCH_CACHE, or `results/cache` in the current folder."""
    return Path(os.environ.get("BENCH_CACHE") or "results/cache").expanduser().resolve()


def checkpoint_path(folder: Path, number: int, rung: int) -> Path:
    """Where a training waits at a rung below the top."""
    return folder / "checkpoints" / f"{number:05d}-rung{rung}.pt"


def weights_path(folder: Path, number: int) -> Path:
    """Where the weights of a trial that reached the top are kept."""
    return folder / "weights" / f"{number:05d}.safetensors"


def evaluate(job: EvaluationJob) -> Iterator[tuple[int, Update]]:
    """Does the job; yields the candidate's number and `prepared` if it was not, `training`, and at the end `scored`.

    Raises:
        BenchError: the candidate failed; the message is the reason.
    """
    with crash_log(Path(job.folder), job.number):
        config = StudyConfig.from_dict(job.config)
        architecture = Architecture.from_dict(job.architecture)
        if not job.is_prepared:
            yield job.number, _prepared(job, config, architecture)
        for update in _SCORERS[config.proxy.kind](job, config, architecture):
            yield job.number, update


def _prepared(job: EvaluationJob, config: StudyConfig, architecture: Architecture) -> Update:
    folder = Path(job.folder)
    try:
        return prepare(config, architecture, folder, job.number, (), threads=job.threads)[1]
    finally:
        remove_artifacts(folder, job.number)


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


def training_config(config: StudyConfig, images: int, *, seed: int | None = None) -> TrainingConfig:
    """How the study's candidates are trained when the top rung sees `images` pictures; `seed` in place of its own."""
    proxy = config.proxy
    return TrainingConfig(
        images=images,
        batch_size=proxy.batch_size,
        learning_rate=proxy.learning_rate,
        weight_decay=proxy.weight_decay,
        label_smoothing=proxy.label_smoothing,
        ema_decay=proxy.ema_decay,
        augmentation=proxy.augmentation,
        seed=config.seed if seed is None else seed,
    )


def _train(job: EvaluationJob, config: StudyConfig, architecture: Architecture) -> Iterator[Update]:
    use_threads(job.threads)
    folder = Path(job.folder)
    begin = time.perf_counter()
    side = proxy_resolution(int(architecture.settings["input_resolution"]))
    recipe = training_config(config, job.rungs[-1], seed=job.seed)
    with shared(cpu_lock_folder()) as waited:
        data = study_data(config, side, Path(job.cache_folder))
        training = Training(
            build(architecture, num_classes=len(data.classes), seed=recipe.seed, resolution=side),
            data,
            config=recipe,
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
        "seconds": {WAIT: waited, "build to train": time.perf_counter() - begin - waited},
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
            WAIT: training.held_seconds,
            "score": training.seconds - trained,
            "keep weights": time.perf_counter() - begin,
        },
    }


def _look(job: EvaluationJob, config: StudyConfig, architecture: Architecture) -> Iterator[Update]:
    use_threads(job.threads)
    assert job.standards is not None
    with shared(cpu_lock_folder()) as waited:
        score = untrained_score(architecture, job.standards, seed=config.seed, cache=Path(job.cache_folder))
    yield {
        "kind": "scored",
        "rung": job.rung,
        "score": score,
        "weights_path": None,
        "images": job.rungs[job.rung],
        "seconds": {WAIT: waited, "score": score["seconds"]},
    }


def _inherit(job: EvaluationJob, config: StudyConfig, architecture: Architecture) -> Iterator[Update]:
    use_threads(job.threads)
    assert config.proxy.supernet is not None
    cache = Path(job.cache_folder)
    score, waited = inherited_score(config.proxy.supernet, architecture, cache=cache, device=job.device)
    yield {
        "kind": "scored",
        "rung": job.rung,
        "score": score,
        "weights_path": None,
        "images": job.rungs[job.rung],
        "seconds": {WAIT: waited, "score": score["seconds"]},
    }


_SCORERS = {"training": _train, "zero-cost": _look, "supernet": _inherit}


def _keep(training: Training, job: EvaluationJob, folder: Path) -> str | None:
    """Weights at the top, a checkpoint below it; the checkpoint of the rung before is no longer needed."""
    path = None
    if job.seed is not None:
        return path
    if job.rung == len(job.rungs) - 1:
        file = weights_path(folder, job.number)
        file.parent.mkdir(parents=True, exist_ok=True)
        save_weights(training.finish(), file)
        path = str(file.relative_to(folder))
    else:
        training.save(checkpoint_path(folder, job.number, job.rung))
    checkpoint_path(folder, job.number, job.rung - 1).unlink(missing_ok=True)
    return path
