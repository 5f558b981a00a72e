"""Gradient norm, ZiCo and Jacobian covariance against their formulas, on a network that has nothing special."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bench.proxies.zero_cost import make_probe
from bench.proxies.zero_cost.gradient_norm import gradient_norm
from bench.proxies.zero_cost.jacobian import jacobian_covariance
from bench.proxies.zero_cost.zico import zico

from .networks import network_of, plain, probe_of


def gradients(images: torch.Tensor, labels: torch.Tensor) -> list[np.ndarray]:
    network = plain(nn.GELU())
    F.cross_entropy(network(images), labels).backward()
    return [module.weight.grad.flatten().numpy() for module in network if hasattr(module, "weight")]


def test_gradient_norm_sums_the_norms_of_the_layers() -> None:
    probe = make_probe(0)
    found = gradients(probe.images, probe.labels)
    expected = math.log(sum(float(np.linalg.norm(gradient.astype(np.float64))) for gradient in found))
    assert gradient_norm(plain(nn.GELU()), probe) == pytest.approx(expected, rel=1e-6)


def test_zico_is_the_sum_of_logarithms_of_inverse_variation() -> None:
    probe = make_probe(0)
    halves = [gradients(*half) for half in zip(probe.images.chunk(2), probe.labels.chunk(2), strict=True)]
    expected = 0.0
    for pair in zip(*halves, strict=True):
        stacked = np.stack(pair).astype(np.float64)
        deviation = stacked.std(axis=0)
        varies = deviation > 0
        expected += math.log((np.abs(stacked).mean(axis=0)[varies] / deviation[varies]).sum())
    assert zico(plain(nn.GELU()), probe) == pytest.approx(expected, rel=1e-4)


def test_weights_whose_gradient_does_not_vary_have_no_ratio() -> None:
    probe = make_probe(0)
    images = probe.images[:8].repeat(2, 1, 1, 1)
    assert zico(plain(nn.GELU()), probe_of(images)) == 0.0


def test_the_halves_of_the_probe_have_the_same_classes() -> None:
    probe = make_probe(0)
    first, second = probe.labels.chunk(2)
    assert torch.equal(first, second)
    assert len(set(first.tolist())) == len(first)
    assert torch.equal(make_probe(0).images, probe.images)
    assert not torch.equal(make_probe(1).images, probe.images)


def test_jacobian_covariance_falls_where_pictures_depend_alike() -> None:
    network, probe = network_of("fastvit"), make_probe(0)
    apart = jacobian_covariance(network, probe)
    alike = jacobian_covariance(network, probe_of(probe.images[:1].repeat(16, 1, 1, 1)))
    # At best sixteen eigenvalues of 1.
    assert apart <= -16 * (math.log(1 + 1e-5) + 1 / (1 + 1e-5)) + 1e-9
    assert alike < apart - 1e5
