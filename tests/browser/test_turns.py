"""Answers in another order than the questions, and views that were not looked at when something came."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from made_studies import add_timing
from planned_studies import tell_trial
from playwright.sync_api import Browser, expect

from bench.store import open_store

from .following import BEST, PLAN, begin
from .visits import Visit, opened

# Holds answers up whose address has this text, each until the page says so.
_HELD = """(text) => {
  const ask = window.fetch.bind(window);
  window.held = [];
  window.fetch = async (...given) => {
    const answer = await ask(...given);
    const address = String(given[0]?.url ?? given[0]);
    if (address.includes(text)) await new Promise((done) => window.held.push(done));
    return answer;
  };
  window.letGo = () => { window.fetch = ask; window.held.forEach((done) => done()); };
}"""


def test_study_that_was_left_does_not_come_back(main: Visit) -> None:
    main.open(study="main")
    ids = _ids(main)
    main.page.evaluate(_HELD, f"api/studies/{ids['again']}/points")
    main.find("#study").select_option("again")
    main.page.wait_for_function("() => window.held.length === 1")
    main.page.evaluate("() => { location.hash = 'study=other' }")
    expect(main.find("#study")).to_have_value("other")
    main.page.evaluate("() => window.letGo()")
    main.page.wait_for_timeout(300)
    main.settle()
    expect(main.find("#study")).to_have_value("other")
    assert main.state()["study"] == ["other"]
    assert main.page.title() == "Front \N{MIDDLE DOT} other \N{MIDDLE DOT} bench"


def test_commands_are_of_the_study_that_is_shown(main: Visit) -> None:
    main.open(study="main")
    ids = _ids(main)
    main.page.evaluate(_HELD, f"api/studies/{ids['again']}")
    main.page.evaluate("() => { location.hash = 'study=again&view=export' }")
    main.page.wait_for_function("() => window.held.length >= 1")
    main.page.evaluate("() => window.letGo()")
    main.page.evaluate("() => { location.hash = 'study=other&view=export' }")
    expect(main.find("#export")).to_contain_text("bench show other")
    expect(main.find("#export")).not_to_contain_text("bench show again")
    expect(main.find("#export")).not_to_contain_text("bench show main")


def test_views_that_were_not_looked_at_tell_what_is_so_now(browser: Browser, tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    begin(db, 8)
    best = replace(PLAN, others={8: BEST})
    with open_store(db) as store, opened(browser, db) as found:
        study = store.study("live")
        found.open("export")
        expect(found.find("#export")).to_contain_text("bench export live/")
        found.go("trial", trial="0")
        found.drawn("trial")
        expect(found.find("#trial")).not_to_contain_text("77.5 [")
        for view in ("progress", "compare", "table"):
            found.view(view)
        tell_trial(store, study, best, 8)
        add_timing(store, store.trials(study.id)[0], ms=77.5)
        expect(found.find("#trials tbody tr")).to_have_count(9)
        found.view("export")
        expect(found.find("#export")).to_contain_text("bench export live/8 ")
        found.go("trial", trial="0")
        expect(found.find("#trial")).to_contain_text("77.5 [")
        found.view("progress")
        expect(found.find("#progress")).to_contain_text("9 of ")
        expect(found.find("#progress")).to_contain_text("Where the time went")


def _ids(found: Visit) -> dict[str, int]:
    listed = found.page.evaluate("async () => (await (await fetch('api/studies')).json()).studies")
    return {each["name"]: each["id"] for each in listed}
