"""A real Chromium, and databases that are written once for all tests that only read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install 'bench[dev]'")

from planned_studies import write_study
from plans import Plan
from playwright.sync_api import Browser, Page, sync_playwright
from scripted import fails_sometimes, run_study

from bench.store import open_store

from .visits import CHROMIUM, Visit, context_of, launch, served, watched

BASELINES = ("fastvit_t8", "fastvit_t12", "fastvit_s12", "mobileone_s0", "convnext_t")


# Not for the whole session: Playwright keeps an event loop running in this thread for as long as it is open, and
# asyncio.run would fail in the tests of other folders that the same process runs next.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}; `make debian` installs it where apt-get can")
    with sync_playwright() as playwright:
        opened = launch(playwright)
        with context_of(opened) as context:
            context.new_page()  # for `seen` of visits.py
            yield opened
        opened.close()


@pytest.fixture(scope="session")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`main` with its baselines, `again` by another seed, `other` by another sampler, `elsewhere` on another CPU."""
    return written_studies(tmp_path_factory.mktemp("several") / "bench.db", num_trials=120)


def written_studies(db: Path, *, num_trials: int) -> Path:
    write_study(db, Plan(name="elsewhere", num_trials=num_trials, machine="another CPU", seed=3))
    write_study(db, Plan(name="again", num_trials=num_trials, seed=1))
    write_study(db, Plan(name="other", num_trials=num_trials, sampler="random", seed=2))
    write_study(db, Plan(name="main", num_trials=num_trials, failed=0.06))
    write_study(db, Plan(name="main-baselines", num_trials=len(BASELINES), names=BASELINES, failed=0.0))
    return db


@pytest.fixture(scope="session")
def few_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same studies with fewer trials, for what looks at every element of a page."""
    with served(written_studies(tmp_path_factory.mktemp("few") / "bench.db", num_trials=20)) as url:
        yield url


@pytest.fixture(scope="session")
def several_url(several: Path) -> Iterator[str]:
    with served(several) as url:
        yield url


@pytest.fixture(scope="package")
def several_page(browser: Browser) -> Iterator[Page]:
    """One for many tests: reading plotly.js takes longer than most of them."""
    with context_of(browser) as context:
        yield context.new_page()


@pytest.fixture
def main(several_page: Page, several_url: str) -> Iterator[Visit]:
    """A page on `several`; tests open `study=main`, which leaves behind what a test before did."""
    with watched(Visit(page=several_page, url=several_url, other="again")) as found:
        yield found


@pytest.fixture(scope="session")
def scripted_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that went through a real session: failed, stopped and complete trials, named `scripted`."""
    folder = tmp_path_factory.mktemp("scripted")
    with open_store(folder / "bench.db") as store:
        run_study(store, folder, fails_sometimes, budget=14)
    return folder / "bench.db"
