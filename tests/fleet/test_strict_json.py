from __future__ import annotations

import json
import multiprocessing
import os
import resource
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.fleet.answers import ApiError
from bench.fleet.strict_json import memory_of, strict_json
from bench.measure.job import FULL

from .examples import encode, make_job, measured

MIB = 1 << 20


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": [1, -2.5e3, true, null, "text"], "b": {"c": []}}',
        '{"\u00fcber": "\u20ac \U0001f600"}'.encode(),
        b'{"pair": "\\ud83d\\ude00"}',
        b"[" * 32 + b"]" * 32,
        b"9223372036854775807",
    ],
)
def test_plain_json_is_read(content: bytes) -> None:
    strict_json(content)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "no JSON at position 0"),
        (b"{", "no JSON at position 1"),
        (b"{'a': 1}", "no JSON"),
        (b'{"a": 1} {"b": 2}', "no JSON at position 9"),
        (b"[NaN]", "NaN, which is no JSON"),
        (b"[Infinity]", "Infinity, which is no JSON"),
        (b"[-Infinity]", "-Infinity, which is no JSON"),
        (b"[1e999]", "a number that is too large"),
        (b"[-1e999]", "a number that is too large"),
        (b"[" + b"9" * 5000 + b"]", "a number that is too large"),
        (b"[9223372036854775808]", "a whole number of more than 63 bits"),
        (b'{"a": 1, "a": 2}', "key 'a' twice"),
        (b'[{"b": {"a": 1, "b": 2, "a": 1}}]', "key 'a' twice"),
        (b"[" * 33 + b"]" * 33, "brackets deeper than 32"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "brackets deeper than 32"),
        (b"[" * 100_000, "brackets deeper than 32"),
        (b'["\\ud800"]', "half a character"),
        (b'{"\\udc00": 1}', "half a character"),
        (b'["a\\u0000b"]', "a NUL character"),
        (b'["\xff"]', "no UTF-8"),
        ('["x"]'.encode("utf-16"), "no UTF-8"),
        (b"\xef\xbb\xbf[]", "no JSON"),
    ],
)
def test_what_readers_disagree_on_is_refused(content: bytes, line: str) -> None:
    with pytest.raises(ApiError) as caught:
        strict_json(content)
    assert caught.value.status == 422
    assert line in caught.value.line


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**62), 2**62)
        | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=5), inner, max_size=4),
        max_leaves=20,
    )
)
def test_plain_json_is_read_as_by_others(document: object) -> None:
    content = json.dumps(document).encode()
    assert strict_json(content) == json.loads(content)


_DENSE = {
    "lists": b"[" + b"[]," * 200_000 + b"1]",
    "lists of one": b"[" + b"[7]," * 200_000 + b"1]",
    "lists in lists": b"[" + (b"[" * 20 + b"]" * 20 + b",") * 15_000 + b"1]",
    "objects in objects": b"[" + (b'{"":' * 20 + b"0" + b"}" * 20 + b",") * 8_000 + b"1]",
    "keys": b"{" + b",".join(b'"%x":0' % index for index in range(100_000)) + b"}",
    "whole numbers": b"[" + b"2000001," * 300_000 + b"1]",
    "numbers": b"[" + b"1.5," * 300_000 + b"1]",
    "texts": b"[" + b'"ab",' * 300_000 + b"1]",
    "a text of wide characters": ('["' + "a" * 4_000_000 + "\U0001f600" + '"]').encode(),
}


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_reading_takes_no_more_memory_than_was_counted() -> None:
    # In a process of its own: what tests before have freed would be filled first, and not be seen.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.submit(_all_taken).result(timeout=120)
    for name, taken in found.items():
        content = _DENSE[name]
        assert len(content) < taken <= memory_of(content) + 4 * MIB, name  # of pages copied after the fork


def _all_taken() -> dict[str, int]:
    return {name: _taken(content) for name, content in _DENSE.items()}


def _taken(content: bytes) -> int:
    """Bytes by which a process grows that reads it: one of its own, whose largest size is its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        kept = strict_json(content)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        os.write(writing, str(grown if kept else 0).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        found = told.read()
    assert os.waitpid(child, 0)[1] == 0
    return int(found) * (1 if sys.platform == "darwin" else 1024)


def test_what_is_counted_grows_with_the_structure() -> None:
    assert memory_of(b"[" * MIB) >= 96 * MIB
    assert memory_of(b"1" * MIB) <= 2 * MIB


def test_the_fullest_result_of_a_session_fits() -> None:
    """One of 64 measurements: every block repeated, the most restarts, visits of 28 ms of a network of 0.4 ms."""
    restarts, blocks, runs = int(FULL["most_restarts"]), 2 * int(FULL["blocks"]), 70
    (document,) = measured(make_job(**FULL), restarts=restarts)
    series = [[[400_000 + run for run in range(runs)] for _ in range(blocks)] for _ in range(restarts)]
    document["samples"] = document["reference_samples"] = document["twin_samples"] = series
    document["contended"] = [[False] * blocks] * restarts
    window = {"blocks": 2, "contention": None, "throttling": None, "cpu": {"others": 0.01, "steal": 0.0}, "celsius": 41}
    document["protocol"]["health"] = [[window] * (blocks // 2)] * restarts
    log = {"load_ms": 12.3, "warmup": [400_000] * 1250, "settle": [[410_000]] * blocks}
    document["protocol"]["processes"] = [log] * restarts
    content = encode(document)
    assert 64 * len(content) > 60 * MIB
    assert memory_of(content) <= 12 * len(content)
    strict_json(content)
