"""The document that an agent in another language is written against."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from .hubs import Served

PUBLIC = {("get", "/v1/health"), ("post", "/v1/enroll")}
CALLS = {
    ("get", "/v1/health"),
    ("post", "/v1/enroll"),
    ("post", "/v1/tokens"),
    ("get", "/v1/tokens"),
    ("delete", "/v1/tokens/{token_id}"),
    ("post", "/v1/tokens/rotate"),
    ("post", "/v1/enrolments"),
    ("get", "/v1/runners"),
    ("get", "/v1/runners/{name}"),
    ("get", "/v1/runners/{name}/attempts"),
    *(("post", f"/v1/runners/{{name}}/{action}") for action in ("drain", "resume", "quarantine", "remove")),
    ("put", "/v1/runners/{runner_id}/capabilities"),
    ("post", "/v1/runners/{runner_id}/lease"),
    *((method, "/v1/blobs/sha256/{sha256}") for method in ("head", "put", "get")),
    ("post", "/v1/jobs"),
    ("get", "/v1/jobs/{job_id}"),
    ("delete", "/v1/jobs/{job_id}"),
    ("get", "/v1/jobs/{job_id}/result"),
    ("get", "/v1/jobs/{job_id}/events"),
    ("post", "/v1/leases/{fence}/heartbeat"),
    ("post", "/v1/leases/{fence}/look"),
    ("put", "/v1/leases/{fence}/result"),
    ("post", "/v1/leases/{fence}/fail"),
}


@pytest.fixture(scope="module")
def document(shared_hub: Served) -> dict[str, Any]:
    found: dict[str, Any] = shared_hub.nobody.get("/v1/openapi.json").json
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield (method, path), operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_every_call_is_in_it(document: dict[str, Any]) -> None:
    assert {call for call, _ in operations(document)} == CALLS


def test_names_of_calls_are_their_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert "#/components/schemas/JobBody" in found
    for reference in found:
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


def test_every_call_but_two_needs_a_token_and_says_how_it_is_refused(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for call, operation in operations(document):
        assert ("security" in operation) is (call not in PUBLIC), call
        for status in ("401", "422", "429", "503"):
            schema = operation["responses"][status]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorDoc"}, call


def test_bodies_are_described_with_examples(document: dict[str, Any]) -> None:
    with_body = {call for call, operation in operations(document) if "requestBody" in operation}
    assert len(with_body) == 14
    schemas = document["components"]["schemas"]
    for name in ("JobBody", "CapabilitiesBody", "EnrolBody", "HeartbeatBody", "FailBody", "EventDoc", "ErrorDoc"):
        assert schemas[name]["examples"], name
    assert schemas["JobBody"]["additionalProperties"] is False


def test_it_is_the_same_each_time(shared_hub: Served, document: dict[str, Any]) -> None:
    assert json.loads(shared_hub.admin.get("/v1/openapi.json").body) == document
