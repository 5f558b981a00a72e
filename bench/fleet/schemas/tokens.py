"""Who may call: health, enrolment, tokens."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bench.agent import PROTOCOL
from bench.fleet.schemas.forms import Model, RunnerName, TokenName, example
from bench.fleet.schemas.runners import CapabilitiesBody


class HealthDoc(Model):
    """The hub answers."""

    status: Literal["ok"] = "ok"
    protocol: int = PROTOCOL


class EnrolBody(Model):
    """A new agent, with the code that was printed for it."""

    model_config = example(
        code="QmFzZTY0IGNvZGUgaGVyZQ",
        agent_version="0.1.0",
        protocol=1,
        capabilities={
            "driver": "local",
            "kind": "cpu",
            "device": {},
            "runtimes": {},
            "python": "3.11.2",
            "agent": "0.1.0",
            "protocol": 1,
        },
    )

    code: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16,100}$")]
    agent_version: Annotated[str, Field(min_length=1, max_length=40)]
    protocol: int
    capabilities: CapabilitiesBody


class EnrolledDoc(Model):
    """What an agent keeps: its token is shown this once."""

    runner_id: str
    name: str
    token: str
    heartbeat_s: float
    wait_s: float


class TokenBody(Model):
    """A token to be made."""

    model_config = example(kind="client", name="laptop")

    kind: Literal["client", "admin"]
    name: TokenName


class NewTokenDoc(Model):
    """A token, shown this once."""

    id: int
    token: str


class RotatedDoc(Model):
    """The token that takes the place of the one that asked."""

    token: str


class TokenDoc(Model):
    """A token without its secret."""

    id: int
    kind: Literal["agent", "client", "admin"]
    name: str
    runner_id: str | None
    created_at: str
    revoked_at: str | None


class EnrolmentBody(Model):
    """A runner that is to be enrolled."""

    model_config = example(name="pixel8")

    name: RunnerName


class EnrolmentDoc(Model):
    """A code that enrols one runner once."""

    code: str
    expires_s: float
