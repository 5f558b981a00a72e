"""A page in a real browser that is watched: whatever it says to the console or asks of another machine fails a test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Playwright,
    Request,
    expect,
)

from bench.dashboard.serving import DashboardServer
from bench.dashboard.source import Source

CHROMIUM = Path("/usr/bin/chromium")
# A loaded machine may take its time; a right page does not.
PATIENCE_MS = 30_000
VIEWS = ("front", "table", "parallel", "progress", "trial", "compare", "runners", "export")

expect.set_options(timeout=PATIENCE_MS)


@dataclass(slots=True, kw_only=True)
class Visit:
    """One page and what it complained of.

    Attributes:
        page: of Playwright.
        url: of the server, or the file.
        problems: console errors and warnings, page errors, and requests to anywhere else.
        expected: parts of problems that this test brings about itself.
        other: a study to go by, where the page serves several tests: what belongs to a study ends with it.
    """

    page: Page
    url: str
    problems: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    other: str | None = None

    def open(self, view: str = "front", *, wait: bool = True, **values: str) -> None:
        """Opens the page anew at a view, with a state as in its address."""
        if self.other is not None and self.page.url.startswith(self.url):
            self._forget()
            self.go(view, **values)
        else:
            parts = "&".join(f"{name}={value}" for name, value in {"view": view, **values}.items())
            self.page.goto("about:blank")
            self.page.goto(f"{self.url}#{parts}")
        if wait:
            self.drawn(view)
            self.settle()

    def _forget(self) -> None:
        """As good as a new page, without the seconds that reading plotly.js takes."""
        self.page.mouse.move(0, 0)
        self.page.keyboard.press("Escape")
        self.go("runners", study=self.other or "")
        expect(self.find("#study")).to_have_value(self.other or "")
        self.settle()
        script = "for (const name of Object.keys(document.body.dataset)) if (/^drawn/.test(name)) delete document.body"
        self.page.evaluate(f"() => {{ {script}.dataset[name] }}")

    def walk(self) -> None:
        """Opens the page and goes through all views."""
        self.open()
        self.tour()

    def tour(self) -> None:
        """Goes through all views of the page that is open."""
        for view in VIEWS:
            self.view(view)
            self.settle()

    def view(self, view: str) -> None:
        """Goes to a view as its link does."""
        self.page.locator("#views a").nth(VIEWS.index(view)).click()
        self.drawn(view)

    def drawn(self, view: str) -> None:
        """Waits until a view was drawn once."""
        self.page.locator(f"body[data-view='{view}'][data-drawn{view}]").wait_for(state="attached", timeout=PATIENCE_MS)

    def go(self, view: str, **values: str) -> None:
        """Changes the address of the page that is open, as its links do."""
        parts = "&".join(f"{name}={value}" for name, value in {"view": view, **values}.items())
        self.page.evaluate("hash => { location.hash = hash }", parts)
        self.settle()

    def settle(self) -> None:
        """Waits until all that was asked for is drawn."""
        self.page.locator("body:not([data-pending])").wait_for(state="attached", timeout=PATIENCE_MS)

    def find(self, selector: str) -> Locator:
        return self.page.locator(selector)

    def traces(self) -> dict[str, dict[str, Any]]:
        """What the front's chart holds, by the name of its traces."""
        self.settle()
        found = self.page.evaluate("() => JSON.stringify(document.querySelector('#front .chart').data)")
        return {trace["name"]: trace for trace in json.loads(found)}

    def numbers(self, trace: str) -> list[int]:
        """Numbers of the trials that a trace of the front draws."""
        return [int(number) for number in self.traces()[trace].get("customdata", [])]

    def zoom(self) -> list[list[float]]:
        """The ranges of the front's axes."""
        self.settle()
        script = "() => ['xaxis', 'yaxis'].map(name => document.querySelector('#front .chart')._fullLayout[name].range)"
        return [[float(end) for end in ends] for ends in self.page.evaluate(script)]

    def place_of(self, number: int) -> tuple[float, float]:
        """Where a trial of the front stands on the screen."""
        script = """(number) => {
          const chart = document.querySelector("#front .chart");
          const front = chart.data.find((trace) => trace.name === "front");
          const at = front.customdata.indexOf(number);
          const box = chart.getBoundingClientRect();
          const { xaxis, yaxis } = chart._fullLayout;
          return [box.left + xaxis._offset + xaxis.c2p(front.x[at]), box.top + yaxis._offset + yaxis.c2p(front.y[at])];
        }"""
        self.settle()
        x, y = self.page.evaluate(script, number)
        return float(x), float(y)

    def state(self) -> dict[str, list[str]]:
        """The values in the address."""
        return parse_qs(urlsplit(self.page.url).fragment, keep_blank_values=True)

    def select(self, *numbers: int) -> None:
        """Selects trials by their boxes in the table."""
        for number in numbers:
            self.find(f"#trials tr[data-number='{number}'] input").check()

    def order(self) -> list[int]:
        """Numbers of the table's rows, from the top."""
        self.settle()
        script = "() => [...document.querySelectorAll('#trials tbody tr')].map(row => Number(row.dataset.number))"
        return [int(number) for number in self.page.evaluate(script)]

    def check(self) -> None:
        """Fails for every problem that the test did not bring about."""
        left = [problem for problem in self.problems if not any(part in problem for part in self.expected)]
        assert not left, left


