"""JSON as the hub takes it: nothing that readers disagree on, and what a document costs before it is read.

JSON leaves room that nobody needs here: keys that occur twice, NaN, numbers without end, brackets as deep as one
likes, halves of characters. All of it is refused before anything looks at the document.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from bench.fleet.answers import ApiError

_DEPTH = 32
_LARGEST = 2**63
_NAME_LENGTH = 40
# Counted at a time, so that other threads have their turns.
_STRETCH = 1 << 20
# Bytes that CPython 3.11 needs for what begins or ends with these (sys.getsizeof, and resident memory while documents
# of 4 MB were read): a number or a place in a list, half a text, an entry of an object. A list or an object needs 96,
# and counts for more because it costs time too: two million of them held the interpreter for a second, which looks
# through all of them again and again for garbage while it makes them.
_COSTS = {b",": 40, b'"': 32, b":": 150, b"[": 512, b"{": 512}
# Of a byte of text: decoded, and once more in the texts of the document; up to four bytes a character, each time.
_ASCII_COST, _WIDE_COST = 2, 8


def memory_of(content: bytes) -> int:
    """Bytes that reading a JSON document may take in memory, at most; nothing of it is read for that.

    What stands in texts counts like what does not, so that this is too much for texts full of brackets.
    """
    cost = len(content) * (_ASCII_COST if content.isascii() else _WIDE_COST)
    for begin in range(0, len(content), _STRETCH):
        stretch = content[begin : begin + _STRETCH]
        cost += sum(stretch.count(mark) * price for mark, price in _COSTS.items())
    return cost


def strict_json(content: bytes) -> Any:
    """A JSON document without anything that readers disagree on.

    Raises:
        ApiError: 422.
    """
    try:
        document = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_whole,
        )
    except RecursionError:
        raise _fault(f"brackets deeper than {_DEPTH}") from None
    except UnicodeDecodeError:
        raise _fault("bytes that are no UTF-8") from None
    except json.JSONDecodeError as error:
        raise _fault(f"no JSON at position {error.pos}") from None
    except ValueError as error:  # a number of thousands of digits, or ours
        raise _fault(str(error) if isinstance(error, _FaultError) else "a number that is too large") from None
    _check(document)
    return document


class _FaultError(ValueError):
    """What is wrong with a document, in words."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _FaultError(f"key {twice[:_NAME_LENGTH]!a} twice in one object")
    return found


def _no_constant(text: str) -> float:
    raise _FaultError(f"{text}, which is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _FaultError("a number that is too large")
    return value


def _whole(text: str) -> int:
    # A function of Python's own, unlike `int`: other threads have their turns while millions of samples are read.
    value = int(text)
    if not -_LARGEST < value < _LARGEST:
        raise _FaultError("a whole number of more than 63 bits")
    return value


def _check(document: Any) -> None:
    """Depth, and texts that can be stored and sent again; in the memory of one place for each level."""
    open_: list[Iterator[Any]] = [iter((document,))]
    while open_:
        for value in open_[-1]:
            kind = type(value)
            if kind is str:
                _check_text(value)
            elif kind is list or kind is dict:
                if len(open_) > _DEPTH:
                    raise _fault(f"brackets deeper than {_DEPTH}")
                if kind is dict:
                    for key in value:
                        _check_text(key)
                open_.append(iter(value.values() if kind is dict else value))
                break
        else:
            open_.pop()


def _check_text(text: str) -> None:
    if "\0" in text:
        raise _fault("a text with a NUL character")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _fault("a text with half a character (a lone surrogate)") from None


def _fault(what: str) -> ApiError:
    return ApiError(422, f"the body has {what}; plain JSON is needed; correct it")
