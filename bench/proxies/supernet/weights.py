"""The weights that all networks of a space share, and the network of an architecture as a view of them.

A network here is the ordinary one of bench/networks: nothing of it knows that its weights are parts of larger ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.func import functional_call

from bench.errors import NetworkError
from bench.networks import build
from bench.proxies.supernet.extremes import corners, depths, shallow
from bench.proxies.supernet.layout import Layout, covering, layouts, part, shareable, view
from bench.space import Architecture, Space

# torch keeps names of parameters free of dots.
_DOT = "/"

_FIRST_BLOCK = re.compile(r"stages\.(\d+)\.([a-z]+)\.0\.(.+)")


# Networks at the corners of a space, with their layouts by key.
Ends = Sequence[tuple[Architecture, Mapping[str, Layout]]]


class SharedWeights(nn.Module):
    """One parameter for each key of the layouts, as large as any network of the space needs it.

    Args:
        covering: the layout of each, by key.
        values: of each, by key, as the layouts say.
        num_classes: of the classifier.

    Raises:
        NetworkError: a value is missing or has another shape.
    """

    def __init__(self, covering: Mapping[str, Layout], values: Mapping[str, Tensor], *, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.covering = dict(covering)
        for key, layout in covering.items():
            value = values.get(key)
            if value is None or value.shape != layout.shape:
                found = "missing" if value is None else tuple(value.shape)
                raise NetworkError(
                    f"shared weights {key} are {found} and should be {layout.shape}; the file is damaged"
                )
            self.register_parameter(key.replace(".", _DOT), nn.Parameter(value))

    @classmethod
    def fresh(cls, space: Space, *, num_classes: int, seed: int = 0) -> SharedWeights:
        """Weights as the builder draws them: those of the largest network are what they would be alone.

        What no single network at a corner of the space reaches is drawn with the mean and the spread of what one has.

        Raises:
            NetworkError: a space of another family, or of several.
        """
        ends = [(architecture, _layouts(architecture, num_classes)) for architecture in corners(shareable(space))]
        holding = _covering(ends)
        drawn = _drawn(ends, num_classes, seed)
        generator = torch.Generator().manual_seed(seed)
        values = {key: _fresh(*drawn[key], layout, generator) for key, layout in holding.items()}
        return cls(holding, values, num_classes=num_classes)

    def names(self) -> dict[str, str]:
        """The name of each parameter in torch, by key."""
        return {key: key.replace(".", _DOT) for key in self.covering}

    def parts(self, lying: Mapping[str, Layout]) -> dict[str, Tensor]:
        """What a network uses of the shared weights, by the names of its parameters; gradients flow back.

        Args:
            lying: `layouts` of the network.

        Raises:
            NetworkError: it has weights that no network of the space has, or larger ones.
        """
        found = {}
        for name, layout in lying.items():
            if layout.key not in self.covering:
                raise NetworkError(
                    f"the supernet has no weights {layout.key}; the networks of its space are allowed; take one of "
                    "these, or train a supernet of a wider space"
                )
            found[name] = part(self.shared(layout.key), self.covering[layout.key], layout)
        return found

    def shared(self, key: str) -> nn.Parameter:
        """One of the shared tensors."""
        return self.get_parameter(key.replace(".", _DOT))

    def run(self, architecture: Architecture, images: Tensor) -> Tensor:
        """Logits (n, classes) of the network of `architecture` as it is trained: normed by its own batch."""
        network, lying = _known_skeleton(architecture, self.num_classes)
        statistics = {name: _blank(name, value, images) for name, value in network.named_buffers()}
        logits: Tensor = functional_call(network, {**self.parts(lying), **statistics}, (images,))
        return logits

    @torch.no_grad()
    def network(self, architecture: Architecture) -> nn.Module:
        """The network of `architecture` alone, a copy, with blank statistics of batch norms."""
        found = skeleton(architecture, num_classes=self.num_classes)
        weights = self.parts(layouts(found))
        like = next(iter(weights.values()))
        found = found.to(like.dtype).to_empty(device=like.device)
        for name, value in found.named_parameters():
            value.copy_(weights[name])
        for name, buffer in found.named_buffers():
            buffer.copy_(_blank(name, buffer, like))
        return found


def skeleton(architecture: Architecture, *, num_classes: int) -> nn.Module:
    """The network of `architecture` in train form without any values (torch's meta device)."""
    with torch.device("meta"):
        return build(architecture, num_classes=num_classes)


@lru_cache(maxsize=64)
def _known_skeleton(architecture: Architecture, num_classes: int) -> tuple[nn.Module, dict[str, Layout]]:
    """A skeleton in training mode and its layouts; the ends of a space come back in every step."""
    network = skeleton(architecture, num_classes=num_classes).train()
    return network, layouts(network)


def _blank(name: str, buffer: Tensor, like: Tensor) -> Tensor:
    """A statistic of a batch norm that has seen nothing, where `like` is and as precise."""
    blank = torch.ones if name.endswith("running_var") else torch.zeros
    return blank(buffer.shape, dtype=like.dtype if buffer.is_floating_point() else buffer.dtype, device=like.device)


def _layouts(architecture: Architecture, num_classes: int) -> dict[str, Layout]:
    """All layouts of the network of `architecture`, by key."""
    found = {}
    for layout in _shallow_layouts(shallow(architecture), num_classes):
        block = _FIRST_BLOCK.fullmatch(layout.key)
        if block is None:
            found[layout.key] = layout
            continue
        stage, kind, name = block.groups()
        for number in range(depths(architecture)[int(stage)]):
            key = f"stages.{stage}.{kind}.{number}.{name}"
            found[key] = replace(layout, key=key)
    return found


@lru_cache(maxsize=256)
def _shallow_layouts(architecture: Architecture, num_classes: int) -> tuple[Layout, ...]:
    return tuple(layouts(skeleton(architecture, num_classes=num_classes)).values())


def _covering(ends: Ends) -> dict[str, Layout]:
    """What holds the tensors of all networks between these, by key."""
    found: dict[str, Layout] = {}
    for _, lying in ends:
        for key, layout in lying.items():
            found[key] = covering(found.get(key, layout), layout)
    return found


def _drawn(ends: Ends, num_classes: int, seed: int) -> dict[str, tuple[Tensor, Layout]]:
    """Fresh weights by key, of the first (the largest) network that has them, and how they lie."""
    found: dict[str, tuple[Tensor, Layout]] = {}
    for architecture, lying in ends:
        if lying.keys() <= found.keys():
            continue
        network = build(architecture, num_classes=num_classes, seed=seed)
        values = dict(network.named_parameters())
        for name, layout in layouts(network).items():
            found.setdefault(layout.key, (values[name].detach(), layout))
    return found


def _fresh(drawn: Tensor, lying: Layout, layout: Layout, generator: torch.Generator) -> Tensor:
    """Fresh weights as large as `layout`: `drawn` in its own place, the rest with its mean and spread."""
    spread, mean = torch.std_mean(drawn, correction=0)
    found = torch.empty(layout.shape).normal_(float(mean), float(spread), generator=generator)
    view(found, layout, lying).copy_(drawn.view([axis.size for axis in lying.axes]))
    return found
