"""A simulated search from several seeds, one after the other or side by side in processes."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field

from bench.errors import SearchError
from bench.simulate.run import Evaluation, Settings, evaluations
from bench.simulate.task import Task

Progress = Callable[[int, int], None]
"""Is told proposals that have ended, and how many there will be at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedResult:
    """The search from one seed.

    Attributes:
        evaluations: in the order in which they ended.
        is_complete: whether it came to its end.
        seconds: that it took.
    """

    seed: int
    evaluations: tuple[Evaluation, ...] = field(repr=False)
    is_complete: bool
    seconds: float


def run_seeds(
    task: Task, settings: Settings, seeds: Sequence[int], *, processes: int = 1, progress: Progress | None = None
) -> Iterator[SeedResult]:
    """The searches from `seeds`, each given as soon as it ends.

    Interrupted (KeyboardInterrupt) it gives the one under way as far as it came, not complete, and ends; searches in
    other processes are given up. The results are the same whatever the number of processes; then their order is that of
    their ends.

    Raises:
        SearchError: a process died.
    """
    if processes > 1 and len(seeds) > 1:
        yield from _side_by_side(task, settings, seeds, processes=processes, progress=progress)
        return
    total = settings.budget * len(seeds)
    for place, seed in enumerate(seeds):
        result = _run(task, settings, seed, _shifted(progress, place * settings.budget, total))
        yield result
        if not result.is_complete:
            return


def _run(task: Task, settings: Settings, seed: int, progress: Progress | None) -> SeedResult:
    found: list[Evaluation] = []
    begin, is_complete = time.perf_counter(), True
    numbers: set[int] = set()
    try:
        for evaluation in evaluations(task, settings, seed=seed):
            found.append(evaluation)
            numbers.add(evaluation.number)
            if progress is not None:
                progress(len(numbers), settings.budget)
    except KeyboardInterrupt:
        is_complete = False
    return SeedResult(seed=seed, evaluations=tuple(found), is_complete=is_complete, seconds=time.perf_counter() - begin)


def _shifted(progress: Progress | None, done: int, total: int) -> Progress | None:
    return None if progress is None else lambda here, _: progress(done + here, total)


def _side_by_side(
    task: Task, settings: Settings, seeds: Sequence[int], *, processes: int, progress: Progress | None
) -> Iterator[SeedResult]:
    # Spawned: a fork would take threads of numpy and torch with it in whatever state they are.
    context = multiprocessing.get_context("spawn")
    workers = min(processes, len(seeds))
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker, initargs=(task, settings))
    done = 0
    try:
        for future in as_completed([pool.submit(_work, seed) for seed in seeds]):
            yield future.result()
            done += 1
            if progress is not None:
                progress(done * settings.budget, len(seeds) * settings.budget)
    except KeyboardInterrupt:
        _give_up(pool)
    except BrokenProcessPool as error:
        raise SearchError(
            "a process of the simulation died (killed, or out of memory); what had ended is lost with it; run it again "
            "with fewer --processes"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _give_up(pool: ProcessPoolExecutor) -> None:
    pool.shutdown(wait=False, cancel_futures=True)
    for process in multiprocessing.active_children():
        process.terminate()


# Of a worker, so that the table is sent once a process and not once a seed.
_given: list[tuple[Task, Settings]] = []


def _begin_worker(task: Task, settings: Settings) -> None:
    # Ctrl-C reaches every process of the terminal; the one that was started ends these.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _given.append((task, settings))


def _work(seed: int) -> SeedResult:
    task, settings = _given[-1]
    return _run(task, settings, seed, None)