@contextmanager
def visit(context: BrowserContext, url: str) -> Iterator[Visit]:
    """A new page that is watched; its problems fail the block at its end."""
    page = context.new_page()
    try:
        with watched(Visit(page=page, url=url)) as found:
            yield found
    finally:
        page.close()


@contextmanager
def watched(found: Visit) -> Iterator[Visit]:
    """Notes what a page complains of, and fails for it at the end of the block."""

    def say(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            found.problems.append(message.text)

    def fail(error: Error) -> None:
        found.problems.append(f"page error: {error}")

    # A route that looks at every request would switch the browser's cache off; so the network is cut by the browser
    # itself (`launch`), and what is asked for is noted here.
    def ask(request: Request) -> None:
        address = urlsplit(request.url)
        if address.hostname != "127.0.0.1" and address.scheme not in ("file", "data", "blob", "about"):
            found.problems.append(f"asked for {request.url}")

    listeners = {"console": say, "pageerror": fail, "request": ask}
    for event, listener in listeners.items():
        found.page.on(event, listener)  # type: ignore[call-overload]  # one overload an event
    try:
        yield found
        found.check()
    finally:
        for event, listener in listeners.items():
            found.page.remove_listener(event, listener)


def launch(playwright: Playwright) -> Browser:
    """Chromium without a window, and without any network but this machine's own."""
    # A container has no user namespaces for the sandbox; every page here is our own.
    arguments = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    return playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)


@contextmanager
def context_of(browser: Browser, **settings: Any) -> Iterator[BrowserContext]:
    """A context of the browser, with the size of a usual window."""
    context = browser.new_context(
        **{"viewport": {"width": 1440, "height": 900}, "reduced_motion": "reduce", "accept_downloads": True, **settings}
    )
    context.set_default_timeout(PATIENCE_MS)
    try:
        yield context
    finally:
        context.close()


@contextmanager
def served(db: Path | None) -> Iterator[str]:
    """The dashboard of a database, or of the default one; its address while it runs."""
    with Source(db) as source, DashboardServer(source) as server:
        yield server.url


@contextmanager
def seen(browser: Browser, url: str) -> Iterator[Visit]:
    """A watched page in the first context of the browser, where one of its own would cost a second of processes.

    It is left empty for the next; what it stores belongs to its server's port, which the next has not.
    """
    page = browser.contexts[0].pages[0]
    try:
        with watched(Visit(page=page, url=url)) as found:
            yield found
    finally:
        page.goto("about:blank")


@contextmanager
def opened(browser: Browser, db: Path, **settings: Any) -> Iterator[Visit]:
    """A watched page on a database of its own; with settings in a context of its own."""
    with served(db) as url:
        if settings:
            with context_of(browser, **settings) as context, visit(context, url) as found:
                yield found
        else:
            with seen(browser, url) as found:
                yield found
