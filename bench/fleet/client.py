"""The hub as this side of it sees it: typed calls over HTTP, for searches, measurements and the commands.

Only the standard library is needed, so that a machine whose hub runs elsewhere needs no web framework.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.agent.transport import Hub, HubError, Reply
from bench.errors import BenchError, FleetError
from bench.fleet.address import HubAddress
from bench.fleet.states import AttemptState, JobEvent, RunnerState

# Of a reply: a result holds the samples of all artifacts of a job.
_REPLY_LIMIT = 64 << 20
# Of a call before its bytes; longer than the hub holds a question for events.
_TIMEOUT_S = 45.0
# The few seconds that a hub may need to start again; whoever can wait longer asks again.
_ATTEMPTS = 3
_UNAUTHORISED, _NOT_FOUND, _CONFLICT = 401, 404, 409


class UnreachableError(FleetError):
    """The hub does not answer, or is too busy to: the same call may succeed later."""


class RefusedError(FleetError):
    """The hub has answered and says no.

    Attributes:
        status: of HTTP; 0: its certificate is another, or its answer makes no sense.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class HubClient:
    """Calls of the hub's API in the name of one token; may be used from several threads.

    Args:
        address: of the hub.
        token: of kind "client" or "admin".
        revive: is asked for an address when the hub does not answer, such as one that this process starts itself;
            None from it, or in its place: there is none.
        is_embedded: whether the hub is inside this process, and ends with it.
    """

    def __init__(
        self,
        address: HubAddress,
        token: str,
        *,
        revive: Callable[[], HubAddress | None] | None = None,
        is_embedded: bool = False,
    ) -> None:
        self._token, self._revive, self.is_embedded = token, revive, is_embedded
        self._known = (address, _hub(address, token))

    @property
    def address(self) -> HubAddress:
        """Where the hub answers."""
        return self._known[0]

    def close(self) -> None:
        """Ends the connection of the calling thread; its next call makes another."""
        self._known[1].close()

    def check(self) -> None:
        """Whether the hub answers and takes the token.

        Raises:
            UnreachableError: it does not answer.
            RefusedError: the token is none of its own.
        """
        self.runners()

    def runners(self) -> tuple[RunnerState, ...]:
        """All runners by name, without those that were removed."""
        found = self._json("GET", "/v1/runners")
        listed = found["runners"] if isinstance(found, Mapping) else found
        states = (RunnerState.from_dict(document) for document in listed)
        return tuple(sorted((state for state in states if state.status != "removed"), key=lambda state: state.name))

    def runner(self, name: str) -> RunnerState:
        """One runner by name or id."""
        return RunnerState.from_dict(self._json("GET", f"/v1/runners/{quote(name, safe='')}"))

    def attempts(self, name: str) -> tuple[AttemptState, ...]:
        """What a runner was given last, newest first; with a token of kind "client" its own jobs alone."""
        found = self._json("GET", f"/v1/runners/{quote(name, safe='')}/attempts")
        return tuple(AttemptState.from_dict(document) for document in found)

    def set_runner(self, name: str, action: str, *, reason: str | None = None) -> None:
        """Does `action` ("drain", "resume", "quarantine" or "remove") to a runner."""
        self._json("POST", f"/v1/runners/{quote(name, safe='')}/{action}", {"reason": reason} if reason else {})

    def add_enrolment(self, name: str) -> tuple[str, float]:
        """A code that an agent enrols with under `name`, once, and the seconds that it is good for."""
        found = self._json("POST", "/v1/enrolments", {"name": name})
        return str(found["code"]), float(found["expires_s"])

    def add_token(self, kind: str, name: str) -> tuple[int, str]:
        """Id and text of a new token; nobody is shown the text again."""
        found = self._json("POST", "/v1/tokens", {"kind": kind, "name": name})
        return int(found["id"]), str(found["token"])

    def tokens(self) -> tuple[Mapping[str, Any], ...]:
        """All tokens, without their text."""
        found = self._json("GET", "/v1/tokens")
        return tuple(found["tokens"] if isinstance(found, Mapping) else found)

    def revoke_token(self, token_id: int) -> None:
        """Nobody can use it any more."""
        self._json("DELETE", f"/v1/tokens/{token_id}")

    def has_blob(self, sha256: str) -> bool:
        """Whether the hub holds a file of that content."""
        try:
            self._ask("HEAD", _blob(sha256))
        except RefusedError as error:
            if error.status != _NOT_FOUND:
                raise
            return False
        return True

    def put_blob(self, sha256: str, path: Path) -> None:
        """Uploads a file."""
        self._ask("PUT", _blob(sha256), path)

    def submit(self, body: Mapping[str, Any], *, key: str) -> str:
        """The id of the job that is made of `body`; the same key gives the same job.

        Raises:
            RefusedError: status 409: a file that it names is not there; 404: no such runner.
        """
        return str(self._json("POST", "/v1/jobs", dict(body), headers={"Idempotency-Key": key})["job_id"])

    def job(self, job_id: str) -> Mapping[str, Any]:
        """A job as the hub tells it: `status`, `reason` and more."""
        found = self._json("GET", f"/v1/jobs/{job_id}")
        assert isinstance(found, Mapping)
        return found

    def events(self, job_id: str, *, after: int, wait_s: float) -> tuple[JobEvent, ...]:
        """What happened to a job after that event; waits for so many seconds until there is something."""
        reply = self._ask("GET", f"/v1/jobs/{job_id}/events?after={after}&wait={wait_s:g}")
        return tuple(JobEvent.from_json(line) for line in reply.body.splitlines() if line.strip())

    def result(self, job_id: str) -> Any:
        """`measurements` of a job that is done, unjudged."""
        return self._json("GET", f"/v1/jobs/{job_id}/result")

    def cancel(self, job_id: str) -> None:
        """Ends a job; one that has ended stays as it is."""
        try:
            self._json("DELETE", f"/v1/jobs/{job_id}")
        except RefusedError as error:
            if error.status not in (_NOT_FOUND, _CONFLICT):
                raise

    def _json(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Any:
        reply = self._ask(method, path, body, headers=headers)
        if not reply.body:
            return {}
        try:
            return json.loads(reply.body)
        except ValueError as error:
            raise FleetError(f"{self.address.url} answers no JSON; a hub does; check its address") from error

    def _ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | Path | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        try:
            return self._once(method, path, body, headers)
        except UnreachableError:
            address = self._revived()
            if address is None:
                raise
            if address != self.address:
                self.close()
                self._known = (address, _hub(address, self._token))
        return self._once(method, path, body, headers)

    def _revived(self) -> HubAddress | None:
        try:
            return None if self._revive is None else self._revive()
        except BenchError as error:  # what keeps a hub from starting now may be over later
            raise UnreachableError(str(error)) from error

    def _once(
        self, method: str, path: str, body: dict[str, Any] | Path | None, headers: Mapping[str, str] | None
    ) -> Reply:
        hub = self._known[1]
        try:
            return hub.request(method, path, body=body, headers=headers, limit=_REPLY_LIMIT, attempts=_ATTEMPTS)
        except HubError as error:
            if error.is_passing:
                raise UnreachableError(str(error)) from error
            raise RefusedError(_advised(error), status=error.status) from error


def _hub(address: HubAddress, token: str) -> Hub:
    try:
        return Hub(address.url, fingerprint=address.fingerprint, token=token, timeout_s=_TIMEOUT_S)
    except HubError as error:
        raise FleetError(str(error)) from error


def _advised(error: HubError) -> str:
    """The hub's own line, with what to do where it cannot know that."""
    if error.status == _UNAUTHORISED:
        return f"{error}; this hub's own tokens are taken; set BENCH_HUB_TOKEN to one (`bench hub token create NAME`)"
    return str(error)


def _blob(sha256: str) -> str:
    return f"/v1/blobs/sha256/{sha256}"
