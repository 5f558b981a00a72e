from __future__ import annotations

import pytest

from bench.agent.drivers.adb_benchmark import Visit
from bench.agent.drivers.adb_device import CommandError
from bench.agent.drivers.adb_onnx import OnnxRuntime, settled

VISIT = Visit(
    model="/m/model.onnx", threads=2, runs=4, seconds=0.2, warmup_s=0.01, most_s=120.0, output="/m/runs-1.csv"
)
RESULT = "".join(f"model,{time},52428800,97,{number}\n" for number, time in enumerate((0.012, 0.0101, 0.01, 0.00999)))


def test_command_asks_for_random_input_and_a_result_file() -> None:
    words = OnnxRuntime().words("/b/program", VISIT)
    assert " ".join(words) == "/b/program -I -e cpu -x 2 -y 1 -m times -r 4 /m/model.onnx /m/runs-1.csv"


def test_each_run_after_the_warmup_is_a_sample() -> None:
    found = OnnxRuntime().parse(RESULT, VISIT)
    assert found.samples == (10_100_000, 10_000_000, 9_990_000)
    assert (found.statistic, found.runs, found.memory_mib) == ("each run", 3, 50.0)


def test_releases_that_wrote_nanoseconds_are_read() -> None:
    text = "".join(f"a,model,{10_000_000 + number},1048576,97,{number}\n" for number in range(4))
    assert OnnxRuntime().parse(text, VISIT).samples == (10_000_001, 10_000_002, 10_000_003)


@pytest.mark.parametrize(
    "text",
    [
        "",
        RESULT.replace(",3\n", ",4\n"),
        RESULT + RESULT,
        RESULT + "Min Latency is 0.01sec\n",
        RESULT.replace("0.012", "-0.012"),
        RESULT.replace("0.012", "nan"),
    ],
)
def test_other_result_files_are_refused(text: str) -> None:
    with pytest.raises(CommandError, match=r"^the result file of onnxruntime_perf_test has \d lines, \d of them runs;"):
        OnnxRuntime().parse(text, VISIT)


@pytest.mark.parametrize("time", ["0", "0.0", "1e400", "1e-"])
def test_times_that_cannot_be_are_refused(time: str) -> None:
    with pytest.raises(CommandError, match=r"^a run (of|is) .* is needed; take another build of the program$"):
        OnnxRuntime().parse(RESULT.replace("0.012", time), VISIT)


def test_warmup_never_takes_more_than_half() -> None:
    assert settled([10, 20, 30, 40], 1.0) == (30, 40)
    assert settled([10, 20, 30, 40], 0.0) == (10, 20, 30, 40)
    assert settled([10], 1.0) == (10,)


def test_runs_fill_the_seconds_and_the_warmup() -> None:
    program = OnnxRuntime()
    assert program.runs((10_000_000,), least=3, seconds=0.2, warmup_s=0.3) == 40  # as much warm-up as is timed
    assert program.runs((10_000_000,), least=3, seconds=0.2, warmup_s=0.05) == 25
    assert program.runs((10**9,), least=3, seconds=0.2, warmup_s=0.3) == 4
    assert program.runs((1000,), least=3, seconds=0.2, warmup_s=0.3) == 2000
