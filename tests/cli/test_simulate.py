"""`bench simulate` as users run it."""

from __future__ import annotations

import gzip
import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from made_tables import SPACE, made_rows, write_made

from .here import Here

COMMON = ("simulate", "--space", "made.yaml", "--table", "made.csv", "--maximize", "accuracy")
LATENCY = (*COMMON, "--minimize", "latency_ms", "--sampler", "random", "--budget", 60, "--seeds", 3)


@pytest.fixture
def made(here: Here, tmp_path: Path) -> Here:
    write_made(tmp_path)
    return here


def document(made: Here, *words: object) -> dict[str, Any]:
    ended = made(*words, "--json")
    assert ended.code == 0, ended.err
    (line,) = ended.lines
    return line


def test_the_document_has_the_share_at_each_evaluation_of_each_seed(made: Here) -> None:
    found = document(made, *LATENCY)
    assert [seed["seed"] for seed in found["seeds"]] == [0, 1, 2]
    for seed in found["seeds"]:
        assert seed["spent"] == [float(number) for number in range(1, 61)]
        assert len(seed["tight"]) == len(seed["wide"]) == 60
        assert seed["wide"] == sorted(seed["wide"])
        assert len({one["id"] for one in seed["evaluations"]}) == 60
    mean = sum(seed["tight"][49] for seed in found["seeds"]) / 3
    assert found["at"]["50"]["tight"]["mean"] == found["mean"]["tight"][49] == pytest.approx(mean)
    assert found["at"].keys() == {"50", "60"}
    assert found["task"]["reference"].keys() == {"tight", "wide"}
    assert found["task"]["rows"] == 256


def test_the_text_has_the_reference_points_and_the_mean(made: Here) -> None:
    ended = made(*LATENCY)
    found = document(made, *LATENCY)
    assert ended.code == 0
    assert "made in made.csv: accuracy up, latency_ms down; 256 rows" in ended.out
    assert "tight reference point: accuracy" in ended.out
    assert "sampler random, 3 seeds, 60 proposals" in ended.out
    row = next(line for line in ended.out.splitlines() if line.startswith("mean"))
    wanted = [found["at"][place][scale]["mean"] for scale in ("tight", "wide") for place in ("50", "60")]
    assert [float(cell) for cell in row.split()[1:]] == [round(value, 3) for value in wanted]
    assert "evaluations a minute" in ended.out


def test_a_gzipped_table_is_the_same(made: Here, tmp_path: Path) -> None:
    plain = document(made, *LATENCY)
    (tmp_path / "made.csv.gz").write_bytes(gzip.compress((tmp_path / "made.csv").read_bytes()))
    packed = document(made, *LATENCY, "--table", "made.csv.gz")
    assert packed["seeds"][2]["tight"] == plain["seeds"][2]["tight"]
    assert packed["task"]["table_sha256"] == plain["task"]["table_sha256"]


def test_a_reference_point_can_be_given(made: Here) -> None:
    found = document(made, *LATENCY, "--reference", "45,30")
    assert found["task"]["reference"] == {"given": [45.0, 30.0]}
    assert "given" in found["seeds"][0]


def test_halving_is_told_against_what_it_cost(made: Here) -> None:
    found = document(made, *LATENCY, "--fidelity", "accuracy_low:0.1")
    for seed in found["seeds"]:
        tops = sum(one["rung"] == 1 for one in seed["evaluations"])
        assert seed["spent"][-1] == pytest.approx(6 + 0.9 * tops)
        assert seed["proposals"] == 60
    assert (
        "halving by 10 over rungs that cost 0.1, 1 of a full training"
        in made(*LATENCY, "--fidelity", "accuracy_low:0.1").out
    )


