"""What every request passes: it only reads, it comes from where it may, and its answer says what a page may do.

On loopback the name in the address has to be loopback's too, so that no page from elsewhere can reach the server under
a name that it has led here (DNS rebinding). On any other address a token is needed: once in the address, from then on
as a cookie that no script can read. The answer to the token leads to the page without it, so that it stays in no
address and no history, and no Referer is ever sent.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bench.agent.connections import is_loopback

# Nothing inline, nothing evaluated, nothing from elsewhere; charts are turned into images in the page itself.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", POLICY.encode("ascii")),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_QUERY_BYTES = 16 << 10


class Guard:
    """ASGI middleware around the whole server.

    Args:
        app: what answers.
        token: that opens it; None: it is on loopback, for this machine alone.
        hosts: names that the server may be addressed by besides loopback's; None: any.
        is_secure: whether it speaks TLS.
    """

    def __init__(
        self, app: ASGIApp, *, token: str | None = None, hosts: Sequence[str] | None = (), is_secure: bool = False
    ) -> None:
        self._app = app
        self._token, self._hosts, self._is_secure = token, hosts, is_secure
        # Another word than the token, so that what a browser keeps does not open the server from elsewhere in a URL.
        self._pass = None if token is None else hashlib.sha256(b"pass" + token.encode()).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        answer = _Answer(send)
        refusal = self._refusal(scope)
        if refusal is not None:
            await answer.refuse(*refusal)
            return
        if self._token is not None and (shown := _token_shown(scope)) is not None:
            if secrets.compare_digest(shown.encode(), self._token.encode()):
                await answer.redirect(_without_token(scope), self._cookie(scope))
            else:
                await answer.refuse(
                    401, "another token; the one that `bench dashboard` printed opens this; use its address"
                )
            return
        if not self._is_known(scope):
            await answer.refuse(401, "no token; the address that `bench dashboard` printed has one; open that")
            return
        await self._app(scope, receive, answer.send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = dict(scope["headers"])
        if scope["method"] not in ("GET", "HEAD"):
            return 405, f"method {scope['method'][:20]}; this server only reads; use GET"
        if headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers:
            return 413, "a body; no request here has one; send none"
        if len(scope["query_string"]) > _QUERY_BYTES:
            return 414, f"a query of {len(scope['query_string'])} bytes; at most {_QUERY_BYTES} are read; shorten it"
        host = _host(headers.get(b"host", b""))
        if not (is_loopback(host) or self._hosts is None or host in self._hosts):
            return 421, f"host {host[:80]!a}; this server answers to its own address alone; use the one it printed"
        # A browser says so where another site asks, even if it never lets that site read the answer.
        if headers.get(b"sec-fetch-site") == b"cross-site" and headers.get(b"sec-fetch-mode") != b"navigate":
            return 403, "a request from another site; only the page of this server may ask; open that"
        return None

    def _is_known(self, scope: Scope) -> bool:
        if self._token is None or self._pass is None:
            return True
        headers = dict(scope["headers"])
        kind, _, bearer = headers.get(b"authorization", b"").partition(b" ")
        if kind.lower() == b"bearer" and secrets.compare_digest(bearer.strip(), self._token.encode()):
            return True
        return any(secrets.compare_digest(value, self._pass.encode()) for value in _cookies(scope))

    def _cookie(self, scope: Scope) -> str:
        secure = "; Secure" if self._is_secure else ""
        # Not "Strict": a browser that follows a link of a mail or a chat would not send it when it is led to the page.
        # "Lax" sends it for such a navigation alone, and nothing here does more than read.
        return f"{_cookie_name(scope)}={self._pass}; Path=/; HttpOnly; SameSite=Lax{secure}"


class _Answer:
    """An answer with the headers that all have."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            names = {name for name, _ in headers}
            headers += [(name, value) for name, value in _HEADERS if name not in names]
            if b"cache-control" not in names:
                headers.append((b"cache-control", b"no-store"))
            message = {**message, "headers": headers}
        await self._send(message)

    async def refuse(self, status: int, line: str) -> None:
        body = json.dumps({"error": line}).encode("ascii")
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode("ascii"))]
        if status == 405:
            headers.append((b"allow", b"GET, HEAD"))
        headers.append((b"connection", b"close"))  # a body that nobody reads may follow
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def redirect(self, place: str, cookie: str) -> None:
        headers = [
            (b"location", place.encode("latin-1")),
            (b"set-cookie", cookie.encode("latin-1")),
            (b"content-length", b"0"),
        ]
        await self.send({"type": "http.response.start", "status": 303, "headers": headers})
        await self.send({"type": "http.response.body", "body": b""})


def _host(value: bytes) -> str:
    """Of the header, without the port."""
    try:
        return (urlsplit("//" + value.decode("ascii")).hostname or "").lower()
    except (UnicodeDecodeError, ValueError):
        return ""


def _cookie_name(scope: Scope) -> str:
    """Cookies know no ports, so the name does: two dashboards of one machine keep theirs apart."""
    server = scope.get("server")
    return f"bench-dashboard-{server[1] if server else 0}"


def _cookies(scope: Scope) -> list[bytes]:
    """The values of all cookies of this server's name.

    Others of the machine's name may be anything, and there may be several of ours, of an older token or another path.
    Python's `SimpleCookie` gives up everything at the first that is malformed, and the last of a name hides the others.
    """
    name = _cookie_name(scope).encode("ascii")
    lines = [value for header, value in scope["headers"] if header == b"cookie"]
    pairs = [pair.partition(b"=") for line in lines for pair in line.split(b";")]
    return [value.strip().strip(b'"') for key, _, value in pairs if key.strip() == name]


def _token_shown(scope: Scope) -> str | None:
    if scope["path"] != "/":
        return None
    return dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("token")


def _without_token(scope: Scope) -> str:
    """The page itself: a relative reference, so that no query can lead elsewhere."""
    rest = [pair for pair in parse_qsl(scope["query_string"].decode("latin-1")) if pair[0] != "token"]
    return "/" + (f"?{urlencode(rest)}" if rest else "")
