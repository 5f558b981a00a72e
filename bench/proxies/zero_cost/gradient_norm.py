"""Gradient norm: how strongly one batch pulls at the weights of a fresh network.

Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021: the sum over layers of the Euclidean norm of
the cross entropy's gradient. The logarithm of the sum is given.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.proxies.zero_cost.lens import in_mode, layers, look, stand_ins
from bench.proxies.zero_cost.probe import Probe


def gradient_norm(network: nn.Module, probe: Probe) -> float:
    """The logarithm of the sum of the layers' gradient norms."""
    with in_mode(network, training=True):
        found = layer_gradients(network, probe.images, probe.labels)
    return math.log(sum(float(torch.linalg.vector_norm(gradient, dtype=torch.float64)) for gradient in found))


def layer_gradients(network: nn.Module, images: Tensor, labels: Tensor) -> list[Tensor]:
    """The gradient of the cross entropy of one batch, flat, by layer in the order of the network."""
    weights = stand_ins(network)
    found = layers(network)
    names = [name for group in found.values() for name in group]
    loss = F.cross_entropy(look(network, weights, images), labels)
    slopes = dict(zip(names, torch.autograd.grad(loss, [weights[name] for name in names]), strict=True))
    return [torch.cat([slopes[name].flatten() for name in group]) for group in found.values()]
