from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import timm.models.fastvit
import torch
from torch import nn

from bench.errors import NetworkError
from bench.networks import build
from bench.networks.fold import randomise
from bench.space import Architecture

from .points import POINTS, drawn, point, tiny


def _pair(name: str, **arguments: Any) -> tuple[nn.Module, nn.Module]:
    """Our network and timm's with the same randomised weights, in float64."""
    network = build(point(name)).double()
    randomise(network, seed=1)
    reference = getattr(timm.models.fastvit, f"fastvit_{name}")(**arguments).double()
    reference.load_state_dict(network.state_dict(), strict=True)
    return network, reference


def _picture(batch: int, resolution: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 3, resolution, resolution, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("name", POINTS)
def test_timm_weights_load_strictly_and_give_the_same_output(name: str) -> None:
    network, reference = _pair(name)
    network.load_state_dict(reference.state_dict(), strict=True)
    with torch.inference_mode():
        expected, found = reference.eval()(_picture(1, 96)), network.eval()(_picture(1, 96))
    assert float((found - expected).norm() / expected.norm()) <= 1e-10


@pytest.mark.parametrize(("name", "memory_format"), [("t8", torch.contiguous_format), ("sa12", torch.channels_last)])
def test_a_training_step_is_that_of_timm(name: str, memory_format: torch.memory_format) -> None:
    """Output, every gradient and every running statistic, in float64."""
    network, reference = _pair(name)
    network = network.to(memory_format=memory_format)
    # Two resolutions: at 64 the last stage has 2 x 2 positions, fewer than its kernels.
    for resolution in (64, 96):
        pictures, labels = _picture(3, resolution), torch.tensor([1, 2, 3])
        for module, seen in ((reference, pictures), (network, pictures.to(memory_format=memory_format))):
            module.train().zero_grad()
            nn.functional.cross_entropy(module(seen), labels).backward()
        gradients = {name: parameter.grad for name, parameter in reference.named_parameters()}
        for key, parameter in network.named_parameters():
            torch.testing.assert_close(parameter.grad, gradients[key], rtol=1e-7, atol=1e-11)
        for key, buffer in network.named_buffers():
            torch.testing.assert_close(buffer, reference.state_dict()[key], rtol=1e-9, atol=1e-12, msg=key)


def test_training_in_channels_last_keeps_the_process_alive() -> None:
    """A 1x1 convolution with stride 2 would corrupt the heap in its backward pass; so in a process of its own."""
    command = [sys.executable, "-m", "tests.networks.train_channels_last"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "finite\n"), done.stderr[-2000:]


def test_no_scale_branch_has_a_stride() -> None:
    strides = [m.stride for m in build(point("t8")).modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (1, 1)]
    assert set(strides) == {(1, 1)}


@pytest.mark.parametrize("seed", range(6))
def test_random_architectures_train_and_answer(seed: int) -> None:
    architecture = drawn(seed)
    network = build(architecture, num_classes=5)
    resolution = int(architecture.settings["input_resolution"])
    logits = network(_picture(2, resolution).float())
    assert logits.shape == (2, 5)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_same_seed_same_weights_and_the_global_state_is_kept() -> None:
    state = torch.random.get_rng_state()
    first, second, other = build(tiny(), seed=1), build(tiny(), seed=1), build(tiny(), seed=2)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_fresh_weights_are_drawn_as_timm_draws_them() -> None:
    network, reference = build(point("t8")), timm.models.fastvit.fastvit_t8()
    theirs = reference.state_dict()
    for key, tensor in network.state_dict().items():
        if tensor.numel() > 10_000:
            assert float(tensor.std() / theirs[key].std()) == pytest.approx(1, abs=0.05), key
        elif key.endswith(("bias", "gamma", "running_mean", "running_var")) and ".se." not in key:
            torch.testing.assert_close(tensor, theirs[key], msg=key)


def test_a_narrow_stem_and_uneven_widths_lead_to_the_asked_ones() -> None:
    stages = [{"depth": 1, "width": width, "mlp_ratio": 2} for width in (24, 56, 64, 72)]
    architecture = Architecture.from_dict({"family": "fastvit", "settings": {"stem_width": 16}, "stages": stages})
    shapes = {name: tuple(tensor.shape) for name, tensor in build(architecture).state_dict().items()}
    assert shapes["stem.2.conv_kxk.0.conv.weight"] == (24, 16, 1, 1)
    assert shapes["stages.1.downsample.proj.0.large_conv.conv.weight"] == (48, 1, 7, 7)
    assert shapes["stages.1.downsample.proj.1.conv_kxk.0.conv.weight"] == (56, 48, 1, 1)
    assert shapes["stages.2.downsample.proj.0.large_conv.conv.weight"] == (56, 1, 7, 7)


def test_a_small_downsampling_kernel_has_no_second_branch() -> None:
    stages = [{"depth": 1, "width": 8, "mlp_ratio": 2} | ({"downsample_kernel": 3} if i else {}) for i in range(4)]
    network = build(Architecture.from_dict({"family": "fastvit", "settings": {}, "stages": stages}))
    assert not [name for name in network.state_dict() if "small_conv" in name]


def test_a_network_without_classes_is_refused() -> None:
    with pytest.raises(NetworkError, match="num_classes is 0; at least 1 is allowed"):
        build(tiny(), num_classes=0)
