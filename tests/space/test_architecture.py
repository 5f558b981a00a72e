"""Architectures: canonical form, identity, error texts."""

from __future__ import annotations

import copy
import json
import pickle
import re

import numpy as np
import pytest

from bench.errors import SpaceError
from bench.space import Architecture


def made(*, settings: dict[str, object] | None = None, **stage_words: object) -> Architecture:
    return Architecture.from_dict(described(settings=settings, **stage_words))


def described(*, settings: dict[str, object] | None = None, **stage_words: object) -> dict[str, object]:
    """T8, with words of the last stage replaced."""
    stages = [{"depth": d, "width": w, "mlp_ratio": 3} for d, w in zip((2, 2, 4, 2), (48, 96, 192, 384), strict=True)]
    stages[3].update(stage_words)
    return {"family": "fastvit", "settings": settings or {}, "stages": stages}


def test_defaults_are_filled_in_and_types_are_canonical() -> None:
    t8 = made()
    assert dict(t8.settings) == {
        "input_resolution": 256,
        "stem_width": 48,
        "activation": "gelu",
        "train_branches": 1,
        "head_squeeze_excite": True,
        "head_expansion": 2,
    }
    assert list(t8.stages[0]) == ["mixer", "depth", "width", "mlp_ratio", "mixer_kernel", "ffn_kernel", "position"]
    assert t8.stages[1]["downsample_kernel"] == 7
    assert isinstance(t8.stages[0]["mlp_ratio"], float)


def test_words_that_do_not_apply_make_no_second_architecture() -> None:
    attention = made(mixer="attention")
    assert made(mixer="attention", mixer_kernel=5) == attention
    assert "mixer_kernel" not in attention.stages[3]
    assert made(position="none", position_kernel=3) == made()
    assert made(head_dim=16).id == made().id
    first = described()
    first["stages"][0]["downsample_kernel"] = 3  # type: ignore[index]
    assert Architecture.from_dict(first) == made()


def test_equal_networks_are_equal() -> None:
    assert made(settings={"stem_width": "stage1"}) == made(settings={"stem_width": 48})
    assert made(mlp_ratio=3.001) == made()  # both int(384 * ratio) = 1152
    assert hash(made(mlp_ratio=3.001)) == hash(made())
    assert made(mlp_ratio=3.01) != made()
    assert made() != "something else"


def test_ids_are_stable() -> None:
    # Stored in databases: this value may never change.
    assert made().id == "ec84f439d1726464"
    assert re.fullmatch("[0-9a-f]{16}", made(mixer="attention").id)


def test_words_at_their_default_are_not_part_of_the_identity() -> None:
    # So a word that is added to the family later does not change stored ids.
    assert json.loads(made().identity)[1] == {}
    assert "ffn_kernel" not in made().identity
    assert json.loads(made(settings={"stem_width": 32}).identity)[1] == {"stem_width": 32}


def test_round_trips() -> None:
    architecture = made(settings={"activation": "relu"}, mixer="attention", position="conditional")
    assert Architecture.from_dict(architecture.to_dict()) == architecture
    assert Architecture.from_dict(architecture.to_dict()).to_json() == architecture.to_json()
    assert Architecture.from_dict(json.loads(architecture.to_json())) == architecture
    assert pickle.loads(pickle.dumps(architecture)) == architecture  # noqa: S301
    assert copy.deepcopy(architecture) == architecture


def test_an_architecture_cannot_be_changed() -> None:
    given = described()
    architecture = Architecture.from_dict(given)
    given["stages"][0]["depth"] = 9  # type: ignore[index]
    assert architecture.stages[0]["depth"] == 2
    with pytest.raises(TypeError):
        architecture.settings["activation"] = "relu"  # type: ignore[index]
    with pytest.raises(AttributeError):
        architecture.family = "other"  # type: ignore[misc]


def test_numbers_of_numpy_are_accepted() -> None:
    assert made(depth=np.int64(2), mlp_ratio=np.float64(3.0)) == made()


