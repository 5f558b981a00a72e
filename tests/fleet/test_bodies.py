from __future__ import annotations

import pytest

from bench.fleet.answers import ApiError
from bench.fleet.bodies import parse_model
from bench.fleet.schemas.leases import FailBody, HeartbeatBody


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
