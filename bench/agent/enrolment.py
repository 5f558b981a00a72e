"""How a device becomes a runner: a code that is good for once and ten minutes buys a token, which a file then keeps.

The line that the hub prints goes into the environment variable BENCH_ENROL and not among the arguments, which every
user of a machine can read:

    BENCH_ENROL='https://192.168.1.5:8741#CODE#sha256:HEX' python3 agent.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.agent import PROTOCOL, VERSION
from bench.agent.files import private_folder, read_private, write_private
from bench.agent.transport import Hub, HubError
from bench.errors import MeasureError

VARIABLE = "BENCH_ENROL"
# Of runners, as the hub allows them; also names of folders here.
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")

_STATE = "agent.json"
_STATE_BYTES = 64 << 10
_LINE = re.compile(r"(https?://[^#\s]{1,300})#([A-Za-z0-9_-]{8,200})(?:#(sha256:[0-9a-fA-F]{64}))?")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOKEN = re.compile(r"[A-Za-z0-9_.~+/=-]{16,512}")
_WAIT_S, _LONGEST_WAIT_S = 25.0, 300.0


@dataclass(frozen=True)
class Enrolment:
    """The line of the hub, taken apart."""

    url: str
    code: str = field(repr=False)
    fingerprint: str | None


@dataclass(frozen=True)
class Identity:
    """Which runner this agent is, and how it shows it.

    Attributes:
        url, fingerprint: of the hub.
        runner_id, name: of the runner.
        token: that the hub knows it by; a secret.
        wait_s: that the hub lets a request for work wait.
        settings: of the agent, as it was started first.
    """

    url: str
    fingerprint: str | None
    runner_id: str
    name: str
    token: str = field(repr=False)
    wait_s: float = _WAIT_S
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        is_right = (
            isinstance(self.url, str)
            and (self.fingerprint is None or isinstance(self.fingerprint, str))
            and all(
                isinstance(value, str) and pattern.fullmatch(value)
                for value, pattern in ((self.runner_id, _ID), (self.name, NAME), (self.token, _TOKEN))
            )
            and type(self.wait_s) in (int, float)
            and 0 <= self.wait_s <= _LONGEST_WAIT_S
            and isinstance(self.settings, Mapping)
        )
        if not is_right:  # not what: it may be the token
            raise MeasureError("no identity of a runner; what a hub gives at an enrolment is one; register it again")


def parse_enrolment(text: str) -> Enrolment:
    """The line that the hub printed.

    Raises:
        MeasureError: it is none; the message does not repeat it, since it is a secret.
    """
    found = _LINE.fullmatch(text.strip())
    if found is None:
        raise MeasureError(
            f"{VARIABLE} holds no enrolment; the hub prints one as URL#CODE or URL#CODE#sha256:HEX; "
            "run `bench runners register NAME` and copy all of it"
        )
    return Enrolment(url=found[1], code=found[2], fingerprint=found[3])


def enrol(enrolment: Enrolment, hub: Hub, *, capabilities: Mapping[str, Any], settings: Mapping[str, Any]) -> Identity:
    """Buys a token with the code; not repeated, since a code is good for once.

    Raises:
        HubError: the hub does not answer, or does not take the code.
        MeasureError: it answers with something else than an identity.
    """
    body = {
        "code": enrolment.code,
        "agent_version": VERSION,
        "protocol": PROTOCOL,
        "capabilities": dict(capabilities),
    }
    try:
        given = hub.request("POST", "/v1/enroll", body=body, is_repeatable=False).json()
    except HubError as error:
        if error.status not in (401, 403, 404):
            raise
        raise MeasureError(
            f"the hub does not take the code ({error}); one is good for once and ten minutes; "
            "run `bench runners register NAME` again"
        ) from error
    return Identity(
        url=enrolment.url,
        fingerprint=enrolment.fingerprint,
        runner_id=given.get("runner_id", ""),
        name=given.get("name", ""),
        token=given.get("token", ""),
        wait_s=given.get("wait_s", _WAIT_S),
        settings=settings,
    )


def runner_folder(base: Path, name: str) -> Path:
    """The folder of a runner's agent, closed to others.

    Raises:
        MeasureError: no name of a runner, or a folder that cannot be used.
    """
    if not NAME.fullmatch(name):
        raise MeasureError(
            f"{name[:60]!r} is no name of a runner; small letters, digits and ._- are allowed; give an enrolled one"
        )
    return private_folder(private_folder(base) / name)


def save_identity(identity: Identity, folder: Path) -> None:
    """Keeps it in a file that its owner alone may read.

    Raises:
        MeasureError: it cannot be written.
    """
    write_private(folder / _STATE, json.dumps(asdict(identity), indent=2).encode("ascii") + b"\n")


def load_identity(folder: Path) -> Identity:
    """What `save_identity` kept.

    Raises:
        MeasureError: there is nothing, others could read it, or it is damaged.
    """
    path = folder / _STATE
    content = read_private(path, limit=_STATE_BYTES)
    if content is None:
        raise MeasureError(
            f"{folder.name!r} is not enrolled here (no {str(path)!r}); an agent keeps its token there; run "
            f"`bench runners register {folder.name}` beside the hub, and start this with the line that it prints"
        )
    try:
        return Identity(**json.loads(content))
    except (ValueError, TypeError) as error:
        raise MeasureError(f"{str(path)!r} is damaged; a file of this agent is needed; register it again") from error


def enrolled(base: Path) -> tuple[str, ...]:
    """Names that were enrolled on this machine."""
    try:
        return tuple(sorted(path.parent.name for path in base.glob(f"*/{_STATE}")))
    except OSError:
        return ()
