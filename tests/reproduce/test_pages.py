from __future__ import annotations

from pathlib import Path

import pytest

from bench.reproduce.findings import Finding, Report, not_run
from bench.reproduce.pages import accuracy_chart, report_text, traffic_chart, write_reports


def point(name: str, ms: float, top1: float) -> dict[str, object]:
    return {"name": name, "ms": ms, "low_ms": ms - 0.1, "high_ms": ms + 0.2, "top1": top1, "place": "cpu, onnxruntime"}


def traffic(name: str, side: int, ratio: float) -> dict[str, object]:
    return {
        "what": "form",
        "name": name,
        "resolution": side,
        "ratio": ratio,
        "memory_mib": 10.0 * ratio,
        "place": "cpu",
    }


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
            Finding(quantity="latency (ms)", published="0.8 (iPhone)", verdict=not_run("an iPhone")),
            Finding(quantity="fold", measured="relative error 1e-15", verdict="reproduced"),
        ),
        points=(point("fastvit_t8", 12.0, 76.2), point("mobileone_s0", 4.0, 71.4)),
        fingerprint={"machine": {"cpu": "a CPU", "logical_cpus": 2}, "software": {"torch": "2"}},
        seconds=12.0,
    )


def test_a_report_reads_from_top_to_bottom(report: Report) -> None:
    text = report_text(report)
    assert "fastvit_t8: published and found here (12 s: 1 differs, 1 not run, 1 reproduced)" in text
    assert "parameters (M) [1]\n    published   3.6\n    found here  3.996 deploy form\n    verdict     differs" in text
    assert "latency (ms)\n    published   0.8 (iPhone)\n    verdict     not run: an iPhone" in text
    assert "[1] the nearest is the deploy form; a paper" in text


def test_the_page_has_tables_and_charts(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_reports(path, "bench reproduce fastvit_t8", [report])
    text = path.read_text(encoding="utf-8")
    assert "Found on a CPU, 2 CPUs" in text
    assert '<td class="differs">differs</td>' in text
    assert text.count("Plotly.newPlot") == 1


def test_the_chart_has_a_line_a_family(report: Report) -> None:
    points = [*report.points, point("mobileone_s1", 7.0, 75.9)]
    figure = accuracy_chart(points)
    assert [trace.name for trace in figure.data] == ["fastvit", "mobileone"]
    assert list(figure.data[1].x) == [4.0, 7.0]
    assert list(figure.data[1].text) == ["s0", "s1"]


def test_traffic_is_drawn_over_the_resolution() -> None:
    points = [
        traffic(name, side, ratio) for side in (512, 256) for name, ratio in (("deploy form", 1), ("train form", 2))
    ]
    figure = traffic_chart(points, "form")
    assert [trace.name for trace in figure.data] == ["deploy form", "deploy form", "train form", "train form"]
    assert list(figure.data[0].x) == [256, 512]
    assert list(figure.data[3].y) == [20.0, 20.0]


def test_a_report_survives_its_mapping(report: Report) -> None:
    assert Report.from_dict(report.to_dict()) == report
    assert report.verdicts == {"differs": 1, "not run": 1, "reproduced": 1}
