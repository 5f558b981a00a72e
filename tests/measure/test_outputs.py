from __future__ import annotations

import math

import pytest

from bench.measure.outputs import check_output


@pytest.mark.parametrize(
    ("found", "precision", "is_right"),
    [
        ([1.0, 2.0, 3.0], "fp32", True),
        ([1.0, 2.0, 3.0005], "fp32", True),
        ([1.0, 2.0, 3.1], "fp32", False),
        ([1.0, 2.0, 3.1], "fp16", True),
        ([1.0, 3.1, 3.0], "fp16", False),  # another class
        ([-9.0, -1.0, 3.0], "bf16", False),  # the class is right, the rest is not
        ([1.0, 2.0], "fp32", False),
        ([1.0, 2.0], "fp16", False),
        ([0.0, 0.0, 0.0], "bf16", False),
    ],
)
def test_output_is_held_to_the_networks(found: list[float], precision: str, is_right: bool) -> None:
    _, reason = check_output(found, [1.0, 2.0, 3.0], precision=precision)
    assert (reason is None) == is_right


def test_the_error_is_relative_to_the_networks_output() -> None:
    error, _ = check_output([3.0, 4.5], [3.0, 4.0], precision="fp32")
    assert error == pytest.approx(0.1)
    assert check_output([1.0], [1.0, 2.0], precision="fp32")[0] == math.inf
    assert check_output([3.0, 4.0], [0.0, 0.0], precision="fp32")[0] == 5.0
