"""Runners: what an agent tells of its device, and what the hub tells of the runner."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bench.fleet.schemas.forms import Free, Model, Reason, Telling, example
from bench.fleet.schemas.jobs import AttemptDoc


class RuntimeBody(Telling):
    """An inference runtime of a device."""

    versions: Free
    formats: list[str]
    precisions: list[str]


class CapabilitiesBody(Telling):
    """What a runner is and can do."""

    model_config = example(
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


class ReasonBody(Model):
    """Why."""

    model_config = example(reason="new battery")

    reason: Reason | None = None


class RunnerDoc(Model):
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


class RunnerAttemptDoc(AttemptDoc):
    """One lease of a runner."""

    job_id: str
    is_test: bool
    num_files: int = Field(description="That its job names.")
