"""The families that can be built: name -> factory, imported when first used.

A new family is one entry here, one in `bench/networks/cost.py` and its folding rules beside its modules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.errors import NetworkError, nearest

if TYPE_CHECKING:
    from torch import nn

    from bench.space import Architecture

Factory = Callable[["Architecture", int], "nn.Module"]


def build(architecture: Architecture, *, num_classes: int = 1000, seed: int = 0) -> nn.Module:
    """The network of `architecture` in train form, freshly initialised.

    The same seed gives the same weights; torch's global random state is left as it was.
    """
    import torch

    factory = _factory(architecture.family)
    if num_classes < 1:
        raise NetworkError(
            f"num_classes is {num_classes}; at least 1 is allowed; give the number of classes of the data"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return factory(architecture, num_classes)


def _factory(family: str) -> Factory:
    if family not in FAMILIES:
        known = ", ".join(sorted(FAMILIES))
        hint = nearest(family, FAMILIES) or "; use one of them"
        raise NetworkError(f"cannot build family {family!r}; known: {known}{hint}")
    return FAMILIES[family]()


def _fastvit() -> Factory:
    from bench.networks.fastvit import FastViT
    from bench.networks.plan import plan_fastvit

    return lambda architecture, num_classes: FastViT(plan_fastvit(architecture), num_classes=num_classes)


FAMILIES: dict[str, Callable[[], Factory]] = {"fastvit": _fastvit}
