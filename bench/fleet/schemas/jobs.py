"""Jobs: what is submitted, how it stands, what became of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bench.fleet.schemas.forms import EXAMPLE_SHA, SHA256, Free, Model, RunnerName, example


class FileBody(Model):
    """A file of an artifact; its content is uploaded apart."""

    name: Annotated[str, Field(max_length=100, description='"artifact", or a name from the list of its format.')]
    sha256: Annotated[str, Field(pattern=SHA256)]
    bytes: Annotated[int, Field(ge=0)]


class JobBody(Model):
    """A session to be measured on one runner."""

    model_config = example(
        runner="pixel8",
        priority=0,
        max_s=600.0,
        job={
            "resolution": 256,
            "reference": {"label": "fastvit_t8", "path": "", "format": "onnx", "sha256": EXAMPLE_SHA},
            "artifacts": [{"label": "candidate", "path": "", "format": "onnx", "sha256": EXAMPLE_SHA}],
        },
        files={
            "fastvit_t8": [{"name": "artifact", "sha256": EXAMPLE_SHA, "bytes": 16_000_000}],
            "candidate": [{"name": "artifact", "sha256": EXAMPLE_SHA, "bytes": 12_000_000}],
        },
    )

    runner: RunnerName
    priority: Annotated[int, Field(ge=-10, le=10)] = 0
    max_s: Annotated[float, Field(gt=0, description="On the device.")]
    is_test: bool = False
    job: Free = Field(description='Job.to_dict() with every "path" empty.')
    files: Annotated[dict[str, list[FileBody]], Field(description="Of each artifact and the reference, by label.")]


class SubmittedDoc(Model):
    """A job that was taken."""

    job_id: str


class AttemptDoc(Model):
    """One lease of a job."""

    fence: int
    number: int
    status: Literal["leased", "done", "failed", "expired", "cancelled"]
    kind: str | None
    reason: str | None
    started_at: str
    finished_at: str | None


class JobDoc(Model):
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


class EventDoc(Model):
    """One line of a job's events."""

    model_config = example(
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


class ResultDoc(Model):
    """Measurements of a job, unjudged."""

    measurements: list[Free]
