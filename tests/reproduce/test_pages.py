from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.errors import MeasureError
from bench.reproduce.findings import Finding, Report, failed, not_run
from bench.reproduce.pages import circumstances_of, report_text, session_sentence, write_reports

SESSION = {
    "place": "cpu, onnxruntime",
    "least_restarts": 3,
    "most_restarts": 12,
    "target": 0.02,
    "limit_s": 40.0,
    "seed": 0,
    "reference_resolution": 256,
    "restarts": {"fastvit_t8": 4, "mobileone_s0": 4},
    "verdicts": {"fastvit_t8": "valid", "mobileone_s0": "valid"},
    "noise_floor": 0.004,
}


def point(name: str, ratio: float, top1: float) -> dict[str, object]:
    ends = {"ratio_low": ratio - 0.1, "ratio_high": ratio + 0.2, "restarts": 6, "ms": 10 * ratio}
    return {"name": name, "family": name.split("_")[0], "ratio_to_t8": ratio, "top1": top1, "place": "cpu", **ends}


@pytest.fixture
def report() -> Report:
    return Report(
        kind="model",
        subject="fastvit_t8",
        title="fastvit_t8: published and found here",
        findings=(
            Finding(
                quantity="parameters (M)",
                published="3.6",
                measured="3.996 deploy form",
                verdict="differs",
                note="the nearest is the deploy form",
                source="a paper",
            ),
            Finding(quantity="latency", published="0.8 ms (iPhone)", verdict=not_run("an iPhone")),
            Finding(quantity="fold", measured="relative error 1e-15", verdict="reproduced"),
        ),
        points=(point("fastvit_t8", 1.0, 76.2), point("mobileone_s0", 0.3, 71.4)),
        fingerprint={"machine": {"cpu": "a CPU", "logical_cpus": 2}, "software": {"torch": "2"}},
        seconds=12.0,
        options={"runners": ["cpu"], "runtimes": [], "threads": 1, "imagenet": None, "download": False},
        sessions=(SESSION,),
    )


def drawn(page: str) -> list[list[dict[str, Any]]]:
    """The traces of each chart in a page, as Plotly is given them."""
    found = re.findall(r"Plotly\.newPlot\(\s*\"[^\"]+\",\s*(\[.*?\]),\s*\{\"", page, re.DOTALL)
    return [json.loads(text) for text in found]


def test_a_report_reads_from_top_to_bottom(report: Report) -> None:
    text = report_text(report)
    assert "fastvit_t8: published and found here (12 s: 1 differs, 1 not run, 1 reproduced)" in text
    assert "parameters (M) [1]\n    published   3.6\n    found here  3.996 deploy form\n    verdict     differs" in text
    assert "latency\n    published   0.8 ms (iPhone)\n    verdict     not run: an iPhone" in text
    assert "[1] the nearest is the deploy form; a paper\ncpu, onnxruntime: 4 restarts" in text


def test_how_a_session_was_made_is_a_sentence() -> None:
    assert session_sentence(SESSION) == (
        "cpu, onnxruntime: 4 restarts (at least 3, at most 12, none begun after 40 s, fewer once ratios are known to "
        "2 %), batch 1, beside FastViT-T8 at 256 px, which timed twice differs from itself by 0.4 %."
    )
    uneven = {**SESSION, "restarts": {"a": 0, "b": 6}, "noise_floor": None}
    assert session_sentence(uneven).startswith("cpu, onnxruntime: 0 to 6 restarts (")
    assert session_sentence(uneven).endswith("beside FastViT-T8 at 256 px.")
    assert session_sentence({**SESSION, "restarts": {"a": 1}}).startswith("cpu, onnxruntime: 1 restart (")


def test_the_page_has_tables_and_charts(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_reports(path, "bench reproduce fastvit_t8", [report])
    text = path.read_text(encoding="utf-8")
    assert "Found on a CPU, 2 CPUs, torch 2." in text
    assert "Asked for: runners cpu; threads 1." in text
    assert session_sentence(SESSION) in html.unescape(text)
    assert '<td class="differs">differs</td>' in text
    rows = [re.findall("<td[^>]*>(.*?)</td>", row) for row in re.findall("<tr>(<td.*?)</tr>", text)]
    assert rows[1] == ["latency", "0.8 ms (iPhone)", "", "not run: an iPhone", ""]
    ((fastvit, mobileone),) = drawn(text)
    assert (fastvit["name"], fastvit["x"], fastvit["y"]) == ("fastvit", [1.0], [76.2])
    assert (mobileone["name"], mobileone["x"], mobileone["y"]) == ("mobileone", [0.3], [71.4])


def test_a_report_without_points_has_no_chart(report: Report, tmp_path: Path) -> None:
    write_reports(tmp_path / "report.html", "t", [replace(report, points=())])
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert drawn(text) == []
    assert "plotly.js" not in text


def test_reports_of_other_circumstances_say_so(report: Report) -> None:
    same = circumstances_of([report, replace(report, title="claims")])
    assert same[0] == "Found on a CPU, 2 CPUs, torch 2."
    gpu = {"name": "a GPU", "driver": "570"}
    other = replace(
        report,
        title="table",
        fingerprint={
            "machine": {"cpu": "another CPU", "logical_cpus": 8},
            "places": {"cuda, torch": {"gpus": [gpu], "threads": 1, "software": {"torch": "3"}}},
        },
    )
    found = circumstances_of([report, other])
    assert found[:2] == [
        "Found on a CPU, 2 CPUs, torch 2: fastvit_t8: published and found here.",
        "Found on another CPU, 8 CPUs; timed by cuda, torch, 1 thread, a GPU (driver 570), torch 3: table.",
    ]


def test_a_report_survives_its_mapping(report: Report) -> None:
    assert Report.from_dict(report.to_dict()) == report
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    assert report.verdicts == {"differs": 1, "not run": 1, "reproduced": 1}


def test_a_report_that_was_kept_before_it_said_how_it_was_made_is_read(report: Report) -> None:
    data = {key: value for key, value in report.to_dict().items() if key not in ("options", "sessions")}
    assert Report.from_dict(data) == replace(report, options={}, sessions=())


def test_an_error_is_a_verdict_of_one_line() -> None:
    assert failed(MeasureError("no\n  GPU; one is needed")) == "not run: no GPU; one is needed"
