"""A session as a strip plot and as a table, from real measurements of tiny files."""

from __future__ import annotations

import dataclasses
import json
import re

from bench.measure import Measurement
from bench.report.measurements import session_data, session_table, to_first
from bench.report.strip import strip_figure

SESSION = Measurement(
    label="first <b>",
    architecture_id=None,
    artifact_sha256="0" * 64,
    runner="cpu",
    runtime="onnxruntime",
    threads=1,
    resolution=256,
    samples=(
        ((10_000_000, 11_000_000), (10_500_000, 10_400_000)),
        ((10_100_000, 10_200_000), (30_000_000, 31_000_000)),
    ),
    reference_samples=(
        ((5_000_000, 5_000_000), (5_000_000, 5_100_000)),
        ((5_000_000, 5_000_000), (9_000_000, 9_100_000)),
    ),
    twin_samples=(((5_050_000, 5_050_000), (5_050_000, 5_050_000)), ()),
    contended=((False, False), (False, True)),
    verdict="valid",
    reason=None,
    fingerprint={},
    protocol={},
    session="s",
)
SECOND = dataclasses.replace(SESSION, label="second", verdict="noisy", reason="T8 differs from itself by 4 %")
FAILED = dataclasses.replace(SESSION, label="third", verdict="failed", reason="it hung", samples=(), contended=())


def test_every_sample_is_a_point_and_disturbed_ones_are_grey() -> None:
    figure = strip_figure([SESSION, SECOND, FAILED])
    points = [trace for trace in figure.data if trace.type == "scattergl"]
    assert sum(len(trace.x) for trace in points) == 16
    assert sum(len(trace.x) for trace in points if trace.name == "others used the CPU") == 4
    assert max(max(trace.x) for trace in points) == 31.0
    assert list(figure.layout.yaxis.ticktext) == ["first &lt;b&gt;<br>valid", "second<br>noisy"]


def test_table_says_why_a_verdict_is_not_valid_and_what_can_be_told_apart() -> None:
    text = session_table([SESSION, SECOND, FAILED])
    assert "second: noisy: T8 differs from itself by 4 %" in text
    assert "third: failed: it hung" in text
    assert "FastViT-T8 timed twice in this session differs from itself by 0.50 %" in text
    rows = text.splitlines()
    assert "1.0000 equal" in next(row for row in rows if row.startswith("second"))
    assert next(row for row in rows if row.startswith("third")).split()[1] == "-"


def test_data_is_plain_and_leaves_samples_out_unless_asked() -> None:
    rows = json.loads(json.dumps(session_data([SESSION, FAILED])))
    assert "samples" not in rows[0]
    assert rows[0]["summary"]["noise_floor"] is not None
    assert rows[1]["summary"] is None
    assert session_data([SESSION], with_samples=True)[0]["samples"]


def test_what_failed_is_compared_with_nothing() -> None:
    assert to_first([]) == []
    assert to_first([FAILED, SESSION]) == [None, None]
    row = next(line for line in session_table([FAILED, SESSION]).splitlines() if line.startswith("first"))
    assert re.search(r"\] +- +2\.", row), row
