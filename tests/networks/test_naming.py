from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from bench.networks import build
from bench.networks.naming import our_names
from bench.study.models import reference_point, reference_points

from .published_names import (
    State,
    apple_fastvit,
    apple_mobileone,
    authors_cmt,
    facebook_convnext,
    mark,
    marked,
)


def _apple_fastvit_of(name: str) -> Callable[[State], State]:
    stages = reference_point(name).stages
    depths = [int(stage["depth"]) for stage in stages]
    return lambda state: apple_fastvit(state, depths, has_position=stages[-1].get("position") == "conditional")


def _names(family: str) -> list[str]:
    return [name for name, point in reference_points().items() if point.family == family]


def _network(name: str) -> nn.Module:
    with torch.device("meta"):
        return build(reference_point(name))


def _check(name: str, rename: Callable[[State], State], *, family: str) -> State:
    """What is called otherwise comes back under our names, each tensor under its own."""
    network = _network(name)
    state = marked(network)
    theirs = rename(state)
    assert len(theirs) == len(state)
    found = our_names(dict(theirs), network, family=family)
    assert set(found) == set(state)
    assert {key: (mark(value), value.shape) for key, value in found.items()} == {
        key: (mark(value), value.shape) for key, value in state.items()
    }
    return theirs


@pytest.mark.parametrize("name", _names("fastvit"))
def test_fastvits_of_apple(name: str) -> None:
    theirs = _check(name, _apple_fastvit_of(name), family="fastvit")
    assert not [key for key in theirs if "stages" in key]
    assert "patch_embed.0.rbr_conv.0.conv.weight" in theirs


@pytest.mark.parametrize("name", _names("mobileone"))
def test_mobileones_of_apple(name: str) -> None:
    theirs = _check(name, apple_mobileone, family="mobileone")
    assert {key.partition(".")[0] for key in theirs} == {*(f"stage{number}" for number in range(5)), "linear"}


@pytest.mark.parametrize("name", _names("convnext"))
def test_convnexts_of_facebook(name: str) -> None:
    theirs = _check(name, facebook_convnext, family="convnext")
    assert {key.partition(".")[0] for key in theirs} == {"downsample_layers", "stages", "norm", "head"}
    assert {"stages.3.2.gamma", "stages.0.0.pwconv1.weight", "downsample_layers.0.1.bias"} <= set(theirs)


@pytest.mark.parametrize("name", _names("cmt"))
def test_cmts_of_their_authors(name: str) -> None:
    _check(name, authors_cmt, family="cmt")


# As the modules of cmt.py are called there, without what batch norms keep beside weight and bias.
_BLOCK = {
    "norm1",
    "norm2",
    "proj",
    *(f"attn.{part}" for part in ("q", "k", "v", "proj", "sr.0", "sr.1")),
    *(f"mlp.{part}" for part in ("conv1.0", "conv1.2", "proj", "proj_bn", "conv2.0", "conv2.1")),
}
_AROUND = {
    *(f"stem_conv{number}" for number in (1, 2, 3)),
    *(f"stem_norm{number}" for number in (1, 2, 3)),
    *(f"patch_embed_{letter}.{part}" for letter in "abcd" for part in ("proj", "norm")),
    "_fc",
    "_bn",
    "head",
}


def test_names_of_cmt_are_those_of_its_code() -> None:
    theirs = authors_cmt(marked(_network("cmt_ti")))
    modules = {key.removesuffix(".weight") for key in theirs if key.endswith(".weight")}
    block = {key.removeprefix("blocks_a.1.") for key in modules if key.startswith("blocks_a.1.")}
    assert block == _BLOCK
    assert {key.removeprefix("blocks_d.0.") for key in modules if key.startswith("blocks_d.0.")} == _BLOCK - {
        "attn.sr.0",
        "attn.sr.1",
    }
    assert {key for key in modules if not key.startswith("blocks_")} == _AROUND
    assert {key for key in theirs if key.startswith("relative_pos")} == {f"relative_pos_{letter}" for letter in "abcd"}


@pytest.mark.parametrize("name", ["fastvit_t8", "mobileone_s4", "efficientnet_b0", "convnext_t", "cmt_ti"])
def test_names_of_ours_stay(name: str) -> None:
    network, family = _network(name), reference_point(name).family
    state = marked(network)
    assert our_names(dict(state), network, family=family).keys() == state.keys()
