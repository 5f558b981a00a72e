from __future__ import annotations

from .made import exported


def test_operators_are_native_and_built_in() -> None:
    operators = exported("litert").operators
    assert operators["GELU"] == 11
    assert operators["CONV_2D"] + operators["DEPTHWISE_CONV_2D"] == 28
    assert not {"CUSTOM", "DELEGATE", "FlexErf"} & set(operators)
