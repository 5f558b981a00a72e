"""`bench compare-samplers` as users run it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_studies import add_random, made_store
from made_tables import made_rows, write_made, write_table

from .here import Here

ONE = ("--space", "made.yaml", "--table", "made.csv", "--maximize", "accuracy", "--minimize", "latency_ms")
SHORT = ("--budget", 20, "--seeds", 2, "--sampler", "random", "--sampler", "nsga2")


@pytest.fixture
def made(here: Here, tmp_path: Path) -> Here:
    write_made(tmp_path)
    write_table(tmp_path / "half.csv", made_rows()[::2])
    return here


def panels(made: Here, *words: object) -> list[dict[str, Any]]:
    ended = made("compare-samplers", *words, "--json")
    assert ended.code == 0, ended.err
    found: list[dict[str, Any]] = json.loads(ended.out)["panels"]
    return found


def test_two_samplers_on_two_tables(made: Here, tmp_path: Path) -> None:
    two = ("--space", "made.yaml", "--table", "half.csv")
    found = panels(made, *ONE, *two, *SHORT)
    assert [panel["scale"] for panel in found] == ["tight", "wide"] * 2
    assert [[line["label"] for line in panel["lines"]] for panel in found] == [["random", "nsga2"]] * 4
    assert all(len(line["mean"]) == 20 and line["seeds"] == 2 for panel in found for line in panel["lines"])
    page = (tmp_path / "samplers.html").read_text(encoding="utf-8")
    assert "nsga2 (2 seeds)" in page
    text = made("compare-samplers", *ONE, *SHORT, "--out", "other.html").out
    assert "made: accuracy, latency_ms, tight" in text
    assert text.endswith("\nwrote other.html\n")


def test_files_of_simulations_give_the_same_figures(made: Here, tmp_path: Path) -> None:
    for sampler in ("random", "nsga2"):
        ended = made("simulate", *ONE, "--sampler", sampler, "--budget", 20, "--seeds", 2, "--json")
        (tmp_path / f"{sampler}.json").write_text(ended.out)
    assert panels(made, "random.json", "nsga2.json") == panels(made, *ONE, *SHORT)


def test_studies_of_one_space_are_compared(made: Here, tmp_path: Path) -> None:
    with made_store(tmp_path / "made.db") as store:
        for seed, (name, sampler) in enumerate((("a", "tpe"), ("b", "tpe"), ("c", "random"))):
            add_random(store, 6, name=name, seed=seed, sampler=sampler)
    (panel,) = panels(made, "a", "b", "c", "--db", "made.db")
    assert (panel["task"], panel["scale"], panel["over"]) == ("studies of fastvit", "found", "architectures tried")
    assert {line["label"]: line["seeds"] for line in panel["lines"]} == {"tpe": 2, "random": 1}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nothing to compare; allowed: --space and --table, files of bench simulate --json, or studies"),
        (("--space", "made.yaml"), "1 --space and 0 --table; each table has a space"),
        ((*ONE, "--minimize", "macs_m"), "2 --minimize for 1 tables; once for all, or one for each"),
        ((*ONE[:4], "--maximize", "accuracy"), "0 --minimize for 1 tables"),
        ((*ONE, "--out", "none/a.html"), "--out none/a.html: there is no folder none"),
        ((*ONE, *SHORT, "--sampler", "tp"), "unknown sampler 'tp'; known: "),
    ],
)
def test_mistakes_are_one_line(made: Here, words: tuple[object, ...], message: str) -> None:
    ended = made("compare-samplers", *words)
    assert ended.code == 1
    assert ended.err.startswith(f"bench: {message}"), ended.err
    assert len(ended.err.splitlines()) == 1
