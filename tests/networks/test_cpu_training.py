from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.networks import build, cpu_training
from bench.networks.fold import randomise

from .points import drawn


def _draw(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    drawn = torch.randn(*shape, dtype=torch.float64, generator=generator)
    if len(shape) == 4 and shape[1] > 1:
        drawn = drawn.to(memory_format=torch.channels_last)
    return drawn.requires_grad_()


@pytest.mark.parametrize("multiplier", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5, 9])
@pytest.mark.parametrize("size", [(2, 2), (4, 6), (16, 16)])
def test_depthwise_has_the_value_and_gradients_of_conv2d(
    size: tuple[int, int], kernel: int, stride: int, multiplier: int
) -> None:
    conv = nn.Conv2d(4, 4 * multiplier, kernel, stride, kernel // 2, groups=4, bias=False).double()
    x = _draw(3, 4, *size)
    expected, found = conv(x), cpu_training.depthwise(x, conv)
    torch.testing.assert_close(found, expected)
    grad = _draw(*expected.shape).detach()
    for ours, theirs in zip(*(torch.autograd.grad(y, (x, conv.weight), grad) for y in (found, expected)), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_channel_wise_branches_have_the_value_gradients_and_statistics_of_their_norms() -> None:
    norms = nn.ModuleList([nn.BatchNorm2d(4), nn.BatchNorm2d(4)]).double()
    randomise(norms, seed=0)
    # A weight near zero, where eps decides, and a variance near eps.
    weight = torch.tensor([1.5, -0.7, 1e-3, 0.2], dtype=torch.float64).view(4, 1, 1, 1).requires_grad_()
    x = (_draw(3, 4, 5, 5) * torch.tensor([1, 2, 3, 1e-3]).view(1, 4, 1, 1) + 0.5).detach().requires_grad_()
    plain = copy.deepcopy(norms)
    expected = plain[0](x) + plain[1](F.conv2d(x, weight, groups=4))
    branches = list(zip(norms, (None, weight), strict=True))
    found = cpu_training.apply_map(x, *cpu_training.normed_map(cpu_training.statistics(x), branches))
    torch.testing.assert_close(found, expected)
    grad = _draw(*x.shape).detach()
    theirs = torch.autograd.grad(expected, (x, weight, *plain.parameters()), grad)
    ours = torch.autograd.grad(found, (x, weight, *norms.parameters()), grad)
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-8, atol=1e-10)
    for mine, reference in zip(norms.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(mine, reference)


@pytest.mark.parametrize("seed", range(6))
def test_a_step_of_a_random_architecture_is_that_of_the_plain_modules(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = build(drawn(seed), num_classes=5).double()
    randomise(network, seed=seed)
    plain = copy.deepcopy(network)
    x = _draw(3, 3, 64, 64).detach().to(memory_format=torch.channels_last)
    found = network(x)
    found.square().sum().backward()
    monkeypatch.setattr(cpu_training, "applies", lambda *_: False)
    expected = plain(x)
    expected.square().sum().backward()
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    for (name, mine), theirs in zip(network.named_parameters(), plain.parameters(), strict=True):
        assert mine.grad is not None
        assert theirs.grad is not None
        scale = float(theirs.grad.abs().max()) + 1
        torch.testing.assert_close(mine.grad / scale, theirs.grad / scale, rtol=1e-7, atol=1e-9, msg=name)
    for mine, theirs in zip(network.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)


def test_evaluation_and_autocast_take_the_plain_modules() -> None:
    module, x = nn.Identity(), torch.zeros(1)
    assert cpu_training.applies(module.train(), x)
    assert not cpu_training.applies(module.eval(), x)
    with torch.autocast("cpu", torch.bfloat16):
        assert not cpu_training.applies(module.train(), x)


def test_bfloat16_autocast_trains() -> None:
    network = build(drawn(0), num_classes=5)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(torch.zeros(2, 3, 64, 64))
    logits.float().sum().backward()
