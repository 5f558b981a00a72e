from __future__ import annotations

import pytest
import timm
import torch

from bench.networks import build
from bench.networks.efficientnet.tensorflow import compute_as_tensorflow, is_from_tensorflow
from bench.networks.fold import fold, randomise
from bench.networks.models import TIMM_NAMES
from bench.study.models import reference_point

NAMES = [name for name in TIMM_NAMES if name.startswith("efficientnet")]


def _pictures(side: int) -> torch.Tensor:
    return torch.randn(1, 3, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", NAMES)
def test_every_published_network_becomes_that_of_tensorflow(name: str) -> None:
    """Layer by layer: padding, constants of norms; and the names and shapes of all weights, which say nothing of it."""
    with torch.device("meta"):
        network, reference = build(reference_point(name)), timm.create_model(f"tf_{TIMM_NAMES[name]}")
        before = str(network)
        compute_as_tensorflow(network)
    assert str(network) == str(reference)
    assert str(network) != before
    shapes = [{key: value.shape for key, value in module.state_dict().items()} for module in (network, reference)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("side", [64, 75])
def test_weights_from_tensorflow_give_the_same_output_in_both_forms(side: int) -> None:
    network = build(reference_point("efficientnet_b0")).double().eval()
    randomise(network, seed=1)
    reference = timm.create_model("tf_efficientnet_b0").double().eval()
    reference.load_state_dict(network.state_dict(), strict=True)
    with torch.inference_mode():
        expected, otherwise = reference(_pictures(side)), network(_pictures(side))
        compute_as_tensorflow(network)
        folded = fold(network)
        for found in (network(_pictures(side)), folded(_pictures(side)), fold(folded)(_pictures(side))):
            assert float((found - expected).norm() / expected.norm()) <= 1e-10
    # With PyTorch's padding the same weights load, and are another network.
    assert float((otherwise - expected).norm() / expected.norm()) >= 1e-3


@pytest.mark.parametrize(
    ("name", "is_from"),
    [
        ("tf_efficientnet_b0.aa_in1k", True),
        ("tf_efficientnetv2_s.in1k", True),
        ("timm-TF_EfficientNet_b0_aa-827b6e33.pth", True),
        ("efficientnet_b0.ra_in1k", False),
        ("model.safetensors", False),
        ("notf_efficientnet.pth", False),
    ],
)
def test_names_say_where_weights_are_from(name: str, is_from: bool) -> None:
    assert is_from_tensorflow(name) is is_from
