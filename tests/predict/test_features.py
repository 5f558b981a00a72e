from __future__ import annotations

import numpy as np
import pytest

from bench.errors import NetworkError
from bench.networks import costs
from bench.networks.families import operators
from bench.predict.features import FEATURES, features
from bench.space import Architecture, load_space
from bench.space.vocabulary import FASTVIT

from .rooflines import drawn

T8 = load_space("fastvit").reference_points["fastvit_t8"]


def changed(architecture: Architecture, **settings: object) -> Architecture:
    data = architecture.to_dict()
    return Architecture.from_dict({**data, "settings": {**architecture.settings, **settings}})


def column(architecture: Architecture, name: str) -> float:
    return float(features([architecture])[0, FEATURES.index(name)])


@pytest.mark.parametrize("architecture", drawn(12), ids=str)
def test_operators_have_all_multiply_adds_of_the_deploy_form(architecture: Architecture) -> None:
    assert sum(operator.count * operator.macs for operator in operators(architecture)) == costs(architecture).macs


@pytest.mark.parametrize("architecture", drawn(12), ids=str)
def test_every_operator_falls_into_a_column(architecture: Architecture) -> None:
    for operator in operators(architecture, fold_attention_norm=False):
        assert {f"{operator.kind}_gmacs", f"{operator.kind}_melements"} & set(FEATURES)


def test_columns_are_finite_and_not_negative() -> None:
    columns = features(drawn(12))
    assert columns.shape == (12, len(FEATURES))
    assert np.isfinite(columns).all()
    assert (columns >= 0).all()


def test_every_activation_of_the_family_has_a_column() -> None:
    (word,) = (word for word in FASTVIT.settings if word.name == "activation")
    for activation in word.allowed:
        assert column(changed(T8, activation=activation), f"{activation}_melements") > 0


def test_multiply_adds_follow_the_resolution() -> None:
    small, large = changed(T8, input_resolution=128), changed(T8, input_resolution=256)
    # But for the classifier and squeeze-and-excitation, which see one position.
    assert column(large, "dense_gmacs") == pytest.approx(4 * column(small, "dense_gmacs"), rel=0.01)
    assert column(large, "depthwise_gmacs") == pytest.approx(4 * column(small, "depthwise_gmacs"))


def test_whole_vectors_need_no_padding_and_others_do() -> None:
    assert column(T8, "padding_gmacs") == 0  # 48, 96, 192, 384
    assert column(load_space("fastvit").reference_points["fastvit_ma36"], "padding_gmacs") > 0  # 76, 152


def test_another_family_is_refused_by_name() -> None:
    class Other:
        family = "resnet"

    with pytest.raises(NetworkError, match=r"unknown family 'resnet'; known: fastvit, "):
        features([Other()])  # type: ignore[list-item]
