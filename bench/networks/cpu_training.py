"""Exact formulas that make a training step on the CPU faster; every other use takes the plain modules.

Three of them, each with the same value and gradient as the modules it stands for (tests/networks/test_cpu_training.py;
test_fastvit.py holds whole steps against timm's in float64):

- The batch norm of a channel-wise map of x (x itself, or x times a depthwise 1x1 weight s) is a channel-wise map of
  x too, whose factor follows from the batch mean m and variance v of x alone:
      norm(s x) = a (x - m) + bias   with   a = weight s / sqrt(s^2 v + eps).
  So all such branches of a block cost one pass for m and v and one for a x + b.
- oneDNN has fast weight gradients for depthwise 3 x 3 kernels only. Above that, on small maps, the products of every
  input position with every output position are one matrix product per channel; a tap's gradient is a sum of those.
- oneDNN has fast kernels where a group has one input and one output channel. A depthwise convolution that doubles
  the width therefore reads each channel twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Input times output positions up to which the matrix product is the faster weight gradient: 8 x 8 to itself
# (measured at batch 64 with AVX-512; 16 x 16 to 8 x 8 is not).
_MOST_PRODUCTS = 64 * 64

Branch = tuple[nn.BatchNorm2d, Tensor | None]  # a norm, and the depthwise 1x1 weight in front of it


def applies(module: nn.Module, x: Tensor) -> bool:
    """Whether `module` trains on the CPU in one precision, which is what these formulas are for."""
    return module.training and x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


def statistics(x: Tensor) -> tuple[Tensor, Tensor, int]:
    """Batch mean and (biased) variance of each channel, and the number of values behind them."""
    mean, var = _Statistics.apply(x)
    return mean, var, x.numel() // x.shape[1]


def normed_map(found: tuple[Tensor, Tensor, int], branches: Iterable[Branch]) -> tuple[Tensor, Tensor]:
    """Factor a and shift b with a x + b = the sum of `branches`; their running statistics are updated."""
    mean, var, num_values = found
    factors: list[Tensor] = []
    biases: list[Tensor] = []
    for norm, weight in branches:
        scale = torch.ones_like(mean) if weight is None else weight.flatten()
        factors.append(norm.weight * scale * torch.rsqrt(scale * scale * var + norm.eps))
        biases.append(norm.bias)
        _update(norm, scale.detach() * mean.detach(), scale.detach() ** 2 * var.detach(), num_values)
    factor = torch.stack(factors).sum(0)
    return factor, torch.stack(biases).sum(0) - mean * factor


def apply_map(x: Tensor, factor: Tensor, shift: Tensor) -> Tensor:
    """`factor` x + `shift`, channel by channel."""
    # A batch norm with mean 0 and variance 1: its kernels fuse what broadcasting would do in several passes.
    zeros, ones = torch.zeros_like(factor.detach()), torch.ones_like(factor.detach())
    return F.batch_norm(x, zeros, ones, factor, shift, training=False, eps=0.0)


def scaled_norm(x: Tensor, norm: nn.BatchNorm2d, gamma: Tensor) -> Tensor:
    """gamma * norm(x) without a pass of its own for gamma."""
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    assert norm.momentum is not None
    return F.batch_norm(
        x,
        norm.running_mean,
        norm.running_var,
        norm.weight * gamma,
        norm.bias * gamma,
        training=True,
        momentum=norm.momentum,
        eps=norm.eps,
    )


def linear(x: Tensor, conv: nn.Conv2d, gamma: Tensor | None = None) -> Tensor:
    """gamma * conv(x) for a 1x1 convolution, as one matrix product over positions."""
    weight, bias = conv.weight.flatten(1), conv.bias
    if gamma is not None:
        weight = weight * gamma.view(-1, 1)
        bias = None if bias is None else bias * gamma
    out: Tensor = F.linear(x.permute(0, 2, 3, 1), weight, bias)
    return out.permute(0, 3, 1, 2)


def depthwise(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """A depthwise convolution without bias, whatever its kernel, stride and multiplier."""
    is_fast_already = conv.kernel_size[0] <= 3 and conv.out_channels == conv.in_channels
    if is_fast_already or not torch.is_grad_enabled():
        plain: Tensor = conv(x)
        return plain
    out: Tensor = _Depthwise.apply(x, conv.weight, conv.stride[0], conv.kernel_size[0] // 2)
    return out


def _update(norm: nn.BatchNorm2d, mean: Tensor, var: Tensor, num_values: int) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    assert norm.momentum is not None
    with torch.no_grad():
        norm.num_batches_tracked.add_(1)
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(var * (num_values / (num_values - 1)), norm.momentum)


class _Statistics(torch.autograd.Function):
    """Batch mean and variance per channel."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        # momentum 1 makes the kernel of batch norm write the mean and the unbiased variance of this batch.
        mean, var = x.new_zeros(x.shape[1]), x.new_ones(x.shape[1])
        torch.batch_norm_update_stats(x, mean, var, 1.0)
        num_values = x.numel() // x.shape[1]
        ctx.save_for_backward(x, mean)
        return mean, var * ((num_values - 1) / num_values)

    @staticmethod
    def backward(ctx: Any, grad_mean: Tensor, grad_var: Tensor) -> Tensor:
        x, mean = ctx.saved_tensors
        num_values = x.numel() // x.shape[1]
        slope = grad_var * (2 / num_values)
        return apply_map(x, slope, grad_mean / num_values - slope * mean)


