"""Jacobian covariance: how differently a fresh network's output depends on different pictures.

Mellor et al., "Neural Architecture Search without Training", first version, 2020, called `jacob_cov` by Abdelfattah et
al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021. With v the eigenvalues of the correlation matrix of the
gradients of the outputs' sum to each picture, the score is -sum(log(v + k) + 1 / (v + k)), k = 1e-5: the largest, 0
apart from a constant, where these gradients are uncorrelated.
"""

from __future__ import annotations

import torch
from torch import nn

from bench.proxies.zero_cost.lens import in_mode, look, stand_ins
from bench.proxies.zero_cost.probe import Probe

_K = 1e-5


def jacobian_covariance(network: nn.Module, probe: Probe) -> float:
    """The score above; never positive but for rounding."""
    images = probe.images.detach().clone().requires_grad_()
    with in_mode(network, training=True):
        logits = look(network, stand_ins(network), images)
        (slopes,) = torch.autograd.grad(logits.sum(), images)
    correlations = torch.corrcoef(slopes.flatten(1).double())
    values = torch.linalg.eigvalsh(correlations).clamp(min=0.0) + _K
    return float(-(values.log() + 1.0 / values).sum())
