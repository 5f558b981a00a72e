"""CMT (Guo et al. 2022, "CMT: Convolutional Neural Networks Meet Vision Transformers").

The modules are written for a search: kernels, heads and reductions are choices. At the four published points the
network is that of the authors' code (github.com/ggjy/CMT.pytorch, cmt.py). Its drop path and its dropouts are left
out: they compute nothing at inference, and the short trainings of a search use none. `folding.py` holds the deploy
form, `positions.py` fits the position bias to another resolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from bench.errors import NetworkError
from bench.networks.blocks import ACTIVATIONS, Classifier
from bench.networks.cmt.plan import CMTPlan, StagePlan, plan_cmt
from bench.networks.cmt.positions import resize_position_bias

if TYPE_CHECKING:
    from bench.space import Architecture

_BLOCK_EPS = 1e-6  # of layer norms in blocks; those of patch embeddings have torch's 1e-5


class ConvActNorm(nn.Module):
    """A convolution, an activation and a batch norm, in this order."""

    def __init__(self, in_width: int, width: int, kernel: int, *, stride: int = 1, activation: type[nn.Module]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_width, width, kernel, stride, padding=kernel // 2)
        self.act = activation()
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.norm(self.act(self.conv(x)))
        return normed


class UnpaddedConvNorm(nn.Module):
    """A convolution of patches that do not overlap, with a bias, and its batch norm."""

    def __init__(self, in_width: int, width: int, patch: int = 1, *, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_width, width, patch, stride=patch, groups=groups)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.norm(self.conv(x))
        return normed


class DepthwiseResidual(nn.Module):
    """A depthwise convolution beside the identity: the local perception unit, and a part of the feed-forward."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.conv(x)
        return out


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each position of a feature map."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class PatchEmbed(nn.Module):
    """Halves the resolution: 2 x 2 pixels become one."""

    def __init__(self, in_width: int, width: int, *, is_first: bool) -> None:
        super().__init__()
        # The stem ends with an activation and this norm, which stands here because it folds into this convolution.
        self.stem_norm = nn.BatchNorm2d(in_width) if is_first else None
        self.conv = nn.Conv2d(in_width, width, 2, stride=2)
        self.norm = ChannelNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(self.conv(x if self.stem_norm is None else self.stem_norm(x)))
        return out


