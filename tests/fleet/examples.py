"""Jobs, their files and plausible measurements of them, as a device would send them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from bench.measure.job import Job, JobArtifact
from bench.measure.measurement import Measurement

RUNNER = "pixel8"

CAPABILITIES: Mapping[str, Any] = {
    "driver": "local",
    "kind": "cpu",
    "device": {"cpu": "Cortex-X3"},
    "runtimes": {"onnxruntime": {"versions": {"onnxruntime": "1.23.2"}, "formats": ["onnx"], "precisions": ["fp32"]}},
    "python": "3.11.2",
    "agent": "0.1.0",
    "protocol": 1,
}


def sha_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def encode(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def make_job(*contents: bytes, reference: bytes = b"reference", **settings: Any) -> Job:
    """A short job of single files; their content stands for a network."""
    artifacts = tuple(
        JobArtifact(label=f"network-{index}", path="", format="onnx", sha256=sha_of(content))
        for index, content in enumerate(contents or (b"network",))
    )
    known = JobArtifact(label="reference", path="", format="onnx", sha256=sha_of(reference))
    least = {"resolution": 16, "restarts": 1, "most_restarts": 1, "blocks": 2, "target": 0.5}
    return Job(artifacts=artifacts, reference=known, **{**least, **settings})


def body_of(job: Job, *, runner: str = RUNNER, **more: Any) -> dict[str, Any]:
    """The job as it is submitted."""
    files = {
        artifact.label: [{"name": "artifact", "sha256": artifact.sha256, "bytes": 9}]
        for artifact in (job.reference, *job.artifacts)
    }
    whole = {"runner": runner, "priority": 0, "max_s": 600.0, "is_test": False, "job": job.to_dict(), "files": files}
    plain: dict[str, Any] = json.loads(json.dumps({**whole, **more}))
    return plain


def measured(
    job: Job,
    *,
    restarts: int = 1,
    ns: int = 2_000_000,
    reference_ns: int = 1_000_000,
    twin_ns: Sequence[int] | None = None,
    contended: bool = False,
    session: str = "5e5510",
) -> list[dict[str, Any]]:
    """Steady measurements of every artifact; `twin_ns`: of the reference's twin, by block."""
    own = tuple(tuple((ns + block, ns) for block in range(job.blocks)) for _ in range(restarts))
    reference = tuple(tuple((reference_ns, reference_ns) for _ in range(job.blocks)) for _ in range(restarts))
    twin = tuple(() if twin_ns is None else tuple((value, value) for value in twin_ns) for _ in range(restarts))
    window = {"blocks": job.blocks, "contention": None, "throttling": None}
    found = []
    for artifact in job.artifacts:
        setup = job.setup_of(artifact)
        measurement = Measurement(
            label=artifact.label,
            architecture_id=artifact.architecture_id,
            artifact_sha256=artifact.sha256,
            runner=job.runner,
            runtime=setup.runtime,
            threads=setup.threads,
            resolution=artifact.resolution or job.resolution,
            samples=own,
            reference_samples=reference,
            twin_samples=twin,
            contended=tuple((contended,) * job.blocks for _ in range(restarts)),
            verdict="valid",
            reason=None,
            fingerprint={"machine": {"cpu": "Cortex-X3"}, "runtime": setup.runtime},
            protocol={"version": 3, "restarts": job.restarts, "health": [[window] for _ in range(restarts)]},
            session=session,
        )
        found.append(measurement.to_dict())
    plain: list[dict[str, Any]] = json.loads(json.dumps(found))
    return plain
