"""Jobs whose files lie on this machine, to be sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.measure.job import Job, JobArtifact

from .examples import make_job


def packed(folder: Path, *contents: bytes, reference: bytes = b"reference", **settings: Any) -> Job:
    """As `make_job`, with the files in `folder`, which count as looked into."""
    folder.mkdir(parents=True, exist_ok=True)
    job = make_job(*contents, reference=reference, **settings)
    named = zip((job.reference, *job.artifacts), (reference, *contents), strict=True)
    placed, *artifacts = (_placed(folder, artifact, content) for artifact, content in named)
    return replace(job, reference=placed, artifacts=tuple(artifacts))


def _placed(folder: Path, artifact: JobArtifact, content: bytes) -> JobArtifact:
    path = folder / f"{artifact.label}.onnx"
    path.write_bytes(content)
    return replace(artifact, path=str(path), is_checked=True)