class Attention(nn.Module):
    """Multi-head attention behind a layer norm; keys and values see a smaller feature map where it is reduced."""

    def __init__(self, stage: StagePlan) -> None:
        super().__init__()
        width = stage.width
        self.head_dim = stage.head_dim
        self.norm = nn.LayerNorm(width, eps=_BLOCK_EPS)
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, width)
        self.v = nn.Linear(width, width)
        is_reduced = stage.reduction > 1
        self.reduce = UnpaddedConvNorm(width, width, stage.reduction, groups=width) if is_reduced else None
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, position_bias: Tensor) -> Tensor:
        # In channels_last the ways to tokens and back copy nothing.
        tokens = self.norm(x.permute(0, 2, 3, 1))
        seen = tokens if self.reduce is None else self.reduce(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        q = split_heads(self.q(tokens) * self.head_dim**-0.5, self.head_dim)
        k, v = split_heads(self.k(seen), self.head_dim), split_heads(self.v(seen), self.head_dim)
        out: Tensor = self.proj(join_heads(attend(q, k, v, position_bias), tokens))
        return out.permute(0, 3, 1, 2)


class FeedForward(nn.Module):
    """The inverted residual feed-forward network behind a layer norm; its norms come after its activations."""

    def __init__(self, stage: StagePlan, activation: type[nn.Module]) -> None:
        super().__init__()
        width, hidden = stage.width, stage.hidden_width
        self.norm = ChannelNorm(width, eps=_BLOCK_EPS)
        self.expand = ConvActNorm(width, hidden, 1, activation=activation)
        self.local = DepthwiseResidual(hidden, stage.ffn_kernel)
        self.act = activation()
        self.local_norm = nn.BatchNorm2d(hidden)
        self.project = UnpaddedConvNorm(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.project(self.local_norm(self.act(self.local(self.expand(self.norm(x))))))
        return out


class Block(nn.Module):
    """Local perception, attention, feed-forward; the same in train and in deploy form."""

    def __init__(self, stage: StagePlan, activation: type[nn.Module]) -> None:
        super().__init__()
        self.local = DepthwiseResidual(stage.width, stage.local_kernel)
        self.attention = Attention(stage)
        self.ffn = FeedForward(stage, activation)

    def forward(self, x: Tensor, position_bias: Tensor) -> Tensor:
        x = self.local(x)
        x = x + self.attention(x, position_bias)
        out: Tensor = x + self.ffn(x)
        return out


class Stage(nn.Module):
    """A patch embedding, then blocks that share one bias of attention for each pair of query and key positions."""

    def __init__(self, stage: StagePlan, in_width: int, activation: type[nn.Module], *, is_first: bool) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(in_width, stage.width, is_first=is_first)
        self.position_bias = nn.Parameter(torch.randn(stage.num_heads, stage.num_tokens, stage.num_keys))
        self.blocks = nn.ModuleList(Block(stage, activation) for _ in range(stage.depth))

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x)
        for block in self.blocks:
            x = block(x, self.position_bias)
        return x


class CMT(nn.Module):
    """The whole network in train form. Takes (n, 3, r, r) with r its `fixed_resolution`, gives (n, num_classes)."""

    def __init__(self, plan: CMTPlan, *, num_classes: int) -> None:
        super().__init__()
        self.fixed_resolution = plan.resolution
        activation, stem = ACTIVATIONS[plan.activation], plan.stem_width
        self.stem = nn.Sequential(
            ConvActNorm(3, stem, 3, stride=2, activation=activation),
            ConvActNorm(stem, stem, 3, activation=activation),
            nn.Conv2d(stem, stem, 3, padding=1),
            activation(),
        )
        in_widths = (stem, *(stage.width for stage in plan.stages))
        self.stages = nn.Sequential(
            *(Stage(stage, in_widths[i], activation, is_first=i == 0) for i, stage in enumerate(plan.stages))
        )
        self.final = nn.Sequential(UnpaddedConvNorm(in_widths[-1], plan.head_width), nn.SiLU())
        self.head = Classifier(plan.head_width, num_classes)
        for module in self.modules():
            _draw_weights(module)

    def forward(self, x: Tensor) -> Tensor:
        # Traced for an export a shape is a tensor, and comparing it would warn.
        if not torch.onnx.is_in_onnx_export():
            self._check_size(x)
        logits: Tensor = self.head(self.final(self.stages(self.stem(x))))
        return logits

    def adapt_weights(self, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """See `bench.networks.weights.AdaptsWeights`: position biases are resized."""
        return resize_position_bias(weights, self)

    def _check_size(self, x: Tensor) -> None:
        height, width = x.shape[2:]
        if (height, width) != (self.fixed_resolution, self.fixed_resolution):
            raise NetworkError(
                f"the picture is {height} x {width}; this network's position bias allows "
                f"{self.fixed_resolution} x {self.fixed_resolution} alone; build it for the size of the picture"
            )


def build(architecture: Architecture, *, num_classes: int, resolution: int) -> nn.Module:
    """See `bench.networks.families.build`."""
    return CMT(plan_cmt(architecture, resolution=resolution), num_classes=num_classes)


def split_heads(projected: Tensor, head_dim: int) -> Tensor:
    """(n, height, breadth, channels) as (n, heads, tokens, channels of a head)."""
    n, height, breadth, _ = projected.shape
    return projected.reshape(n, height * breadth, -1, head_dim).transpose(1, 2)


def attend(q: Tensor, k: Tensor, v: Tensor, position_bias: Tensor) -> Tensor:
    """Attention with scaled queries."""
    # Written out: torch fuses it on no CPU where the bias is learned, and a graph for other runtimes needs this form.
    return torch.softmax(q @ k.transpose(-2, -1) + position_bias, dim=-1) @ v


def join_heads(mixed: Tensor, like: Tensor) -> Tensor:
    """(n, heads, tokens, channels of a head) as (n, height, breadth, channels)."""
    return mixed.transpose(1, 2).reshape(like.shape)


def _draw_weights(module: nn.Module) -> None:
    """As the authors' code does; norms and position biases are drawn as they should be already."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
    elif isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
    if isinstance(module, nn.Linear | nn.Conv2d):
        assert module.bias is not None
        nn.init.zeros_(module.bias)
