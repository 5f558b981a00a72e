"""Runs a session's jobs with Ray Tune: on this machine, or on a cluster by its address.

A job of the plan is a Ray Tune trial: "time candidates 8 to 11", "train candidate 7 to rung 1" start, end and are
forgotten by Ray, and a promotion is simply the next job. Ray's own pausing would tie resuming to its snapshots; this
way the store alone knows the state, and Ray does what it is good at: processes, resources, clusters. Workers are reused
from job to job, because importing torch takes seconds.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from bench.errors import SearchError
from bench.study.jobs import Job, job_from_dict, job_to_dict, work
from bench.study.session import Session

# Read by Ray at import or start: no reports to outside, no files beside the study, results one by one.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_V2_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_RESULT_BUFFER_LENGTH": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Workers stay where the command was given, so that relative places mean the same there.
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # Its default of 15 would let any other process disturb what is timed.
    "RAY_worker_niceness": "0",
    # Activations are freed and asked for again each step; glibc would hand large ones back to the kernel every time.
    # T8 at 64 px, one thread: 71 pictures/s without, 90 with (2026-11, beside other work).
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
}


# Without these a local Ray listens on all interfaces, whatever address its node is given.
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


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


def environment(ray_address: str | None) -> dict[str, str]:
    """What Ray reads at import and start, here and in its workers."""
    return _ENVIRONMENT | (_LOOPBACK if ray_address is None else {})


@contextlib.contextmanager
def connected(address: str | None, concurrency: int) -> Iterator[None]:
    """Ray while it is needed: a cluster by its address, or one of our own for `concurrency` jobs, on loopback.

    Raises:
        SearchError: it cannot start or cannot be reached.
    """
    import ray

    # What went wrong in a trial comes as an update or as the end of its worker; Ray's own words repeat it.
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    options: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": logging.CRITICAL,
        "configure_logging": True,
    }
    if address is None:
        # Loopback only; a small object store, since jobs and updates are small.
        options |= {
            "num_cpus": concurrency,
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
            "object_store_memory": 128 * 1024 * 1024,
            "address": "local",
        }
    else:
        options["address"] = address
    try:
        ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = f"reach Ray at {address!r}" if address else "start Ray on this machine"
        raise SearchError(
            f"cannot {where} ({' '.join(str(error).split())[:200]}); check --ray-address, or leave it out"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


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
            if self.error is not None or interrupt.is_set or session.plan.is_done:
                return str(Searcher.FINISHED)
            job: Job | None = None
            with self._kept():
                job = session.next_job()
            if job is None:
                return str(Searcher.FINISHED) if self.error is not None or session.plan.is_done else None
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

    interrupt = _Interrupt()
    searcher = PlanSearcher()
    resources = {"cpu": 1, "gpu": 1} if uses_gpu else {"cpu": 1}
    tuner = tune.Tuner(
        tune.with_resources(Evaluation, resources),
        tune_config=tune.TuneConfig(search_alg=searcher, num_samples=-1, reuse_actors=True, max_concurrent_trials=None),
        run_config=tune.RunConfig(
            name="study",
            stop=StopOnError(),
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
    if not session.plan.is_done:
        raise SearchError("Ray ended the run before the study was done; its log tells why; --resume goes on")


def free_bytes(folder: Path) -> int:
    """Free space where `folder` lies or will lie."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