def test_summary_names_what_is_not_default() -> None:
    assert made().summary() == "depth 2-2-4-2, width 48-96-192-384, mlp_ratio 3"
    different = made(settings={"activation": "relu", "head_squeeze_excite": False}, mixer_kernel=5)
    assert different.summary().startswith("activation relu, head_squeeze_excite false, depth 2-2-4-2")
    assert different.summary().endswith("mixer_kernel 3-3-3-5")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"widht": 3}, "unknown key 'widht' in stage4; known: mixer, .*; did you mean 'width'?"),
        ({"width": 4}, "stage4.width is 4; allowed: an integer from 8 to 2048; change it"),
        ({"width": 64.0}, "stage4.width is 64.0; allowed: an integer"),
        ({"depth": True}, "stage4.depth is true; allowed: an integer from 1 to 64"),
        ({"mlp_ratio": float("nan")}, "stage4.mlp_ratio is nan; allowed: a number from 0.5 to 8"),
        ({"mixer": "atention"}, "'atention'; allowed: one of repmixer, attention, pooling; did you mean 'attention'?"),
        ({"ffn_kernel": 4}, "stage4.ffn_kernel is 4; allowed: an odd integer from 3 to 31"),
        ({"mixer": "attention", "head_dim": 36}, "head_dim is 36 and stage4.width is 384; the width has to be"),
        ({"depth": None}, "stage4.depth is missing; it has no default; give it a value"),
        ({"depth": [1]}, r"stage4.depth is \[1\]; allowed"),
    ],
)
def test_bad_words_are_named(words: dict[str, object], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        made(**words)


def test_a_word_that_takes_few_numbers_lists_them() -> None:
    stage = {"depth": 1, "width": 16, "mlp_ratio": 2, "head_dim": 8}
    for reduction in (1, 2, 4, 8, np.int64(4)):
        stages = [{**stage, "reduction": reduction}] + [{**stage, "reduction": 1}] * 3
        network = Architecture.from_dict({"family": "cmt", "settings": {"stem_width": 8}, "stages": stages})
        assert network.stages[0]["reduction"] == reduction
    for reduction in (3, 0, 16, True, 2.0):
        stages = [{**stage, "reduction": reduction}] * 4
        with pytest.raises(SpaceError, match=r"stage1.reduction is .*; allowed: one of 1, 2, 4, 8; change it"):
            Architecture.from_dict({"family": "cmt", "settings": {"stem_width": 8}, "stages": stages})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "fastvitt"}, "unknown family 'fastvitt'; known: fastvit, .*; did you mean 'fastvit'?"),
        ({"family": None}, "unknown family None"),
        ({"stages": []}, "0 stages; fastvit has 4"),
        ({"stages": "four"}, "the stages are 'four'; allowed: a list of mappings"),
        ({"stages": [1, 2, 3, 4]}, "stage1 is 1; allowed: a mapping"),
        ({"settings": {"activation": 3}}, "activation is 3; allowed: one of gelu, relu"),
        ({"settings": {"stem_width": "stage9"}}, "'stage9'; allowed: .* or one of stage1; did you mean 'stage1'"),
        ({"settings": {"input_resolution": 250}}, "is 250; allowed: an integer from 32 to 1024, a multiple of 32"),
        ({"settings": None}, "settings is None; allowed: a mapping"),
        ({"extra": 1}, "unknown key 'extra' in architecture; known: family, settings, stages"),
    ],
)
def test_bad_shapes_are_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        Architecture.from_dict({**described(), **change})


def test_something_else_than_a_mapping_is_refused() -> None:
    with pytest.raises(SpaceError, match=r"an architecture is 3; allowed: a mapping"):
        Architecture.from_dict(3)  # type: ignore[arg-type]


def test_a_value_that_makes_the_network_of_the_default_is_the_default() -> None:
    """int(4.01 * 8) is int(4 * 8): one network, one id."""
    stages = [{"depth": 1, "width": 8} for _ in range(4)]
    said = [{**stage, "mlp_ratio": 4.01} for stage in stages]
    plain = Architecture.from_dict({"family": "convnext", "settings": {}, "stages": stages})
    assert Architecture.from_dict({"family": "convnext", "settings": {}, "stages": said}).id == plain.id
    wider = [{**stage, "mlp_ratio": 4.2} for stage in stages]
    assert Architecture.from_dict({"family": "convnext", "settings": {}, "stages": wider}).id != plain.id
