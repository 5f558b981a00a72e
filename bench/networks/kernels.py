"""Arithmetic of linear maps of feature maps: a kernel and a bias each, in float64.

What a branch of a block computes at inference is such a map. Maps add and scale; one of them
becomes a convolution.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.networks.blocks import ConvNorm, MobileOneBlock

Kernel = tuple[Tensor, Tensor]


def affine(norm: nn.BatchNorm2d) -> Kernel:
    """Scale and shift that a batch norm applies at inference."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    return scale, norm.bias.double() - norm.running_mean.double() * scale


def conv_norm_kernel(module: ConvNorm) -> Kernel:
    """A convolution with its batch norm as one map."""
    scale, shift = affine(module.bn)
    return module.conv.weight.double() * scale.view(-1, 1, 1, 1), shift


def mobileone_kernel(block: MobileOneBlock) -> Kernel:
    """All branches of a MobileOne block as one map."""
    branches = [conv_norm_kernel(branch) for branch in block.conv_branches()]
    if block.conv_scale is not None:
        branches.append(conv_norm_kernel(block.conv_scale))
    if block.identity is not None:
        scale, shift = affine(block.identity)
        branches.append((_unit_kernel(scale, block.groups) * scale.view(-1, 1, 1, 1), shift))
    total = branches[0]
    for branch in branches[1:]:
        total = add_kernels(total, branch)
    return total


def add_kernels(a: Kernel, b: Kernel) -> Kernel:
    """The sum of two maps; the smaller kernel is padded with zeros around its centre."""
    size = max(a[0].shape[-1], b[0].shape[-1])
    first, second = (F.pad(kernel, [(size - kernel.shape[-1]) // 2] * 4) for kernel, _ in (a, b))
    return first + second, a[1] + b[1]


def scale_kernel(kernel: Kernel, factor: Tensor) -> Kernel:
    """The map whose output channels are multiplied by `factor`."""
    return kernel[0] * factor.view(-1, 1, 1, 1), kernel[1] * factor


def scale_output(layer: nn.Linear | nn.Conv2d, gamma: Tensor) -> None:
    """Folds a layer scale into the layer in front of it, in place."""
    assert layer.bias is not None
    factor = gamma.double().flatten()
    layer.bias.copy_(layer.bias.double() * factor)
    layer.weight.copy_(layer.weight.double() * factor.view(-1, *[1] * (layer.weight.ndim - 1)))


def identity_kernel(like: nn.Conv2d) -> Kernel:
    """The map that changes nothing, for a convolution whose output is as wide as its input."""
    zeros = torch.zeros(like.in_channels, dtype=torch.float64, device=like.weight.device)
    return _unit_kernel(zeros, like.groups), zeros


def _unit_kernel(channels: Tensor, groups: int) -> Tensor:
    """The 1 x 1 kernel that copies each of `len(channels)` channels; on the device of `channels`."""
    width = len(channels)
    index = torch.arange(width, device=channels.device)
    kernel = channels.new_zeros(width, width // groups, 1, 1)
    kernel[index, index % (width // groups)] = 1
    return kernel


def to_conv(kernel: Kernel, *, like: nn.Conv2d) -> nn.Conv2d:
    """A plain convolution with `kernel`; padding keeps its centre, the rest is as in `like`."""
    weight, bias = kernel
    # On the meta device nothing is drawn: folding leaves torch's random state alone.
    conv = nn.Conv2d(
        like.in_channels,
        like.out_channels,
        weight.shape[-1],
        stride=like.stride[0],
        padding=weight.shape[-1] // 2,
        groups=like.groups,
        dtype=like.weight.dtype,
        device="meta",
    ).to_empty(device=like.weight.device)
    conv.weight.copy_(weight)
    assert conv.bias is not None
    conv.bias.copy_(bias)
    return conv
