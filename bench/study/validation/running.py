"""Sees a validation to its end: networks, pictures, trainings side by side, and what they come to."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

from bench.errors import ConfigError, TrainingError
from bench.measure import fingerprint
from bench.networks.cost import cost_quantities
from bench.proxies.decoding import num_cores
from bench.proxies.zero_cost import zero_cost_features
from bench.space import Architecture, Space, load_space
from bench.study.evaluation import cache_folder, proxy_resolution, study_data
from bench.study.inherited import check_space, inherited_score
from bench.study.inherited import opened as opened_supernet
from bench.study.preflight import check_pictures, training_device
from bench.study.provenance import git_revision, versions
from bench.study.validation.findings import findings_of
from bench.study.validation.journal import Journal, opened
from bench.study.validation.networks import spread_networks
from bench.study.validation.settings import Validation, checked, label_of
from bench.study.validation.trainings import Task, end_with_parent, tasks_of, train

Progress = Callable[[int, int], None]


def journal_path(out: Path) -> Path:
    """Where finished trainings are kept while a validation that ends in `out` runs."""
    return out.with_suffix(".rows.jsonl")


def validate(
    validation: Validation,
    journal: Path,
    *,
    device: str = "auto",
    concurrency: int | None = None,
    limit_s: float | None = None,
    progress: Progress = lambda done, total: None,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Does what is left of a validation and gives its findings, with where and by what they were found.

    Args:
        journal: where finished trainings are kept; what is there already is not done again.
        device: "auto", "cpu" or "cuda".
        concurrency: trainings at a time; None: one a core on the CPU, one on a GPU.
        limit_s: seconds after which no further training is begun; the findings are then of what is there.
        progress: is told pictures seen and pictures in all.
        say: is told what is done.

    Raises:
        BenchError: a setting, the space or the data is not valid, or a worker died; what was finished stays.
    """
    validation = checked(validation)
    space = load_space(validation.space).with_rules(validation.rules)
    device = training_device(device)
    if validation.supernet is not None:
        check_space(opened_supernet(validation.supernet), space, validation.supernet)
    say("drawing networks")
    architectures = spread_networks(space, validation.n, seed=validation.seed)
    deadline = None if limit_s is None else time.monotonic() + limit_s
    with opened(journal, {"validation": validation.to_dict(), "space_hash": space.hash}) as kept:
        _pack(validation, architectures, say)
        _look_at(architectures, kept, say)
        if validation.supernet is not None:
            _inherit(validation.supernet, architectures, kept, device, say)
        tasks = tasks_of(validation, architectures)
        _train_all(
            tasks,
            validation,
            kept,
            concurrency=concurrency or (num_cores() if device == "cpu" else 1),
            device=device,
            deadline=deadline,
            progress=progress,
            say=say,
        )
        found = findings_of(validation, kept.rows)
    return {**found, **_provenance(space, device)}


def _provenance(space: Space, device: str) -> dict[str, Any]:
    return {
        "space_hash": space.hash,
        "device": device,
        "versions": versions(),
        "git_revision": git_revision(),
        "fingerprint": dict(fingerprint(runner=device)),
    }


def _pack(validation: Validation, architectures: tuple[Architecture, ...], say: Callable[[str], None]) -> None:
    """Packs all pictures before the first training; what cannot be read is refused before anything is packed."""
    resolutions = {int(found.settings["input_resolution"]) for found in architectures}
    sides = sorted({validation.resolution or proxy_resolution(resolution) for resolution in resolutions})
    studies = [validation.study(data, seed=0, images=validation.proxy.images) for data in validation.data_sets]
    for study in studies:
        check_pictures(study, sides)
    for study in studies:
        for side in sides:
            say(f"pictures of {label_of(study.data)} at {side} px")
            study_data(study, side, cache_folder())


