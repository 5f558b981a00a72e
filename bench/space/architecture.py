"""An architecture: one point of a space, immutable and always in canonical form.

Canonical means that every word that applies is there with a value of its own type, and no other: defaults
are filled in, `stem_width: stage1` is a number, the mixer kernel of an attention stage is gone. Two
descriptions of one network therefore become one architecture with one id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from bench.errors import SpaceError, nearest
from bench.space.vocabulary import find_family
from bench.space.words import Family, Scalar, Word, check_value, show

_KEYS = ("family", "settings", "stages")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Architecture:
    """One network of a family, as data. Equal networks compare equal, hash equal and have equal ids.

    Attributes:
        family: a key of `bench.space.vocabulary.FAMILIES`.
        settings: the words said once, such as `{"input_resolution": 256, ...}`, in the vocabulary's order.
        stages: the words of each stage, first stage first.
        identity: the text that `id` is a hash of.
    """

    family: str
    settings: Mapping[str, Scalar]
    stages: tuple[Mapping[str, Scalar], ...]
    identity: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        family = find_family(self.family)
        _check_shape(family, self.settings, self.stages)
        stages = tuple(_canonical_stage(family, stage, i) for i, stage in enumerate(self.stages))
        settings = _canonical_settings(family, self.settings, stages)
        object.__setattr__(self, "settings", MappingProxyType(settings))
        object.__setattr__(self, "stages", tuple(MappingProxyType(stage) for stage in stages))
        object.__setattr__(self, "identity", _identity(family, settings, stages))

    @classmethod
    def from_dict(cls, mapping: Mapping[str, object]) -> Architecture:
        """The architecture that `mapping` (family, settings, stages) describes.

        Words that do not apply are dropped, missing ones get their default.

        Raises:
            SpaceError: an unknown word, a value out of bounds, a missing word without a default.
        """
        if not isinstance(mapping, Mapping):
            raise SpaceError(f"an architecture is {mapping!r}; allowed: a mapping of {', '.join(_KEYS)}; give one")
        _check_known(mapping, _KEYS, where="architecture")
        stages = mapping.get("stages")
        if not isinstance(stages, Sequence) or isinstance(stages, str):
            raise SpaceError(f"the stages are {stages!r}; allowed: a list of mappings, one a stage; give one")
        # Checked below, where the vocabulary says what is allowed.
        settings: Mapping[str, Scalar] = mapping.get("settings", {})  # type: ignore[assignment]
        return cls(family=mapping.get("family"), settings=settings, stages=tuple(stages))  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, object]:
        """Plain data that JSON can hold; `from_dict` is its inverse."""
        return {
            "family": self.family,
            "settings": dict(self.settings),
            "stages": [dict(stage) for stage in self.stages],
        }

    def to_json(self) -> str:
        """The canonical JSON of `to_dict`: sorted keys, no spaces."""
        return _dumps(self.to_dict())

    @property
    def id(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of `identity`.

        The identity leaves out words that have their default, so a word added to a family later (with a
        default that describes today's networks) does not change the id of any stored architecture.
        """
        return hashlib.sha256(self.identity.encode()).hexdigest()[:16]

    def summary(self) -> str:
        """One line for tables: the words that differ from their default, stages joined by dashes."""
        family = find_family(self.family)
        parts = [f"{w.name} {show(self.settings[w.name])}" for w in family.settings if _is_said(w, self)]
        for word in family.stage:
            values = [stage.get(word.name) for stage in self.stages]
            if any(value not in (None, word.default) for value in values):
                said = dict.fromkeys(show(value) for value in values if value is not None)
                each = "-".join("." if value is None else show(value) for value in values)
                parts.append(f"{word.name} {next(iter(said)) if len(said) == 1 else each}")
        return ", ".join(parts)

    def __eq__(self, other: object) -> bool:
        return self.identity == other.identity if isinstance(other, Architecture) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.identity)

    def __reduce__(self) -> tuple[Callable[[Mapping[str, object]], Architecture], tuple[dict[str, object]]]:
        # Read-only mappings cannot be pickled or copied; the plain form can.
        return Architecture.from_dict, (self.to_dict(),)


def applies(word: Word, stage: int | None, get: Callable[[str], Scalar | None]) -> bool:
    """Whether `word` means anything in this stage (None: a setting), given the other words of its scope."""
    if stage == 0 and not word.in_first_stage:
        return False
    return word.only_if is None or get(word.only_if[0]) in word.only_if[1]


