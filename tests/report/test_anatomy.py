"""A network taken apart: parts that add up, whatever the family; one of another version keeps its words."""

from __future__ import annotations

import pytest

from bench.networks.cost import costs
from bench.report.anatomy import anatomy, architecture_text, words_of
from bench.space import load_space


@pytest.mark.parametrize("family", ["fastvit", "mobileone", "efficientnet", "convnext", "cmt"])
def test_blocks_and_the_rest_are_the_whole(family: str) -> None:
    architecture = next(iter(load_space(family).reference_points.values()))
    found = anatomy(architecture.to_dict())
    whole = costs(architecture)
    assert found.total is not None
    assert found.total.macs_g == pytest.approx(whole.macs / 1e9)
    assert found.elsewhere is not None
    for name in ("params_m", "macs_g", "activations_m"):
        parts = [getattr(stage.blocks, name) for stage in found.stages]
        assert sum(parts) + getattr(found.elsewhere, name) == pytest.approx(getattr(found.total, name))
    assert sum(kind.macs_g for kind in found.kinds) == pytest.approx(found.total.macs_g)
    assert sum(kind.params_m for kind in found.kinds) == pytest.approx(found.total.params_m)


def test_a_block_costs_what_one_more_of_it_adds() -> None:
    plain = load_space("fastvit").reference_points["fastvit_t8"]
    found = anatomy(plain.to_dict()).stages[0]
    assert found.words["depth"] == 2
    assert found.block is not None
    assert found.blocks is not None
    assert found.blocks.macs_g == pytest.approx(2 * found.block.macs_g)


def test_an_architecture_of_another_version_has_its_words_alone() -> None:
    strange = {"family": "unheard", "settings": {"side": 7}, "stages": [{"depth": 2, "kind": "odd"}]}
    found = anatomy(strange)
    assert (found.total, found.elsewhere, found.kinds) == (None, None, ())
    assert found.stages[0].words == {"depth": 2, "kind": "odd"}
    assert architecture_text(strange) == "unheard: side 7\nstage 1: depth 2, kind odd"
    assert words_of(strange) == {"family": "unheard", "side": 7, "stage1.depth": 2, "stage1.kind": "odd"}
