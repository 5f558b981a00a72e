"""The pictures that zero-cost proxies look at: sixteen generated ones, the same for every network.

Two pictures of each of eight fractal categories at 64 px, the resolution of a short training of a 256 px network and
one that every family takes. The two halves of the batch hold one picture of each category, so that what differs
between them is the pictures and not the classes. Generated pictures need no data set and no packing; a proxy that is
validated with them (README) is used with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from bench.proxies.augment import normalise
from bench.proxies.fractals import NUM_CATEGORIES, render

RESOLUTION = 64
NUM_CLASSES = 8
NUM_PICTURES = 2 * NUM_CLASSES


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Probe:
    """A batch.

    Attributes:
        images: float (16, 3, 64, 64), normalised; the first half and the second have one picture of each class.
        labels: int64 (16,).
    """

    images: Tensor
    labels: Tensor


@lru_cache(maxsize=8)
def make_probe(seed: int = 0) -> Probe:
    """The pictures of a seed; equal seeds give equal bytes. Nobody may write to them."""
    categories = np.random.default_rng(seed).choice(NUM_CATEGORIES, size=NUM_CLASSES, replace=False)
    pictures = [
        render(int(category), (0, number), resolution=RESOLUTION) for number in range(2) for category in categories
    ]
    return Probe(images=normalise(torch.from_numpy(np.stack(pictures))), labels=torch.arange(NUM_CLASSES).repeat(2))
