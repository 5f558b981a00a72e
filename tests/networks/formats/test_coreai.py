from __future__ import annotations

from .made import exported


def test_operators_are_native() -> None:
    operators = exported("coreai").operators
    assert operators["gelu"] == 11
    assert operators["conv2d"] == 28
    assert "constant" not in operators
