"""LiteRT's `benchmark_model` on a phone.

Read from its source: tflite/tools/benchmark/benchmark_model.cc and benchmark_tflite_model.cc in
github.com/google-ai-edge/LiteRT (before: tensorflow/lite/tools/benchmark). It tells statistics of its runs and never
the single ones: `--verbose` tells parameters, op profiling tells operators, and `--num_runs=1` costs a process a run.
So the median of a process (the mean of builds from before p5, median and p95 were printed) is the one sample of a
visit. Its median is the upper of the two middle runs.

Two programs bear this name. The one of the Interpreter API takes an input file (the name of the input need not be the
model's) and writes its output; that of the CompiledModel API, under litert/tools, does neither, and says which flags it
left unused. Both print the lines that are read here, in microseconds. Anything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bench.agent.drivers.adb_benchmark import NUMBER, Told, Visit, number, only
from bench.agent.drivers.adb_device import CommandError, last_line

_NS_PER_US = 1000
# Streams print six digits.
_ROUNDED = 1e-5
_PREFIX = r"^(?:[A-Z]+: )?(?:\[[^\]\n]{0,200}\] )?"
_PHASE = re.compile(
    rf"{_PREFIX}Running benchmark for at least (\d{{1,9}}) iterations and at least ({NUMBER}) seconds", re.MULTILINE
)
_COUNT = re.compile(
    rf"{_PREFIX}count=(?P<count>\d{{1,9}}) (?:"
    rf"first=(?P<first>{NUMBER}) curr={NUMBER} min=(?P<min>{NUMBER}) max=(?P<max>{NUMBER}) "
    rf"avg=(?P<mean>{NUMBER}) std={NUMBER}|curr=(?P<same>{NUMBER})(?:\(all same\))?)"
    rf"(?: p5={NUMBER} median=(?P<median>{NUMBER}) p95={NUMBER})?[ \t\r]*$",
    re.MULTILINE,
)
_TIMINGS = re.compile(
    rf"{_PREFIX}Inference timings in us: Init: {NUMBER}, First inference: {NUMBER}, "
    rf"Warmup \(avg\): {NUMBER}, Inference \(avg\): ({NUMBER})",
    re.MULTILINE,
)
_STARTED = re.compile(rf"{_PREFIX}Initialized session in ({NUMBER})ms", re.MULTILINE)
_MEMORY = re.compile(rf"{_PREFIX}Memory footprint delta from the start .{{0,60}}overall=({NUMBER})", re.MULTILINE)
_UNUSED = re.compile(rf"{_PREFIX}Unconsumed cmdline flags: (.{{1,2000}})$", re.MULTILINE)
_DELEGATE = re.compile(
    r"Replacing (\d{1,9}) out of (\d{1,9}) node\(s\) with delegate \(TfLiteXNNPackDelegate\).{0,80}?subgraph (\d{1,9})"
)


class LiteRt:
    """`benchmark_model`, on the CPU with the delegate that it takes by itself (XNNPACK)."""

    name = "litert"
    runtime = "litert"
    format = "tflite"
    file = "model.tflite"
    has_result_file = False
    takes_picture = True

    def words(self, binary: str, visit: Visit) -> tuple[str, ...]:
        words = [
            binary,
            f"--graph={visit.model}",
            f"--num_threads={visit.threads}",
            f"--num_runs={visit.runs}",
            f"--min_secs={visit.seconds:.3f}",
            "--warmup_runs=1",
            f"--warmup_min_secs={visit.warmup_s:.3f}",
            f"--max_secs={visit.most_s:.1f}",
        ]
        if visit.picture:
            words += [
                "--input_layer=picture",
                f"--input_layer_shape={','.join(map(str, visit.layout))}",
                f"--input_layer_value_files=picture:{visit.picture}",
            ]
        if visit.output:
            words.append(f"--output_filepath={visit.output}")
        return tuple(words)

    def runs(self, samples: Sequence[int], *, least: int, seconds: float, warmup_s: float) -> int:
        """It minds the seconds itself."""
        del samples, seconds, warmup_s
        return least

    def parse(self, text: str, visit: Visit) -> Told:
        warm, timed = _phases(text, visit)
        runs, mean = int(timed["count"]), number(timed["same"] or timed["mean"], "its mean")
        middle = mean if timed["median"] is None else number(timed["median"], "its median")
        low, high = (number(timed["same"] or timed[name], name) for name in ("min", "max"))
        is_ordered = low <= middle <= high and low * (1 - _ROUNDED) <= mean <= high * (1 + _ROUNDED)
        if runs < visit.runs or low <= 0 or not is_ordered:
            raise CommandError(f"benchmark_model told {timed[0].strip()!r}, which cannot be; take another build of it")
        timings = only(_TIMINGS, text, "Inference timings")
        if timings is not None and abs(number(timings[1], "a time") / mean - 1) > 2 * _ROUNDED:
            raise CommandError(f"benchmark_model told means of {timings[1]} us and of {mean:g} us for the same runs")
        started = only(_STARTED, text, "Initialized session")
        memory = only(_MEMORY, text, "Memory footprint")
        unused = only(_UNUSED, text, "Unconsumed cmdline flags")
        return Told(
            samples=(round(middle * _NS_PER_US),),
            statistic="mean" if timed["median"] is None else "median",
            runs=runs,
            load_ms=None if started is None else number(started[1], "a time"),
            first_ms=number(warm["same"] or warm["first"], "a time") / 1e3,
            memory_mib=None if memory is None else number(memory[1], "a size"),
            placement=_placement(text),
            unused=() if unused is None else tuple(word.split("=")[0] for word in unused[1].split()),
        )


def _phases(text: str, visit: Visit) -> tuple[re.Match[str], re.Match[str]]:
    """The statistics of the warm-up and of the timed runs, if these are what was asked for."""
    phases, counts = _PHASE.findall(text), list(_COUNT.finditer(text))
    if len(phases) != 2 or len(counts) != 2:
        raise CommandError(
            f"benchmark_model told {len(phases)} phases and {len(counts)} lines of statistics, where warm-up and timed "
            f"runs make two of each: {last_line(text)}"
        )
    runs, seconds = int(phases[1][0]), number(phases[1][1], "its seconds")
    if runs != visit.runs or abs(seconds - visit.seconds) > 1e-3:
        raise CommandError(
            f"benchmark_model timed {runs} runs and {seconds:g} s at least, {visit.runs} and {visit.seconds:g} were "
            "asked for; take another build of it"
        )
    return counts[0], counts[1]


def _placement(text: str) -> dict[str, int]:
    """Operators by where they ran, from the first delegate of each subgraph: a later one counts it as an operator."""
    taken: dict[str, tuple[int, int]] = {}
    for count, total, subgraph in _DELEGATE.findall(text):
        taken.setdefault(subgraph, (int(count), int(total)))
    inside = sum(count for count, _ in taken.values())
    rest = sum(total for _, total in taken.values()) - inside
    return {place: count for place, count in (("XNNPACK", inside), ("CPU", rest)) if count}