class _Depthwise(torch.autograd.Function):
    """Depthwise convolution with a channel multiplier."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(_repeat(x, len(weight)), weight, None, stride, padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        x, weight = ctx.saved_tensors
        multiplier = len(weight) // x.shape[1]
        repeated = _repeat(x, len(weight))
        grad_x = _backward(grad, repeated, weight, ctx.stride, ctx.padding, wants=(True, False, False))[0]
        if multiplier > 1:
            # Several times faster than a sum over a short last axis.
            grad_x = sum((grad_x[:, i::multiplier] for i in range(1, multiplier)), start=grad_x[:, ::multiplier])
        if weight.shape[-1] > 3 and _area(x) * _area(grad) <= _MOST_PRODUCTS:
            grad_weight = _grad_by_products(x, grad, weight, ctx.stride)
        else:
            grad_weight = _backward(grad, x, weight, ctx.stride, ctx.padding, wants=(False, True, False))[1]
        return grad_x, grad_weight, None, None


def _grad_by_products(x: Tensor, grad: Tensor, weight: Tensor, stride: int) -> Tensor:
    n = len(x)
    # Contiguous: batched products of strided matrices fall back to one call per channel.
    seen = _repeat(x, len(weight)).permute(1, 2, 3, 0).reshape(len(weight), _area(x), n).contiguous()
    written = grad.permute(1, 0, 2, 3).reshape(len(weight), n, _area(grad)).contiguous()
    taps = _taps(x.shape[2], x.shape[3], weight.shape[-1], stride, weight.dtype)
    return (torch.bmm(seen, written).flatten(1) @ taps).view_as(weight)


@lru_cache(maxsize=64)
def _taps(height: int, width: int, kernel: int, stride: int, dtype: torch.dtype) -> Tensor:
    """1 where an input position (row) meets an output position (row too) under a tap of the kernel (column)."""

    def along(size: int) -> Tensor:
        written = torch.arange((size + 2 * (kernel // 2) - kernel) // stride + 1)
        tap = torch.arange(size)[:, None] - written * stride + kernel // 2
        return (tap[..., None] == torch.arange(kernel)).to(dtype)

    table = torch.einsum("yai,xbj->yxabij", along(height), along(width))
    return table.reshape(-1, kernel * kernel)


def _repeat(x: Tensor, out_channels: int) -> Tensor:
    multiplier = out_channels // x.shape[1]
    if multiplier == 1:
        return x
    last = x.permute(0, 2, 3, 1)
    return last.unsqueeze(-1).expand(*last.shape, multiplier).flatten(3).permute(0, 3, 1, 2)


def _backward(
    grad: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int, *, wants: tuple[bool, bool, bool]
) -> tuple[Tensor, Tensor, Tensor]:
    strides, paddings = [stride, stride], [padding, padding]
    gradients: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
        grad, x, weight, None, strides, paddings, [1, 1], False, [0, 0], x.shape[1], wants
    )
    return gradients


def _area(x: Tensor) -> int:
    return x.shape[2] * x.shape[3]
