"""ONNX Runtime's `onnxruntime_perf_test` on a phone, on its CPU provider.

Read from its source, onnxruntime/test/perftest in github.com/microsoft/onnxruntime: it writes each run as a line of a
result file (model,seconds,peak bytes,CPU percent,number; nanoseconds instead of seconds in releases of 2018 and 2019),
with six digits. Hence its runs are samples, each on its own. Its warm-up is one run, so the first runs are set apart
here. Its input is random (`-I`) and it keeps no output: what it computes cannot be checked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from statistics import median

from bench.agent.drivers.adb_benchmark import NUMBER, Told, Visit, number
from bench.agent.drivers.adb_device import CommandError

_NS_PER_S = 10**9
_BYTES_PER_MIB = 1 << 20
_MOST_RUNS = 2000
_LINE = re.compile(rf"[^\n]{{0,500}},({NUMBER}),(\d{{1,15}}),-?\d{{1,6}},(\d{{1,9}})")


class OnnxRuntime:
    """`onnxruntime_perf_test`; what it told is the text of its result file."""

    name = "onnxruntime"
    runtime = "onnxruntime"
    format = "onnx"
    file = "model.onnx"
    has_result_file = True
    takes_picture = False

    def words(self, binary: str, visit: Visit) -> tuple[str, ...]:
        runs = ("-m", "times", "-r", str(visit.runs))
        return (binary, "-I", "-e", "cpu", "-x", str(visit.threads), "-y", "1", *runs, visit.model, visit.output)

    def runs(self, samples: Sequence[int], *, least: int, seconds: float, warmup_s: float) -> int:
        """Timed runs, and before them as many as warm up, but not more than those."""
        run_s = median(samples) / _NS_PER_S
        timed = max(least, math.ceil(seconds / run_s))
        return min(timed + min(math.ceil(warmup_s / run_s), timed), _MOST_RUNS)

    def parse(self, text: str, visit: Visit) -> Told:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        found = [match for match in map(_LINE.fullmatch, lines) if match is not None]
        if len(found) != len(lines) or [int(match[3]) for match in found] != list(range(visit.runs)):
            raise CommandError(
                f"the result file of onnxruntime_perf_test has {len(lines)} lines, {len(found)} of them runs; "
                f"{visit.runs} numbered runs are needed; take another build of it"
            )
        kept = settled([_run_ns(match[1]) for match in found], visit.warmup_s)
        return Told(
            samples=kept,
            statistic="each run",
            runs=len(kept),
            memory_mib=max(int(match[2]) for match in found) / _BYTES_PER_MIB,
        )


def settled(times: Sequence[int], warmup_s: float) -> tuple[int, ...]:
    """The runs (ns) after the warm-up, at least one half of all."""
    spent, skipped = 0, 0
    while spent < warmup_s * _NS_PER_S and skipped < len(times) // 2:
        spent += times[skipped]
        skipped += 1
    return tuple(times[skipped:])


def _run_ns(text: str) -> int:
    value = number(text, "a run")
    if value <= 0:
        raise CommandError(f"a run of {text} s; a time above 0 is needed; take another build of the program")
    # No run takes a thousand seconds, and none a microsecond: a whole number like this is of nanoseconds.
    return int(value) if text.isdigit() and value >= 1000 else round(value * _NS_PER_S)
