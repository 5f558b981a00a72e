"""NASWOT: how differently a fresh network's units respond to different pictures.

Mellor et al., "Neural Architecture Search without Training", ICML 2021. Each picture switches some rectifiers on and
others off; this code of zeros and ones says in which linear region of the network the picture lies. With N units and
the Hamming distance d between the codes of pictures i and j, the kernel is K[i, j] = N - d(i, j), summed over all
activations, and the score log |det K|: the larger, the better pictures are told apart.

For GELU, SiLU and Hardswish the code is what a rectifier in their place would have: whether their input is above zero.
They close below zero as it does, only smoothly, so that the sign of the input says which side of the bend a unit is on.
The gates of squeeze-excite and the softmax of attention have no such sides and no code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.proxies.zero_cost.lens import ACTIVATIONS, before_each, in_mode, look, stand_ins
from bench.proxies.zero_cost.probe import Probe


def naswot(network: nn.Module, probe: Probe) -> float:
    """log |det K|; -inf where two pictures have one code."""
    kernel = torch.zeros(len(probe.images), len(probe.images), dtype=torch.float64)

    def count(x: Tensor) -> None:
        kernel.add_(agreement(x.detach() > 0))

    with in_mode(network, training=True), before_each(network, ACTIVATIONS, count), torch.no_grad():
        look(network, stand_ins(network), probe.images)
    return float(torch.linalg.slogdet(kernel).logabsdet)


def agreement(codes: Tensor) -> Tensor:
    """(n, n) float64: in how many units the codes (n, ...) of every two pictures agree."""
    # Sums of float32 ones are exact below 2^24, and no layer has as many units at 64 px.
    ones = codes.flatten(1).float()
    both, on = (ones @ ones.T).double(), ones.sum(dim=1).double()
    return 2.0 * both - on[:, None] - on[None, :] + ones.shape[1]
