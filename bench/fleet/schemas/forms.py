"""The documents of the API as pydantic models: strict types, bounds, and no field that is not known.

The names end in what they are: a `Body` is sent, a `Doc` is answered. What an agent tells of its device alone may have
further fields: newer agents and other drivers know more, and it is only shown.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bench.agent import PROTOCOL

RUNNER_NAME = r"^[a-z0-9][a-z0-9._-]{0,39}$"
SHA256 = r"^[0-9a-f]{64}$"
ID = r"^[0-9a-f]{32}$"
# Of an integer of PostgreSQL; no fence and no token's id is ever that high.
LARGEST_ID = 2**31 - 1

_EXAMPLE_SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_EXAMPLE_ID = "0123456789abcdef0123456789abcdef"

RunnerName = Annotated[str, Field(pattern=RUNNER_NAME, description="Small letters, digits, '.', '_' and '-'.")]
TokenName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}$")]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Free = dict[str, Any]
# One line of a person or a program; control characters would forge lines of a log.
Reason = Annotated[str, Field(min_length=1, max_length=4000)]
Documents = Annotated[
    list[Free],
    Field(min_length=1, max_length=64, description="Measurement.to_dict() of each artifact in its order, unjudged."),
]


def _example(**example: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [example]})


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Telling(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


class ErrorDoc(_Model):
    """Why a call was refused."""

    model_config = _example(error="no runner 'pixel9'; known: pixel8; did you mean 'pixel8'?")

    error: str = Field(description="One line: what was got, what is allowed, what to do.")
    missing: list[str] | None = Field(default=None, description="SHA-256 of files to be uploaded first.")


class HealthDoc(_Model):
    """The hub answers."""

    status: Literal["ok"] = "ok"
    protocol: int = PROTOCOL


class RuntimeBody(_Telling):
    """An inference runtime of a device."""

    versions: Free
    formats: list[str]
    precisions: list[str]


class CapabilitiesBody(_Telling):
    """What a runner is and can do."""

    model_config = _example(
        driver="local",
        kind="cpu",
        device={"cpu": "Cortex-A76", "memory_mib": 8192},
        runtimes={"onnxruntime": {"versions": {"onnxruntime": "1.23.2"}, "formats": ["onnx"], "precisions": ["fp32"]}},
        python="3.11.2",
        agent="0.1.0",
        protocol=1,
    )

    driver: Annotated[str, Field(min_length=1, max_length=40)]
    kind: Literal["cpu", "cuda", "apple"]
    device: Free
    runtimes: dict[str, RuntimeBody]
    python: Annotated[str, Field(max_length=40)] | None = None
    agent: Annotated[str, Field(max_length=40)]
    protocol: int


class EnrolBody(_Model):
    """A new agent, with the code that was printed for it."""

    model_config = _example(
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


class EnrolledDoc(_Model):
    """What an agent keeps: its token is shown this once."""

    runner_id: str
    name: str
    token: str
    heartbeat_s: float
    wait_s: float


class TokenBody(_Model):
    """A token to be made."""

    model_config = _example(kind="client", name="laptop")

    kind: Literal["client", "admin"]
    name: TokenName


class NewTokenDoc(_Model):
    """A token, shown this once."""

    id: int
    token: str


class RotatedDoc(_Model):
    """The token that takes the place of the one that asked."""

    token: str


class TokenDoc(_Model):
    """A token without its secret."""

    id: int
    kind: Literal["agent", "client", "admin"]
    name: str
    runner_id: str | None
    created_at: str
    revoked_at: str | None


class EnrolmentBody(_Model):
    """A runner that is to be enrolled."""

    model_config = _example(name="pixel8")

    name: RunnerName


class EnrolmentDoc(_Model):
    """A code that enrols one runner once."""

    code: str
    expires_s: float


class ReasonBody(_Model):
    """Why."""

    model_config = _example(reason="new battery")

    reason: Reason | None = None


class RunnerDoc(_Model):
    """A registered runner."""

    id: str
    name: str
    status: Literal["ready", "draining", "quarantined", "removed"]
    reason: str | None
    capabilities: Free
    health: Free
    noise: Free | None = Field(description="What its last A/A found; null: none was made.")
    last_seen_s: float | None = Field(description="Seconds since its agent spoke; over 60: it counts as away.")
    queue: int = Field(description="Jobs that wait for it or are measured.")


class FileBody(_Model):
    """A file of an artifact; its content is uploaded apart."""

    name: Annotated[str, Field(max_length=100, description='"artifact", or a name from the list of its format.')]
    sha256: Annotated[str, Field(pattern=SHA256)]
    bytes: Annotated[int, Field(ge=0)]


class JobBody(_Model):
    """A session to be measured on one runner."""

    model_config = _example(
        runner="pixel8",
        priority=0,
        max_s=600.0,
        job={
            "resolution": 256,
            "reference": {"label": "fastvit_t8", "path": "", "format": "onnx", "sha256": _EXAMPLE_SHA},
            "artifacts": [{"label": "candidate", "path": "", "format": "onnx", "sha256": _EXAMPLE_SHA}],
        },
        files={
            "fastvit_t8": [{"name": "artifact", "sha256": _EXAMPLE_SHA, "bytes": 16_000_000}],
            "candidate": [{"name": "artifact", "sha256": _EXAMPLE_SHA, "bytes": 12_000_000}],
        },
    )

    runner: RunnerName
    priority: Annotated[int, Field(ge=-10, le=10)] = 0
    max_s: Annotated[float, Field(gt=0, description="On the device.")]
    is_test: bool = False
    job: Free = Field(description='Job.to_dict() with every "path" empty.')
    files: Annotated[dict[str, list[FileBody]], Field(description="Of each artifact and the reference, by label.")]


class SubmittedDoc(_Model):
    """A job that was taken."""

    job_id: str


class AttemptDoc(_Model):
    """One lease of a job."""

    fence: int
    number: int
    status: Literal["leased", "done", "failed", "expired", "cancelled"]
    kind: str | None
    reason: str | None
    started_at: str
    finished_at: str | None


class RunnerAttemptDoc(AttemptDoc):
    """One lease of a runner."""

    job_id: str
    is_test: bool
    num_files: int = Field(description="That its job names.")


class JobDoc(_Model):
    """How a job stands, with every attempt at it."""

    id: str
    runner: str
    status: Literal["queued", "leased", "done", "failed", "cancelled"]
    reason: str | None
    priority: int
    is_test: bool
    num_attempts: int
    created_at: str
    finished_at: str | None
    progress: Free | None = Field(description="Of a leased job: phase, done and total, as its agent told last.")
    attempts: list[AttemptDoc]


class EventDoc(_Model):
    """One line of a job's events."""

    model_config = _example(
        sequence=7,
        kind="requeued",
        fence=3,
        data={"runner": "pixel8", "fence": 3, "attempt": 1, "kind": "device_lost", "delay_s": 2.1},
        created_at="2026-11-20T12:00:00+00:00",
    )

    sequence: int
    kind: Literal["queued", "leased", "look", "requeued", "done", "failed", "cancelled"]
    fence: int | None
    data: Free
    created_at: str


