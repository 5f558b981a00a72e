"""`bench compare`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from reproduce.made import Timing
from store.examples import add_scored_trial

from bench.networks.export import prepare
from bench.space import Architecture
from bench.store import open_store
from bench.study import measuring
from bench.study.models import reference_point

from .here import Here, files


@pytest.fixture
def timing(monkeypatch: pytest.MonkeyPatch) -> Timing:
    found = Timing()
    monkeypatch.setattr(measuring, "measure_models", found)
    return found


def add_trial(db: Path, architecture: Architecture) -> None:
    """first/0, with the id 1."""
    with open_store(db) as store:
        add_scored_trial(store, architecture)


def row_of(ended: Any, label: str) -> dict[str, Any]:
    return next(row for row in json.loads(ended.out) if row["label"] == label)


def test_models_are_compared_in_pairs(here: Here, tmp_path: Path) -> None:
    prepare(reference_point("mobileone_s0"), tmp_path / "s0.onnx", seed=0, resolution=64)
    words = ("fastvit_t8", "mobileone_s0", "timm:resnet18@64", "s0.onnx", "--resolution", 64, "--quick")
    ended = here("compare", *words, "--out", "compare.html", "--limit", 1)
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[2].startswith("fastvit_t8")
    assert lines[2].split()[-2] == "-"  # nobody published an accuracy for 64 px
    assert lines[4].startswith("timm:resnet18@64")
    assert lines[4].split()[1] == "11.69"
    assert lines[5].split()[:3] == ["s0.onnx", *lines[3].split()[1:3]]
    assert "fastvit_t8@64" not in ended.out
    assert "76.2" not in ended.out
    page = (tmp_path / "compare.html").read_text(encoding="utf-8")
    assert "<h2>Models side by side</h2>" in page
    assert re.findall("<tr><td>(.*?)</td>", page) == ["fastvit_t8", "mobileone_s0", "timm:resnet18@64", "s0.onnx"]
    assert '"y":["fastvit_t8","mobileone_s0","timm:resnet18@64","s0.onnx"]' in page


def test_a_published_accuracy_is_told_at_its_resolution(here: Here, timing: Timing) -> None:
    ended = here("compare", "fastvit_ma36", "fastvit_ma36@384", "mobileone_s0", "--json", "--no-store")
    assert [row["top1"] for row in json.loads(ended.out)] == [83.9, 84.9, 71.4]


def test_a_trial_by_its_id_is_looked_up_without_being_stored(here: Here, timing: Timing, tmp_path: Path) -> None:
    add_trial(tmp_path / "bench.db", reference_point("smoke_repmixer"))
    ended = here("compare", "fastvit_t8", "1", "--no-store", "--db", "bench.db", "--json")
    assert ended.code == 0, ended.err
    assert row_of(ended, "first/0")["top1"] == 25.0
    assert row_of(ended, "first/0")["top1_of"] == "fractals, after 2,000 pictures"
    with open_store(tmp_path / "bench.db", read_only=True) as store:
        assert store.all_measurements() == ()


def test_nothing_is_opened_that_is_not_needed(here: Here, timing: Timing, tmp_path: Path) -> None:
    assert here("compare", "fastvit_t8", "mobileone_s0", "--no-store").code == 0
    assert files(tmp_path) == set()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("fastvit_t8",), "one model (fastvit_t8); two or more are compared"),
        (("fastvit_t8", "fastvit_t9"), "no reference point 'fastvit_t9'"),
        (("fastvit_t8", "fastvit_t12", "--out", "no/where.html"), "there is no folder no"),
    ],
)
def test_what_cannot_be_done_is_one_line(here: Here, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    ended = here("compare", *words)
    assert ended.code == 1
    assert message in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert files(tmp_path) == set()