def identity_value(word: Word, value: Scalar, get: Callable[[str], Scalar | None]) -> Scalar:
    """What the network knows of `value`: the hidden width in place of an MLP ratio, else the value itself."""
    if word.scales is None:
        return value
    scaled = get(word.scales)
    assert isinstance(value, int | float)
    assert isinstance(scaled, int)
    return int(scaled * value)


def _canonical_stage(family: Family, given: Mapping[str, object], stage: int) -> dict[str, Scalar]:
    name = f"stage{stage + 1}"
    canonical: dict[str, Scalar] = {}
    for word in family.stage:
        if applies(word, stage, canonical.get):
            canonical[word.name] = _value(word, given, where=f"{name}.{word.name}")
    for word in family.stage:
        if word.divides and word.name in canonical:
            _check_divides(word, canonical, name)
    return canonical


def _canonical_settings(
    family: Family, given: Mapping[str, object], stages: Sequence[Mapping[str, Scalar]]
) -> dict[str, Scalar]:
    canonical: dict[str, Scalar] = {}
    for word in family.settings:
        if applies(word, None, canonical.get):
            canonical[word.name] = _resolve(word, _value(word, given, where=word.name), stages)
    return canonical


def _value(word: Word, given: Mapping[str, object], *, where: str) -> Scalar:
    value = given.get(word.name, word.default)
    if value is None:
        raise SpaceError(f"{where} is missing; it has no default; give it a value")
    return check_value(word, value, where=where)


def _resolve(word: Word, value: Scalar, stages: Sequence[Mapping[str, Scalar]]) -> Scalar:
    if word.follows and isinstance(value, str):
        stage, name = word.follows[value]
        return stages[stage][name]
    return value


def _identity(family: Family, settings: Mapping[str, Scalar], stages: Sequence[Mapping[str, Scalar]]) -> str:
    said = {
        word.name: settings[word.name]
        for word in family.settings
        if word.name in settings
        and (word.default is None or settings[word.name] != _resolve(word, word.default, stages))
    }
    said_stages = [
        {
            word.name: identity_value(word, stage[word.name], stage.get)
            for word in family.stage
            if word.name in stage and not _is_default(word, stage)
        }
        for stage in stages
    ]
    return _dumps([family.name, said, said_stages])


def _is_default(word: Word, stage: Mapping[str, Scalar]) -> bool:
    """Whether a word of a stage makes the network that its default makes."""
    if word.default is None:
        return False
    found, usual = (identity_value(word, value, stage.get) for value in (stage[word.name], word.default))
    return found == usual


def _check_shape(family: Family, settings: object, stages: Sequence[object]) -> None:
    _check_mapping(settings, family.settings, where="settings")
    if len(stages) != family.num_stages:
        raise SpaceError(
            f"{len(stages)} stages; {family.name} has {family.num_stages}; give one mapping for each of them"
        )
    for i, stage in enumerate(stages):
        _check_mapping(stage, family.stage, where=f"stage{i + 1}")


def _check_mapping(mapping: object, words: Sequence[Word], *, where: str) -> None:
    if not isinstance(mapping, Mapping):
        raise SpaceError(f"{where} is {mapping!r}; allowed: a mapping of words to values; give one")
    _check_known(mapping, [word.name for word in words], where=where)


def _check_known(mapping: Mapping[str, object], known: Iterable[str], *, where: str) -> None:
    known = list(known)
    for key in mapping:
        if key not in known:
            hint = nearest(str(key), known) or "; remove it"
            raise SpaceError(f"unknown key {key!r} in {where}; known: {', '.join(known)}{hint}")


def _check_divides(word: Word, stage: Mapping[str, Scalar], name: str) -> None:
    part, whole = stage[word.name], stage[word.divides or ""]
    assert isinstance(part, int)
    assert isinstance(whole, int)
    if whole % part:
        raise SpaceError(
            f"{name}.{word.name} is {part} and {name}.{word.divides} is {whole}; "
            f"the {word.divides} has to be a multiple of it; change one of the two"
        )


def _is_said(word: Word, architecture: Architecture) -> bool:
    value = architecture.settings.get(word.name)
    default = None if word.default is None else _resolve(word, word.default, architecture.stages)
    return value is not None and value != default


def _dumps(data: object) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
