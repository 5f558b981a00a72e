from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from bench.errors import NetworkError
from bench.networks import build, cost_quantities, costs
from bench.networks.families import FAMILIES
from bench.networks.fold import fold

from .points import drawn, point

# Parameters in train form, MACs in train and in deploy form in millions, counted on Apple's and timm's code at
# 256 x 256 with torch's FlopCounterMode (unfused attention); they agree (github.com/apple/ml-fastvit @ 8af59282, timm
# 1.0.31).
_PUBLISHED = {
    "t8": (4_026_232, 690.1, 685.2),
    "t12": (7_553_704, 1397.7, 1390.9),
    "s12": (9_473_576, 1800.4, 1793.6),
    "sa12": (11_580_968, 1943.9, 1937.2),
    "sa24": (21_554_216, 3770.0, 3762.1),
    "sa36": (31_527_464, 5596.0, 5586.9),
    "ma36": (44_068_004, 7825.7, 7814.9),
}


def counted(network: nn.Module, resolution: int) -> tuple[int, int, int]:
    """Parameters, MACs and written activations as torch sees them in one forward pass."""
    written = 0

    def add(module: nn.Module, inputs: object, output: torch.Tensor) -> None:
        nonlocal written
        written += output.numel()

    handles = [
        module.register_forward_hook(add) for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(1, 3, resolution, resolution))
    for handle in handles:
        handle.remove()
    return sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 2, written


@pytest.mark.parametrize("name", _PUBLISHED)
def test_published_points_cost_what_is_published(name: str) -> None:
    train, deploy = costs(point(name), form="train"), costs(point(name))
    found = (train.params, round(train.macs / 1e6, 1), round(deploy.macs / 1e6, 1))
    assert found == _PUBLISHED[name]


def test_deploy_form_has_fewer_parameters_than_timm_leaves() -> None:
    assert costs(point("t8")).params == 3_992_392
    assert costs(point("sa12")).params == 11_539_432
    assert costs(point("sa12"), fold_attention_norm=False).params == 11_538_408


@pytest.mark.parametrize("name", ["t8", "sa12"])
def test_published_points_cost_what_torch_counts(name: str) -> None:
    architecture = point(name)
    network = build(architecture)
    for form, module in (("train", network), ("deploy", fold(network))):
        expected = costs(architecture, form=form)
        assert counted(module, 256) == (expected.params, expected.macs, expected.activations)


@pytest.mark.parametrize("seed", range(12))
def test_random_architectures_cost_what_torch_counts(seed: int) -> None:
    architecture = drawn(seed)
    resolution = int(architecture.settings["input_resolution"])
    network = build(architecture, num_classes=7)
    for keeps in (True, False):
        expected = costs(architecture, num_classes=7, fold_attention_norm=keeps)
        found = counted(fold(network, fold_attention_norm=keeps), resolution)
        assert found == (expected.params, expected.macs, expected.activations)
    expected = costs(architecture, form="train", num_classes=7)
    assert counted(network, resolution) == (expected.params, expected.macs, expected.activations)


def test_another_resolution_changes_macs_and_not_parameters() -> None:
    at_256, at_64 = costs(point("sa12")), costs(point("sa12"), resolution=64)
    assert at_64.params == at_256.params
    assert counted(fold(build(point("sa12"))), 64)[1] == at_64.macs


def test_peak_is_the_largest_input_and_output_of_a_layer() -> None:
    # T8 at 256: the depthwise convolution of the stem reads 48 x 128 x 128 and writes 48 x 64 x 64.
    assert costs(point("t8")).peak_activations == 48 * 128 * 128 + 3 * 256 * 256


def test_rules_see_millions_of_parameters_billions_of_macs_and_megabytes_of_memory() -> None:
    found = cost_quantities(point("t8"))
    assert found == {"params_m": 3.992392, "macs_g": 0.685160448, "peak_memory_mb": 3.93216}
    assert found["peak_memory_mb"] == costs(point("t8")).peak_activations * 4 / 1e6


def test_resolution_off_the_grid_is_refused() -> None:
    with pytest.raises(NetworkError, match="resolution is 100; multiples of 32 are allowed; use 96"):
        costs(point("t8"), resolution=100)


def test_costs_of_every_family_need_no_torch() -> None:
    """Families are imported when they are first asked for, so each is asked."""
    code = """
import sys
from bench.networks import costs
from bench.space import shipped_spaces
for space in shipped_spaces():
    point = next(iter(space.reference_points.values()))
    for form in ("train", "deploy"):
        costs(point, form=form)
    print(point.family)
print("torch" in sys.modules, "timm" in sys.modules)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    *families, heavy = found.stdout.splitlines()
    assert set(families) == set(FAMILIES)
    assert heavy == "False False"