class LeaseDoc(_Model):
    """A job for a runner; it lives for as long as its agent speaks for it."""

    fence: int
    attempt: int
    job_id: str
    ttl_s: float
    heartbeat_s: float
    max_s: float
    body: JobBody


class HeartbeatBody(_Model):
    """A word of an agent that works."""

    model_config = _example(phase="timing", done=40, total=120, health={"temperature_c": 41.5})

    phase: Annotated[str, Field(max_length=80)]
    done: Count
    total: Count
    health: Free | None = None


class HeartbeatDoc(_Model):
    """What the agent is to do."""

    action: Literal["continue", "cancel", "drain"]


class LookBody(_Model):
    """What was measured so far."""

    measurements: Documents


class LookDoc(_Model):
    """Whether to go on."""

    action: Literal["continue", "enough", "cancel"]


class ResultBody(_Model):
    """What was measured."""

    measurements: Documents


class ResultDoc(_Model):
    """Measurements of a job, unjudged."""

    measurements: list[Free]


class DoneDoc(_Model):
    """The result was kept."""

    job_id: str
    status: Literal["done"] = "done"


class FailBody(_Model):
    """Why a lease gives no result."""

    model_config = _example(kind="device_lost", reason="adb: device offline")

    kind: Literal["artifact_invalid", "unsupported", "worker_crash", "timeout", "device_lost", "unhealthy"]
    reason: Reason


BODIES: tuple[type[BaseModel], ...] = (
    *(CapabilitiesBody, EnrolBody, EnrolmentBody, FailBody, HeartbeatBody, JobBody, LookBody, ReasonBody, ResultBody),
    TokenBody,
)
