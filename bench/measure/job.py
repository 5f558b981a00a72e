"""What is to be timed and how: plain data, the same for this machine and for a remote runner."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from bench.errors import MeasureError, nearest

# What each runtime reads and where it runs; the files are in `bench/measure/runtimes`.
FORMATS: Mapping[str, tuple[str, ...]] = {"onnxruntime": ("onnx",), "torch": ("safetensors",)}
RUNNERS: Mapping[str, tuple[str, ...]] = {"onnxruntime": ("cpu",), "torch": ("cpu", "cuda")}


_FRACTIONS = ("warmup_ms", "deadline_s")
_NUMBERS = ("threads", "resolution", "restarts", "blocks", "iterations", "memory_mib", *_FRACTIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobArtifact:
    """One file to be timed.

    Attributes:
        label: its name in the job and in the result; unique in a job.
        path: where the file lies.
        format: "onnx", or "safetensors": the weights of a network in train form, rebuilt from
            `architecture` and folded in the child process (weights, never code).
        sha256: of the file; the child process refuses another content.
        architecture_id: where it is known.
        architecture: `Architecture.to_dict()`; needed by "safetensors".
    """

    label: str
    path: str
    format: str
    sha256: str
    architecture_id: str | None = None
    architecture: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not self.label:
            raise MeasureError("an artifact without a label; a job names each artifact; give it a label")
        known = sorted({kind for kinds in FORMATS.values() for kind in kinds})
        if self.format not in known:
            raise MeasureError(_unknown(f"artifact format of {self.label!r}", self.format, known))
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise MeasureError(
                f"sha256 {self.sha256!r} of {self.label!r}; 64 hex digits are needed; hash the file again"
            )
        if self.format == "safetensors" and self.architecture is None:
            raise MeasureError(f"{self.label!r} has weights and no architecture; give both, or an ONNX file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One measuring session: artifacts and a pinned reference, interleaved in fresh child processes.

    The defaults are the quick form that a search uses. The reference is timed in every block, so that every
    result has a ratio to it that other work on the machine disturbs far less than it disturbs milliseconds.

    Attributes:
        artifacts: what is to be timed.
        reference: the pinned network (FastViT-T8 at the same resolution).
        runner: "cpu" or "cuda".
        runtime: "onnxruntime" or "torch".
        threads: intra-op threads of the runtime.
        resolution: height and width of the one input picture (batch 1).
        restarts: fresh child processes.
        blocks: blocks in each process; each visits every artifact once in random order.
        iterations: timed runs back to back in one visit.
        warmup_ms: most milliseconds of warm-up for one artifact in one process; it ends sooner when stable.
        deadline_s: seconds that all work on one artifact may take; a hang costs this much and fails that
            artifact alone.
        memory_mib: address space of a child process on the CPU.
        seed: of the visiting order and of the input picture.
    """

    artifacts: tuple[JobArtifact, ...]
    reference: JobArtifact
    resolution: int
    runner: str = "cpu"
    runtime: str = "onnxruntime"
    threads: int = 1
    restarts: int = 3
    blocks: int = 4
    iterations: int = 4
    warmup_ms: float = 300.0
    deadline_s: float = 120.0
    memory_mib: int = 16384
    seed: int = 0

    def __post_init__(self) -> None:
        if self.runtime not in RUNNERS:
            raise MeasureError(_unknown("runtime", self.runtime, RUNNERS))
        if self.runner not in RUNNERS[self.runtime]:
            raise MeasureError(_unknown(f"runner of {self.runtime}", self.runner, RUNNERS[self.runtime]))
        self._check_artifacts()
        for name in _NUMBERS:
            value = getattr(self, name)
            is_whole = isinstance(value, int) or name in _FRACTIONS
            if not is_whole or not 0 < value < float("inf"):
                kind = "number" if name in _FRACTIONS else "whole number"
                raise MeasureError(f"{name} {value!r}; a {kind} above 0 is needed; change it in the job")
        if not isinstance(self.seed, int) or self.seed < 0:
            raise MeasureError(f"seed {self.seed!r}; a whole number of 0 or more is needed; change it in the job")

    def _check_artifacts(self) -> None:
        if not self.artifacts:
            raise MeasureError("a job without artifacts; one or more are needed; add what is to be timed")
        everything = (self.reference, *self.artifacts)
        labels = [artifact.label for artifact in everything]
        for artifact in everything:
            if labels.count(artifact.label) > 1:
                raise MeasureError(f"label {artifact.label!r} occurs twice; labels in a job are unique; rename one")
            if artifact.format not in FORMATS[self.runtime]:
                what = f"format of {artifact.label!r} for {self.runtime}"
                raise MeasureError(_unknown(what, artifact.format, FORMATS[self.runtime]))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Job:
        """The job that `to_dict` gave.

        Raises:
            MeasureError: an unknown or missing key, or a value that is not allowed.
        """
        known = {field.name for field in fields(cls)}
        for key in data:
            if key not in known:
                raise MeasureError(_unknown("job key", key, sorted(known)))
        try:
            artifacts = tuple(JobArtifact(**item) for item in data["artifacts"])
            rest = {key: value for key, value in data.items() if key not in ("artifacts", "reference")}
            return cls(artifacts=artifacts, reference=JobArtifact(**data["reference"]), **rest)
        except (KeyError, TypeError) as error:
            raise MeasureError(
                f"malformed job ({error}); known keys: {', '.join(sorted(known))}; write it again"
            ) from error


def _unknown(what: str, found: str, known: Iterable[str]) -> str:
    known = list(known)
    hint = nearest(found, known) or "; choose one of them"
    return f"unknown {what} {found!r}; known: {', '.join(known)}{hint}"
