"""Questions to a running dashboard, as a browser or anything else would put them."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        found = self.json
        assert list(found) == ["error"]
        assert "\n" not in found["error"]
        return str(found["error"])


def ask(url: str, path: str = "/", *, method: str = "GET", body: bytes | None = None, **headers: str) -> Answered:
    """One request on a connection of its own; redirects are not followed, certificates of tests not verified."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, context=context, timeout=30)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body, headers=sent)
        found = connection.getresponse()
        told = {name.lower(): value for name, value in found.getheaders()}
        return Answered(status=found.status, headers=told, body=found.read())
    finally:
        connection.close()
