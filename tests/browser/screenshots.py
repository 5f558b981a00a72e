"""Pictures of every view, light and dark, for dashboards/screenshots; a database of one's own, or a synthetic one.

python -m browser.screenshots --out ../dashboards/screenshots          (in the folder tests)
python -m browser.screenshots --db ../results/bench.db --study mystudy
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from PIL import Image
from planned_studies import write_study
from plans import Plan
from playwright.sync_api import sync_playwright

from .visits import VIEWS, Visit, context_of, launch, served, visit

_ROOT = Path(__file__).resolve().parents[2]
_OUT = _ROOT / "dashboards" / "screenshots"
_NAMES = ("fastvit_t8", "fastvit_t12", "fastvit_s12", "mobileone_s0", "convnext_t")
# What stands beside a view in the address, so that it shows what it can.
_STATES = {
    "front": {"budget": "latency_ms~15"},
    "parallel": {"top": "40"},
    "table": {"filter": "latency_ms%3C20"},
}
# Fewer are seen as such, more make a picture of many lines large.
_COLOURS = (96, 48, 32)
_MOST_BYTES = 200_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=_OUT)
    parser.add_argument("--db", type=Path)
    parser.add_argument("--study")
    parser.add_argument("--against", help="a second study to compare with")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        db, study, against = given.db, given.study, given.against
        if db is None:
            db, study, against = Path(folder) / "bench.db", "synthetic", "again"
            write_study(db, Plan(name="again", num_trials=300, sampler="random", seed=1))
            write_study(db, Plan(name="synthetic", num_trials=600, failed=0.03))
            write_study(db, Plan(name="synthetic-baselines", num_trials=len(_NAMES), names=_NAMES, failed=0.0))
        take(db, given.out, study=study, against=against)


def take(db: Path, out: Path, *, study: str | None, against: str | None) -> None:
    """Writes VIEW-SCHEME.png for every view."""
    # As the default database, so that no command on the page names where it lies.
    os.environ["BENCH_DB"] = str(db.absolute())
    with sync_playwright() as playwright, served(None) as url:
        browser = launch(playwright)
        for scheme in ("light", "dark"):
            with context_of(browser, color_scheme=scheme) as context, visit(context, url) as found:
                for view in VIEWS:
                    state = dict(_STATES.get(view, {}))
                    if study is not None:
                        state["study"] = study
                    if view == "compare" and against is not None:
                        state["with"] = against
                    found.open(view, **state)
                    if view in ("front", "parallel"):
                        _point(found)
                    if view == "parallel":
                        _select(found)
                    found.page.wait_for_timeout(400)
                    _save(found, out / f"{view}-{scheme}.png")
        browser.close()


def _point(found: Visit) -> None:
    """A trial from the middle of the front in the inspector."""
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight"):
        found.page.keyboard.press(key)


def _select(found: Visit) -> None:
    """The better quarter of the latencies."""
    canvas = found.find("canvas.parallel").bounding_box()
    assert canvas is not None
    left = found.find("[data-axis='latency_ms']").evaluate("head => parseFloat(head.style.left)")
    x, top = canvas["x"] + left, canvas["y"] + 10
    found.page.mouse.move(x, top)
    found.page.mouse.down()
    found.page.mouse.move(x, top + 0.2 * canvas["height"], steps=5)
    found.page.mouse.up()
    found.settle()


def _save(found: Visit, path: Path) -> None:
    found.page.screenshot(path=path)
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    for colours in _COLOURS:
        picture.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size < _MOST_BYTES:
            return


if __name__ == "__main__":
    main()
