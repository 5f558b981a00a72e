"""`bench dashboard` and `bench plot` as users type them."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_studies import add_mixed, made_store

from .here import Here


@pytest.fixture
def db(tmp_path: Path) -> Path:
    with made_store(tmp_path / "made.db") as store:
        add_mixed(store)
        add_mixed(store, "second")
    return tmp_path / "made.db"


def test_a_study_is_exported_as_one_file(here: Here, db: Path, tmp_path: Path) -> None:
    ended = here("dashboard", "--db", db, "--study", "made", "--export", "page.html")
    assert ended.out == "wrote page.html (made)\n"
    assert 'id="snapshot"' in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert here("dashboard", "--db", db, "--export", "newest.html").out == "wrote newest.html (second)\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--study", "mad"), "no study 'mad'; known studies: second, made; did you mean 'made'?"),
        (("--export", "none/page.html"), "there is no folder"),
        (("--tls-cert", "a.pem"), "--tls-cert and --tls-key belong together; one was given; give both files"),
        (("--host", "192.0.2.1", "--tls-cert", "a", "--tls-key", "b"), "cannot "),
    ],
)
def test_refusals_are_one_line(here: Here, db: Path, words: tuple[str, ...], message: str) -> None:
    ended = here("dashboard", "--db", db, "--no-open", *words)
    assert ended.code == 1
    assert message in ended.err
    assert ended.err.count("\n") == 1


def test_an_empty_database_has_nothing_to_export(here: Here, tmp_path: Path) -> None:
    made_store(tmp_path / "empty.db").close()
    ended = here("dashboard", "--db", "empty.db", "--export", "page.html")
    assert ended.err == ("bench: the database has no studies yet; one is exported; run bench search first\n")


def test_a_database_that_is_missing_is_named(here: Here) -> None:
    assert "no database 'none.db'" in here("dashboard", "--db", "none.db").err


def test_a_front_is_plotted_over_any_two_figures(here: Here, db: Path, tmp_path: Path) -> None:
    assert here("plot", "made", "--db", db, "--out", "front.html").out == "wrote front.html\n"
    assert here("plot", "made", "--db", db, "--out", "params.html", "--x", "params_m").code == 0
    assert "parameters (M, deploy form)" in (tmp_path / "params.html").read_text(encoding="utf-8")
    ended = here("plot", "made", "--db", db, "--x", "param")
    assert "no figure 'param' in 'made'; known: accuracy, latency_ms, params_m" in ended.err
    assert "did you mean 'params_m'?" in ended.err


def test_an_unknown_ending_is_refused(here: Here, db: Path) -> None:
    ended = here("plot", "made", "--db", db, "--out", "front.bmp")
    assert ended.err == (
        "bench: --out front.bmp; allowed: .html, .svg, .png, .pdf; give the file one of these endings\n"
    )
