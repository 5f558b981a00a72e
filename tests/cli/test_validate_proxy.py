"""`bench validate-proxy` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .here import Here

SETTINGS = (
    *("--space", "smoke", "--n", 4, "--seeds", 1, "--images", 64, "--rungs", 2, "--batch-size", 16, "--longer", 2),
    *("--classes", 2, "--per-class", 24, "--val-per-class", 8, "--concurrency", 1),
)


def test_findings_are_told_kept_and_the_same_again(here: Here, tmp_path: Path) -> None:
    ended = here("validate-proxy", *SETTINGS)
    assert ended.code == 0, ended.err
    assert "4 networks of space smoke" in ended.out
    assert "tau with 128 pictures" in ended.out
    assert "MACs" in ended.out
    assert "the findings:  results/validate-proxy.json" in ended.out
    kept = json.loads((tmp_path / "results" / "validate-proxy.json").read_text())
    again = here("validate-proxy", *SETTINGS, "--json")
    assert again.code == 0, again.err
    told = json.loads(again.out)
    assert told["data"] == kept["data"]
    assert told["trainings"] == kept["trainings"]
    assert again.err == ""


def test_other_settings_do_not_mix(here: Here) -> None:
    assert here("validate-proxy", *SETTINGS, "--limit", 0).code == 0
    ended = here("validate-proxy", *SETTINGS, "--seed", 5)
    assert ended.code == 1
    assert "results/validate-proxy.rows.jsonl holds trainings of other settings (seed: 0 and 5)" in ended.err
    assert here("validate-proxy", *SETTINGS, "--seed", 5, "--limit", 0, "--out", "other.json").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--n", 2), "n is 2; it must be 4 or more"),
        (("--longer", 1), "longer is 1; the long training sees more"),
        (("--space", "smoke", "--n", 99), "56 different architectures of space 'smoke' obey the rules; 99 are wanted"),
        (("--data", "folder:nowhere"), "nowhere"),
        (("--against-data", "nowhere"), "nowhere"),
        (("--space", "fastvt"), "did you mean 'fastvit'"),
        (("--space", "smoke", "--rule", "params_m <= 0.0001"), "0 different architectures of space 'smoke' obey"),
    ],
)
def test_what_cannot_be_validated_is_one_line(here: Here, words: tuple[object, ...], message: str) -> None:
    ended = here("validate-proxy", *words)
    assert ended.code == 1
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert ended.out == ""
