"""Studies that are thinned: what the reader has chosen stays, and a file says what it leaves out."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from planned_studies import tell_trial, write_study
from plans import Plan
from playwright.sync_api import Browser, expect

from bench.dashboard.listening import Listening
from bench.dashboard.question import Question
from bench.dashboard.serving import DashboardServer
from bench.dashboard.snapshot import write_snapshot
from bench.dashboard.source import Source
from bench.report.views import study_view
from bench.store import open_store

from .visits import Visit, seen

NUM = 4200
PLAN = Plan(name="thin", num_trials=NUM, failed=0.02, top=0.9, status=None)


@pytest.fixture(scope="module")
def thin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    db = tmp_path_factory.mktemp("thin") / "bench.db"
    write_study(db, PLAN)
    return db


@pytest.fixture(scope="module")
def num_dominated(thin: Path) -> int:
    with open_store(thin, read_only=True) as store:
        view = study_view(store, "thin")
    reached = [found for found in view.trials if found.rung == view.top_rung and found.status != "failed"]
    return len(reached) - len(view.front)


def test_file_says_that_its_chart_is_thinned(browser: Browser, thin: Path, num_dominated: int, tmp_path: Path) -> None:
    with Source(thin) as source:
        write_snapshot(source, 1, tmp_path / "thin.html")
    assert num_dominated > 3000
    with seen(browser, (tmp_path / "thin.html").as_uri()) as found:
        found.open()
        drawn = len(found.numbers("dominated"))
        assert drawn < num_dominated
        said = f"{drawn:,} of {num_dominated:,}"
        expect(found.find("#front .legend")).to_contain_text(f"dominated {said}")
        expect(found.find("#thinning")).to_have_text(
            f"front complete; {said} dominated trials shown, evenly over the plane"
        )
        expect(found.find("#filter-note")).to_have_text(f"{NUM:,} trials")
        found.find("#filter").fill("kind=dominated")
        expect(found.find("#filter-note")).to_have_text(f"{num_dominated:,} of {NUM:,} trials")


def test_file_of_a_part_of_the_trials_says_so_in_all_that_comes_from_it(
    browser: Browser, thin: Path, num_dominated: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.dashboard.snapshot._MOST_ROWS", 4000)
    monkeypatch.setattr("bench.dashboard.snapshot._MOST_DOMINATED", 800)
    with Source(thin) as source:
        write_snapshot(source, 1, tmp_path / "part.html")
        held = source.points(1, Question(dominated=800))
    assert held is not None
    num = len(held["rows"]["number"])
    part = f"{num:,} of {NUM:,} trials"
    with seen(browser, (tmp_path / "part.html").as_uri()) as found:
        found.open()
        expect(found.find("#front .legend")).to_contain_text(f"of {num_dominated:,}")
        expect(found.find("#thinning")).to_contain_text(f"{part} are in this file")
        expect(found.find("#filter-note")).to_have_text(f"{NUM:,} trials")
        found.find("#filter").fill("status=complete")
        expect(found.find("#filter-note")).to_contain_text(f"of the {num:,} trials in this file, which are of {NUM:,}")
        found.view("table")
        expect(found.find("#table-note")).to_contain_text("rows 1 to 200")
        found.find("#filter").fill("")
        expect(found.find("#filter-note")).to_have_text(f"{NUM:,} trials")
        found.view("export")
        expect(found.find("#export")).to_contain_text(part)
        document = json.loads(_downloaded(found, "Everything in this file, as JSON"))
        assert document["part"].startswith(part)
        assert document["counts"]["tried"] == NUM
        assert len(document["trials"]["number"]) == num
        first, _, rest = _downloaded(found, "The trials shown, as CSV").partition("\n")
        assert first.startswith(f"# {part}")
        assert len(list(csv.DictReader(io.StringIO(rest)))) == num


def test_selection_zoom_and_filter_outlive_a_whole_answer(browser: Browser, thin: Path) -> None:
    """A server that was started again knows nothing of the page: its answer to the next poll is whole."""
    with Source(thin) as source:
        usual = source.points(1, Question())
        assert usual is not None
        every = source.points(1, Question(dominated=None))
        assert every is not None
        rows, shown = every["rows"], set(usual["rows"]["number"])
        kinds = zip(rows["number"], rows["kind"], strict=True)
        hidden = [number for number, kind in kinds if kind == "dominated" and number not in shown][:3]
        first = DashboardServer(source)
        first.start()
        with seen(browser, first.url) as found:
            found.expected += ["ERR_CONNECTION", "Failed to load resource", "ERR_EMPTY_RESPONSE"]
            found.open(selected=".".join(map(str, hidden)))
            assert set(hidden) <= set(found.numbers("dominated"))
            box = found.find("#front .chart").bounding_box()
            assert box is not None
            found.page.mouse.move(box["x"] + 150, box["y"] + 60)
            found.page.mouse.down()
            found.page.mouse.move(box["x"] + 700, box["y"] + 400, steps=5)
            found.page.mouse.up()
            found.find("#filter").fill("latency_ms<30")
            expect(found.find("#filter-note")).to_contain_text(f"of {NUM:,} trials")
            found.page.locator("body:not([data-asking])").wait_for(state="attached")
            zoom, state, note = found.zoom(), found.state(), found.find("#filter-note").inner_text()
            first.stop()
            expect(found.find("#live")).to_have_text("no answer")
            port = int(first.url.rsplit(":", 1)[1].strip("/"))
            with Source(thin) as fresh, DashboardServer(fresh, Listening(port=port)), open_store(thin) as store:
                tell_trial(store, store.study("thin"), PLAN, NUM)
                expect(found.find("#filter-note")).to_contain_text(f"of {NUM + 1:,} trials")
                assert found.find("#filter-note").inner_text().split(" of ")[0] in _next(note)
                assert found.zoom() == zoom
                assert found.state() == state
                expect(found.find("#picked")).to_have_text("3 selected")
                for number in hidden:
                    found.go("table", filter=f"number%3D{number}", selected=state["selected"][0])
                    expect(found.find(f"#trials tr[data-number='{number}'] input")).to_be_checked()


def test_filter_finds_what_is_thinned_out(browser: Browser, thin: Path) -> None:
    with Source(thin) as source, DashboardServer(source) as server:
        usual = source.points(1, Question())
        assert usual is not None
        lacking = next(number for number in range(NUM) if number not in set(usual["rows"]["number"]))
        with seen(browser, server.url) as found:
            found.open("table")
            found.find("#filter").fill(f"number={lacking}")
            expect(found.find("#filter-note")).to_contain_text("1 of ")
            expect(found.find(f"#trials tr[data-number='{lacking}']")).to_have_count(1)
            found.open("trial", trial=str(lacking))
            expect(found.find("#trial h2")).to_contain_text(f"thin/{lacking}")


def _downloaded(found: Visit, name: str) -> str:
    with found.page.expect_download() as waiting:
        found.page.get_by_role("button", name=name).click()
    return waiting.value.path().read_text()


def _next(note: str) -> set[str]:
    """The count of a note, and that with one trial more."""
    num = int(note.split(" of ")[0].replace(",", ""))
    return {f"{num:,}", f"{num + 1:,}"}
