"""`bench export-table` as users run it: what it says to run next runs."""

from __future__ import annotations

import shlex
from pathlib import Path

from made_studies import add_random, made_store

from .here import Here


def test_the_command_that_it_names_judges_a_sampler(here: Here, tmp_path: Path) -> None:
    with made_store(tmp_path / "made.db") as store:
        add_random(store, 16, name="past")
    ended = here("export-table", "past", "--out", "old.csv.gz", "--db", "made.db")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("wrote old.csv.gz (16 rows) and old.yaml\n")
    command = ended.out.splitlines()[-1].partition(":  ")[2]
    assert command.startswith("bench simulate --space old.yaml --table old.csv.gz --maximize accuracy_at_32 ")
    again = here(*shlex.split(command)[1:], "--sampler", "random", "--seeds", 2)
    assert again.code == 0, again.err
    assert "past in old.csv.gz: accuracy_at_32 up, latency_ms down; 16 rows" in again.out


def test_the_file_is_called_as_the_study(here: Here, tmp_path: Path) -> None:
    with made_store(tmp_path / "made.db") as store:
        add_random(store, 4, name="past")
    assert here("export-table", "past", "--db", "made.db").out.startswith("wrote past.csv (4 rows) and past.yaml\n")
    assert here("export-table", "pst", "--db", "made.db").err.startswith("bench: no study 'pst'; known studies: past")
