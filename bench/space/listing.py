"""A list of named networks as a space: everything in it is tried, nothing else is.

Peers are trained and timed this way exactly as candidates of a search are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from bench.errors import SpaceError, nearest
from bench.space import encoding, sampling
from bench.space.architecture import Architecture
from bench.space.describe import ChoiceRow, describe
from bench.space.sampling import Estimate
from bench.space.space import CostFunction, Space
from bench.space.tree import Decision
from bench.space.union import SEPARATOR


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkList(Space):
    """Reference points of other spaces, chosen by name; its `reference_points` are all that it holds."""

    @property
    def rules(self) -> tuple[str, ...]:
        return ()

    @property
    def hash(self) -> str:
        points = {name: point.to_dict() for name, point in self.reference_points.items()}
        return hashlib.sha256(json.dumps([self.name, points], sort_keys=True).encode()).hexdigest()

    @property
    def networks(self) -> tuple[Architecture, ...]:
        """All of them, in the order of the list."""
        return tuple(self.reference_points.values())

    def with_rules(self, extra: Sequence[str]) -> Space:
        """The same; a list has no rules.

        Raises:
            SpaceError: there are rules.
        """
        if extra:
            raise SpaceError(f"rule {extra[0]!r} for {self.name!r}, a list of networks; leave names out instead")
        return self

    def outside(self, architecture: Architecture) -> tuple[str, ...]:
        return () if architecture in self.networks else ("it is not in the list",)

    def broken_rules(self, architecture: Architecture, costs: CostFunction | None = None) -> tuple[str, ...]:  # noqa: ARG002
        return ()


def list_networks(name: str, names: Sequence[str], spaces: Sequence[Space], *, source: str) -> NetworkList:
    """The reference points `names` of `spaces` as a space.

    Raises:
        SpaceError: no such reference point, one twice, or none.
    """
    known = {point: (space, found) for space in spaces for point, found in space.reference_points.items()}
    if not names:
        raise SpaceError(f"{source}: no networks; at least one is needed; name some of {', '.join(known)}")
    points: dict[str, Architecture] = {}
    used: dict[str, Space] = {}
    for point in names:
        if point not in known:
            raise SpaceError(
                f"{source}: no reference point {point!r}; known: {', '.join(known)}{nearest(point, known)}; "
                "name one of these"
            )
        space, architecture = known[point]
        if architecture in points.values():
            raise SpaceError(f"{source}: {point!r} stands twice in the list; allowed: once; remove one")
        points[point], used[space.name] = architecture, space
    head = f"name: {name}\nnetworks: {json.dumps(list(points))}\n"
    texts = [space.text if space.text.endswith("\n") else space.text + "\n" for space in used.values()]
    return NetworkList(
        name=name,
        family=", ".join(dict.fromkeys(point.family for point in points.values())),
        description=f"{len(points)} named networks",
        text=SEPARATOR.join([head, *texts]),
        source=source,
        genes=(),
        conditions=(),
        reference_points=MappingProxyType(points),
        tree=(),
    )


def _decision(space: NetworkList) -> Decision:
    # A list may grow while it is tried (bench/study/baselines.py): equal names still have equal choices.
    name = f"network of {len(space.networks)}"
    return Decision(name=name, choices=tuple(space.reference_points), is_ordered=False)


@encoding.compose.register
def _(space: NetworkList, choose: Callable[[Decision], int]) -> Architecture:
    networks = space.networks
    index = choose(_decision(space)) if len(networks) > 1 else 0
    if not 0 <= index < len(networks):
        raise SpaceError(f"choice {index} of network; there are {len(networks)}; choose 0 to {len(networks) - 1}")
    return networks[index]


@encoding.decide.register
def _(space: NetworkList, choose: Callable[[Decision], int]) -> dict[str, int]:
    return {decision.name: choose(decision) for decision in encoding.all_decisions(space)}


@encoding.decisions.register
def _(space: NetworkList, architecture: Architecture) -> dict[str, int]:
    if architecture not in space.networks:
        raise SpaceError(f"architecture {architecture.id} is not in the list {space.name!r}; take one that is")
    return {_decision(space).name: space.networks.index(architecture)} if len(space.networks) > 1 else {}


@encoding.all_decisions.register
def _(space: NetworkList) -> tuple[Decision, ...]:
    return (_decision(space),) if len(space.networks) > 1 else ()


@encoding.feature_names.register
def _(space: NetworkList) -> tuple[str, ...]:
    return tuple(f"network={name}" for name in space.reference_points)


@encoding.features.register
def _(space: NetworkList, architectures: Sequence[Architecture]) -> npt.NDArray[np.float64]:
    found = [[network == architecture for network in space.networks] for architecture in architectures]
    return np.array(found, dtype=np.float64).reshape(len(architectures), len(space.networks))


@describe.register
def _(space: NetworkList) -> tuple[ChoiceRow, ...]:
    rows = {
        "network": (tuple(space.reference_points), "which of the list"),
        "input_resolution": (
            tuple(dict.fromkeys(network.settings["input_resolution"] for network in space.networks)),
            "sides of the square inputs at deployment that these have, in pixels",
        ),
    }
    return tuple(
        ChoiceRow(scope="list", word=word, when="", values=values, never=(), meaning=meaning)
        for word, (values, meaning) in rows.items()
    )


@sampling.count.register
def _(space: NetworkList) -> int:
    return len(space.networks)


@sampling.at.register
def _(space: NetworkList, index: int) -> Architecture:
    if not 0 <= index < len(space.networks):
        raise SpaceError(
            f"index is {index}; {space.name} has {len(space.networks)}; use 0 to {len(space.networks) - 1}"
        )
    return space.networks[index]


@sampling.every.register
def _(space: NetworkList, costs: CostFunction | None = None) -> Iterator[Architecture]:  # noqa: ARG001
    yield from space.networks


@sampling.estimate_valid.register
def _(space: NetworkList, costs: CostFunction | None = None, *, samples: int = 0, seed: int = 0) -> Estimate:  # noqa: ARG001
    count = len(space.networks)
    return Estimate(estimate=count, low=count, high=count, is_exact=True)


@sampling.draw.register
def _(
    space: NetworkList,
    random: np.random.Generator,
    costs: CostFunction | None = None,  # noqa: ARG001
    *,
    max_tries: int = 1,  # noqa: ARG001
) -> Architecture:
    return space.networks[int(random.integers(len(space.networks)))]


@sampling.mutate.register
def _(
    space: NetworkList,
    architecture: Architecture,
    random: np.random.Generator,
    costs: CostFunction | None = None,  # noqa: ARG001
    *,
    max_tries: int = 1,  # noqa: ARG001
) -> Architecture:
    others = [network for network in space.networks if network != architecture]
    if not others:
        raise SpaceError(f"{space.name!r} has no other network; it needs more than one; add some")
    return others[int(random.integers(len(others)))]


@sampling.cross_over.register
def _(
    space: NetworkList,  # noqa: ARG001
    first: Architecture,
    second: Architecture,
    random: np.random.Generator,
    costs: CostFunction | None = None,  # noqa: ARG001
    *,
    max_tries: int = 1,  # noqa: ARG001
) -> Architecture:
    return first if random.integers(2) == 0 else second
