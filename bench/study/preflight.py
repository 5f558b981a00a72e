"""Refuses what cannot work before any time is spent on it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from bench.errors import SearchError, SpaceError
from bench.networks.cost import cost_quantities
from bench.proxies.datasets import check_data
from bench.proxies.decoding import num_cores
from bench.space import Architecture, CostFunction, NoneFound, Space, describe, draw, load_space
from bench.study.config import StudyConfig
from bench.study.constraints import rules_of
from bench.study.evaluation import cache_folder, proxy_resolution
from bench.study.proposer import reference_points
from bench.study.runner import free_bytes

# Draws among which the largest network is looked for: it bounds memory, disk and the hypervolume.
_LARGEST_OF = 256
# float32 weights, their average and AdamW's two moments.
_BYTES_A_PARAMETER = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A study that can start.

    Attributes:
        space: with all rules.
        largest: the valid architecture with the most MACs among many drawn and the reference points.
        resolutions: deployment resolutions of the space.
        concurrency: trials at a time.
        threads: CPU threads of each training.
        device: "cpu" or "cuda", where candidates are trained.
    """

    space: Space
    largest: Architecture
    resolutions: tuple[int, ...]
    concurrency: int
    threads: int
    device: Literal["cpu", "cuda"]


def check(
    config: StudyConfig, folder: Path, *, space: Space | None = None, costs: CostFunction = cost_quantities
) -> Checked:
    """Everything about a study that can be known without doing it, but for where it is timed (bench.study.timers).

    Args:
        config: the settings.
        folder: where checkpoints and weights will lie.
        space: with all rules, instead of the one that `config` names: the stored text of a study that goes on.
        costs: what rules read.

    Raises:
        BenchError: saying what cannot work, what is allowed, what to do.
    """
    space = space or load_space(config.space).with_rules(rules_of(config))
    tried, _ = reference_points(space, costs)
    resolutions = _resolutions(space)
    largest = max([*_drawn(space, costs), *tried.values()], key=lambda found: cost_quantities(found)["macs_g"])
    device = training_device(config.execution.device)
    concurrency, threads = _share(config, device)
    _check_disk(config, folder, largest)
    if config.proxy.kind == "training":
        check_pictures(config, sorted({proxy_resolution(resolution) for resolution in resolutions}))
    return Checked(
        space=space,
        largest=largest,
        resolutions=resolutions,
        concurrency=concurrency,
        threads=threads,
        device=device,
    )


def check_pictures(config: StudyConfig, sides: Iterable[int]) -> None:
    """Refuses pictures that could not be packed at these resolutions; errors as for `check_data`."""
    for side in sides:
        check_data(
            config.data.source,
            resolution=side,
            seed=config.data.seed,
            classes=config.data.classes,
            train_per_class=config.data.per_class,
            val_per_class=config.data.val_per_class,
            download=config.data.download,
            cache_dir=cache_folder(),
        )


def _resolutions(space: Space) -> tuple[int, ...]:
    found = {value for row in describe(space) if row.word == "input_resolution" for value in row.values}
    return tuple(sorted(int(value) for value in found if value is not None))


def _drawn(space: Space, costs: CostFunction) -> list[Architecture]:
    random = np.random.default_rng(0)
    found = []
    for _ in range(_LARGEST_OF):
        try:
            found.append(draw(space, random, costs))
        except NoneFound as error:
            if not found and not space.rules:
                raise
            if not found:
                raise SpaceError(
                    f"no architecture of space {space.name!r} obeys {', '.join(space.rules)} ({error}); loosen a rule"
                ) from error
    return found


def training_device(wanted: str) -> Literal["cpu", "cuda"]:
    """Where networks are trained: "auto" takes a GPU if torch sees one.

    Raises:
        SearchError: "cuda" is wanted and there is none.
    """
    if wanted == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if wanted == "cuda":
        raise SearchError(
            "training on 'cuda' was asked for and torch sees no GPU; allowed here: cpu; leave --device out"
        )
    return "cpu"


def _share(config: StudyConfig, device: str) -> tuple[int, int]:
    """Trials at a time, and threads of each: one a core is fastest, since small steps gain little from a second."""
    cores = num_cores()
    if device == "cuda":
        import torch

        return config.execution.concurrency or torch.cuda.device_count(), config.execution.threads or 1
    concurrency = config.execution.concurrency or cores
    return concurrency, config.execution.threads or min(_allowed(cores), max(1, cores // concurrency))


def _allowed(cores: int) -> int:
    """The threads that whoever started this process allows; 0 and what is no number say nothing.

    Who shares the cores with others has to be able to say so: threads of one training wait for each other at every
    operator, so that with more threads than cores it takes many times as long.
    """
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) else cores


def _check_disk(config: StudyConfig, folder: Path, largest: Architecture) -> None:
    checkpoint = cost_quantities(largest)["params_m"] * 1e6 * _BYTES_A_PARAMETER
    needed = int(min(config.budget, 40) * checkpoint / 2 + 0.5e9)
    free = free_bytes(folder)
    if free < needed:
        raise SearchError(
            f"{free / 1e9:.1f} GB free at {folder}; this study may need {needed / 1e9:.1f} GB for checkpoints and "
            "weights; free some, work in another folder, or bound the networks with --rule 'params_m <= 5'"
        )
