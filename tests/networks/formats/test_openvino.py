from __future__ import annotations

from .made import exported


def test_weights_lie_beside_the_graph() -> None:
    made = exported("openvino")
    assert made.path.with_suffix(".bin").stat().st_size > 50_000
    assert made.versions == {"opset": 20}
    assert made.operators["Gelu"] == 11


def test_half_precision_is_of_the_weights() -> None:
    half, full = exported("openvino", "fp16"), exported("openvino")
    assert half.path.with_suffix(".bin").stat().st_size < 0.65 * full.path.with_suffix(".bin").stat().st_size
    assert half.error is not None
    assert half.cosine is not None
    assert 1e-5 < half.error < 1e-2
    assert half.cosine > 0.999
