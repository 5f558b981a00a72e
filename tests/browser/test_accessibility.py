"""axe-core on every view, light and dark: no serious or critical violation."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from .visits import VIEWS, Visit, context_of, visit

axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed: pip install 'bench[dev]'"
)

_SERIOUS = ("serious", "critical")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_violation(browser: Browser, several_url: str, scheme: str) -> None:
    # Its script is given to the page as text, which the page's own policy refuses: for this test alone there is none.
    with (
        context_of(browser, color_scheme=scheme, bypass_csp=True) as context,
        visit(context, several_url) as found,
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
