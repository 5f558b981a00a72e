"""Position biases of a CMT at another resolution: what its weights need before they fit there.

A stage has one learned number for each head, query position and key position. Seen as a grid (query height, query
width, key height, key width) they are resized like a picture. The authors' code (github.com/ggjy/CMT.pytorch, cmt.py)
has no such function for these biases.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt

import torch.nn.functional as F
from torch import Tensor, nn

_NAME = "position_bias"


def resize_position_bias(weights: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The state dict `weights` with every position bias of the size that `network` has; the rest as it is.

    Bicubic in all four directions, computed in float64. Both forms of a network name their biases alike. Weights of
    another architecture stay of another architecture: loading them is refused as ever.
    """
    target = network.state_dict()
    return {
        name: _resized(tensor, target[name]) if name.split(".")[-1] == _NAME and name in target else tensor
        for name, tensor in weights.items()
    }


def _resized(bias: Tensor, like: Tensor) -> Tensor:
    """`bias` of (heads, queries, keys) with the numbers of queries and keys of `like`."""
    if bias.shape[1:] == like.shape[1:]:
        return bias
    with_queries = _resized_first(bias.double(), like.shape[1])
    with_keys = _resized_first(with_queries.transpose(1, 2), like.shape[2])
    return with_keys.transpose(1, 2).to(bias.dtype).contiguous()


def _resized_first(grid: Tensor, num_positions: int) -> Tensor:
    """(heads, positions, others) with `num_positions` of the positions of a square."""
    heads, positions, others = grid.shape
    before, after = isqrt(positions), isqrt(num_positions)
    squares = grid.transpose(1, 2).reshape(heads, others, before, before)
    resized = F.interpolate(squares, size=(after, after), mode="bicubic", align_corners=False)
    return resized.reshape(heads, others, num_positions).transpose(1, 2)
