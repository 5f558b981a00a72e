"""Every published network that timm has, against timm's on the same weights; quick forms are in the families' tests."""

from __future__ import annotations

import pytest
import timm
import torch

from bench.networks import build
from bench.networks.fold import fold, randomise
from bench.networks.models import TIMM_NAMES
from bench.study.models import reference_point


@pytest.mark.soak
@pytest.mark.parametrize("name", TIMM_NAMES)
def test_every_published_network_computes_what_timm_computes(name: str) -> None:
    network = build(reference_point(name)).double().eval()
    randomise(network, seed=1)
    reference = timm.create_model(TIMM_NAMES[name]).double().eval()
    reference.load_state_dict(network.state_dict(), strict=True)
    pictures = torch.randn(2, 3, 96, 96, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = reference(pictures)
        for found in (network(pictures), fold(network)(pictures)):
            assert float((found - expected).norm() / expected.norm()) <= 1e-10
