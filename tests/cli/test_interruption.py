"""What is told when the user interrupts: the command that goes on, with what it needs."""

from __future__ import annotations

from typing import Any

import pytest

from bench.study import baselines, search

from .here import Here


def interrupted(*_: object, announce: Any, **__: object) -> None:
    announce("mine")
    raise KeyboardInterrupt


@pytest.mark.parametrize("db", [(), ("--db", "my results.db")])
def test_a_search_names_its_study_and_its_database(
    here: Here, monkeypatch: pytest.MonkeyPatch, db: tuple[str, ...]
) -> None:
    monkeypatch.setattr(search, "start", interrupted)
    ended = here("search", "--space", "smoke", *db)
    assert ended.code == 130
    again = "bench search --resume mine" + (" --db 'my results.db'" if db else "")
    assert f"Go on with:  {again}\n" in ended.err


@pytest.mark.parametrize(
    ("words", "again"),
    [
        (("mine",), "bench baselines mine"),
        (("mine", "--families", "cmt,convnext"), "bench baselines mine --families cmt,convnext"),
        (
            ("mine", "--networks", "cmt_ti", "--out", "a page.html", "--db", "some.db"),
            "bench baselines mine --networks cmt_ti --out 'a page.html' --db some.db",
        ),
    ],
)
def test_baselines_repeat_what_they_were_asked(
    here: Here, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], again: str
) -> None:
    monkeypatch.setattr(baselines, "run", interrupted)
    ended = here("baselines", *words)
    assert ended.code == 130
    assert f"Go on with:  {again}\n" in ended.err
