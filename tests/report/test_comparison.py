from __future__ import annotations

from typing import Any

import pytest
from reproduce.made import measurement

from bench.measure import compare, summarise
from bench.report.comparison import (
    Row,
    comparison_data,
    comparison_figures,
    comparison_remarks,
    comparison_section,
    comparison_table,
)

PUBLISHED = "ImageNet, as published"


def row(label: str, ms: float, **fields: Any) -> Row:
    found = measurement(label, ms, **{key: fields.pop(key) for key in ("verdict", "reason") if key in fields})
    is_first = fields.pop("is_first", False)
    return Row(
        label=label,
        params_m=fields.pop("params_m", 3.992392),
        macs_g=fields.pop("macs_g", 0.68516),
        summary=summarise(found) if found.has_figures else None,
        pair=None if is_first or not found.has_figures else compare(measurement("first", 10.0), found),
        differences=fields.pop("differences", ()),
        verdict=found.verdict + (f": {found.reason}" if found.reason else ""),
        memory_mib=40.0,
        accuracy=fields.pop("accuracy", None),
        accuracy_of=fields.pop("accuracy_of", ""),
    )


@pytest.fixture
def rows() -> list[Row]:
    return [
        row("fastvit_t8", 10.0, is_first=True, accuracy=76.2, accuracy_of=PUBLISHED),
        row("mine/7", 20.0, accuracy=31.5, accuracy_of="fractals, after 2,000 pictures"),
        row("mine/9", 15.0, accuracy=35.5, accuracy_of="fractals, after 8,000 pictures"),
        row("a <b>.onnx", 5.0, params_m=None, macs_g=None),
        row("broken.onnx", 0.0, verdict="failed", reason="external data"),
    ]


def test_the_table_has_a_row_a_model(rows: list[Row]) -> None:
    lines = comparison_table(rows).splitlines()
    assert lines[2].split()[:4] == ["fastvit_t8", "3.99", "0.685", "10.003"]
    assert "2.0000 slower" in lines[3]
    assert lines[5].startswith("a <b>.onnx")
    assert lines[5].split()[2:4] == ["-", "-"]
    assert lines[6].split()[-1] == "failed"
    assert "broken.onnx: failed: external data" in lines


def test_accuracies_of_different_pictures_do_not_compare(rows: list[Row]) -> None:
    """Two numbers of pictures of one data set are two kinds, as two data sets are."""
    warning = "accuracies of different data or numbers of pictures do not compare"
    assert warning in comparison_remarks(rows)
    assert warning in comparison_remarks(rows[1:3])
    assert warning not in comparison_remarks([rows[0], row("b", 9.0, accuracy=71.4, accuracy_of=PUBLISHED)])
    assert "mine/7: top-1 on fractals, after 2,000 pictures" in comparison_remarks(rows)


def test_each_kind_of_accuracy_has_a_chart_of_its_own(rows: list[Row]) -> None:
    ratios, *accuracies = comparison_figures(rows)
    assert list(ratios.data[0].x) == pytest.approx([1.0, 2.0, 1.5, 0.5], rel=0.01)
    assert ratios.data[0].error_x.array[0] == 0.0
    assert [(list(figure.data[0].text), list(figure.data[0].y)) for figure in accuracies] == [
        (["fastvit_t8"], [76.2]),
        (["mine/7"], [31.5]),
        (["mine/9"], [35.5]),
    ]
    assert accuracies[1].layout.title.text == "accuracy against latency: fractals, after 2,000 pictures"
    assert list(accuracies[1].data[0].x) == pytest.approx([20.0], rel=0.01)


def test_names_of_files_are_no_html(rows: list[Row]) -> None:
    assert list(comparison_figures(rows)[0].data[0].y)[3] == "a &lt;b&gt;.onnx"


def test_the_page_has_the_table_under_a_heading(rows: list[Row]) -> None:
    section = comparison_section(rows)
    assert section.heading
    assert [cells[0] for cells in section.tables[0].rows] == [found.label for found in rows]
    assert len(section.tables[0].heading) == len(section.tables[0].rows[0])
    assert section.sentences == comparison_remarks(rows)
    assert len(section.figures) == 4


def test_nothing_timed_draws_nothing(rows: list[Row]) -> None:
    assert comparison_section(rows[4:]).figures == []


def test_machines_get_the_same(rows: list[Row]) -> None:
    first, second, *_ = comparison_data(rows)
    assert (first["to_first"], first["top1"], first["top1_of"]) == (None, 76.2, PUBLISHED)
    assert second["to_first"]["ratio"] == pytest.approx(2.0, rel=0.01)
    assert second["to_first"]["num_restarts"] == 6


def test_differing_conditions_are_named() -> None:
    found = [row("a", 10.0, is_first=True), row("b", 9.0, differences=("threads: 1 and 2",))]
    assert "b and the first differ in: threads: 1 and 2" in comparison_remarks(found)
