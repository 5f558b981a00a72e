from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bench.agent.failure import KINDS
from bench.fleet.answers import ApiError
from bench.fleet.limits import Limits
from bench.fleet.schemas.jobs import JobBody
from bench.fleet.schemas.leases import FailBody
from bench.fleet.submissions import check_submission, digest

from .examples import body_of, make_job, sha_of

Change = Callable[[dict[str, Any]], None]


def check(body: dict[str, Any], **limits: Any) -> dict[str, Any]:
    return check_submission(JobBody.model_validate(body), limits=Limits(**limits))


def refused(body: dict[str, Any], **limits: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        check(body, **limits)
    return caught.value


def test_a_job_is_stored_as_it_was_sent() -> None:
    body = body_of(make_job(b"one", b"two"), priority=3, is_test=True)
    assert check(body) == body


def entry(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = body["files"]["network-0"][0]
    return found


def name_timm(body: dict[str, Any], name: str) -> None:
    setup = {"runtime": "torch", "threads": 1, "precision": "fp32", "channels_last": False, "options": []}
    body["job"]["artifacts"][0].update(format="safetensors", architecture={"timm": name}, setup=setup)


def test_a_network_of_timm_is_named_plainly() -> None:
    body = body_of(make_job(b"network"))
    name_timm(body, "fastvit_t8.apple_in1k")
    check(body)


CHANGES: dict[str, Change] = {
    "a path in the job": lambda body: body["job"]["artifacts"][0].update(path="/etc/passwd"),
    "a name that climbs": lambda body: entry(body).update(name="../../artifact"),
    "an absolute name": lambda body: entry(body).update(name="/etc/passwd"),
    "an encoded name": lambda body: entry(body).update(name="..%2fartifact"),
    "another file's hash": lambda body: entry(body).update(sha256=sha_of(b"else")),
    "two files of one artifact": lambda body: body["files"]["network-0"].append(dict(entry(body))),
    "no file of an artifact": lambda body: body["files"].pop("network-0"),
    "files of nobody": lambda body: body["files"].update(stranger=[dict(entry(body))]),
    "an unknown key of the job": lambda body: body["job"].update(command="sh"),
    "an unknown key of an artifact": lambda body: body["job"]["artifacts"][0].update(url="http://x"),
    "a pickle": lambda body: body["job"]["artifacts"][0].update(format="pt"),
    "a plan": lambda body: body["job"]["artifacts"][0].update(format="engine"),
    "an address for timm": lambda body: name_timm(body, "hf-hub:somebody/something"),
    "a folder for timm": lambda body: name_timm(body, "local-dir:/home"),
    "a picture of a mile": lambda body: body["job"].update(resolution=1 << 20),
    "restarts without end": lambda body: body["job"].update(most_restarts=10**9),
    "a flag that is a number": lambda body: body["job"].update(repeats=1),
    "no artifacts": lambda body: body["job"].update(artifacts=[]),
    "one label twice": lambda body: body["job"]["artifacts"][0].update(label="reference"),
    "logits of text": lambda body: body["job"]["artifacts"][0].update(logits=["1"]),
    "options that are no pairs": lambda body: body["job"]["artifacts"][0].update(
        setup={"runtime": "onnxruntime", "options": [["one"]]}
    ),
    "a setup that is a text": lambda body: body["job"]["artifacts"][0].update(setup="onnxruntime"),
    "artifacts that are a number": lambda body: body["job"].update(artifacts=7),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_no_device_would_take_is_not_queued(change: Change) -> None:
    body = body_of(make_job(b"network"))
    check(body)
    change(body)
    assert refused(body).status == 422


def test_bounds_of_the_hub_are_kept() -> None:
    assert refused(body_of(make_job(), max_s=3601.0), job_s=3600.0).status == 422
    assert refused(body_of(make_job(b"one", b"two")), artifacts=1).status == 422
    assert refused(body_of(make_job()), blob_bytes=8).status == 413
    check(body_of(make_job()), blob_bytes=9)


def test_a_digest_is_of_what_is_said_and_not_of_its_order() -> None:
    assert digest({"a": 1, "b": [2, 3]}) == digest({"b": [2, 3], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})


def test_the_kinds_of_failure_are_those_of_the_agent() -> None:
    schema = FailBody.model_json_schema()
    assert sorted(schema["properties"]["kind"]["enum"]) == sorted(KINDS)
