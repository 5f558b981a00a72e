"""The link with the token: it lets in from wherever it is followed, and stays in no address."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from bench.dashboard.listening import Listening
from bench.dashboard.serving import DashboardServer
from bench.dashboard.source import Source

from .visits import context_of, visit

TOKEN = "t" * 32


def test_link_of_another_site_lets_in(browser: Browser, several: Path, tmp_path: Path) -> None:
    mail = tmp_path / "mail.html"
    with (
        Source(several, study="main") as source,
        DashboardServer(source, Listening(port=0, token=TOKEN)) as server,
        context_of(browser) as context,
        visit(context, mail.as_uri()) as found,
    ):
        mail.write_text(f'<link rel="icon" href="data:,"><a href="{server.address}#view=table">the search</a>')
        for _ in range(2):  # the second time with the cookie of the first
            found.page.goto(mail.as_uri())
            asked: list[str] = []
            found.page.on("request", lambda request, asked=asked: asked.append(request.headers.get("referer", "")))
            found.page.get_by_role("link").click()
            found.drawn("table")
            expect(found.find("#study")).to_have_value("main")
            assert TOKEN not in found.page.url
            assert not any(asked)
        found.page.reload()
        found.drawn("table")
        found.page.go_back()
        found.page.go_forward()
        found.drawn("table")
        assert TOKEN not in found.page.url
        assert TOKEN not in found.page.evaluate("() => document.cookie + JSON.stringify(performance.getEntries())")
        with context_of(browser) as stranger:
            answer = stranger.new_page().goto(server.url)
            assert answer is not None
            assert answer.status == 401
