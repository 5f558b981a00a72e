"""The dashboard's page in a real Chromium, which has no network but this machine's: opened, updated, painted, at rest.

The table on the screen and the chart behind it, each on a page that was just opened; a new trial from its commit to the
page, and for how long an update keeps the page from answering; the lines of the parallel coordinates; the CPU of the
whole browser while nothing happens, with the page and with an empty one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from browser.visits import CHROMIUM, Visit, context_of, launch, visit
from planned_studies import tell_trial
from plans import Plan
from playwright.sync_api import sync_playwright

from bench.store import open_store

_LIVE = 20
_PAINTS = 5
_IDLE_S = 20.0
_LIMIT_MS = 60_000
_WATCH = """
window.blocks = [];
new PerformanceObserver((list) => list.getEntries().forEach((entry) => window.blocks.push(entry.duration)))
  .observe({ type: "longtask", buffered: true });
"""
# Another window paints all lines anew; reading a pixel waits until they are there.
_PAINT = """async () => {
  const canvas = document.querySelector("canvas.parallel");
  const place = canvas.closest(".wide");
  const before = canvas.width;
  place.style.width = `${place.clientWidth - 10}px`;
  let begin = performance.now();
  while (canvas.width === before) {
    begin = performance.now();
    await new Promise((done) => requestAnimationFrame(done));
  }
  canvas.getContext("2d").getImageData(0, 0, 1, 1);
  return performance.now() - begin;
}"""
_SHOWN = (
    """text => document.querySelector("#facts").textContent.includes(text) && !("pending" in document.body.dataset)"""
)


def timed_page(url: str, db: Path, plan: Plan, *, begin: int) -> dict[str, Any]:
    """What a page on the study costs; empty where Chromium is not installed.

    Args:
        begin: number of the next trial.
    """
    if not CHROMIUM.exists():
        return {}
    with sync_playwright() as playwright:
        browser = launch(playwright)
        with context_of(browser) as context, visit(context, url) as found:
            context.set_default_timeout(_LIMIT_MS)
            found.page.add_init_script(_WATCH)
            found.expected.append("willReadFrequently")  # the pixel that is read to know that lines are there
            result = {
                "table_s": _opened(found, "table", "#trials tbody tr"),
                "chart_s": _opened(found, "front", "#front .chart .scatterlayer .point"),
            }
            found.settle()
            waits, blocks = zip(*_live(found, db, plan, begin), strict=True)
            result |= {
                "commit_to_page_median_s": statistics.median(waits),
                "commit_to_page_p95_s": sorted(waits)[int(0.95 * (_LIVE - 1))],
                "block_ms": max(blocks),
                "page_idle_cpu_share": _idle_share(found),
            }
            result["lines_2000_ms"] = _paint_ms(found, 2000)
            found.page.goto("about:blank")
            result["blank_idle_cpu_share"] = _idle_share(found)
        browser.close()
    return result


def timed_export(file: Path) -> dict[str, Any]:
    """What an exported page costs, which holds more trials than a live one draws; empty without Chromium."""
    if not CHROMIUM.exists():
        return {}
    with sync_playwright() as playwright:
        browser = launch(playwright)
        with context_of(browser) as context, visit(context, file.as_uri()) as found:
            context.set_default_timeout(_LIMIT_MS)
            found.expected.append("willReadFrequently")
            result = {
                "table_s": _opened(found, "table", "#trials tbody tr"),
                "lines_10000_ms": _paint_ms(found, 10_000),
            }
        browser.close()
    return result


def _opened(found: Visit, view: str, wanted: str) -> float:
    """Seconds from a new page to what is looked for."""
    found.page.goto("about:blank")
    start = time.perf_counter()
    found.page.goto(f"{found.url}#view={view}")
    found.find(wanted).first.wait_for(state="attached")
    return time.perf_counter() - start


def _live(found: Visit, db: Path, plan: Plan, begin: int) -> Iterator[tuple[float, float]]:
    """Seconds from a commit to the page, and the longest task of the page meanwhile (ms; 0: none above 50)."""
    with open_store(db) as store:
        study = store.study(plan.name)
        for number in range(begin, begin + _LIVE):
            found.page.evaluate("() => { window.blocks.length = 0 }")
            tell_trial(store, study, plan, number)
            committed = time.perf_counter()
            found.page.wait_for_function(_SHOWN, arg=f"{number + 1:,}")
            waited = time.perf_counter() - committed
            found.page.wait_for_timeout(300)  # what follows the update belongs to it
            yield waited, max(found.page.evaluate("() => window.blocks"), default=0.0)


def _paint_ms(found: Visit, num_lines: int) -> float:
    """Milliseconds to paint so many lines, from those of all trials that the page holds."""
    found.go("parallel", top="100")
    found.drawn("parallel")
    note = found.find("#parallel .note").first.inner_text()
    shown = int(note.split(" line")[0].replace(",", ""))
    assert shown >= num_lines / 2, note
    paints = [float(found.page.evaluate(_PAINT)) for _ in range(_PAINTS)]
    return statistics.median(paints) * num_lines / shown


def _idle_share(found: Visit) -> float:
    """CPU seconds a second of all processes of the browser while nothing happens; the page asks on."""
    processes = [each for each in psutil.Process().children(recursive=True) if "chrom" in each.name()]
    found.page.wait_for_timeout(5000)
    before, begin = _spent(processes), time.monotonic()
    found.page.wait_for_timeout(1000 * _IDLE_S)
    return (_spent(processes) - before) / (time.monotonic() - begin)


def _spent(processes: list[psutil.Process]) -> float:
    return sum(each.cpu_times().user + each.cpu_times().system for each in processes if each.is_running())
