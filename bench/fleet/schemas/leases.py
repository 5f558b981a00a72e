"""Leases: what an agent is given, and what it sends under its fence."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bench.fleet.schemas.forms import Count, Documents, Free, Model, Reason, example
from bench.fleet.schemas.jobs import JobBody


class LeaseDoc(Model):
    """A job for a runner; it lives for as long as its agent speaks for it."""

    fence: int
    attempt: int
    job_id: str
    ttl_s: float
    heartbeat_s: float
    max_s: float
    body: JobBody


class HeartbeatBody(Model):
    """A word of an agent that works."""

    model_config = example(phase="timing", done=40, total=120, health={"temperature_c": 41.5})

    phase: Annotated[str, Field(max_length=80)]
    done: Count
    total: Count
    health: Free | None = None


class HeartbeatDoc(Model):
    """What the agent is to do."""

    action: Literal["continue", "cancel", "drain"]


class LookBody(Model):
    """What was measured so far."""

    measurements: Documents


class LookDoc(Model):
    """Whether to go on."""

    action: Literal["continue", "enough", "cancel"]


class ResultBody(Model):
    """What was measured."""

    measurements: Documents


class DoneDoc(Model):
    """The result was kept."""

    job_id: str
    status: Literal["done"] = "done"


class FailBody(Model):
    """Why a lease gives no result."""

    model_config = example(kind="device_lost", reason="adb: device offline")

    kind: Literal["artifact_invalid", "unsupported", "worker_crash", "timeout", "device_lost", "unhealthy"]
    reason: Reason
