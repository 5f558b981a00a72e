"""A measuring session under way: restart after restart, until enough is known or the time is over.

What it gives are raw samples with everything about them; nothing here judges or derives statistics, so that the same
code runs on a device that has Python and a runtime and nothing else (`runners/`). `protocol.py` says what is enough,
and judges.

An artifact that crashes, hangs, answers nonsense or computes something else is a failed measurement with its
reason; the others go on in a fresh child. A file of unknown origin is looked into before a runtime may load it, and
what it should compute is what the runtime makes of it without any optimisation.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from bench.measure.child import WORKER, LostError, RefusedError
from bench.measure.fingerprint import fingerprint
from bench.measure.health import Monitor
from bench.measure.inspection import Inspection
from bench.measure.job import Job, JobArtifact
from bench.measure.measurement import Measurement
from bench.measure.restart import Log, Record, Restart

# Called with the number of steps that are done and the number of all, which grows while a target is missed.
Progress = Callable[[int, int], None]

# Asked after a restart, with what is known so far, whether that is enough.
Enough = Callable[[Sequence[Measurement]], bool]

# Raised with each change to what is timed or in which order.
PROTOCOL_VERSION = 3

# Between two looks at whether the target is met, in restarts: who looks after every restart stops by luck.
_LOOK_EVERY = 3


def record_session(
    job: Job, *, is_enough: Enough, command: Sequence[str] = WORKER, progress: Progress | None = None
) -> tuple[Measurement, ...]:
    """Times every artifact of `job`; one measurement each, in the job's order, not judged yet.

    An artifact that cannot be timed gives the verdict "failed" (or "wrong_output") and never an exception. Nothing
    else may use the CPU meanwhile: hold `exclusive`.
    """
    session = _Session(job, command, progress)
    session.look_into_files()
    session.run(is_enough)
    return session.measurements()


class _Session:
    """A job under way."""

    def __init__(self, job: Job, command: Sequence[str], progress: Progress | None) -> None:
        self._job = job
        self._command = command
        self._progress = progress
        self._began = time.monotonic()
        self._id = uuid.uuid4().hex
        self._twin = replace(job.reference, label=f"{job.reference.label} (again)")
        everything = (job.reference, self._twin, *job.artifacts)
        self._records = {
            artifact.label: Record(left_s=job.deadline_s, logits=artifact.logits) for artifact in everything
        }
        self._reference = self._records[job.reference.label]
        self._monitor = Monitor(uses_gpu=job.runner == "cuda")
        self._restarts: list[Restart] = []
        self._num_lost = 0

    def look_into_files(self) -> None:
        """Checks what is of unknown origin, and computes what it should give."""
        with Inspection(self._job, self._command) as inspection:
            for artifact in (self._job.reference, *self._job.artifacts):
                if artifact.is_checked or not self._is_worthwhile:
                    continue
                record = self._records[artifact.label]
                try:
                    logits = inspection.look_into(artifact)
                except (LostError, RefusedError) as error:
                    record.reason = f"checking failed: {error}"
                else:
                    record.logits = record.logits or logits
            self._num_lost += inspection.num_lost
        self._records[self._twin.label].logits = self._reference.logits

    def run(self, is_enough: Enough) -> None:
        """Restart after restart, until enough is known or the time is over."""
        job = self._job
        for number in range(max(job.restarts, job.most_restarts)):
            is_late = number > 0 and time.monotonic() - self._began > job.limit_s
            is_look = number >= job.restarts and not (number - job.restarts) % _LOOK_EVERY
            if is_late or (is_look and is_enough(self.measurements())):
                return
            while self._is_worthwhile and not self._run_restart(number):
                pass  # each turn lost a child and failed the artifact that it was busy with, so this ends
            if not self._is_worthwhile:
                return

    def measurements(self) -> tuple[Measurement, ...]:
        """What is known so far."""
        return tuple(self._timed(artifact) for artifact in self._job.artifacts)

    def _shared(self, artifact: JobArtifact) -> list[Restart]:
        """The restarts that the artifact and the reference were part of."""
        own, reference = self._records[artifact.label].logs, self._reference.logs
        return [found for found in self._restarts if found.number in own and found.number in reference]

    def _timed(self, artifact: JobArtifact) -> Measurement:
        """Samples with everything about them but the verdict of a success."""
        job, record, reference = self._job, self._records[artifact.label], self._reference
        setup, shared = job.setup_of(artifact), self._shared(artifact)
        reason = record.reason
        if reason is None and reference.reason is not None:
            reason = f"the reference {job.reference.label!r} failed: {reference.reason}"
        twin = self._records[self._twin.label].logs
        logs = [record.logs[restart.number] for restart in shared]
        verdict = "wrong_output" if record.is_wrong else "failed"
        return Measurement(
            label=artifact.label,
            architecture_id=artifact.architecture_id,
            artifact_sha256=artifact.sha256,
            runner=job.runner,
            runtime=setup.runtime,
            threads=setup.threads,
            resolution=artifact.resolution or job.resolution,
            samples=tuple(tuple(log.samples) for log in logs),
            reference_samples=tuple(tuple(reference.logs[restart.number].samples) for restart in shared),
            twin_samples=tuple(
                tuple(twin[restart.number].samples) if restart.number in twin else () for restart in shared
            ),
            contended=tuple(tuple(restart.contended) for restart in shared),
            verdict="valid" if reason is None else verdict,
            reason=reason,
            fingerprint=self._fingerprint(artifact, shared[0].started[setup] if shared else {}),
            protocol=self._protocol(artifact, shared, logs),
            session=self._id,
        )

    def _fingerprint(self, artifact: JobArtifact, started: Mapping[str, Any]) -> dict[str, Any]:
        """Machine, software, how it was run and made, and what its ratio is a ratio to."""
        job, setup = self._job, self._job.setup_of(artifact)
        return {
            **fingerprint(runner=job.runner, runtime=setup.runtime, threads=setup.threads),
            "precision": setup.precision,
            "channels_last": setup.channels_last,
            "options": dict(setup.options),
            "cpus": None if job.cpus is None else list(job.cpus),
            "export": dict(artifact.export or {}),
            "reference": {
                "setup": job.setup_of(job.reference).name,
                "resolution": job.reference.resolution or job.resolution,
            },
            "loaded": started.get("details"),
        }

    @property
    def _is_worthwhile(self) -> bool:
        """Whether the reference and at least one artifact can still be timed."""
        rest = (self._records[artifact.label] for artifact in self._job.artifacts)
        return self._reference.reason is None and any(record.reason is None for record in rest)

    def _run_restart(self, number: int) -> bool:
        """One restart from start to end; False when a child was lost and another restart must take its place."""
        job = self._job
        has_twin = job.twin == "always" or (job.twin == "first" and number == 0)
        present = (job.reference, *((self._twin,) if has_twin else ()), *job.artifacts)
        present = tuple(artifact for artifact in present if self._records[artifact.label].reason is None)
        steps = len(present) * (2 + job.blocks)
        done = sum(len(restart.present) * (2 + job.blocks) for restart in self._restarts)
        told = 0

        def tell() -> None:
            nonlocal told
            told += 1
            if self._progress is not None:
                left = max(job.restarts - number - 1, 0) * len((job.reference, *job.artifacts)) * (2 + job.blocks)
                self._progress(done + min(told, steps), done + steps + left)

        restart = Restart(job, number, present, self._records, self._command, self._monitor, tell)
        try:
            restart.run(self._restarts[0].first_window if self._restarts else None)
        except LostError:
            self._num_lost += 1
            return False
        for label, log in restart.logs.items():
            if self._records[label].reason is None:
                self._records[label].logs[number] = log
        self._restarts.append(restart)
        return True

    def _protocol(self, artifact: JobArtifact, shared: Sequence[Restart], logs: Sequence[Log]) -> dict[str, Any]:
        job = self._job
        names = (
            *("restarts", "most_restarts", "blocks", "iterations", "visit_ms", "warmup_window", "warmup_least_ms"),
            *("warmup_ms", "target", "limit_s", "repeats", "twin", "deadline_s", "memory_mib", "seed"),
        )
        details = logs[0].details if logs and isinstance(logs[0].details, dict) else {}
        setup = job.setup_of(artifact)
        return {
            "version": PROTOCOL_VERSION,
            "reference": {"label": job.reference.label, "sha256": job.reference.sha256},
            "labels": [found.label for found in (job.reference, *job.artifacts)],
            **{name: getattr(job, name) for name in names},
            "setup": setup.name,
            "form": artifact.form,
            "architecture": artifact.architecture,
            "limits": shared[0].started[setup]["limits"] if shared else None,
            "children_lost": self._num_lost,
            "start_ms": [value for restart in shared for value in restart.start_ms],
            "operators": details.get("operators"),
            "placement": details.get("placement"),
            "wanted_placement": details.get("wanted_placement"),
            "output": {
                "is_checked": self._records[artifact.label].logits is not None,
                "errors": [log.output_error for log in logs],
            },
            "health": [restart.windows for restart in shared],
            "processes": [{key: value for key, value in asdict(log).items() if key != "samples"} for log in logs],
        }
