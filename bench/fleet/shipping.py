"""Sends a job with its files to a hub: what travels is plain data and the content of files, named by its SHA-256.

No archive, pickle, URL or path of this machine ever travels. The folder of an .mlpackage or .aimodel goes as the files
that may be in it, by relative names from a closed list.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.agent.artifact_files import FOLDER_FORMATS, SINGLE
from bench.agent.bounds import LONGEST_S
from bench.errors import FleetError
from bench.fleet.client import HubClient, RefusedError
from bench.measure.job import Job, JobArtifact

# Status of a submission whose files were thrown out between its upload and itself.
_MISSING = 409
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A job as it travels.

    Attributes:
        body: of POST /v1/jobs.
        files: by their SHA-256, where they lie here.
    """

    body: Mapping[str, Any]
    files: Mapping[str, Path]

    def digest(self) -> str:
        """The same for the same body."""
        return hashlib.sha256(_canonical(self.body)).hexdigest()


def pack(job: Job, *, runner: str, priority: int = 0, is_test: bool = False) -> Package:
    """The job as it travels to `runner`; the files are not read yet, but for folders.

    Raises:
        FleetError: a file is missing.
    """
    files: dict[str, Path] = {}
    named: dict[str, list[dict[str, Any]]] = {}
    for artifact in (job.reference, *job.artifacts):
        entries = list(_entries(artifact))
        files |= {entry["sha256"]: path for entry, path in entries}
        named[artifact.label] = [entry for entry, _ in entries]
    plain = job.to_dict()
    for artifact in (plain["reference"], *plain["artifacts"]):
        artifact["path"] = ""
    body = {"runner": runner, "priority": priority, "max_s": most_seconds(job), "job": plain, "files": named}
    return Package(body=body | {"is_test": True} if is_test else body, files=files)


def ship(package: Package, client: HubClient, *, key: str) -> str:
    """Uploads what the hub does not hold, submits the job and gives its id; done again with the same key, that id.

    Raises:
        RefusedError: the hub does not take it.
        UnreachableError: the hub does not answer now.
        FleetError: a file cannot be read.
    """
    for left in reversed(range(_TRIES)):
        for sha256, path in package.files.items():
            if not client.has_blob(sha256):
                client.put_blob(sha256, path)
        try:
            return client.submit(package.body, key=key)
        except RefusedError as error:
            if error.status != _MISSING or not left:
                raise
    raise AssertionError  # the last try returns or raises


def key_of(package: Package, *parts: object) -> str:
    """An idempotency key that follows from `parts` and from what is sent."""
    return hashlib.sha256(_canonical([*map(str, parts), package.digest()])).hexdigest()


def most_seconds(job: Job) -> float:
    """That the job may keep a device busy: the bounds of a session, with what its restarts take to start."""
    artifacts = len(job.artifacts) + 2  # the reference, twice
    return min(LONGEST_S, job.limit_s + artifacts * job.deadline_s)


def _entries(artifact: JobArtifact) -> Iterable[tuple[dict[str, Any], Path]]:
    path = Path(artifact.path)
    try:
        if artifact.format not in FOLDER_FORMATS:
            yield {"name": SINGLE, "sha256": artifact.sha256, "bytes": path.stat().st_size}, path
            return
        for name in (name for names in FOLDER_FORMATS[artifact.format] for name in names):
            if (file := path / name).is_file():
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
                yield {"name": name, "sha256": digest, "bytes": file.stat().st_size}, file
    except OSError as error:
        raise FleetError(
            f"{path} cannot be read ({error.strerror}); what is measured elsewhere is sent from there; make it again"
        ) from error


def _canonical(data: Any) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
