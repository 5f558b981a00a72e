"""The families that can be built and counted.

A family is a file of words in `bench/space/vocabulary` and a package `bench/networks/<family>`, of which four files
hold one function or one set of rules each: `plan.py` (the numbers that an architecture asks for), `operators.py`
(`operators`, what it computes), `network.py` (`build`, its modules) and `folding.py` (the rules of its deploy form).
They are imported when first used; the first two never import torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from bench.errors import NetworkError, nearest
from bench.space import vocabulary

if TYPE_CHECKING:
    from torch import nn

    from bench.networks.operators import Form, Operator
    from bench.space import Architecture

FAMILIES = tuple(vocabulary.FAMILIES)


def build(
    architecture: Architecture, *, num_classes: int = 1000, seed: int = 0, resolution: int | None = None
) -> nn.Module:
    """The network of `architecture` in train form, freshly initialised.

    The same seed gives the same weights; torch's global random state is left as it was.

    Args:
        resolution: side of the input in pixels; None: the architecture's own. Only a family whose weights belong to
            one resolution (CMT's position bias) reads it; its networks then say so as `fixed_resolution`.

    Raises:
        NetworkError: a family that is not known, no classes, a resolution that the family cannot take, or words that
            do not agree.
    """
    import torch

    network = _part(architecture.family, "network")
    _part(architecture.family, "folding")  # so that whoever holds a network can fold it
    if num_classes < 1:
        raise NetworkError(
            f"num_classes is {num_classes}; at least 1 is allowed; give the number of classes of the data"
        )
    side = int(architecture.settings["input_resolution"]) if resolution is None else resolution
    next(operators(architecture, resolution=side))  # refuses what the family cannot take
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        built: nn.Module = network.build(architecture, num_classes=num_classes, resolution=side)
        return built


def operators(
    architecture: Architecture,
    *,
    form: Form = "deploy",
    num_classes: int = 1000,
    resolution: int | None = None,
    fold_attention_norm: bool = True,
) -> Iterator[Operator]:
    """What the network of `architecture` computes for one picture.

    Args:
        form: "train", or "deploy": folded.
        resolution: side of the input in pixels; None: the architecture's own.
        fold_attention_norm: whether the deploy form folds the norm before qkv as well.

    Raises:
        NetworkError: a family that is not known, a resolution that it cannot take, or words that do not agree.
    """
    listed: Iterator[Operator] = _part(architecture.family, "operators").operators(
        architecture,
        form=form,
        num_classes=num_classes,
        resolution=resolution,
        fold_attention_norm=fold_attention_norm,
    )
    return listed


def _part(family: str, part: str) -> ModuleType:
    if family == vocabulary.TABLE.name:
        raise NetworkError(
            "a row of a table is no network that can be built, timed or counted; "
            f"allowed: {', '.join(FAMILIES)}; search a table with bench simulate"
        )
    if family not in FAMILIES:
        hint = nearest(family, FAMILIES) or "; use one of them"
        raise NetworkError(f"unknown family {family!r}; known: {', '.join(FAMILIES)}{hint}")
    return import_module(f"bench.networks.{family}.{part}")
