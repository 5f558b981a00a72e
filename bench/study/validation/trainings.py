"""One training of a validation, in this process or in one of several that end with it."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BenchError, DataError
from bench.measure.exclusive import cpu_lock_folder, shared
from bench.networks import build
from bench.proxies.training import Training
from bench.space import Architecture
from bench.study.evaluation import proxy_resolution, study_data, training_config
from bench.study.validation.settings import Validation
from bench.study.worker import use_threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A network to train.

    Attributes:
        architecture: `Architecture.to_dict()`.
        architecture_id: of it.
        data: which of the validation's data sets: 0, or 1 for the one it is judged against.
        is_long: whether it is the long training.
        seed: of weights and order of pictures.
    """

    architecture: Mapping[str, Any]
    architecture_id: str
    data: int
    is_long: bool
    seed: int

    @property
    def key(self) -> tuple[str, int, bool, int]:
        """What no two tasks of a validation share."""
        return self.architecture_id, self.data, self.is_long, self.seed

    def images(self, validation: Validation) -> int:
        """Pictures that it sees."""
        return validation.long_images if self.is_long else validation.rungs[-1]


def tasks_of(validation: Validation, architectures: tuple[Architecture, ...]) -> list[Task]:
    """All trainings, what tells most first: one seed of everything, then the next; in each the short ones first.

    Networks come in random order, so that those that a limit has left time for are a sample of them all.
    """
    order = np.random.default_rng(validation.seed).permutation(len(architectures))
    shuffled = [architectures[place] for place in order]
    return [
        Task(
            architecture=architecture.to_dict(),
            architecture_id=architecture.id,
            data=data,
            is_long=is_long,
            seed=seed,
        )
        for seed in range(validation.seeds)
        for is_long in (False, True)
        for data in range(len(validation.data_sets))
        for architecture in shuffled
    ]


def train(task: Task, validation: Validation, *, device: str, cache: Path) -> dict[str, Any]:
    """Trains and scores at every fidelity on the way; the row that is kept, with the reason where it failed.

    Raises:
        DataError: the pictures cannot be read, which no other training could either.
    """
    use_threads(1)
    row: dict[str, Any] = {
        "kind": "training",
        "id": task.architecture_id,
        "data": task.data,
        "is_long": task.is_long,
        "seed": task.seed,
        "scores": [],
        "fidelity": {},
        "reason": None,
    }
    begin = time.perf_counter()
    try:
        _train(task, validation, row, device=device, cache=cache)
    except DataError:
        raise
    except (BenchError, RuntimeError) as error:  # a network that cannot be trained is data
        row["reason"] = " ".join(str(error).split())[:500]
    row["seconds"] = time.perf_counter() - begin
    return row


def _train(task: Task, validation: Validation, row: dict[str, Any], *, device: str, cache: Path) -> None:
    architecture = Architecture.from_dict(task.architecture)
    side = validation.resolution or proxy_resolution(int(architecture.settings["input_resolution"]))
    config = validation.study(validation.data_sets[task.data], seed=task.seed, images=task.images(validation))
    data = study_data(config, side, cache)
    training = Training(
        build(architecture, num_classes=len(data.classes), seed=task.seed, resolution=side),
        data,
        config=training_config(config, config.proxy.images),
        device=device,
        step_guard=lambda: shared(cpu_lock_folder()),
    )
    scores: list[dict[str, Any]] = row["scores"]
    for images in (validation.long_images,) if task.is_long else validation.rungs:
        training.advance(images)
        trained = training.seconds
        score = training.score()
        scores.append(
            {
                "images": training.images_seen,
                "accuracy": score.accuracy,
                "loss": score.loss,
                # Without the scores on the way, which a search does not pay for.
                "train_seconds": trained - sum(found["score_seconds"] for found in scores),
                "score_seconds": training.seconds - trained,
            }
        )
        row["fidelity"] = dict(score.fidelity)


def end_with_parent() -> None:
    """Lets this process end when the one that started it does, however that ends."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    sentinel = parent.sentinel

    def watch() -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