def test_rules_and_failing_rows_are_told(made: Here, tmp_path: Path) -> None:
    rows = [{**row, "accuracy": "nan"} if row["op0"] == "skip" else row for row in made_rows()]
    write_made(tmp_path, rows=rows, space=SPACE.replace("to: 32", "to: 24"))
    text = made(*LATENCY, "--rule", "macs_m <= 12").out
    assert "rows that obey macs_m <= 12" in text
    assert "64 rows of the table are not among the choices of the space" in text
    assert "rows lack a value: trials that fail, and count" in text
    assert "failed" in text.splitlines()[-1]


def test_a_space_that_is_used_up_is_told(made: Here) -> None:
    text = made(*LATENCY, "--budget", 500, "--seeds", 1).out
    assert "1 seeds ended early: the rows were used up" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--sampler", "rndom"), "unknown sampler 'rndom'; known: "),
        (("--maximize", "acuracy"), "objective 'acuracy' is no column of made.csv; known: op0"),
        (("--fidelity", "accuracy_low"), "--fidelity accuracy_low; a column, a colon and a number are needed"),
        (("--fidelity", "accuracy_low:cheap"), "--fidelity accuracy_low:cheap: 'cheap' is no number"),
        (("--noise", "macs_m:0.1"), "--noise macs_m:0.1: 'macs_m' is no objective; known: accuracy, latency_ms"),
        (("--noise", "accuracy:-1"), "--noise accuracy:-1: a standard deviation is 0 or more"),
        (("--reduction", "1"), "--reduction 1; it must be above 1"),
        (("--reference", "1,b"), "--reference 1,b: 'b' is no number"),
        (("--space", "smoke"), "space 'smoke' is of family fastvit; a table is searched in a space of family table"),
        (("--table", "none.csv"), "cannot read or write none.csv"),
    ],
)
def test_mistakes_are_one_line(made: Here, words: tuple[str, ...], message: str) -> None:
    ended = made(*LATENCY, *words)
    assert ended.code == 1
    assert ended.err.startswith(f"bench: {message}"), ended.err
    assert len(ended.err.splitlines()) == 1


def test_the_commands_of_spaces_know_tables(made: Here) -> None:
    text = made("space", "show", "made.yaml").out
    assert "rows are the same network where equal: network" in text
    assert "known before training: macs_m" in text
    shown = json.loads(made("space", "show", "made.yaml", "--json").out)
    assert (shown["identity"], shown["known"]) == ("network", ["macs_m"])
    assert "256 different networks in the choices" in made("space", "count", "made.yaml").out
    networks = len({row["network"] for row in made_rows()})
    counted = made("space", "count", "made.yaml", "--table", "made.csv").out
    assert f"256 rows among the choices, 0 rows of the table are not; 256 of them, {networks} different" in counted
    drawn = [
        json.loads(line)
        for line in made("space", "sample", "made.yaml", "--table", "made.csv", "--n", 3).out.splitlines()
    ]
    assert all({"id", "macs_m", "network", "settings"} <= one.keys() for one in drawn)
    assert "made is valid" in made("space", "check", "made.yaml", "--table", "made.csv").out
    refused = made("space", "count", "smoke", "--table", "made.csv")
    assert refused.err.startswith("bench: --table made.csv with space 'smoke' of family fastvit; ")


def test_a_table_is_not_searched_for_real(made: Here) -> None:
    ended = made("search", "--space", "made.yaml", "--budget", 2)
    assert ended.code == 1
    assert ended.err.startswith("bench: a row of a table is no network that can be built"), ended.err
    assert len(ended.err.splitlines()) == 1


def test_ctrl_c_leaves_what_is_done(made: Here) -> None:
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        ended = made(*LATENCY, "--seeds", 5000)
    finally:
        timer.cancel()
    assert ended.code == 130
    assert ended.err.splitlines()[-1] == "bench: interrupted"
    assert "normalised hypervolume" in ended.out
    assert "interrupted" in ended.out.splitlines()[-1]
    assert "(not complete)" in ended.out
    assert " of 5000 seeds, " in ended.out
