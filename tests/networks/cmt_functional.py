"""CMT written a second time, as arithmetic on named weights: what the modules of bench/networks/cmt are held to.

After the paper (Guo et al. 2022) and its code (github.com/ggjy/CMT.pytorch, cmt.py), in that code's order: tokens of
(n, tokens, channels) in blocks, three projections a block, the stem's last norm in the stem. Of our network it knows
the names of weights and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch.nn.functional as F
from torch import Tensor

Weights = Mapping[str, Tensor]


def cmt(
    weights: Weights,
    pictures: Tensor,
    *,
    depths: Sequence[int],
    heads: Sequence[int],
    reductions: Sequence[int],
    activation: Callable[[Tensor], Tensor],
    is_training: bool,
) -> Tensor:
    """The logits of `pictures`; in training batch norms use the statistics of the batch and update none."""
    net = _Functions(weights, activation, is_training)
    x = net.batch_norm("stem.0.norm", activation(net.conv("stem.0.conv", pictures, stride=2, padding=1)))
    x = net.batch_norm("stem.1.norm", activation(net.conv("stem.1.conv", x, padding=1)))
    x = net.batch_norm("stages.0.patch_embed.stem_norm", activation(net.conv("stem.2", x, padding=1)))
    for i, (depth, num_heads, reduction) in enumerate(zip(depths, heads, reductions, strict=True)):
        x = net.conv(f"stages.{i}.patch_embed.conv", x, stride=2)
        height, width = x.shape[2:]
        tokens = net.layer_norm(f"stages.{i}.patch_embed.norm", x.flatten(2).mT, eps=1e-5)
        for j in range(depth):
            tokens = net.block(f"stages.{i}.blocks.{j}", tokens, (height, width), num_heads, reduction)
        x = _to_map(tokens, (height, width))
    x = F.silu(net.batch_norm("final.0.norm", net.conv("final.0.conv", x)))
    return net.linear("head.fc", F.adaptive_avg_pool2d(x, 1).flatten(1))


class _Functions:
    def __init__(self, weights: Weights, activation: Callable[[Tensor], Tensor], is_training: bool) -> None:
        self.weights, self.activation, self.is_training = weights, activation, is_training

    def block(self, name: str, tokens: Tensor, size: tuple[int, int], num_heads: int, reduction: int) -> Tensor:
        x = _to_map(tokens, size)
        tokens = (self.depthwise(f"{name}.local.conv", x) + x).flatten(2).mT
        bias = self.weights[name.split(".blocks.")[0] + ".position_bias"]
        tokens = tokens + self.attention(f"{name}.attention", tokens, size, num_heads, reduction, bias)
        return tokens + self.feed_forward(f"{name}.ffn", tokens, size)

    def attention(
        self, name: str, tokens: Tensor, size: tuple[int, int], num_heads: int, reduction: int, bias: Tensor
    ) -> Tensor:
        tokens = self.layer_norm(f"{name}.norm", tokens, eps=1e-6)
        seen = tokens
        if reduction > 1:
            x = self.depthwise(f"{name}.reduce.conv", _to_map(tokens, size), stride=reduction)
            seen = self.batch_norm(f"{name}.reduce.norm", x).flatten(2).mT
        n, _, channels = tokens.shape
        head_dim = channels // num_heads
        q, k, v = (
            self.linear(f"{name}.{letter}", source).reshape(n, -1, num_heads, head_dim).transpose(1, 2)
            for letter, source in (("q", tokens), ("k", seen), ("v", seen))
        )
        scores = (q @ k.mT / head_dim**0.5 + bias).softmax(dim=-1)
        return self.linear(f"{name}.proj", (scores @ v).transpose(1, 2).flatten(2))

    def feed_forward(self, name: str, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        x = _to_map(self.layer_norm(f"{name}.norm", tokens, eps=1e-6), size)
        x = self.batch_norm(f"{name}.expand.norm", self.activation(self.conv(f"{name}.expand.conv", x)))
        x = self.depthwise(f"{name}.local.conv", x) + x
        x = self.batch_norm(f"{name}.local_norm", self.activation(x))
        return self.batch_norm(f"{name}.project.norm", self.conv(f"{name}.project.conv", x)).flatten(2).mT

    def conv(self, name: str, x: Tensor, *, stride: int = 1, padding: int = 0) -> Tensor:
        return F.conv2d(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], stride, padding)

    def depthwise(self, name: str, x: Tensor, *, stride: int = 1) -> Tensor:
        weight = self.weights[f"{name}.weight"]
        padding = weight.shape[-1] // 2 if stride == 1 else 0
        return F.conv2d(x, weight, self.weights[f"{name}.bias"], stride, padding, groups=x.shape[1])

    def linear(self, name: str, x: Tensor) -> Tensor:
        return x @ self.weights[f"{name}.weight"].mT + self.weights[f"{name}.bias"]

    def layer_norm(self, name: str, tokens: Tensor, *, eps: float) -> Tensor:
        mean, var = tokens.mean(-1, keepdim=True), tokens.var(-1, keepdim=True, correction=0)
        return (tokens - mean) / (var + eps).sqrt() * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def batch_norm(self, name: str, x: Tensor) -> Tensor:
        mean, var = self.weights[f"{name}.running_mean"], self.weights[f"{name}.running_var"]
        if self.is_training:
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        scale, shift = (self.weights[f"{name}.{part}"].view(-1, 1, 1) for part in ("weight", "bias"))
        return (x - mean.view(-1, 1, 1)) / (var.view(-1, 1, 1) + 1e-5).sqrt() * scale + shift


def _to_map(tokens: Tensor, size: tuple[int, int]) -> Tensor:
    n, _, channels = tokens.shape
    return tokens.mT.reshape(n, channels, *size)
