from __future__ import annotations

from pathlib import Path

from planned_studies import write_study
from plans import Plan, trial
from playwright.sync_api import Browser, expect

from bench.report.views import study_view
from bench.store import open_store

from .visits import Visit, context_of, opened, visit


def test_trial_is_told_with_all_that_is_known(browser: Browser, scripted_db: Path) -> None:
    with open_store(scripted_db, read_only=True) as store:
        view = study_view(store, "scripted")
    best = view.front[0]
    with opened(browser, scripted_db) as seen:
        seen.open("trial", trial=str(best.number))
        root = seen.find("#trial")
        expect(seen.find("#trial-heading")).to_contain_text(f"scripted/{best.number}")
        expect(root).to_contain_text(best.architecture_id)
        expect(root).to_contain_text("on the front")
        found = best.latencies["latency_ms"]
        expect(root).to_contain_text(f"{found['ms']:.4g} [")
        expect(root).to_contain_text("nothing was found wrong with it")  # the verdict in words
        expect(root).to_contain_text(f"bench show scripted/{best.number}")
        expect(root).to_contain_text(f"bench export scripted/{best.number}")
        assert "stage 1:" in (root.locator(".strip svg").get_attribute("aria-label") or "")
        assert "runs in" in (root.locator(".samples svg").get_attribute("aria-label") or "")
        assert root.locator(".samples circle").count() > 3
        assert root.locator(".samples path.ecdf").count() == 2
        root.get_by_text("Conditions (fingerprint)").click()
        expect(root).to_contain_text("a scripted CPU")


def test_network_is_told_by_stage_and_as_text_to_copy(main: Visit, several: Path) -> None:
    with open_store(several, read_only=True) as store:
        best = study_view(store, "main").front[0]
    main.open("trial", study="main", trial=str(best.number))
    stages = main.page.get_by_role("region", name="Costs by stage").locator("tbody tr")
    for place, stage in enumerate(best.architecture["stages"]):
        expect(stages.nth(place)).to_contain_text(stage["mixer"])
    main.page.get_by_text("As text, to copy").click()
    expect(main.find("#trial pre")).to_contain_text("repmixer")
    main.page.get_by_role("button", name="Copy the network").click()
    expect(main.find("#announce")).to_have_text("copied")


def test_failed_trial_says_why(browser: Browser, scripted_db: Path) -> None:
    with open_store(scripted_db, read_only=True) as store:
        failed = next(found for found in study_view(store, "scripted").trials if found.status == "failed")
    with opened(browser, scripted_db) as seen:
        seen.open("trial", trial=str(failed.number))
        expect(seen.find("#trial")).to_contain_text(failed.reason or "no reason")


def test_next_goes_along_the_front_and_keeps_the_focus(main: Visit, several: Path) -> None:
    with open_store(several, read_only=True) as store:
        front = [found.number for found in study_view(store, "main").front]
    main.open("trial", study="main", trial=str(front[0]))
    button = main.page.get_by_role("button", name="Next", exact=True)
    button.focus()
    main.page.keyboard.press("Enter")
    expect(main.find("#trial-heading")).to_contain_text(f"main/{front[1]}")
    expect(button).to_be_focused()
    main.page.go_back()
    expect(main.find("#trial-heading")).to_contain_text(f"main/{front[0]}")


def test_command_is_copied(browser: Browser, several_url: str) -> None:
    with (
        context_of(browser, permissions=["clipboard-read", "clipboard-write"]) as context,
        visit(context, several_url) as found,
    ):
        found.open("trial", study="main", trial="0")
        found.page.get_by_role("button", name="Copy the command: show").click()
        expect(found.find("#announce")).to_have_text("copied")
        assert found.page.evaluate("() => navigator.clipboard.readText()").startswith("bench show main/0")


def test_unknown_number_is_explained(main: Visit) -> None:
    main.open("trial", study="main", trial="99999")
    expect(main.find("#trial .message")).to_contain_text("No trial #99999 here")


def test_trials_that_differ_in_one_word_are_linked(browser: Browser, tmp_path: Path) -> None:
    plan = Plan(num_trials=2)
    network = dict(trial(plan, 0).architecture)
    stages = [dict(stage) for stage in network["stages"]]
    stages[0]["depth"] = 1 + stages[0]["depth"] % 6
    write_study(tmp_path / "bench.db", Plan(num_trials=2, others={1: {"architecture": {**network, "stages": stages}}}))
    with opened(browser, tmp_path / "bench.db") as found:
        found.open("trial", trial="0")
        expect(found.find("#trial")).to_contain_text("#1 differs in stage1.depth")
