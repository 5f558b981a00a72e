"""Every route over a real server: what it gives, what it refuses, and in how many words."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from made_studies import HOSTILE, add_random, add_trial

from bench.api import load_study
from bench.dashboard.serving import DashboardServer
from bench.dashboard.source import Source
from bench.store import Store

from .asked import ask


@pytest.fixture
def url(source: Source) -> Iterator[str]:
    with DashboardServer(source) as server:
        yield server.url


def test_the_page_and_its_files_are_served(shared_url: str) -> None:
    page = ask(shared_url)
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert b"<script" in page.body
    assert ask(shared_url, "/static/main.js").headers["content-type"] == "text/javascript; charset=utf-8"
    library = ask(shared_url, "/static/plotly.min.js")
    assert library.status == 200
    assert len(library.body) > 4_000_000


def test_a_file_that_is_known_is_not_sent_again(shared_url: str) -> None:
    tag = ask(shared_url, "/static/main.js").headers["etag"]
    again = ask(shared_url, "/static/main.js", if_none_match=tag)
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/static/../pyproject.toml",
        "/static/..%2fpyproject.toml",
        "/static/README.md",
        "/static/.js",
        "/static/none.js",
        "/static/%2e%2e/index.html",
        "/etc/passwd",
        "/api",
        "/api/studies/",
        "/api/studies/one",
        "/api/studies/-1",
    ],
)
def test_nothing_else_is_served(shared_url: str, path: str) -> None:
    found = ask(shared_url, path)
    assert found.status == 404
    assert found.error.count(";") >= 2 or "no such path" in found.error


def test_studies_are_listed_with_the_one_to_open(url: str, store: Store) -> None:
    add_random(store, 2, name="made-baselines")
    found = ask(url, "/api/studies").json
    assert [study["name"] for study in found["studies"]] == ["made-baselines", "made"]
    assert found["chosen"] == 1
    assert [study["baselines"] for study in found["studies"]] == [None, 2]
    assert [study["baselines_of"] for study in found["studies"]] == [1, None]
    assert found["studies"][1]["counts"] == {"complete": 4, "failed": 1, "queued": 1, "stopped": 1}


@pytest.mark.parametrize(
    "path",
    [
        "/api/studies",
        "/api/studies/1",
        "/api/studies/1/points",
        "/api/studies/1/progress",
        "/api/studies/1/compare",
        "/api/trials/1",
        "/api/published",
        "/api/runners",
    ],
)
def test_every_document_is_json_of_this_format(shared_url: str, path: str) -> None:
    found = ask(shared_url, path)
    assert found.status == 200, found.body
    assert found.headers["content-type"] == "application/json"
    assert found.headers["cache-control"] == "no-store"
    assert found.json["format"] == 1
    assert ask(shared_url, path, method="HEAD").body == b""


def test_text_of_the_database_is_data(shared_url: str) -> None:
    """A page gets it as JSON, which no browser takes for HTML."""
    found = ask(shared_url, "/api/trials/5")
    assert found.json["reason"] == f"it broke {HOSTILE}"
    assert found.headers["content-type"] == "application/json"
    assert found.headers["x-content-type-options"] == "nosniff"


def test_a_delta_is_empty_until_something_changes(url: str, store: Store) -> None:
    first = ask(url, "/api/studies/1/points").json
    same = ask(url, f"/api/studies/1/points?after={first['cursor']}")
    assert (same.status, same.body) == (204, b"")
    add_trial(store, store.study("made"), accuracy=0.8, ms=4.0)
    found = ask(url, f"/api/studies/1/points?after={first['cursor']}").json
    assert not found["is_whole"]
    assert found["front"] == [7]
    assert found["rows"]["number"] == [0, 1, 5, 7]


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/api/studies/9", 404, r"no study with id 9; known studies: made; .*"),
        ("/api/studies/9/points", 404, r"no study with id 9; .*"),
        ("/api/studies/9.csv", 404, r"no study with id 9; .*"),
        ("/api/trials/99", 404, r"no trial with id 99; .*"),
        ("/api/trials/99999999999999999999", 404, r"no entry .*; .*; .*"),
        ("/api/studies/1/points?after=x", 400, r"after='x'; the cursor of an answer is allowed; .*"),
        ("/api/studies/1/points?x=latncy", 400, r"no figure 'latncy' in this study; known: accuracy, .*"),
        ("/api/studies/1/points?window=1,2", 400, r"window='1,2'; allowed: x0,x1,y0,y1.*; .*"),
        ("/api/studies/1/points?window=nan,,,", 400, r"window=.*"),
        ("/api/studies/1/points?dominated=-1", 400, r"dominated='-1'; allowed: 0 to 100000, or all; .*"),
        ("/api/studies/1/points?keep=1,x", 400, r"keep='1,x'; allowed: .*; .*"),
        ("/api/studies/1/points?log=z", 400, r"log='z'; allowed: x, y or x,y; .*"),
        ("/api/studies/1/compare?with=two", 400, r"with='two'; allowed: the id of a study; .*"),
        ("/api/studies/1/compare?with=9", 404, r"no study with id 9; .*"),
    ],
)
def test_refusals_are_one_line(shared_url: str, path: str, status: int, message: str) -> None:
    import re

    found = ask(shared_url, path)
    assert found.status == status
    assert re.fullmatch(message, found.error), found.error


def test_csv_is_the_frame_of_the_study(url: str, db: Path) -> None:
    found = ask(url, "/api/studies/1.csv")
    assert found.headers["content-disposition"] == 'attachment; filename="made.csv"'
    frame = load_study("made", db=db).trials()
    rows = list(csv.DictReader(io.StringIO(found.body.decode())))
    assert list(rows[0]) == list(frame.columns)
    assert len(rows) == len(frame)
    for row, (_, wanted) in zip(rows, frame.iterrows(), strict=True):
        for name, text in row.items():
            value = wanted[name]
            if name == "architecture":
                assert json.loads(text) == value
            elif isinstance(value, float) and not pd.isna(value):
                assert float(text) == value
            else:
                assert text == ("" if pd.isna(value) else str(value))


@pytest.mark.parametrize("begin", list("=+-@\t\r"))
def test_no_text_of_a_csv_is_a_formula(source: Source, store: Store, begin: str) -> None:
    """A spreadsheet runs what begins so; numbers stay numbers, negative ones too."""
    text = f'{begin}cmd|"/c calc"!A1, and more'
    add_trial(store, store.study("made"), status="failed", accuracy=None, ms=None, reason=text, costs={"macs_g": -0.5})
    last = list(csv.DictReader(io.StringIO("".join(source.csv(1)), newline="")))[-1]
    assert (last["reason"], last["macs_g"]) == (f"'{text}", "-0.5")


def test_json_is_what_show_prints(url: str, db: Path) -> None:
    from bench.report.rows import study_data
    from bench.report.views import study_view
    from bench.store import open_store

    with open_store(db, read_only=True) as reader:
        wanted = json.loads(json.dumps(study_data(study_view(reader, "made")), default=dict))
    found = ask(url, "/api/studies/1.json")
    assert found.json == wanted
    assert found.headers["content-disposition"] == 'attachment; filename="made.json"'


def test_html_is_the_export(shared_url: str) -> None:
    found = ask(shared_url, "/api/studies/1.html")
    assert found.headers["content-disposition"] == 'attachment; filename="made.html"'
    assert b'id="snapshot"' in found.body


def test_documents_are_compressed_for_who_takes_that(shared_url: str) -> None:
    plain, small = ask(shared_url, "/api/published"), ask(shared_url, "/api/published", accept_encoding="gzip")
    assert small.headers["content-encoding"] == "gzip"
    assert gzip.decompress(small.body) == plain.body
    assert len(small.body) < len(plain.body) / 4


def test_a_database_that_goes_away_and_comes_back(url: str, store: Store, db: Path) -> None:
    assert ask(url, "/api/studies").status == 200
    store.close()
    away = db.with_name("away.db")
    db.rename(away)
    found = ask(url, "/api/studies")
    assert found.status == 503
    assert found.error.count(";") >= 2
    away.rename(db)
    assert ask(url, "/api/studies").status == 200


def test_another_database_in_its_place_is_told_whole(url: str, store: Store, db: Path, tmp_path: Path) -> None:
    from made_studies import add_mixed, made_store

    first = ask(url, "/api/studies/1/points").json
    store.close()
    with made_store(tmp_path / "other.db") as other:
        add_random(other, 3, name="another")
        add_mixed(other)
    (tmp_path / "other.db").replace(db)
    found = ask(url, f"/api/studies/1/points?after={first['cursor']}").json
    assert found["is_whole"]
    assert found["study"]["name"] == "another"
    assert found["rows"]["number"] == [0, 1, 2]
