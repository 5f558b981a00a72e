from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from planned_studies import write_study
from plans import Plan
from playwright.sync_api import Browser, expect

from bench.dashboard.snapshot import write_snapshot
from bench.dashboard.source import Source
from bench.report.views import study_view
from bench.store import open_store

from .visits import VIEWS, Visit, opened, seen

_LARGEST_BYTES = 5_500_000


@pytest.fixture(scope="module")
def file(several: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`main` as one file."""
    path = tmp_path_factory.mktemp("file") / "main.html"
    with Source(several, study="main") as source:
        write_snapshot(source, source.chosen or 0, path)
    return path


@pytest.mark.parametrize(("link", "name"), [("All trials as CSV", "main.csv"), ("Everything as JSON", "main.json")])
def test_data_is_downloaded_whole(main: Visit, several: Path, link: str, name: str) -> None:
    with open_store(several, read_only=True) as store:
        view = study_view(store, "main")
    main.open("export", study="main")
    with main.page.expect_download() as waiting:
        main.page.get_by_role("link", name=link).click()
    assert waiting.value.suggested_filename == name
    text = waiting.value.path().read_text()
    if name.endswith("csv"):
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [int(row["number"]) for row in rows] == [found.number for found in view.trials]
    else:
        assert json.loads(text)["front"] == [found.number for found in view.front]


def test_texts_that_a_spreadsheet_would_run_are_disarmed(browser: Browser, tmp_path: Path) -> None:
    reasons = [f"{begin}1+cmd|'/c calc'!A1, and more" for begin in "=+-@"]
    odd = {number: {"status": "failed", "reason": reason, "scores": ()} for number, reason in enumerate(reasons, 1)}
    write_study(tmp_path / "bench.db", Plan(num_trials=6, failed=0.0, others=odd))
    with opened(browser, tmp_path / "bench.db") as found:
        found.open("export")
        with found.page.expect_download() as waiting:
            found.page.get_by_role("button", name="The trials shown, as CSV").click()
        rows = list(csv.DictReader(io.StringIO(waiting.value.path().read_text())))
    assert [row["reason"] for row in rows[1:5]] == [f"'{reason}" for reason in reasons]
    assert all(float(row["params_m"]) > 0 for row in rows)


def test_page_is_downloaded_as_one_file_that_opens(main: Visit, browser: Browser, tmp_path: Path) -> None:
    main.open("export", study="main")
    with main.page.expect_download() as waiting:
        main.page.get_by_role("link", name="This page as one file").click()
    assert waiting.value.suggested_filename == "main.html"
    waiting.value.save_as(tmp_path / "main.html")
    with seen(browser, (tmp_path / "main.html").as_uri()) as found:
        found.open("table")
        expect(found.find("#live")).to_contain_text("file of")


@pytest.mark.parametrize("figure", ["Front", "Progress"])
@pytest.mark.parametrize(("kind", "begins"), [("SVG", b"<svg"), ("PNG", b"\x89PNG")])
def test_figures_are_saved_as_images(main: Visit, figure: str, kind: str, begins: bytes) -> None:
    main.open("export", study="main")
    with main.page.expect_download() as waiting:
        main.page.get_by_role("button", name=f"{figure} as {kind}").click()
    assert waiting.value.suggested_filename == f"main-{figure.lower()}.{kind.lower()}"
    content = waiting.value.path().read_bytes()
    assert content.startswith(begins)
    assert len(content) > 5000
    expect(main.find("#banner")).to_be_hidden()


def test_parallel_coordinates_are_saved_as_pixels(main: Visit) -> None:
    main.open("export", study="main")
    with main.page.expect_download() as waiting:
        main.page.get_by_role("button", name="Parallel coordinates as PNG").click()
    assert waiting.value.path().read_bytes().startswith(b"\x89PNG")


def test_file_shows_the_same_without_a_server(browser: Browser, file: Path, several: Path) -> None:
    with open_store(several, read_only=True) as store:
        view = study_view(store, "main")
    with seen(browser, file.as_uri()) as found:
        found.open()
        assert found.numbers("front") == [trial.number for trial in view.front]
        assert set(found.traces()["measured"]["text"]) >= {"fastvit_t8", "mobileone_s0"}
        expect(found.find("#live")).to_contain_text("file of")
        expect(found.find("#live")).to_be_disabled()
        for name in VIEWS:
            found.view(name)
        found.view("table")
        assert sorted(found.order()) == [trial.number for trial in view.trials]
        found.find("#filter").fill("latency_ms<12")
        expect(found.find("#filter-note")).to_contain_text(f"of {len(view.trials)} trials")


def test_file_has_samples_of_the_front_and_says_what_it_has_not(browser: Browser, file: Path, several: Path) -> None:
    with open_store(several, read_only=True) as store:
        view = study_view(store, "main")
    stopped = next(trial for trial in view.trials if trial.status == "stopped")
    with seen(browser, file.as_uri()) as found:
        found.open("trial", trial=str(view.front[0].number))
        assert found.find("#trial .samples circle").count() > 3
        found.open("trial", trial=str(stopped.number))
        expect(found.find("#trial .message")).to_contain_text("bench dashboard")
        expect(found.find("#trial .pairs").first).to_contain_text(f"{stopped.figures['params_m']:.4g}")


def test_link_into_a_file_restores_what_was_shown(browser: Browser, file: Path) -> None:
    with seen(browser, file.as_uri()) as found:
        found.open("front", x="params_m", filter="status%3Dcomplete", selected="0")
        expect(found.find("#x-axis")).to_have_value("params_m")
        expect(found.find("#filter")).to_have_value("status=complete")
        expect(found.find("#picked")).to_have_text("1 selected")


def test_file_is_small_enough_to_mail(file: Path) -> None:
    assert file.stat().st_size < _LARGEST_BYTES
