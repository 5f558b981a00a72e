"""Published networks beside the front: measured here, measured elsewhere, published."""

from __future__ import annotations

from pathlib import Path

import pytest
from planned_studies import write_study
from plans import Plan
from playwright.sync_api import Browser, expect

from bench.report.views import StudyView, study_view
from bench.store import open_store

from .visits import Visit, opened


@pytest.fixture(scope="module")
def view(several: Path) -> StudyView:
    with open_store(several, read_only=True) as store:
        return study_view(store, "main")


def test_baselines_measured_here_are_labelled_and_switched(main: Visit) -> None:
    main.open(study="main")
    assert set(main.traces()["measured"]["text"]) >= {"fastvit_t8", "mobileone_s0"}
    expect(main.find("#front .legend")).to_contain_text("baselines, measured here")
    main.page.get_by_label("baselines measured here").uncheck()
    main.page.wait_for_url("**measured=0**")
    assert "measured" not in main.traces()


def test_published_figures_stand_on_axes_of_their_own_and_say_so(main: Visit, view: StudyView) -> None:
    main.open(study="main")
    assert "published" not in main.traces()
    main.page.get_by_label("published", exact=True).check()
    note = main.find("#published-note")
    expect(note).to_contain_text("multiples of FastViT-T8")
    expect(note).to_contain_text("not their values")
    published = main.traces()["published"]
    place = published["text"].index("fastvit_t8")
    assert (published["x"][place], published["y"][place]) == (1, 1)
    t8 = next(found for found in view.trials if found.name == "fastvit_t8")
    assert main.traces()["front"]["x"][0] == pytest.approx(
        view.front[0].figures["latency_ms"] / t8.figures["latency_ms"], rel=1e-4
    )
    title = main.page.evaluate("() => document.querySelector('#front .chart').layout.xaxis.title.text")
    assert "times FastViT-T8" in title
    main.page.get_by_label("published", exact=True).uncheck()
    expect(note).to_have_count(0)


def test_baselines_of_other_conditions_are_not_drawn_unasked(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    write_study(db, Plan(num_trials=20))
    write_study(
        db, Plan(name="synthetic-baselines", num_trials=2, names=("fastvit_t8", "fastvit_t12"), machine="another")
    )
    with opened(browser, db) as visit:
        visit.open(study="synthetic")
        assert "measured" not in visit.traces()
        expect(visit.find("#incomparable")).to_contain_text("another")
        visit.page.get_by_role("button", name="Show them anyway").click()
        expect(visit.find("#front .legend")).to_contain_text("baselines, measured elsewhere")
        assert visit.traces()["measured"]["marker"]["symbol"] == "star-open"
