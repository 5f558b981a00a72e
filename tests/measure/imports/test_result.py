from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import MeasureError
from bench.measure import imports
from bench.measure.imports import ImportedResult, read_results
from bench.measure.imports.result import Document, milliseconds, parse_json, samples, summary_of

Read = Callable[[Document], tuple[ImportedResult, ...] | None]


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(
    "content",
    ["", "hello", "{}", "[]", "[1, 2]", "null", '"text"', '[{"latencyMs": 1}]', '{"latency": 1}', '{"deviceInfo": {}}'],
)
def test_files_of_other_formats_are_refused(tmp_path: Path, content: str) -> None:
    path = write(tmp_path / "result.json", content)
    with pytest.raises(MeasureError, match=r"^result\.json is of no known format; an Xcode .* are allowed; export the"):
        read_results(path)


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MeasureError, match=r"^gone\.json is no file that can be read; .*; name another file$"):
        read_results(tmp_path / "gone.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(MeasureError, match=r"^folder is no file that can be read; "):
        read_results(tmp_path / "folder")


def test_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "result.pb"
    path.write_bytes(b"\x12\x32\x0d\x00\x00\x80\x3f\xff\xfe")
    with pytest.raises(MeasureError, match=r"^result\.pb is no text; "):
        read_results(path)


def test_large_file_is_refused_and_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "LARGEST_MIB", 1)
    path = write(tmp_path / "large.json", " " * ((1 << 20) + 1))
    with pytest.raises(MeasureError, match=r"^large\.json is larger than 1 MiB; "):
        read_results(path)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_json_with_what_is_no_number_is_refused(tmp_path: Path, constant: str) -> None:
    path = write(tmp_path / "times.json", f'[{{"computeMs": {constant}, "latencyMs": 1.0}}]')
    with pytest.raises(MeasureError, match=rf"^times\.json: JSON with {constant} in it; numbers are allowed; "):
        read_results(path)


def test_json_that_nests_without_end_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "deep.json", "[" * 100_000)
    with pytest.raises(MeasureError, match=r"^deep\.json: JSON nested too deeply; "):
        read_results(path)


@pytest.mark.parametrize("value", [0, -1, 1e308 * 10, 10**400, 3.7e6, True, None, "1", [1]])
def test_time_is_a_number_above_0_and_up_to_an_hour(value: Any) -> None:
    with pytest.raises(MeasureError, match=r"^a time is '.*'; times above 0 and up to an hour are allowed; export it"):
        milliseconds(value, "a time")
    with pytest.raises(MeasureError, match="a time is "):
        samples([1.0, value], "a time")


@pytest.mark.parametrize("values", [None, [], "text", {}, 3])
def test_samples_are_a_list(values: Any) -> None:
    with pytest.raises(MeasureError, match=r"^times are .*; a list of 1 to 1000000 times is needed; "):
        samples(values, "times")


def test_statistics_are_those_of_the_samples() -> None:
    found = summary_of(samples([1.0, 2.0, 3.0, 10.0], "times"))
    assert (found["median_ms"], found["mean_ms"], found["min_ms"], found["max_ms"]) == (2.5, 4.0, 1.0, 10.0)
    assert found["p5_ms"] < found["median_ms"] < found["p90_ms"] < found["p95_ms"] < found["p99_ms"]


def test_latency_is_the_median_and_else_the_mean() -> None:
    both = ImportedResult(label="a", tool="t", summary={"mean_ms": 2.0, "median_ms": 1.0}, statistic="median of 3")
    one = ImportedResult(label="a", tool="t", summary={"mean_ms": 2.0}, statistic="mean of 3")
    assert (both.latency_ms, one.latency_ms) == (1.0, 2.0)


def test_text_of_windows_powershell_is_read(tmp_path: Path) -> None:
    text = "Inference timings in us: Init: 1, First inference: 2, Warmup (avg): 3, Inference (avg): 4000"
    path = tmp_path / "log.txt"
    path.write_bytes(text.encode("utf-16"))
    (found,) = read_results(path)
    assert found.latency_ms == 4.0


def found_or_refused(read: Read, document: Document) -> tuple[ImportedResult, ...]:
    try:
        return read(document) or ()
    except MeasureError as error:
        if "\n" in str(error):
            raise
        return ()


@settings(max_examples=200)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        *(
                            "deviceInfo",
                            "deviceResults",
                            "modelMetadata",
                            "predict",
                            "samples",
                            "computeUnit",
                            "rawMetadata",
                        ),
                        *("computeMs", "latencyMs", "count", "averageMs", "latency", "accelerators", "latencyMetrics"),
                        *("avg_ms", "medianMs", "average time in us", "modelStructure", "deviceUsage", "preferred"),
                    ]
                ),
                inner,
                max_size=6,
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_is_a_result_or_refused_in_one_line(data: Any) -> None:
    document = Document(label="label", text=json.dumps(data), data=data)
    for read in (imports.xcode.read, imports.trtexec.read, imports.litert.read):
        assert all(result.latency_ms > 0 for result in found_or_refused(read, document))


def test_json_is_told_from_text() -> None:
    assert parse_json("[1]") == [1]
    assert parse_json("[01/02/2026-10:00:00] [I] a log") is None
