from __future__ import annotations

import re

import pytest

from bench import errors
from bench.errors import BenchError, ContentError, MissingExtra, nearest

LEAVES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BenchError)]


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_a_message_is_shown_as_it_is(kind: type[BenchError]) -> None:
    assert str(kind("got 3; 1 or 2 are allowed; change it")) == "got 3; 1 or 2 are allowed; change it"


def test_every_error_is_of_a_built_in_kind_too() -> None:
    for kind in LEAVES:
        if kind is not BenchError:
            assert len(kind.__mro__) > len(BenchError.__mro__) + 0
            assert any(base.__module__ == "builtins" and base is not Exception for base in kind.__bases__)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert errors.__doc__
    drawn = dict(re.findall(r"\+-- (\w+) \((\w+)\)", errors.__doc__))
    assert drawn == {kind.__name__: kind.__bases__[1].__name__ for kind in LEAVES if kind is not BenchError}


def test_file_and_import_errors_keep_their_words() -> None:
    assert str(ContentError("no file 'x'")) == "no file 'x'"
    assert str(MissingExtra("psycopg is missing")) == "psycopg is missing"


def test_the_nearest_word_is_offered_and_nothing_far_away() -> None:
    assert nearest("latncy", ["latency", "macs"]) == "; did you mean 'latency'?"
    assert nearest("zzz", ["latency", "macs"]) == ""
    assert nearest("x", []) == ""
