from __future__ import annotations

import csv

import pytest
import timm

from bench.content import folder
from bench.reproduce.names import ABSENT, TIMM, at_its_resolution, buildable, is_at, own_resolution
from bench.reproduce.published import figures
from bench.study.models import reference_points


def test_every_network_of_the_papers_tables_has_a_place() -> None:
    with (folder("results") / "reference" / "figures.csv").open(newline="", encoding="utf-8") as file:
        published = {row["model"] for row in csv.DictReader(file)}
    steps = {name for name in published if "_step_" in name}
    assert len(steps) == 4  # of an ablation: no networks of their own
    assert published - steps == (set(reference_points()) & published) | set(TIMM) | set(ABSENT)


def test_timm_has_what_it_is_said_to_have() -> None:
    assert [name for name in TIMM.values() if not timm.is_model(name)] == []
    assert not set(TIMM) & set(reference_points())


@pytest.mark.parametrize(
    ("name", "resolution", "built"),
    [
        ("fastvit_ma36", 384, "fastvit_ma36@384"),
        ("nfnet_f1", 320, "timm:nfnet_f1@320"),
        ("deit_s", 224, "timm:deit_small_patch16_224@224"),
        ("litv2_b", 384, None),
    ],
)
def test_networks_are_named_as_they_are_built(name: str, resolution: int, built: str | None) -> None:
    assert buildable(name, resolution) == built


def test_a_figure_without_a_resolution_counts_at_the_networks_own() -> None:
    assert [own_resolution(name) for name in ("fastvit_ma36", "efficientnet_b5", "nfnet_f1", "nothing")] == [
        256,
        456,
        320,
        None,
    ]
    unstated = next(figure for figure in figures("fastvit_t8") if figure.device == "Pixel 6 CPU")
    assert unstated.resolution is None
    assert is_at(unstated, 256)
    assert not is_at(unstated, 384)
    at_384 = next(figure for figure in figures("fastvit_ma36") if figure.resolution == 384)
    assert is_at(at_384, 384)
    assert not is_at(at_384, 256)
    assert at_its_resolution("fastvit_ma36", 256) == "fastvit_ma36"
    assert at_its_resolution("fastvit_ma36", 384) == "fastvit_ma36@384"
