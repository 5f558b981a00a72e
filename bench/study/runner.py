"""Runs a session's jobs with Ray Tune: on this machine, or on a cluster by its address.

A job of the plan is a Ray Tune trial: "time candidates 8 to 11", "train candidate 7 to rung 1" start, end and are
forgotten by Ray, and a promotion is simply the next job. Ray's own pausing would tie resuming to its snapshots; this
way the store alone knows the state, and Ray does what it is good at: processes, resources, clusters. Workers are reused
from job to job, because importing torch takes seconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from bench.errors import SearchError
from bench.study.cluster import connected, environment, is_alive
from bench.study.jobs import Job, job_from_dict, job_to_dict, work
from bench.study.session import Session

# A look asks a process of Ray's on this machine: about a millisecond.
_LOOK_EVERY_S = 2.0


def run(session: Session, *, concurrency: int, ray_address: str | None, uses_gpu: bool) -> None:
    """Runs jobs until the session's plan is done.

    Raises:
        SearchError: Ray cannot start or cannot be reached.
        BenchError: the store cannot be written any more.
        KeyboardInterrupt: as it comes; what was recorded stays.
    """
    os.environ.update({name: value for name, value in environment(ray_address).items() if name not in os.environ})
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="bench-ray-") as scratch:
        warnings.simplefilter("ignore")
        # Ray prints what it has to say of a dead worker; standard output belongs to the command's own results.
        with contextlib.redirect_stdout(sys.stderr), connected(ray_address, concurrency):
            _run(session, Path(scratch), uses_gpu=uses_gpu)


class _Interrupt:
    """Whether the user has asked to end.

    A KeyboardInterrupt can be lost: raised inside one of Ray's callbacks it is printed and forgotten. So it is also
    noted, and looked for wherever the run could go on.
    """

    def __init__(self) -> None:
        self.is_set = False

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Notes SIGINT and SIGTERM, in the main thread, where alone handlers can be set."""
        signals = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
        before = {number: signal.signal(number, self._note) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  (a handler's signature)
        self.is_set = True
        raise KeyboardInterrupt


def _run(session: Session, scratch: Path, *, uses_gpu: bool) -> None:
    from ray import tune
    from ray.tune.search import Searcher

    class PlanSearcher(Searcher):  # type: ignore[misc]  # Ray is untyped
        """Hands the plan's jobs to Ray Tune and its results back."""

        def __init__(self) -> None:
            super().__init__()
            self.error: Exception | None = None
            self._jobs: dict[str, Job] = {}

        def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
            if self.error is not None or interrupt.is_set or session.is_done:
                return str(Searcher.FINISHED)
            job: Job | None = None
            with self._kept():
                job = session.next_job()
            if job is None:
                return str(Searcher.FINISHED) if self.error is not None or session.is_done else None
            self._jobs[trial_id] = job
            return {"job": job_to_dict(job)}

        def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:  # noqa: ARG002  (Ray's signature)
            if "update" in result and self.error is None:
                number, update = json.loads(result["update"])
                with self._kept():
                    session.update(number, update)

        def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
            if result and not error:
                self.on_trial_result(trial_id, result)
            # A job that the user's interrupt has cut off is taken up again as it was.
            job = self._jobs.pop(trial_id, None)
            if job is not None and self.error is None and not interrupt.is_set:
                with self._kept():
                    session.ended(job, has_died=error)

        def __reduce__(self) -> tuple[type[object], tuple[()]]:
            # Ray pickles a snapshot of its settings that nobody reads: the store knows.
            return object, ()

        def save(self, checkpoint_path: str) -> None:
            """Nothing, as above; Ray expects the file."""
            Path(checkpoint_path).touch()

        def restore(self, checkpoint_path: str) -> None:
            """Nothing: the store knows."""

        @contextlib.contextmanager
        def _kept(self) -> Iterator[None]:
            # Ray logs what a searcher raises and goes on; the study has to stop instead.
            try:
                yield
            except Exception as error:
                self.error = error

    class Evaluation(tune.Trainable):  # type: ignore[misc]  # Ray is untyped
        """A worker that does one job after the other, one update a step."""

        def setup(self, config: dict[str, Any]) -> None:
            self._updates = work(job_from_dict(config["job"]))

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.setup(new_config)
            return True

        def step(self) -> dict[str, Any]:
            # As text, since Ray flattens mappings on the way.
            found = next(self._updates, None)
            return {"done": True} if found is None else {"update": json.dumps(found), "done": False}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            """Nothing: trainings write their own checkpoints."""

        def load_checkpoint(self, checkpoint: Any) -> None:
            """Nothing, as above."""

    class StopOnError(tune.Stopper):  # type: ignore[misc]  # Ray is untyped
        """Ends the run at once when nothing can be recorded any more."""

        def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002  (Ray's signature)
            return self.stop_all()

        def stop_all(self) -> bool:
            return searcher.error is not None or interrupt.is_set

        def __reduce__(self) -> tuple[type[object], tuple[()]]:
            return object, ()

    class EndWithRay(tune.Callback):  # type: ignore[misc]  # Ray is untyped
        """Ends the run when Ray is gone, which Ray Tune would wait for without end."""

        def __init__(self) -> None:
            self._looked_s = time.monotonic()

        def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:  # noqa: ARG002  (Ray's signature)
            if time.monotonic() - self._looked_s > _LOOK_EVERY_S:
                if not is_alive():
                    raise SearchError("Ray's processes have ended, killed or out of memory; --resume goes on")
                self._looked_s = time.monotonic()

        def __reduce__(self) -> tuple[type[object], tuple[()]]:
            return object, ()

    interrupt = _Interrupt()
    searcher = PlanSearcher()
    resources = {"cpu": 1, "gpu": 1} if uses_gpu else {"cpu": 1}
    tuner = tune.Tuner(
        tune.with_resources(Evaluation, resources),
        tune_config=tune.TuneConfig(search_alg=searcher, num_samples=-1, reuse_actors=True, max_concurrent_trials=None),
        run_config=tune.RunConfig(
            name="study",
            stop=StopOnError(),
            callbacks=[EndWithRay()],
            storage_path=str(scratch),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=0),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    )
    with interrupt.noted():
        tuner.fit()
    if interrupt.is_set:
        raise KeyboardInterrupt
    if searcher.error is not None:
        raise searcher.error
    if not session.is_done:
        raise SearchError("Ray ended the run before the study was done; its log tells why; --resume goes on")


def free_bytes(folder: Path) -> int:
    """Free space where `folder` lies or will lie."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
