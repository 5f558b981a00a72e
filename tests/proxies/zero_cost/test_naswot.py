from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import nn

from bench.proxies.zero_cost import make_probe
from bench.proxies.zero_cost.naswot import agreement, naswot

from .networks import plain, probe_of

codes = arrays.arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 40)))


@given(codes)
def test_the_kernel_counts_the_units_that_agree(found: np.ndarray) -> None:
    kernel = agreement(torch.from_numpy(found)).numpy()
    for i, j in itertools.product(range(len(found)), repeat=2):
        assert kernel[i, j] == (found[i] == found[j]).sum()


def test_the_score_is_the_log_determinant_of_the_codes_of_a_rectifier_network() -> None:
    network, probe = plain(nn.ReLU()), make_probe(0)
    with torch.no_grad():
        units = (network[0](probe.images) > 0).flatten(1).numpy()
    kernel = np.array([[(a == b).sum() for b in units] for a in units], dtype=float)
    assert naswot(network, probe) == pytest.approx(np.linalg.slogdet(kernel)[1], rel=1e-12)


@pytest.mark.parametrize("activation", [nn.GELU(), nn.SiLU(), nn.Hardswish(), nn.ReLU(inplace=True)])
def test_a_smooth_unit_has_the_code_of_a_rectifier_in_its_place(activation: nn.Module) -> None:
    assert naswot(plain(activation), make_probe(0)) == naswot(plain(nn.ReLU()), make_probe(0))


def test_pictures_that_cannot_be_told_apart_are_the_worst() -> None:
    image = make_probe(0).images[:1]
    assert naswot(plain(nn.GELU()), probe_of(image.repeat(4, 1, 1, 1))) == -np.inf
