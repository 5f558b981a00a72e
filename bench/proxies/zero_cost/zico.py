"""ZiCo: whether the gradients of a fresh network agree from batch to batch.

Li et al., "ZiCo: Zero-shot NAS via Inverse Coefficient of Variation on Gradients", ICLR 2023, equation 13: the sum over
layers of the logarithm of the sum over their weights of E|g| / sqrt(Var g), over batches; two of them, as in the paper.
A weight whose gradient is the same in both (or zero) has no ratio and is left out, as in the authors' code.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from bench.proxies.zero_cost.gradient_norm import layer_gradients
from bench.proxies.zero_cost.lens import in_mode
from bench.proxies.zero_cost.probe import Probe


def zico(network: nn.Module, probe: Probe) -> float:
    """The sum over layers; the two batches are the halves of the probe."""
    batches = zip(probe.images.chunk(2), probe.labels.chunk(2), strict=True)
    with in_mode(network, training=True):
        first, second = (layer_gradients(network, images, labels) for images, labels in batches)
    return sum(_layer(a, b) for a, b in zip(first, second, strict=True))


def _layer(first: Tensor, second: Tensor) -> float:
    # Of two values the deviation is half of what they differ by, and the mean half of their sum.
    ratios = first.abs().add_(second.abs()).div_(first.sub(second).abs_())
    total = float(ratios.nan_to_num_(nan=0.0, posinf=0.0).sum(dtype=torch.float64))
    return math.log(total) if total > 0 else 0.0
