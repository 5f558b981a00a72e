"""What a database holds is text, whatever it looks like; and the page asks nobody but its own server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from planned_studies import write_study
from plans import Plan, trial
from playwright.sync_api import Browser, expect

from bench.dashboard.snapshot import write_snapshot
from bench.dashboard.source import Source

from .visits import VIEWS, Visit, opened, seen

_SCRIPT = "<script>window.hacked = 1</script>"
_IMAGE = '"><img src=x onerror="window.hacked = 1">'
_LINK = '<a href="javascript:window.hacked = 1">b</a>'
_TEXTS = (_SCRIPT, _IMAGE, _LINK, "</script><script>window.hacked = 1</script>", "=1+1", "{{7*7}}")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose trials carry markup wherever a text may stand."""
    plan = Plan(num_trials=12, failed=0.0, top=1.0, names=())
    others = {}
    for number, text in enumerate(_TEXTS):
        network = dict(trial(plan, number).architecture)
        stages = [dict(stage) for stage in network["stages"]]
        stages[2]["mixer"] = text
        others[number] = {"source": f"reference:{text}", "architecture": {**network, "stages": stages}}
    others[10] = {"status": "failed", "reason": f"{_SCRIPT} {_IMAGE}", "scores": ()}
    others[11] = {"source": f"sampler:{_IMAGE}"}
    db = tmp_path_factory.mktemp("hostile") / "bench.db"
    write_study(db, replace(plan, others=others, machine=_SCRIPT))
    return db


def test_markup_is_shown_and_never_run(browser: Browser, hostile: Path) -> None:
    with opened(browser, hostile) as found:
        _walk(found)
        found.view("table")
        expect(found.find("#trials")).to_contain_text(_SCRIPT)
        expect(found.find("#trials")).to_contain_text(_IMAGE)
        expect(found.find("[data-fact=on]")).to_have_text(_SCRIPT)
        found.view("front")
        found.settle()
        shown = found.find("#front .chart text").all_text_contents()
        assert any("<script>" in text for text in shown)


def test_markup_in_a_file_is_shown_and_never_run(browser: Browser, hostile: Path, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    with Source(hostile, study="synthetic") as source:
        write_snapshot(source, source.chosen or 0, path)
    with seen(browser, path.as_uri()) as found:
        _walk(found)


def test_address_with_markup_does_nothing(main: Visit) -> None:
    main.open(
        "table",
        wait=False,
        study="main",
        filter="%3Cimg%20src%3Dx%20onerror%3Dwindow.hacked%3D1%3E",
        x=_SCRIPT,
        sort=_IMAGE,
    )
    main.drawn("table")
    main.view("front")
    _check_untouched(main)


def test_policy_refuses_what_is_injected(main: Visit) -> None:
    main.open(study="main")
    main.expected += ["Content Security Policy", "asked for x:"]
    main.page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.hacked = 1";
          document.body.append(script);
          document.body.insertAdjacentHTML("beforeend", "<img src=x: onerror='window.hacked = 1'>");
        }"""
    )
    _check_untouched(main)


def test_formulas_are_disarmed_in_the_csv(browser: Browser, hostile: Path) -> None:
    with opened(browser, hostile) as found:
        found.open("export")
        with found.page.expect_download() as waiting:
            found.page.get_by_role("button", name="The trials shown, as CSV").click()
        assert ",'=1+1," in waiting.value.path().read_text()


def _walk(found: Visit) -> None:
    found.open(study="synthetic", trial="0")
    for view in VIEWS:
        found.view(view)
        _check_untouched(found)
    for number in range(12):
        found.go("front", study="synthetic", trial=str(number))
        expect(found.find("#inspector h2")).to_contain_text(f"#{number}")
        _check_untouched(found)
        found.go("trial", study="synthetic", trial=str(number))
        _check_untouched(found)


def _check_untouched(found: Visit) -> None:
    assert found.page.evaluate("() => window.hacked === undefined")
    assert found.find("main img, header img, aside img, main script").count() == 0
    assert found.find("a[href^='javascript']").count() == 0
