"""axe-core on every view, light and dark: no serious or critical violation."""

from __future__ import annotations

from pathlib import Path

import pytest
from driving import searching
from planned_studies import add_study, tell_trial
from plans import Plan
from playwright.sync_api import Browser, expect

from bench.store import open_store

from .visits import VIEWS, Visit, context_of, served, visit

axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed: pip install 'bench[dev]'"
)

_SERIOUS = ("serious", "critical")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_violation(browser: Browser, few_url: str, scheme: str) -> None:
    # Its script is given to the page as text, which the page's own policy refuses: for this test alone there is none.
    with (
        context_of(browser, color_scheme=scheme, bypass_csp=True) as context,
        visit(context, few_url) as found,
    ):
        found.open(study="main", trial="0", selected="0-3")
        for view in VIEWS:
            found.view(view)
            found.settle()
            assert _violations(found, scheme) == [], view
        found.go("compare", study="main", **{"with": "elsewhere"})
        assert _violations(found, scheme) == [], "refused"
        found.page.keyboard.press("?")
        assert _violations(found, scheme) == [], "help"


def test_no_serious_violation_in_odd_states(browser: Browser, tmp_path: Path) -> None:
    """No study, none of its trials, a search that died, no baselines, then a database that breaks."""
    db = tmp_path / "bench.db"
    with (
        open_store(db) as store,
        served(db) as url,
        context_of(browser, bypass_csp=True) as context,
        visit(context, url) as found,
    ):
        found.expected += ["Failed to load resource"]
        found.open(wait=False)
        expect(found.find("#no-study")).to_contain_text("No studies yet")
        assert _violations(found, "light") == [], "no studies"
        study = add_study(store, Plan(name="odd", status=None))
        expect(found.find("#front .message")).to_contain_text("No trials yet")
        for view in ("front", "table", "progress", "trial"):
            found.go(view)
            assert _violations(found, "light") == [], f"no trials: {view}"
        with searching(store, study) as process:
            expect(found.find("#live")).to_have_text("\N{BLACK CIRCLE} live")
            for number in range(6):
                tell_trial(store, study, Plan(name="odd", status=None), number)
            process.kill()
        expect(found.find("#live")).to_have_text("process gone")
        for view in ("progress", "export", "front"):
            found.view(view)
            found.settle()
            assert _violations(found, "light") == [], f"a dead search without baselines: {view}"
        store.close()
        for path in (db, *db.parent.glob("bench.db-*")):
            path.write_bytes(b"no database at all")
        expect(found.find("#banner")).to_be_visible()
        assert _violations(found, "light") == [], "a broken database"
        expect(found.find("#front-frame")).to_be_visible()  # what was shown stays


def _violations(found: Visit, scheme: str) -> list[str]:
    # All else is the same in other colours, and takes most of the time.
    options = {} if scheme == "light" else {"runOnly": ["color-contrast"]}
    results = axe.Axe().run(found.page, options=options)
    return [
        f"{each['id']}: {node['target']} {node.get('failureSummary', '')}"
        for each in results.response["violations"]
        if each["impact"] in _SERIOUS
        for node in each["nodes"]
    ]