def _look_at(architectures: tuple[Architecture, ...], kept: Journal, say: Callable[[str], None]) -> None:
    """The zero-cost proxies and sizes of every network."""
    known = {row["id"] for row in kept.rows if row["kind"] == "network"}
    for number, architecture in enumerate(architectures):
        if architecture.id in known:
            continue
        say(f"zero-cost proxies of network {number + 1} of {len(architectures)}")
        begin = time.perf_counter()
        features = zero_cost_features(architecture)
        kept.add(
            {
                "kind": "network",
                "id": architecture.id,
                "architecture": architecture.to_dict(),
                "features": features,
                "seconds": time.perf_counter() - begin,
                **cost_quantities(architecture),
            }
        )


def _inherit(
    path: str, architectures: tuple[Architecture, ...], kept: Journal, device: str, say: Callable[[str], None]
) -> None:
    """The score of every network with the weights of the supernet, which is seconds for each."""
    digest = opened_supernet(path).digest
    known = {row["id"]: row["fidelity"]["supernet"] for row in kept.rows if row["kind"] == "supernet"}
    if others := set(known.values()) - {digest}:
        raise ConfigError(
            f"{path} has other weights (digest {digest[:12]}) than those that {len(known)} networks were scored by "
            f"({others.pop()[:12]}); scores of one validation are of the same; bring them back, or name another --out"
        )
    for number, architecture in enumerate(architectures):
        if architecture.id in known:
            continue
        say(f"score with the supernet of network {number + 1} of {len(architectures)}")
        row: dict[str, Any] = {"kind": "supernet", "id": architecture.id, "fidelity": {"supernet": digest}}
        try:
            score, _ = inherited_score(path, architecture, cache=cache_folder(), device=device)
            kept.add(
                {**row, **{name: score[name] for name in ("accuracy", "loss", "fidelity", "seconds")}, "reason": None}
            )
        except TrainingError as error:  # a network without a score is data
            kept.add({**row, "accuracy": None, "loss": None, "seconds": 0.0, "reason": str(error)})


def _train_all(
    tasks: list[Task],
    validation: Validation,
    kept: Journal,
    *,
    concurrency: int,
    device: str,
    deadline: float | None,
    progress: Progress,
    say: Callable[[str], None],
) -> None:
    done = {(row["id"], row["data"], row["is_long"], row["seed"]) for row in kept.rows if row["kind"] == "training"}
    total = sum(task.images(validation) for task in tasks)
    seen = sum(task.images(validation) for task in tasks if task.key in done)
    left = [task for task in tasks if task.key not in done]
    say(f"{len(left)} of {len(tasks)} trainings")
    progress(seen, total)
    job = partial(train, validation=validation, device=device, cache=cache_folder())
    for task, row in _results(left, job, concurrency, deadline):
        kept.add(row)
        seen += task.images(validation)
        progress(seen, total)


def _results(
    tasks: list[Task], job: Callable[[Task], dict[str, Any]], concurrency: int, deadline: float | None
) -> Iterator[tuple[Task, dict[str, Any]]]:
    """Tasks with their rows as they end; none is begun after the deadline."""
    waiting = iter(tasks)

    def next_task() -> Task | None:
        return None if deadline is not None and time.monotonic() >= deadline else next(waiting, None)

    if concurrency == 1:
        while (task := next_task()) is not None:
            yield task, job(task)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(concurrency, mp_context=context, initializer=end_with_parent) as pool:
        running: dict[Future[dict[str, Any]], Task] = {}
        try:
            while True:
                while len(running) < concurrency and (task := next_task()) is not None:
                    running[pool.submit(job, task)] = task
                if not running:
                    return
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    yield running.pop(future), future.result()
        except BrokenProcessPool as error:
            raise TrainingError(
                "a training's process died (killed, or out of memory); what was finished is kept; the same command "
                "goes on, with --concurrency 1 it needs least memory"
            ) from error
        except BaseException:
            # Whoever interrupts does not wait for trainings of minutes.
            for process in (pool._processes or {}).values():
                process.terminate()
            raise
