from __future__ import annotations

from pathlib import Path

from planned_studies import write_study
from plans import Plan
from playwright.sync_api import Browser, expect

from bench.dashboard.source import Source
from bench.report.views import study_view
from bench.store import open_store

from .visits import Visit, opened


def test_two_studies_stand_side_by_side(main: Visit, several: Path) -> None:
    main.open("compare", study="main")
    main.find("#compare-with").select_option("again")
    main.page.wait_for_url("**with=again**")
    with open_store(several, read_only=True) as store:
        both = [study_view(store, name) for name in ("main", "again")]
    first, second = (view.hypervolume or 0.0 for view in both)
    expect(main.find("#difference")).to_contain_text(f"{abs(first - second):.3g}"[:4])
    for view in both:
        expect(main.find("#hypervolumes")).to_contain_text(f"{view.study.name} {view.hypervolume:.4g}")
    names = main.page.evaluate("() => document.querySelector('#compare .chart').data.map(t => [t.name, t.x.length])")
    drawn = {name: length for name, length in names if name in ("main", "again")}
    assert drawn == {view.study.name: len(view.front) for view in both}
    expect(main.find("#compare table").first).to_contain_text("to")


def test_studies_of_other_machines_are_refused_with_the_reason(main: Visit) -> None:
    main.open("compare", study="main", **{"with": "elsewhere"})
    refused = main.find("#refused")
    expect(refused).to_contain_text("do not compare")
    expect(refused).to_contain_text("another CPU")
    expect(main.find("#difference")).to_have_count(0)


def test_choosing_by_a_cheaper_figure_is_priced(main: Visit, several: Path) -> None:
    with Source(several, study="main") as source:
        told = source.compare(source.chosen or 0, None)["stand_ins"]
    assert [each["chosen_by"] for each in told] == ["params_m", "macs_g", "artifact_mb"]
    main.open("compare", study="main")
    rows = main.find("#compare tbody tr")
    for place, each in enumerate(told):
        kept = len(each["front"]) - len(each["missed"])
        expect(rows.nth(place)).to_contain_text(each["chosen_by"])
        expect(rows.nth(place)).to_contain_text(f"{kept} of {len(each['front'])}")
        expect(rows.nth(place)).to_contain_text(f"{100 * each['hypervolume_share']:.1f} %")


def test_devices_of_one_study_are_compared_by_rank(browser: Browser, tmp_path: Path) -> None:
    write_study(tmp_path / "bench.db", Plan(num_trials=40, runners=("pi5", "pixel8")))
    with opened(browser, tmp_path / "bench.db") as visit:
        visit.open("compare")
        expect(visit.find("#compare")).to_contain_text("latency_ms:pi5 against latency_ms:pixel8")
        expect(visit.find("#compare")).to_contain_text("Spearman")
