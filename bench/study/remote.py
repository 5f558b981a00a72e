"""Measurements of a study that registered runners make: files and jobs go out in batches, results come back as updates.

Workers prepare candidates and leave the files behind; the process that drives the study sends them, as one job for
each runner (and for each reference where resolutions differ), and takes in what has come back whenever it looks for
something to do. Nothing here writes to the store or decides what is started.

Which jobs were sent stands in the study's events, so that a study that goes on waits for those that are under way. One
killed between sending and writing that down finds its job again by its key, which follows from the study and the files.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.fleet.client import HubClient
from bench.fleet.following import Ended, Sign
from bench.fleet.shipping import Package, key_of, pack
from bench.measure import JobArtifact, Measurement
from bench.measure.protocol import judged
from bench.store import StudyRecord
from bench.study.config import StudyConfig
from bench.study.courier import Courier, Shipment
from bench.study.timer import Timer
from bench.study.timing import References, label_of, measured_updates, remove_artifacts, timing_job
from bench.study.worker import Update

# Of the event of a study that tells of a job that was sent.
EVENT = "remote_job"

# Failures that are of the device, whatever it was given: the same job is sent again after a while, which doubles to a
# point. Each time the hub has made its own attempts before; after a day of that somebody has to look at the device.
_OF_THE_DEVICE = ("device_lost", "unhealthy")
_PAUSE_S, _LONGEST_PAUSE_S = 30.0, 600.0
_PATIENCE_S = 24 * 3600.0

# Number of a candidate, or None for the whole study, and what is told of it.
Told = tuple[int | None, Update]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Losses:
    """Of a device, in a row."""

    since_s: float
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    files: Mapping[str, JobArtifact]
    """By name of the timer."""
    beside: str


class Remote:
    """The part of a study that is timed elsewhere; a context manager that cancels what is under way at its end.

    Args:
        client: of the hub.
        study: whose candidates they are.
        config: its settings.
        timers: all of the study's; those of this machine are left to its workers.
        references: the pinned network in every format, at every resolution.
        folder: of the study.
        pause_s: before a job is sent again that failed because of its device; doubled for each further time.
        patience_s: with a device that fails one job after another, before the study is stopped.
        monotonic: gives seconds.
    """

    def __init__(
        self,
        client: HubClient,
        study: StudyRecord,
        config: StudyConfig,
        timers: Sequence[Timer],
        references: References,
        folder: Path,
        *,
        pause_s: float = _PAUSE_S,
        patience_s: float = _PATIENCE_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._courier = Courier(client)
        self._study, self._config, self._folder = study, config, folder
        self._timers = {timer.name: timer for timer in timers if timer.is_remote}
        self._references, self._pause_s = references, pause_s
        self._patience_s, self._monotonic = patience_s, monotonic
        # By runner: since when, and how often, jobs have failed because of the device, and nothing else has come.
        self._losses: dict[str, _Losses] = {}
        self._prepared: dict[int, _Prepared] = {}
        # Prepared and not sent yet, and failed: files of the first are kept, and the second are not sent again.
        self._unsent: set[int] = set()
        self._given_up: set[int] = set()
        # What is under way: by candidate and runner, and by job once that was sent.
        self._open: dict[tuple[int, str], Shipment] = {}
        self._jobs: dict[str, Shipment] = {}
        self._times_sent: Counter[tuple[int, str]] = Counter()
        self._phases: dict[str, str] = {}
        self._waiting: dict[str, str] = {}

    def __enter__(self) -> Remote:
        self._courier.start()
        return self

    def __exit__(self, *about: object) -> None:
        self._courier.stop(tuple(self._jobs))

    def take_up(self, jobs: Iterable[Mapping[str, Any]], missing: Mapping[int, Sequence[str]]) -> set[int]:
        """Waits for jobs that an earlier run has sent; gives the candidates whose every latency is on its way.

        Args:
            jobs: data of the study's events of kind `EVENT`, in order.
            missing: names of the timers that each candidate lacks, by its number.
        """
        last: dict[tuple[int, str], Mapping[str, Any]] = {}
        for job in jobs:
            for number in job["numbers"]:
                self._times_sent[number, job["runner"]] += 1
                last[number, job["runner"]] = job
        wanted = [(number, name) for number, names in missing.items() for name in names if name in self._timers]
        for job in {last[place]["job"]: last[place] for place in wanted if place in last}.values():
            timer = self._timers[job["runner"]]
            numbers = tuple(number for number in job["numbers"] if (number, timer.name) in wanted)
            shipment = Shipment(
                timer=timer, numbers=numbers, beside=job["beside"], target=job["target"], package=None, key=""
            )
            self._note_open(shipment)
            self._jobs[job["job"]] = shipment
            self._courier.wait_for(shipment, job["job"])
        return {
            number for number, names in missing.items() if names and all((number, name) in self._open for name in names)
        }

    def prepared(self, number: int, update: Mapping[str, Any]) -> None:
        """Takes the files of a candidate that a worker has prepared (the update of bench.study.timing)."""
        files = {name: JobArtifact.from_dict(data) for name, data in update["files"].items()}
        self._prepared[number] = _Prepared(files=files, beside=str(update["beside"]))
        self._unsent.add(number)

    def send(self, missing: Mapping[int, Sequence[str]]) -> None:
        """Sends prepared candidates, those of one runner and reference together.

        Args:
            missing: names of the timers that each lacks, by its number.

        Raises:
            FleetError: a file is missing.
        """
        for timer in self._timers.values():
            groups: dict[str, list[int]] = {}
            for number, names in missing.items():
                if timer.name in names and (number, timer.name) not in self._open:
                    groups.setdefault(self._prepared[number].beside, []).append(number)
            for beside, group in groups.items():
                self._send(timer, tuple(group), beside)
        self._unsent.difference_update(missing)

    def forget(self, number: int) -> None:
        """A candidate that has failed; what is under way of it goes on, and is of no use."""
        self._given_up.add(number)
        self._unsent.discard(number)
        self._drop_files((number,))

    def received(self) -> Iterator[Told]:
        """What has come in since the last call.

        Of a candidate: `measured`, `failed`, or `untimed`: it has to be prepared again. Of the study: `sent` (a job),
        `waiting` and `back` (a runner), and `stop` with the reason.
        """
        for shipment, news in self._courier.news():
            match news:
                case str():
                    # Whoever hears of it writes it down, and only then is it one of those that are cancelled at the
                    # end: under the key of one that nobody knows of, a study that goes on would find it cancelled.
                    yield None, _sent(shipment, news)
                    self._note_sent(shipment, news)
                case Sign():
                    yield from self._signs(shipment, news)
                case Ended():
                    yield from self._ends(shipment, news)

    def states(self) -> list[tuple[str, tuple[int, ...], str]]:
        """What is under way: runner, numbers, and how it stands in words; for whoever shows the study."""
        phases = {id(shipment): self._phases.get(job_id, "") for job_id, shipment in self._jobs.items()}
        shipments = {id(shipment): shipment for shipment in self._open.values()}
        return [
            (shipment.timer.name, shipment.numbers, phases.get(key) or "sent") for key, shipment in shipments.items()
        ]

    @property
    def runners(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._timers)

    @property
    def waiting(self) -> Mapping[str, str]:
        """Why a runner is waited for, by its name."""
        return dict(self._waiting)

    def _send(self, timer: Timer, numbers: tuple[int, ...], beside: str) -> None:
        candidates = tuple(self._prepared[number].files[timer.name] for number in numbers)
        side, reference = candidates[0].resolution, self._references[timer.format][beside]
        assert side is not None
        job = timing_job(self._config, timer, candidates, reference, resolution=side)
        package = pack(job, runner=timer.name)
        key = self._key(timer, numbers, package)
        shipment = Shipment(timer=timer, numbers=numbers, beside=beside, target=job.target, package=package, key=key)
        self._note_open(shipment)
        self._courier.send(shipment)

    def _key(self, timer: Timer, numbers: tuple[int, ...], package: Package) -> str:
        study, times = self._study, self._times_sent[numbers[0], timer.name]
        return key_of(package, study.name, study.id, study.created_at.isoformat(), timer.name, numbers, times)

    def _note_open(self, shipment: Shipment) -> None:
        for number in shipment.numbers:
            self._open[number, shipment.timer.name] = shipment

    def _note_sent(self, shipment: Shipment, job_id: str) -> None:
        for number in shipment.numbers:
            self._times_sent[number, shipment.timer.name] += 1
        self._jobs[job_id] = shipment

    def _note_closed(self, shipment: Shipment) -> None:
        for number in shipment.numbers:
            self._open.pop((number, shipment.timer.name), None)
        for job_id in [job_id for job_id, found in self._jobs.items() if found is shipment]:
            del self._jobs[job_id]
            self._phases.pop(job_id, None)

    def _drop_files(self, numbers: Iterable[int]) -> None:
        """Of candidates that nobody waits for any more, and that are not about to be sent."""
        for number in set(numbers) - {number for number, _ in self._open} - self._unsent:
            if self._prepared.pop(number, None) is not None:
                remove_artifacts(self._folder, number)

    def _signs(self, shipment: Shipment, sign: Sign) -> Iterator[Told]:
        name = shipment.timer.name
        if sign.phase is not None:
            for job_id in (job_id for job_id, found in self._jobs.items() if found is shipment):
                self._phases[job_id] = "timed" if sign.phase == "leased" else "in the queue"
        if sign.trouble is not None:
            yield None, self._wait(name, sign.trouble)
        if sign.state is None:
            return
        if unusable := sign.state.why_unusable:
            yield None, {"kind": "stop", "reason": f"{unusable}; {_go_on(self._study.name)}"}
        elif reason := sign.state.why_waiting:
            yield None, self._wait(name, reason)
        elif self._waiting.pop(name, None) is not None:
            yield None, {"kind": "back", "runner": name}

    def _wait(self, name: str, reason: str) -> Update:
        is_new = name not in self._waiting
        self._waiting[name] = reason
        return {"kind": "waiting", "runner": name, "reason": reason, "is_new": is_new}

    def _ends(self, shipment: Shipment, ended: Ended) -> Iterator[Told]:
        timer, numbers = shipment.timer, tuple(found for found in shipment.numbers if found not in self._given_up)
        self._note_closed(shipment)
        if ended.kind not in _OF_THE_DEVICE:
            self._losses.pop(timer.name, None)
        if ended.status == "done":
            if self._waiting.pop(timer.name, None) is not None:
                yield None, {"kind": "back", "runner": timer.name}
            yield from self._measured(shipment, ended)
        elif not numbers:
            pass  # nobody waits for it
        elif shipment.package is None:
            # What an earlier run sent was cancelled, failed or lost: it is sent anew, and prepared anew unless another
            # runner's loss has led to that already.
            if here := tuple(number for number in numbers if number in self._prepared):
                self._send(timer, here, shipment.beside)
            yield from ((number, {"kind": "untimed"}) for number in numbers if number not in here)
        elif ended.status != "failed":
            yield None, {"kind": "stop", "reason": f"{_why_not_timed(shipment, ended)}; {_go_on(self._study.name)}"}
        elif ended.kind in _OF_THE_DEVICE:
            yield None, self._sent_again(shipment, f"{ended.kind}: {ended.reason}")
        elif len(shipment.numbers) > 1 and ended.kind != "unsupported":
            # Whoever of them is to blame shall fail alone.
            for number in numbers:
                self._send(timer, (number,), shipment.beside)
        else:
            reason = f"timing on {timer.name} failed ({ended.kind or ended.status}): {ended.reason}"
            yield from ((number, {"kind": "failed", "reason": reason}) for number in numbers)
        self._drop_files(shipment.numbers)

    def _sent_again(self, shipment: Shipment, reason: str) -> Update:
        """After a pause, unless the device has failed for too long."""
        assert shipment.package is not None
        name, now = shipment.timer.name, self._monotonic()
        losses = self._losses.get(name, _Losses(since_s=now, number=0))
        if now - losses.since_s > self._patience_s:
            hours = (now - losses.since_s) / 3600
            told = f"{name} has failed every job for {hours:.1f} h ({reason}); look at the device"
            return {"kind": "stop", "reason": f"{told}, {_go_on(self._study.name)}"}
        self._losses[name] = _Losses(since_s=losses.since_s, number=losses.number + 1)
        # Under another key: that of the job that has failed would give it back.
        key = self._key(shipment.timer, shipment.numbers, shipment.package)
        again = replace(shipment, key=key, why_again=reason)
        self._note_open(again)
        pause_s = min(self._pause_s * 2.0 ** min(losses.number, 30), _LONGEST_PAUSE_S)
        self._courier.send(again, after_s=pause_s)
        return self._wait(name, reason)

    def _measured(self, shipment: Shipment, ended: Ended) -> Iterator[Told]:
        timer = shipment.timer
        found = {measurement.label: measurement for measurement in ended.measurements}
        seconds = {f"time on {timer.name}": ended.seconds / len(shipment.numbers)}
        reference_ms = self._study.reference_ms.get(timer.reference_key(shipment.beside))
        for number in shipment.numbers:
            measurement = found.get(label_of(number))
            if measurement is None or not _is_of(measurement, shipment):
                reason = f"the result of {timer.name} is of other files; update its agent"
                yield number, {"kind": "failed", "reason": reason}
                continue
            told = judged(measurement, target=shipment.target)
            yield from ((number, update) for update in measured_updates(told, timer, reference_ms, seconds))


def _sent(shipment: Shipment, job_id: str) -> Update:
    return {
        "kind": "sent",
        "runner": shipment.timer.name,
        "numbers": list(shipment.numbers),
        "beside": shipment.beside,
        "target": shipment.target,
        "job": job_id,
        **({} if shipment.why_again is None else {"why_again": shipment.why_again}),
    }


def _is_of(measurement: Measurement, shipment: Shipment) -> bool:
    """Whether it is of a file that was sent, as far as that is known."""
    if shipment.package is None:
        return True
    artifacts = shipment.package.body["job"]["artifacts"]
    sent = {artifact["label"]: artifact["sha256"] for artifact in artifacts}
    return bool(sent[measurement.label] == measurement.artifact_sha256)


def _why_not_timed(shipment: Shipment, ended: Ended) -> str:
    told = ", ".join(f"#{number}" for number in shipment.numbers)
    return f"{shipment.timer.name} does not time {told}: its job is {ended.status} ({ended.reason})"


def _go_on(study: str) -> str:
    return f"then go on with `bench search --resume {study}`"
