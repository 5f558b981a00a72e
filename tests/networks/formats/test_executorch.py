from __future__ import annotations

from .made import exported


def test_most_operators_are_compiled_for_xnnpack() -> None:
    made = exported("executorch")
    assert made.placement is not None
    assert sum(made.placement.values()) == sum(made.operators.values())
    assert made.placement["XNNPACK"] > 3 * made.placement["CPU"]
    assert made.operators["aten_gelu_default"] == 11
    assert made.path.read_bytes()[4:8] == b"ET12"
