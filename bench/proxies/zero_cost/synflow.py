"""SynFlow: how much a signal of ones grows on its way through a network of absolute weights.

Tanaka et al., "Pruning neural networks without any data by iteratively conserving synaptic flow", NeurIPS 2020; as a
score of architectures Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021. With R the sum of the
outputs for a picture of ones, the score is the sum of |w| dR/d|w| over all weights of convolutions and linear layers.
It looks at no pictures and at no labels. The logarithm is given, since the sum spans a hundred orders of magnitude.

The flow is defined for rectifiers, which pass a positive signal on as it is. So here every activation and every norm
does that (a layer norm would take the signal away again, a fresh batch norm in eval mode does nothing), attention takes
the mean over all positions (of a signal of such size softmax would take one of them, and queries and keys would count
by the logarithm of what they are), gates stay what they are, layer scales are one, and of equal branches the mean
counts. In float64: float32 overflows after some thirty blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from bench.proxies.zero_cost.lens import (
    ACTIVATIONS,
    NORMS,
    in_mode,
    layers,
    look,
    num_equal_branches,
    passing_through,
    stand_ins,
)
from bench.proxies.zero_cost.probe import Probe


def synflow(network: nn.Module, probe: Probe) -> float:
    """The logarithm of the flow's sum; of the probe only the size counts."""
    ones = torch.ones(1, *probe.images.shape[1:], dtype=torch.float64)
    shares = num_equal_branches(network)
    weights = stand_ins(network, lambda name, value: value.abs().double().div_(shares.get(name, 1)))
    names = [name for found in layers(network).values() for name in found]
    with in_mode(network, training=False), passing_through(network, (*ACTIVATIONS, *NORMS)), _EvenAttention():
        flow = look(network, weights, ones).sum()
        # Queries and keys of their own have no part in the flow.
        slopes = torch.autograd.grad(flow, [weights[name] for name in names], allow_unused=True)
    total = sum(
        float((weights[name].detach() * slope).sum())
        for name, slope in zip(names, slopes, strict=True)
        if slope is not None
    )
    return float(torch.tensor(total, dtype=torch.float64).log())


class _EvenAttention(TorchFunctionMode):
    """Attention that attends to all positions alike, in both ways in which networks here write it."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is F.scaled_dot_product_attention:
            query, _, value = args[:3]
            return value.mean(dim=-2, keepdim=True).expand(*query.shape[:-1], value.shape[-1])
        if func in (torch.softmax, Tensor.softmax, F.softmax):
            return torch.full_like(args[0], 1.0 / args[0].shape[-1])
        return func(*args, **(kwargs or {}))
