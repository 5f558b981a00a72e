from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.errors import ExportError
from bench.networks.formats.agreement import agreement
from bench.networks.formats.exported import Source


def source(expected: torch.Tensor, precision: str = "fp32") -> Source:
    return Source(
        train=nn.Identity(),
        deploy=nn.Identity(),
        picture=torch.zeros(1, 3, 32, 32),
        expected=expected,
        precision=precision,
        architecture=None,
        exporter="torchscript",
    )


LOGITS = torch.randn(1, 100, generator=torch.Generator().manual_seed(0))


def test_rounding_is_allowed() -> None:
    error, cosine = agreement(LOGITS * (1 + 1e-6), source(LOGITS))
    assert error == pytest.approx(1e-6, rel=0.1)
    assert cosine == pytest.approx(1)


def test_more_than_rounding_is_refused() -> None:
    with pytest.raises(ExportError, match=r"differs from torch by 1.0e-03 \(relative, float32\); at most 1e-04"):
        agreement(LOGITS * 1.001, source(LOGITS))
    with pytest.raises(ExportError, match="differs from torch by nan"):
        agreement(LOGITS * torch.nan, source(LOGITS))


def test_another_shape_is_refused() -> None:
    with pytest.raises(ExportError, match="the artifact gives 99 numbers, torch gives 100"):
        agreement(LOGITS[:, :99], source(LOGITS))


def test_half_precision_has_to_name_the_same_class() -> None:
    half = source(LOGITS, "fp16")
    error, cosine = agreement(LOGITS.half(), half)
    assert 1e-5 < error < 1e-3
    assert cosine > 0.999
    swapped = LOGITS.clone()
    first, second = swapped.flatten().topk(2).indices.tolist()
    swapped[0, [first, second]] = swapped[0, [second, first]]
    with pytest.raises(ExportError, match=r"fp16 logits have cosine 0.99.* and another top class; .* precision fp32"):
        agreement(swapped, half)


def test_half_precision_has_to_point_the_same_way() -> None:
    found = LOGITS.clone()
    found[0, int(found.argmin())] = 0
    with pytest.raises(ExportError, match=r"cosine 0\.9\d+ to torch's and the same top class; at least 0.999"):
        agreement(found, source(LOGITS, "fp16"))
    with pytest.raises(ExportError, match="cosine nan"):
        agreement(LOGITS * torch.nan, source(LOGITS, "fp16"))
