"""Reads a tree of frozen dataclasses from plain mappings, as YAML and JSON give them."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from bench.errors import ConfigError, nearest

Tree = TypeVar("Tree")


def parse_tree(kind: type[Tree], data: Mapping[str, Any], path: str = "") -> Tree:
    """The dataclass `kind` from a mapping, with the dataclasses in it; what is not named keeps its default.

    Args:
        path: of the mapping in a larger one, with a dot behind it; for messages.

    Raises:
        ConfigError: an unknown key, or a value of the wrong type.
    """
    hints = get_type_hints(kind)
    names = [item.name for item in fields(kind)]  # type: ignore[arg-type]  # always a dataclass
    found = {}
    for key, value in data.items():
        if key not in names:
            raise ConfigError(
                f"unknown setting {path + str(key)!r}; known: {', '.join(names)}{nearest(str(key), names)}"
            )
        found[key] = _value(hints[key], value, path + key)
    return kind(**found)


def _value(kind: Any, value: Any, path: str) -> Any:
    if is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{path} is {value!r}; it holds settings of its own; write them indented below it")
        return parse_tree(kind, value, path + ".")  # type: ignore[arg-type]  # a class, not an instance
    if get_origin(kind) in (Union, types.UnionType):
        if value is None:
            return None
        kind = next(option for option in get_args(kind) if option is not type(None))
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            known = [str(option) for option in get_args(kind)]
            raise ConfigError(f"{path} is {value!r}; allowed: {', '.join(known)}{nearest(str(value), known)}")
        return value
    if get_origin(kind) is tuple:
        if isinstance(value, str) or not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
            raise ConfigError(f"{path} is {value!r}; a list of words is needed; write [a, b]")
        return tuple(value)
    accepted = (int, float) if kind is float else (kind,)
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(f"{path} is {value!r}; {kind.__name__} is needed; change it")
    return float(value) if kind is float else value
