"""What a network is made of and what its parts cost, from its architecture alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import BenchError
from bench.networks.cost import Costs, costs
from bench.networks.families import operators
from bench.space import Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCost:
    """Millions of parameters and activations, billions of multiply-adds; of the deploy form, for one picture."""

    params_m: float
    macs_g: float
    activations_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCost:
    """A stage.

    Attributes:
        number: from 1.
        words: of the architecture.
        block: what one further block of it costs; None where no other depth can be counted.
        blocks: that times its depth.
    """

    number: int
    words: Mapping[str, Any]
    block: PartCost | None
    blocks: PartCost | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorCost:
    """All operators of one kind; numbers in millions, multiply-adds in billions."""

    kind: str
    count: int
    params_m: float
    macs_g: float
    read_m: float
    written_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """A network taken apart.

    Attributes:
        stages: in order.
        elsewhere: stem, downsampling and head: the total without the blocks of all stages.
        total: of the network; None where it cannot be counted by this version.
        kinds: of operators, the most multiply-adds first.
        text: family, settings and stages in lines, to be copied.
    """

    stages: tuple[StageCost, ...]
    elsewhere: PartCost | None
    total: PartCost | None
    kinds: tuple[OperatorCost, ...]
    text: str


def anatomy(architecture: Mapping[str, Any]) -> Anatomy:
    """Of an architecture as a mapping; one that this version cannot count has its words alone."""
    stages = tuple(dict(stage) for stage in architecture.get("stages", ()))
    text = architecture_text(architecture)
    try:
        whole = _counted(architecture)
        kinds = _kinds(Architecture.from_dict(architecture))
    except BenchError:
        plain = tuple(_stage(number, stage, None) for number, stage in enumerate(stages, start=1))
        return Anatomy(stages=plain, elsewhere=None, total=None, kinds=(), text=text)
    counted = tuple(
        _stage(number, stage, _block(architecture, whole, number - 1)) for number, stage in enumerate(stages, start=1)
    )
    total = _part(whole)
    parts = [stage.blocks for stage in counted]
    known = [part for part in parts if part is not None]
    elsewhere = None
    if len(known) == len(parts):
        elsewhere = PartCost(
            params_m=total.params_m - sum(part.params_m for part in known),
            macs_g=total.macs_g - sum(part.macs_g for part in known),
            activations_m=total.activations_m - sum(part.activations_m for part in known),
        )
    return Anatomy(stages=counted, elsewhere=elsewhere, total=total, kinds=kinds, text=text)


def architecture_text(architecture: Mapping[str, Any]) -> str:
    """Family and settings, then a line a stage."""
    settings = ", ".join(f"{name} {value}" for name, value in architecture.get("settings", {}).items())
    lines = [f"{architecture.get('family', 'unknown')}: {settings}"]
    for number, stage in enumerate(architecture.get("stages", ()), start=1):
        lines.append(f"stage {number}: " + ", ".join(f"{name} {value}" for name, value in stage.items()))
    return "\n".join(lines)


def words_of(architecture: Mapping[str, Any]) -> dict[str, Any]:
    """Every word by its full name: `stem_width`, `stage1.depth`; of several families the family too."""
    found = {"family": architecture.get("family"), **architecture.get("settings", {})}
    for number, stage in enumerate(architecture.get("stages", ()), start=1):
        found |= {f"stage{number}.{name}": value for name, value in stage.items()}
    return found


def _counted(architecture: Mapping[str, Any]) -> Costs:
    return costs(Architecture.from_dict(architecture))


def _block(architecture: Mapping[str, Any], whole: Costs, place: int) -> PartCost | None:
    """One block more of a stage, and what that adds: all families repeat the last block of a stage."""
    stages = [dict(stage) for stage in architecture["stages"]]
    if not isinstance(stages[place].get("depth"), int):
        return None
    stages[place]["depth"] += 1
    try:
        deeper = _counted({**architecture, "stages": stages})
    except BenchError:
        return None
    return PartCost(
        params_m=(deeper.params - whole.params) / 1e6,
        macs_g=(deeper.macs - whole.macs) / 1e9,
        activations_m=(deeper.activations - whole.activations) / 1e6,
    )


def _stage(number: int, words: Mapping[str, Any], block: PartCost | None) -> StageCost:
    blocks = None
    if block is not None:
        depth = int(words["depth"])
        blocks = PartCost(
            params_m=block.params_m * depth, macs_g=block.macs_g * depth, activations_m=block.activations_m * depth
        )
    return StageCost(number=number, words=words, block=block, blocks=blocks)


def _kinds(architecture: Architecture) -> tuple[OperatorCost, ...]:
    sums: dict[str, list[int]] = {}
    for operator in operators(architecture):
        found = sums.setdefault(operator.kind, [0] * 5)
        each = (1, operator.params, operator.macs, operator.read, operator.written)
        for place, number in enumerate(each):
            found[place] += operator.count * number
    listed = [
        OperatorCost(
            kind=kind,
            count=count,
            params_m=params / 1e6,
            macs_g=macs / 1e9,
            read_m=read / 1e6,
            written_m=written / 1e6,
        )
        for kind, (count, params, macs, read, written) in sums.items()
    ]
    return tuple(sorted(listed, key=lambda found: -found.macs_g))


def _part(found: Costs) -> PartCost:
    return PartCost(params_m=found.params / 1e6, macs_g=found.macs / 1e9, activations_m=found.activations / 1e6)
