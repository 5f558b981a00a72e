from __future__ import annotations

import pytest

from bench.fleet.answers import ApiError
from bench.fleet.bodies import parse_model, strict_json
from bench.fleet.schemas import FailBody, HeartbeatBody


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


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"[]", "the request: input should be a valid dictionary"),
        (b'{"phase": "timing", "done": 1}', "total: field required"),
        (b'{"phase": "timing", "done": 1, "total": 2, "more": 3}', "more: extra inputs are not permitted"),
        (b'{"phase": "timing", "done": "1", "total": 2}', "done: input should be a valid integer"),
        (b'{"phase": "timing", "done": true, "total": 2}', "done: input should be a valid integer"),
        (b'{"phase": "timing", "done": 1.0, "total": 2}', "done: input should be a valid integer"),
        (b'{"phase": "timing", "done": -1, "total": 2}', "done: input should be greater than or equal to 0"),
        (b'{"phase": 7, "done": 1, "total": 2}', "phase: input should be a valid string"),
    ],
)
def test_a_document_has_the_fields_of_its_model_and_no_other(content: bytes, line: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_model(content, HeartbeatBody)
    assert caught.value.status == 422
    assert caught.value.line.startswith(line)


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(ApiError) as caught:
        parse_model(b'{"kind": "hunter2", "reason": "x"}', FailBody)
    assert "hunter2" not in caught.value.line
