"""What a word of a family's vocabulary is, which values it accepts, and what words have to agree on."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from bench.errors import SpaceError, nearest

Scalar = str | int | float | bool
Kind = Literal["integer", "ratio", "word", "boolean"]

QUANTITIES: Mapping[str, str] = MappingProxyType(
    {
        "params_m": "parameters of the deploy form, in millions",
        "macs_g": "multiply-accumulates of the deploy form, in billions",
        "peak_memory_mb": "input and output of the layer where they are largest, in float32, in megabytes",
        "latency_ms": "the lowest latency that is likely on the calibrated runner of a search, in milliseconds",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word of a family's vocabulary.

    Attributes:
        meaning: one line for people.
        default: the value where nothing is said; None: it has to be said.
        allowed: the values of a "word".
        among: the values of an "integer" that takes few; such a word has no bounds.
        low, high: the bounds, both included, of any other "integer" and of a "ratio".
        multiple_of: what an "integer" is a multiple of.
        is_odd: an "integer" is odd, as kernels that keep their centre are.
        only_if: the word applies where that other word of the same scope has one of those values.
        in_first_stage: False where the word does not apply to the first stage.
        divides: a word of the same scope whose value has to be a multiple of this one.
        scales: a word of the same scope; the network knows this word only as int(value * that value).
        follows: names that stand for a value of a stage: `{"stage1": (0, "width")}`.
        is_ordered: whether its values have an order, smallest and largest being furthest apart; None: numbers have.
    """

    name: str
    kind: Kind
    meaning: str
    default: Scalar | None = None
    allowed: tuple[str, ...] = ()
    among: tuple[int, ...] = ()
    low: float = 0
    high: float = 0
    multiple_of: int = 1
    is_odd: bool = False
    only_if: tuple[str, tuple[Scalar, ...]] | None = None
    in_first_stage: bool = True
    divides: str | None = None
    scales: str | None = None
    follows: Mapping[str, tuple[int, str]] | None = None
    is_ordered: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """What words of a family have to agree on: against it a description is well formed and no network has it.

    Attributes:
        rule: in the language of rules (expressions.py).
        meaning: the same for people, as a clause that names the words.
    """

    rule: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The vocabulary of one family: words said once (settings), words said per stage, and what they have to agree on.

    The order of the words is the order of keys in canonical forms and, where no condition says otherwise, of
    decisions. A word stands after the words it depends on.

    Attributes:
        quantities: what rules may read of a whole network beside its words, with its meaning.
    """

    name: str
    num_stages: int
    settings: tuple[Word, ...]
    stage: tuple[Word, ...]
    constraints: tuple[Constraint, ...] = ()
    quantities: Mapping[str, str] = field(default_factory=lambda: QUANTITIES)


def allowed_values(word: Word) -> str:
    """What `word` accepts, in words: "an odd integer from 3 to 31"."""
    match word.kind:
        case "word":
            return "one of " + ", ".join(word.allowed)
        case "boolean":
            return "true or false"
        case "ratio":
            return f"a number from {word.low:g} to {word.high:g}"
        case "integer" if word.among:
            return "one of " + ", ".join(map(str, word.among))
        case "integer":
            odd = "an odd integer" if word.is_odd else "an integer"
            multiple = f", a multiple of {word.multiple_of}" if word.multiple_of > 1 else ""
            names = f", or one of {', '.join(word.follows)}" if word.follows else ""
            return f"{odd} from {word.low:g} to {word.high:g}{multiple}{names}"


def check_value(word: Word, value: object, *, where: str) -> Scalar:
    """`value` in its canonical type; a name that stands for another value (`stage1`) is returned as it is.

    Args:
        where: how the message names the place, such as "stage3.width".

    Raises:
        SpaceError: the value is of another kind or out of bounds.
    """
    accepted = _accepted(word, value)
    if accepted is not None:
        return accepted
    hint = nearest(value, (*word.allowed, *(word.follows or ()))) if isinstance(value, str) else ""
    shown = show(value) if isinstance(value, bool) else repr(value)
    raise SpaceError(f"{where} is {shown}; allowed: {allowed_values(word)}{hint or '; change it'}")


def show(value: Scalar | None) -> str:
    """A value as it is written in YAML; "-" where the word does not apply."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _accepted(word: Word, value: object) -> Scalar | None:
    if isinstance(value, str):
        return value if value in word.allowed or value in (word.follows or ()) else None
    if isinstance(value, bool):
        return value if word.kind == "boolean" else None
    # numbers.Integral and Real also admit numpy's scalars, which come out of data frames.
    if word.kind == "integer" and isinstance(value, numbers.Integral):
        number = int(value)
        if word.among:
            return number if number in word.among else None
        fits = word.low <= number <= word.high and number % word.multiple_of == 0
        return number if fits and (number % 2 == 1 or not word.is_odd) else None
    if word.kind == "ratio" and isinstance(value, numbers.Real):
        ratio = float(value)
        return ratio if word.low <= ratio <= word.high else None
    return None
