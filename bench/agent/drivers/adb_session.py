"""A measuring session on a phone: blocks and orders as in `bench.measure.session`, and a process for each visit.

The program of a phone ends after each visit and is started anew, so that a block visits each artifact by a process of
its own: start, load, warm up, timed runs. A restart is no more than a group of blocks between two looks at whether
enough is known. Before each block the phone is waited for until its thermal status is "none"; a block beside other
work, or on a phone that slowed itself down, is repeated once, and all blocks stay in the record.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.agent.drivers import DriverError, Enough, Progress
from bench.agent.drivers.adb_benchmark import Told
from bench.agent.drivers.adb_device import CommandError
from bench.agent.drivers.adb_entry import Entry, Log, Restart, Setting
from bench.agent.drivers.adb_phone import (
    PhoneWindow,
    contention,
    health_of,
    name_of,
    reading,
    temperature,
    throttling,
    window,
)
from bench.agent.drivers.adb_process import Processes
from bench.agent.drivers.adb_record import measurement_of
from bench.measure.measurement import Measurement
from bench.measure.restart import visiting_order

# How long a warm phone is waited for before one block.
GATE_S = 120.0
GATE_STEP_S = 5.0
# A number of android.os.PowerManager: from here on users notice.
SEVERE = 3
# Between two looks at whether the target is met, in restarts: who looks after every restart stops by luck.
_LOOK_EVERY = 3

# Compares what an artifact left on the phone (at that path) with its logits, and notes in the entry what it found.
CheckOutput = Callable[[Entry, Told, str], None]


class PhoneSession:
    """A job under way."""

    def __init__(
        self,
        setting: Setting,
        *,
        reference: Entry,
        twin: Entry,
        entries: Sequence[Entry],
        check_output: CheckOutput,
        progress: Progress,
        is_cancelled: Callable[[], bool],
        sleep: Callable[[float], None],
        tell_health: Callable[[dict[str, Any]], None],
    ) -> None:
        """`sleep` waits so many seconds; `tell_health` is told the state of the phone whenever it was read."""
        self._setting = setting
        self._reference = reference
        self._twin = twin
        self._entries = tuple(entries)
        self._check_output = check_output
        self._progress = progress
        self._is_cancelled = is_cancelled
        self._sleep = sleep
        self._tell_health = tell_health
        self._processes = Processes(setting, is_cancelled=is_cancelled)
        self._began = time.monotonic()
        self._id = uuid.uuid4().hex
        self._restarts: list[Restart] = []
        self._calm: PhoneWindow | None = None
        self._done = 0

    def run(self, is_enough: Enough) -> None:
        """Restart after restart, until enough is known or the time is over.

        Raises:
            DriverError: it was cancelled, or the phone stays too hot.
            DeviceLostError: the phone was lost.
        """
        job = self._setting.job
        for entry in (self._reference, *self._entries):
            if entry.reason is None and self._is_worthwhile:
                self._look(entry)
        reference = self._reference
        self._twin.first, self._twin.runs, self._twin.reason = reference.first, reference.runs, reference.reason
        for number in range(max(job.restarts, job.most_restarts)):
            is_late = number > 0 and time.monotonic() - self._began > job.limit_s
            is_look = number >= job.restarts and not (number - job.restarts) % _LOOK_EVERY
            if not self._is_worthwhile or is_late or (is_look and is_enough(self.measurements())):
                return
            self._run_restart(number)

    def measurements(self) -> tuple[Measurement, ...]:
        """What is known so far; one for each of the job's artifacts, in its order."""
        return tuple(
            measurement_of(
                self._setting,
                entry,
                reference=self._reference,
                twin=self._twin,
                restarts=self._restarts,
                statistic=self._processes.statistic,
                session=self._id,
            )
            for entry in self._entries
        )

    @property
    def _is_worthwhile(self) -> bool:
        return self._reference.reason is None and any(entry.reason is None for entry in self._entries)

    def _look(self, entry: Entry) -> None:
        """The first process of an artifact: whether it runs, how long it takes, and what it computes."""
        setting = self._setting
        output = f"{entry.folder}/output.f32" if entry.picture and entry.logits is not None else ""
        entry.left_s = setting.job.deadline_s
        try:
            entry.first = self._processes.run(entry, output=output).told
            entry.runs = setting.program.runs(
                entry.first.samples, least=setting.least_runs, seconds=setting.seconds, warmup_s=setting.warmup_s
            )
            self._check_output(entry, entry.first, output)
        except CommandError as error:
            entry.reason = f"loading failed: {error}"
        self._tell(restarts_left=setting.job.restarts)

    def _run_restart(self, number: int) -> None:
        setting, job = self._setting, self._setting.job
        has_twin = job.twin == "always" or (job.twin == "first" and number == 0)
        everything = (self._reference, *((self._twin,) if has_twin else ()), *self._entries)
        present = [entry for entry in everything if entry.reason is None]
        logs = {entry.artifact.label: Log() for entry in present}
        for entry in present:
            entry.left_s = job.deadline_s
        restart, planned = Restart(number), setting.blocks
        orders = visiting_order(len(present), 2 * setting.blocks + 2, seed=(job.seed, number))
        for block, order in enumerate(orders):
            if block == planned or not self._is_worthwhile:
                break
            self._run_block(restart, [present[index] for index in order], logs)
            if job.repeats and block + 1 == planned == setting.blocks and any(restart.contended):
                # In pairs, so that each order has its reverse.
                planned += 2 * math.ceil(sum(restart.contended) / 2)
        for entry in present:
            if entry.reason is None:
                entry.logs[number] = logs[entry.artifact.label]
        self._restarts.append(restart)

    def _run_block(self, restart: Restart, entries: Sequence[Entry], logs: Mapping[str, Log]) -> None:
        device, cpus = self._setting.device, self._setting.cpus
        status = self._wait_until_cool()
        before = reading(device, cpus)
        used: list[float | None] = []
        for entry in entries:
            if entry.reason is None and self._is_worthwhile:
                used.append(self._visit(entry, logs[entry.artifact.label], restart.number))
            self._tell(restarts_left=max(self._setting.job.restarts - restart.number - 1, 0))
        own_s = None if None in used else sum(seconds or 0.0 for seconds in used)
        after = reading(device, cpus)
        found = window(device, before, after, own_s=own_s, status=status, cpus=cpus)
        self._calm = self._calm or found
        slowed = throttling(found, self._calm)
        # A block on a warm phone is set aside like one beside other work.
        disturbed = contention(found) or slowed
        restart.contended.append(disturbed is not None)
        restart.windows.append({"blocks": 1, **found.to_dict(), "contention": disturbed, "throttling": slowed})

    def _visit(self, entry: Entry, log: Log, number: int) -> float | None:
        """One process of an artifact; its CPU seconds. A process that fails is tried once more."""
        failure: CommandError | None = None
        for _ in range(2):
            if failure is not None and entry.left_s <= 0:
                break
            try:
                ran = self._processes.run(entry)
            except CommandError as error:
                failure = error
                continue
            log.samples.append(ran.told.samples)
            log.told.append(ran.told)
            return ran.cpu_s if failure is None else None
        entry.reason = f"timing failed (restart {number + 1}): {failure}"
        return None

    def _wait_until_cool(self) -> int | None:
        """The thermal status before a block, after waiting for it to be "none"."""
        waited_s = 0.0
        while True:
            status, celsius = temperature(self._setting.device)
            self._tell_health(health_of(status, celsius))
            if not status or waited_s >= GATE_S:
                break
            if self._is_cancelled():
                raise DriverError("unhealthy", "cancelled while the phone cooled down")
            self._sleep(GATE_STEP_S)
            waited_s += GATE_STEP_S
        if status is not None and status >= SEVERE:
            raise DriverError(
                "unhealthy",
                f"the phone's thermal status is {name_of(status)!r} after {waited_s:.0f} s of waiting; "
                "'none' is needed; let it cool down, out of its case",
            )
        return status

    def _tell(self, *, restarts_left: int) -> None:
        self._done += 1
        each = (len(self._entries) + 1) * self._setting.blocks
        self._progress(self._done, self._done + restarts_left * each)
