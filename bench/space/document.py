"""Reads YAML into nodes that know their line, so that every mistake can be named where it stands."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import yaml

from bench.errors import SpaceError, nearest
from bench.space.words import Scalar

MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Node:
    """One YAML node and the file it stands in."""

    raw: yaml.Node
    source: str

    @property
    def origin(self) -> str:
        return f"{self.source}, line {self.raw.start_mark.line + 1}"

    @property
    def shown(self) -> str:
        """The node in a few words, for messages."""
        match self.raw:
            case yaml.ScalarNode(value=value):
                return repr(value)
            case yaml.SequenceNode():
                return "a list"
            case _:
                return "a mapping"

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.raw, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        return isinstance(self.raw, yaml.SequenceNode)

    def error(self, message: str) -> SpaceError:
        return SpaceError(f"{self.origin}: {message}")

    @contextlib.contextmanager
    def located(self) -> Iterator[None]:
        """Errors from inside are raised with the place of this node before their message."""
        try:
            yield
        except SpaceError as error:
            raise self.error(str(error)) from None

    def mapping(self, what: str, known: Iterable[str] | None = None) -> dict[str, Node]:
        """The entries of a mapping; `known` names the keys it may have.

        Raises:
            SpaceError: not a mapping, a key twice, an unknown key.
        """
        if not isinstance(self.raw, yaml.MappingNode):
            raise self.error(f"{what} is {self.shown}; allowed: a mapping of keys to values; write one")
        entries: dict[str, Node] = {}
        for raw_key, raw_value in self.raw.value:
            key = Node(raw_key, self.source)
            name = raw_key.value if isinstance(raw_key, yaml.ScalarNode) else ""
            if not name:
                raise key.error(f"a key of {what} is {key.shown}; allowed: a word; write one")
            if known is not None and name not in (words := list(known)):
                hint = nearest(name, words) or "; remove it or use one of them"
                raise key.error(f"unknown key {name!r} in {what}; known: {', '.join(words)}{hint}")
            if name in entries:
                raise key.error(f"key {name!r} stands twice in {what}; allowed: once; remove one of the two")
            entries[name] = Node(raw_value, self.source)
        return entries

    def items(self, what: str) -> list[Node]:
        """The entries of a list.

        Raises:
            SpaceError: not a list.
        """
        if not isinstance(self.raw, yaml.SequenceNode):
            raise self.error(f"{what} is {self.shown}; allowed: a list; write one")
        return [Node(item, self.source) for item in self.raw.value]

    def scalar(self, what: str) -> Scalar | None:
        """A single value; None for YAML's null.

        Raises:
            SpaceError: a list or a mapping, or a scalar that is neither text, number nor boolean.
        """
        if isinstance(self.raw, yaml.ScalarNode):
            try:
                value = yaml.SafeLoader("").construct_object(self.raw)
            except (yaml.YAMLError, ValueError, OverflowError):
                value = self.raw
            if value is None or isinstance(value, str | int | float | bool):
                return value
        raise self.error(f"{what} is {self.shown}; allowed: one word or number; write one")

    def text(self, what: str) -> str:
        """A text.

        Raises:
            SpaceError: anything else, an empty text included.
        """
        value = self.scalar(what)
        if not isinstance(value, str) or not value.strip():
            raise self.error(f"{what} is {self.shown}; allowed: text; write some, in quotes if need be")
        return value


def read_documents(text: str, *, source: str) -> list[Node]:
    """The documents of a YAML text.

    Raises:
        SpaceError: not YAML, or empty.
    """
    if len(text) > MAX_BYTES:
        raise SpaceError(f"{source}: {len(text)} characters; allowed: {MAX_BYTES}; this is no space file")
    try:
        documents = [Node(raw, source) for raw in yaml.compose_all(text, Loader=yaml.SafeLoader) if raw]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "an unreadable character"
        raise SpaceError(f"{source}{line}: not YAML: {problem}; allowed: a YAML mapping; correct it") from None
    except RecursionError:
        raise SpaceError(f"{source}: nested too deeply; allowed: what people write; flatten it") from None
    if not documents:
        raise SpaceError(f"{source}: the file is empty; allowed: name, family, stages ...; write a space")
    return documents
