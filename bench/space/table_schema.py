"""Space files of `family: table`: the columns of a table of trained networks (see `search_spaces/README.md`)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from types import MappingProxyType

from bench.errors import nearest
from bench.space.document import Node
from bench.space.genes import Gene
from bench.space.statements import RANGE_KEYS, read_choice, read_name, read_rules
from bench.space.table import TableSpace
from bench.space.tree import grow
from bench.space.vocabulary import TABLE
from bench.space.words import Family, Kind, Scalar, Word

KEYS = ("name", "family", "description", "columns", "ordered", "identity", "known", "rules")


def parse_table(document: Node, further: Sequence[Node], *, text: str, source: str) -> TableSpace:
    """The space that a file of `family: table` describes, not yet bound to a table.

    Args:
        document: the file.
        further: YAML documents behind it, with rules that were added.

    Raises:
        SpaceError: names the line, the key, what was found and what is allowed.
    """
    entries = document.mapping("a space of a table", KEYS)
    for key in ("name", "columns"):
        if key not in entries:
            raise document.error(f"{key!r} is missing; a space of a table has {', '.join(KEYS)}; add it")
    columns = entries["columns"].mapping("columns")
    if not columns:
        raise entries["columns"].error("no columns; at least one is needed; name those that say what a network is")
    ordered = _names(entries.get("ordered"), "ordered", known=tuple(columns))
    known = _others(entries.get("known"), "known", tuple(columns))
    identity = _identity(entries.get("identity"), tuple(columns))
    words = {name: _word(node, name, is_ordered=name in ordered) for name, node in columns.items()}
    family = Family(
        name=TABLE.name,
        num_stages=0,
        settings=tuple(words.values()),
        stage=(),
        quantities=MappingProxyType(dict.fromkeys(known, "a column of the table, known before anything is trained")),
    )
    genes = tuple(
        Gene(
            name=name,
            word=words[name],
            stage=None,
            choice=read_choice(node, name, words[name], None, family, nesting=0),
            origin=node.origin,
        )
        for name, node in columns.items()
    )
    conditions = read_rules(entries.get("rules"), family)
    for addition in further:
        conditions += read_rules(addition.mapping("a further document", ("rules",)).get("rules"), family)
    return TableSpace(
        name=read_name(entries["name"], "name"),
        family=family.name,
        description=entries["description"].text("description") if "description" in entries else "",
        text=text,
        source=source,
        genes=genes,
        conditions=conditions,
        reference_points=MappingProxyType({}),
        tree=grow(genes),
        words=family,
        identity=identity,
    )


def _word(node: Node, name: str, *, is_ordered: bool) -> Word:
    """The word of a column, of the one kind that all its choices have."""
    values = [_scalar(part, name) for part in _parts(node, name)]
    meaning = "in order" if is_ordered else "without an order"
    kind = _kind(values)
    if kind is None:
        raise node.error(
            f"{name} has choices of several kinds ({', '.join(map(repr, values[:6]))}); allowed: all numbers, all "
            "words or all true and false; put quotes around all of them to make them words"
        )
    allowed = tuple(value for value in values if isinstance(value, str))
    return Word(
        name=name, kind=kind, meaning=meaning, allowed=allowed, low=-math.inf, high=math.inf, is_ordered=is_ordered
    )


def _parts(node: Node, name: str) -> Iterator[Node]:
    """Every value that a column's choices are written with."""
    if node.is_list:
        yield from node.items(name)
    elif node.is_mapping:
        yield from node.mapping(name, RANGE_KEYS).values()
    else:
        yield node


def _scalar(node: Node, name: str) -> Scalar:
    value = node.scalar(name)
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        raise node.error(f"a choice of {name} is {node.shown}; allowed: a number, a word, true or false; write one")
    return value


def _kind(values: Sequence[Scalar]) -> Kind | None:
    if all(isinstance(value, bool) for value in values):
        return "boolean"
    if all(isinstance(value, str) for value in values):
        return "word"
    if any(isinstance(value, bool | str) for value in values):
        return None
    return "integer" if all(isinstance(value, int) for value in values) else "ratio"


def _names(node: Node | None, key: str, *, known: Sequence[str] | None = None) -> tuple[str, ...]:
    """A list of names, each once; all of them among `known` where that is given."""
    names: list[str] = []
    for item in node.items(key) if node else ():
        name = item.text(f"an entry of {key}")
        if known is not None and name not in known:
            hint = nearest(name, known) or "; name one of them"
            raise item.error(f"{key} names {name!r}, which is none of the columns: {', '.join(known)}{hint}")
        if name in names:
            raise item.error(f"{key} names {name!r} twice; allowed: once; remove one")
        names.append(name)
    return tuple(names)


def _others(node: Node | None, key: str, columns: Sequence[str]) -> tuple[str, ...]:
    """A list of columns of the table that are no choices."""
    names = _names(node, key)
    for name, item in zip(names, node.items(key) if node else (), strict=True):
        if name in columns:
            raise item.error(f"{key} names {name!r}, which is one of the choices; allowed: other columns; remove it")
    return names


def _identity(node: Node | None, columns: Sequence[str]) -> str | None:
    if node is None:
        return None
    name = node.text("identity")
    if name in columns:
        raise node.error(
            f"identity is {name!r}, which is one of the choices; allowed: another column, equal where rows are the "
            "same network; name one, or leave it out"
        )
    return name
