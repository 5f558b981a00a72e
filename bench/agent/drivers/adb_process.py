"""One process of the benchmark program on the phone: started, timed out, read."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.agent.drivers import DriverError
from bench.agent.drivers.adb_benchmark import Told, Visit
from bench.agent.drivers.adb_device import CommandError, last_line
from bench.agent.drivers.adb_entry import Entry, Setting

# What `time -p`, a word of the phone's shell (mksh), says after the process.
_CPU_TIME = re.compile(r"^(?:user|sys) +(\d{1,9}\.\d{1,6})\r?$", re.MULTILINE)
_OF_TIME = re.compile(r"(?:real|user|sys) +\d")
# An artifact whose seconds are used up is asked once more with this and fails by itself.
_LEAST_LIMIT_S = 0.001


@dataclass(frozen=True)
class Ran:
    """What a process told, and the CPU seconds that it used (None: the phone's shell does not tell)."""

    told: Told
    cpu_s: float | None


class Processes:
    """Starts the program, once for each visit."""

    def __init__(self, setting: Setting, *, is_cancelled: Callable[[], bool]) -> None:
        self.statistic: str | None = None
        self._setting = setting
        self._is_cancelled = is_cancelled
        self._number = 0

    def run(self, entry: Entry, *, output: str = "") -> Ran:
        """Runs the program once; `output` is where it shall leave what it computed (empty: nowhere).

        Raises:
            CommandError: it failed, was late, or told something that is of no known form.
            DriverError: the job was cancelled.
            DeviceLostError: the phone was lost.
        """
        if self._is_cancelled():
            raise DriverError("unhealthy", "cancelled")
        program = self._setting.program
        self._number += 1
        result = f"{entry.folder}/runs-{self._number}.csv" if program.has_result_file else output
        visit = self._visit(entry, result)
        text = self._run(entry, visit)
        cpu_times = [float(seconds) for seconds in _CPU_TIME.findall(text)]
        told = program.parse(self._setting.device.read("cat", result) if program.has_result_file else text, visit)
        if self.statistic not in (None, told.statistic):
            raise CommandError(
                f"a process told {told.statistic!r} of its runs, others {self.statistic!r}; one statistic is compared; "
                "take another build of the program"
            )
        self.statistic = told.statistic
        return Ran(told=told, cpu_s=sum(cpu_times) if len(cpu_times) == 2 else None)

    def _visit(self, entry: Entry, output: str) -> Visit:
        setting = self._setting
        return Visit(
            model=entry.model,
            threads=setting.job.setup_of(entry.artifact).threads,
            runs=entry.runs or setting.least_runs,
            seconds=setting.seconds,
            warmup_s=setting.warmup_s,
            most_s=setting.job.deadline_s,
            layout=entry.layout,
            picture=entry.picture,
            output=output,
        )

    def _run(self, entry: Entry, visit: Visit) -> str:
        setting = self._setting
        pinned = () if setting.mask is None else ("taskset", setting.mask)
        words = ("time", "-p", *pinned, *setting.program.words(setting.binary, visit))
        begin = time.monotonic()
        try:
            limit_s = max(entry.left_s, _LEAST_LIMIT_S)
            ended = setting.device.shell(*words, limit_s=limit_s, is_cancelled=self._is_cancelled)
        except CommandError as error:
            # What never ended must not go on beside the next one.
            setting.device.end_processes(setting.binary_sha256)
            if self._is_cancelled():
                raise DriverError("unhealthy", "cancelled") from error
            raise
        finally:
            entry.left_s -= time.monotonic() - begin
        if ended.code != 0:
            how = f"was ended by signal {ended.code - 128}" if ended.code > 128 else f"ended with status {ended.code}"
            raise CommandError(f"{setting.program.name}'s program {how}: {_last_words(ended.text)}")
        return ended.text


def _last_words(text: str) -> str:
    """The last line of the program, without those of `time`."""
    return last_line("\n".join(line for line in text.splitlines() if not _OF_TIME.match(line)))
