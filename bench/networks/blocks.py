"""MobileOne's multi-branch convolution (Vasu et al. 2023, "MobileOne: An Improved One millisecond Mobile
Backbone").

In train form a block is a sum of convolutions with batch norm; all of it is linear, so that the deploy form
is one convolution. FastViT and MobileOne are made of these. Names of submodules are those of timm's
`timm/models/fastvit.py`, whose weights load here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.networks import cpu_training

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "hardswish": nn.Hardswish,
}


class ConvNorm(nn.Module):
    """A convolution without bias, padded to keep the size, and its batch norm."""

    def __init__(self, in_width: int, out_width: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_width, out_width, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False
        )
        self.bn = nn.BatchNorm2d(out_width)

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.bn(self.convolve(x))
        return normed

    def convolve(self, x: Tensor) -> Tensor:
        """The convolution alone."""
        is_depthwise = self.conv.groups == self.conv.in_channels
        if is_depthwise and cpu_training.applies(self, x):
            return cpu_training.depthwise(x, self.conv)
        out: Tensor = self.conv(x)
        return out


class SqueezeExcite(nn.Module):
    """Channel gates from the mean over space (Hu et al. 2018)."""

    def __init__(self, width: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(width, squeezed, 1)
        self.act = nn.ReLU(inplace=True)
        self.fc2 = nn.Conv2d(squeezed, width, 1)
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        gates: Tensor = self.gate(self.fc2(self.act(self.fc1(x.mean((2, 3), keepdim=True)))))
        return x * gates


class MobileOneBlock(nn.Module):
    """k x k convolutions + a 1x1 "scale" convolution + the input itself, each with its own batch norm.

    The scale branch exists where k > 1; the identity branch where shape allows (same width, stride 1).
    """

    def __init__(
        self,
        in_width: int,
        out_width: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        num_branches: int = 1,
        has_scale: bool = True,
        squeezed: int | None = None,
        activation: type[nn.Module] = nn.Identity,
    ) -> None:
        super().__init__()
        self.width, self.kernel, self.stride, self.groups = (in_width, out_width), kernel, stride, groups
        self.se = nn.Identity() if squeezed is None else SqueezeExcite(out_width, squeezed)
        has_identity = in_width == out_width and stride == 1
        self.identity = nn.BatchNorm2d(in_width) if has_identity else None
        self.conv_kxk = nn.ModuleList(
            ConvNorm(in_width, out_width, kernel, stride=stride, groups=groups) for _ in range(num_branches)
        )
        # Stride 1 on a sliced input instead of stride 2: the backward pass of a 1x1 convolution with stride
        # 2 corrupts the heap in channels_last on CPU (torch 2.12 to 2.15), and the result is the same.
        self.conv_scale = ConvNorm(in_width, out_width, 1, groups=groups) if has_scale and kernel > 1 else None
        self.act = activation()

    def forward(self, x: Tensor) -> Tensor:
        activated: Tensor = self.act(self.se(self.sum_branches(x)))
        return activated

    def sum_branches(self, x: Tensor) -> Tensor:
        """The linear part of the block."""
        seen = x if self.stride == 1 else x[..., :: self.stride, :: self.stride]
        if self.has_channel_wise and cpu_training.applies(self, x):
            found = cpu_training.statistics(seen)
            total = cpu_training.apply_map(seen, *cpu_training.normed_map(found, self.channel_wise()))
            for conv_norm in self.conv_branches():
                total += conv_norm(x)
            return total
        branches: list[Tensor] = [branch(x) for branch in self.conv_kxk]
        if self.conv_scale is not None:
            branches.append(self.conv_scale(seen))
        if self.identity is not None:
            branches.append(self.identity(x))
        total = branches[0]
        for branch in branches[1:]:
            total = total + branch
        return total

    def conv_branches(self) -> list[ConvNorm]:
        """The k x k branches, in order; none in the norm of a RepMixer."""
        return [branch for branch in self.conv_kxk if isinstance(branch, ConvNorm)]

    @property
    def has_channel_wise(self) -> bool:
        """Whether every branch but the k x k ones maps each channel to itself, and there is one."""
        is_depthwise = self.groups == self.width[0] == self.width[1]
        return is_depthwise and (self.conv_scale is not None or self.identity is not None)

    def channel_wise(self) -> list[cpu_training.Branch]:
        """The branches that map each channel to itself: scale and identity of a depthwise block."""
        branches: list[cpu_training.Branch] = []
        if self.conv_scale is not None:
            branches.append((self.conv_scale.bn, self.conv_scale.conv.weight))
        if self.identity is not None:
            branches.append((self.identity, None))
        return branches


class LargeKernelConv(nn.Module):
    """A large depthwise convolution trained with a small one beside it (Ding et al. 2022, RepLKNet).

    No activation follows: Apple's code computes one and discards the result, so released weights know none.
    """

    def __init__(self, in_width: int, out_width: int, kernel: int, *, stride: int) -> None:
        super().__init__()
        self.large_conv = ConvNorm(in_width, out_width, kernel, stride=stride, groups=in_width)
        self.small_conv = ConvNorm(in_width, out_width, 3, stride=stride, groups=in_width) if kernel > 3 else None

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.large_conv(x)
        return out if self.small_conv is None else out + self.small_conv(x)


class LayerScale(nn.Module):
    """One learned factor per channel (Touvron et al. 2021, CaiT)."""

    def __init__(self, width: int, initial: float = 1e-5) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width, 1, 1), initial))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Classifier(nn.Module):
    """Mean over space, then a linear layer."""

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.fc = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits
