from __future__ import annotations

import pytest

from bench.agent.drivers.adb_benchmark import Told, Visit
from bench.agent.drivers.adb_device import CommandError
from bench.agent.drivers.adb_litert import LiteRt

from .scripted_programs import litert_log

VISIT = Visit(model="/m/model.tflite", threads=2, runs=3, seconds=0.2, warmup_s=0.3, most_s=120.0)
# As printed by a build of 2018: no prefixes, no percentiles, no summary in the form that is known.
ANCIENT = """\
STARTING!
Min num runs: [3]
Initialized session in 9.933ms
Running benchmark for at least 1 iterations and at least 0.3 seconds
count=7 first=127425 curr=66709 min=66709 max=127425 avg=76605.9 std=20944

Running benchmark for at least 3 iterations and at least 0.2 seconds
count=15 first=66753 curr=66800 min=66699 max=66838 avg=66767.6 std=39

Average inference timings in us: Warmup: 76605.9, Init: 9933, no stats: 66767.6
"""
# The build of the CompiledModel API: the same base class, another summary.
COMPILED = """\
INFO: [benchmark_model.cc:120] Log parameter values verbosely: [0]
WARN: [benchmark_model.cc:88] Unconsumed cmdline flags: --input_layer=picture --output_filepath=/x/output.f32
INFO: [benchmark_model.cc:140] Running benchmark for at least 1 iterations and at least 0.3 seconds but terminate
INFO: [benchmark_model.cc:160] count=9 first=4100 curr=3000 min=2990 max=4100 avg=3120.5 std=300
INFO: [benchmark_model.cc:140] Running benchmark for at least 3 iterations and at least 0.2 seconds but terminate
INFO: [model.cc:160] count=60 first=3001 curr=3002 min=2990 max=3050 avg=3003.25 std=9 p5=2991 median=3002 p95=3040
INFO: [benchmark_litert_model.h:50]
========== BENCHMARK RESULTS ==========
INFO: [benchmark_litert_model.h:51] Model initialization: 12.50 ms
INFO: [benchmark_litert_model.h:55] Inference (avg):      3.00 ms (60 runs)
"""


def parsed(text: str, visit: Visit = VISIT) -> Told:
    return LiteRt().parse(text, visit)


def test_command_asks_for_runs_seconds_and_threads() -> None:
    assert LiteRt().words("/b/program", VISIT) == (
        "/b/program",
        "--graph=/m/model.tflite",
        "--num_threads=2",
        "--num_runs=3",
        "--min_secs=0.200",
        "--warmup_runs=1",
        "--warmup_min_secs=0.300",
        "--max_secs=120.0",
    )


def test_command_gives_the_picture_and_asks_for_the_output() -> None:
    visit = Visit(**{**vars(VISIT), "layout": (1, 3, 16, 16), "picture": "/p/picture.f32", "output": "/m/output.f32"})
    assert LiteRt().words("/b/program", visit)[-4:] == (
        "--input_layer=picture",
        "--input_layer_shape=1,3,16,16",
        "--input_layer_value_files=picture:/p/picture.f32",
        "--output_filepath=/m/output.f32",
    )


def test_median_of_the_timed_runs_is_the_sample() -> None:
    found = parsed(litert_log(31_000))
    assert found.samples == (31_000_000,)
    assert (found.statistic, found.runs) == ("median", 50)
    assert (found.load_ms, found.first_ms, found.memory_mib) == (21.432, 91.02, 12.8)
    assert found.placement == {"XNNPACK": 90, "CPU": 6}
    assert found.unused == ()


def test_mean_is_the_sample_of_a_build_without_percentiles() -> None:
    found = parsed(litert_log(31_000, is_old=True))
    assert (found.statistic, found.samples) == ("mean", (31_001_500,))
    ancient = parsed(ANCIENT)
    assert (ancient.statistic, ancient.samples, ancient.runs) == ("mean", (66_767_600,), 15)
    assert (ancient.load_ms, ancient.first_ms, ancient.memory_mib) == (9.933, 127.425, None)


def test_build_of_the_compiled_model_api_is_read() -> None:
    found = parsed(COMPILED)
    assert (found.statistic, found.samples, found.runs) == ("median", (3_002_000,), 60)
    assert found.unused == ("--input_layer", "--output_filepath")


def test_runs_that_all_took_the_same_are_read() -> None:
    text = litert_log(31_000).replace(
        "count=50 first=30990 curr=31000 min=30990 max=31010 avg=31001.5 std=13 ", "count=50 curr=31000(all same) "
    )
    assert parsed(text.replace("(avg): 31001.5", "(avg): 31000")).samples == (31_000_000,)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("count=50 ", "count=2 ", "which cannot be"),  # fewer than were asked for
        ("median=31000", "median=40000", "which cannot be"),  # beyond the slowest
        ("avg=31001.5", "avg=1.5", "which cannot be"),
        ("min=30990", "min=0", "which cannot be"),
        ("avg=31001.5", "avg=31e", "its mean is '31e'; a number of 0 or more is needed"),
        ("Inference (avg): 31001.5", "Inference (avg): 30000", "told means of 30000 us and of 31001.5 us"),
        ("at least 3 iterations", "at least 9 iterations", "timed 9 runs and 0.2 s at least, 3 and 0.2 were asked for"),
        ("at least 0.2 seconds", "at least 5 seconds", "timed 3 runs and 5 s at least, 3 and 0.2 were asked for"),
        ("count=16 ", "cnt=16 ", "told 2 phases and 1 lines of statistics"),
        ("INFO: count=50", "INFO: count=50x", "told 2 phases and 1 lines of statistics"),
    ],
)
def test_what_cannot_be_is_refused(old: str, new: str, reason: str) -> None:
    text = litert_log(31_000)
    assert old in text
    with pytest.raises(CommandError) as caught:
        parsed(text.replace(old, new))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "Segmentation fault", litert_log(31_000) * 2])
def test_output_of_no_process_or_of_two_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match=r"^benchmark_model told \d phases and \d lines of statistics, "):
        parsed(text)


def test_it_minds_its_seconds_itself() -> None:
    assert LiteRt().runs((10,), least=3, seconds=0.2, warmup_s=0.3) == 3
