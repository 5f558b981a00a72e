#!/usr/bin/env python3
"""The agent of a measuring hub, in one file: copy it to the device and run `python3 agent.py --help`.

Packed by bench.fleet.packing out of the sources below, unchanged: do not edit it, pack it again. It needs Python 3.9 or
newer on Linux or macOS, its standard library, and the inference runtime that is to be timed.
"""

import importlib.machinery
import os
import sys

if sys.version_info < (3, 9):
    sys.exit("agent.py needs Python 3.9 or newer, this is %d.%d; install another python3" % sys.version_info[:2])

# SHA-256 of names and sources.
DIGEST = "1b781511b19766aa8d6ec2c8a5e350569c09fe4ff33aae943c07df00d5759810"

SOURCES = {}

SOURCES["bench"] = ""

SOURCES["bench.agent"] = r'''"""What runs on a device: polls a hub, times what it is given, sends raw samples back; it listens on nothing.

Python 3.9 and its standard library are enough, besides the runtime that is driven. `bench.fleet.packing` writes all of
this, with the device side of `bench.measure`, into one file (runners/agent.py); with `bench` installed,
`python -m bench.agent.main` is the same.
"""

from __future__ import annotations

# That of the package, which is not there on a device; a test keeps them equal.
VERSION = "0.1.0"

# Of the calls between agent and hub.
PROTOCOL = 1
'''

SOURCES["bench.agent.answers"] = r'''"""What a hub answers: read in bounded pieces, kept in memory or in a file, or turned into an error of one line."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import BenchError

_CHUNK = 1 << 16
_ERROR_BYTES = 64 << 10
_ERROR_LENGTH = 300
_LONGEST_WISH_S = 300.0
# 500 is the hub's own fault and may be over soon.
_PASSING = (429, 500, 502, 503, 504)
# After these from a hub a lease, or an agent, is given up.
_LAST_WORDS = (401, 403, 404, 409)
_JSON = "application/json"


class HubError(BenchError, RuntimeError):
    """The hub said no, or something that makes no sense.

    Attributes:
        status: of HTTP; 0: there was no answer that can be used.
        line: what it said.
        wait_s: what it wants to be left alone for.
    """

    def __init__(self, status: int, line: str, wait_s: float | None = None) -> None:
        super().__init__(status, line, wait_s)
        self.status = status
        self.line = line
        self.wait_s = wait_s

    def __str__(self) -> str:
        return self.line

    @property
    def is_passing(self) -> bool:
        """Whether the same call may go well later."""
        return self.status in _PASSING


class HubAwayError(HubError):
    """Nobody answers, or the connection broke; `status` is 0."""

    @property
    def is_passing(self) -> bool:
        return True


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes:
        status: 200 to 299.
        headers: names in lower case.
        body: empty where it was written to a file.
        sha256: of what was written to a file.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    sha256: str | None = None

    def json(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            HubError: it is none, or has NaN in it.
        """
        try:
            found = json.loads(self.body, parse_constant=_refuse)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise HubError(0, "the hub's answer is no JSON object; one is needed; check that the address is a hub's")
        return found


def read_reply(response: http.client.HTTPResponse, *, limit: int, stream_to: Path | None) -> Reply:
    """The whole answer, of at most `limit` bytes.

    Args:
        limit: of the body.
        stream_to: a new file for the body; it is gone again when reading fails.

    Raises:
        HubError: a refusal, a redirect, a longer body, or a file that cannot be written.
        OSError, HTTPException: the connection broke.
    """
    headers = {name.lower(): value for name, value in response.getheaders()}
    if not 200 <= response.status < 300:
        said = _said(response)
        if response.status in _LAST_WORDS and not headers.get("content-type", _JSON).startswith(_JSON):
            # A hub answers in JSON. What stands in front of one says such things itself while it starts again, and
            # nothing is to be thrown away for that.
            raise HubError(0, f"{said}, which is not the answer of a hub; check what stands in front of it")
        raise HubError(response.status, said, _wish_s(headers))
    chunks = _chunks(response, limit)
    if stream_to is None:
        return Reply(response.status, headers, b"".join(chunks))
    return Reply(response.status, headers, b"", _save(chunks, stream_to))


def printable(text: str) -> str:
    """In one line, without what would move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """A disk that fails is no hub that is away.

    Raises:
        HubError: in place of OSError.
    """
    try:
        yield
    except OSError as error:
        raise HubError(
            0, f"{str(path)!r} cannot be used ({error.strerror}); a plain file, a disk with space are needed; check it"
        ) from error


def _chunks(response: http.client.HTTPResponse, limit: int) -> Iterator[bytes]:
    """The body; no more than a chunk beyond `limit` is ever read."""
    total = 0
    while (response.length or 0) <= limit:
        chunk = response.read(_CHUNK)
        total += len(chunk)
        if total > limit:
            break
        if not chunk:
            if response.length:
                raise http.client.IncompleteRead(b"", response.length)
            return
        yield chunk
    raise HubError(0, f"the hub's answer has more than {limit} bytes; at most these are read; check that it is a hub")


def _said(response: http.client.HTTPResponse) -> str:
    """A refusal in one line."""
    if 300 <= response.status < 400:
        return f"the hub sends elsewhere (HTTP {response.status}), which is not followed; use the hub's own address"
    text: Any = None
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError, TypeError, KeyError, RecursionError):
        text = json.loads(response.read(_ERROR_BYTES))["error"]
    if not isinstance(text, str):
        text = http.client.responses.get(response.status, "no reason given")
    return f"{printable(text)[:_ERROR_LENGTH]} (HTTP {response.status})"


def _wish_s(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds; its other form, a date, would need a clock that agrees with the hub's."""
    text = headers.get("retry-after", "").strip()
    return min(float(text), _LONGEST_WISH_S) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _save(chunks: Iterator[bytes], path: Path) -> str:
    """Writes a new file that is its owner's alone; its sha256."""
    digest = hashlib.sha256()
    with disk_errors(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            for chunk in chunks:
                digest.update(chunk)
                left = memoryview(chunk)
                while left:
                    with disk_errors(path):
                        left = left[file.write(left) :]
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    return digest.hexdigest()


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
'''

SOURCES["bench.agent.artifact_files"] = r'''"""Which files an artifact consists of, on the way to a device: one file, or a folder from a closed list of names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.agent.failure import JobRefusedError
from bench.measure.job import JobArtifact

# Data alone: no pickle, no engine, no library, no archive.
FILE_FORMATS = ("onnx", "tflite", "safetensors")
# Format -> files that are hashed, the first of them always there, and files that may lie beside them. The same lists
# as in bench.networks.formats.hashing, which is not there on a device.
FOLDER_FORMATS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "mlpackage": (
        ("Data/com.apple.CoreML/model.mlmodel", "Data/com.apple.CoreML/weights/weight.bin"),
        ("Manifest.json", "executorch_debug_handle_mapping.json"),
    ),
    "aimodel": (("main.mlirb",), ("main.hash", "metadata.json")),
}
# Of the one file of a format that is no folder.
SINGLE = "artifact"
LARGEST_FILE = 256 << 20

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class BlobFile:
    """One file of an artifact.

    Attributes:
        name: relative, from the lists above.
        sha256: by which the hub has it.
        num_bytes: that it has.
    """

    name: str
    sha256: str
    num_bytes: int


def read_files(data: Any, *, most: int) -> dict[str, tuple[BlobFile, ...]]:
    """The files by label, as a job's body lists them.

    Raises:
        JobRefusedError: malformed, over `most` labels, or a file of more than `LARGEST_FILE` bytes.
    """
    if not isinstance(data, Mapping) or len(data) > most:
        raise _refused(f"files are no JSON object of at most {most} labels; one is needed; write the job again")
    longest = max(len(hashed) + len(others) for hashed, others in FOLDER_FORMATS.values())
    found = {}
    for label, entries in data.items():
        if not isinstance(entries, (list, tuple)) or not 1 <= len(entries) <= longest:
            raise _refused(f"files of {ascii(label)[:60]}; a list of 1 to {longest} is allowed; write the job again")
        found[str(label)] = tuple(_read_file(entry) for entry in entries)
    return found


def check_files(artifact: JobArtifact, files: Sequence[BlobFile]) -> None:
    """Whether these are the files of `artifact`: names that its format has, and together its sha256.

    Raises:
        JobRefusedError: they are not.
    """
    names = [item.name for item in files]
    if artifact.format not in FOLDER_FORMATS:
        if names != [SINGLE] or files[0].sha256 != artifact.sha256:
            raise _refused(f"{artifact.label!r} is one file named {SINGLE!r} with the artifact's sha256; list it so")
        return
    hashed, others = FOLDER_FORMATS[artifact.format]
    strange = [name for name in names if name not in (*hashed, *others)]
    if strange or len(set(names)) < len(names) or hashed[0] not in names:
        allowed = ", ".join((*hashed, *others))
        raise _refused(
            f"{artifact.label!r} lists {ascii((strange or names)[0])[:60]}; {artifact.format} has {hashed[0]}, and may "
            f"have once each {allowed}; list those"
        )
    if artifact.format == "mlpackage" and "Manifest.json" not in names:
        raise _refused(f"{artifact.label!r} has no Manifest.json; Core ML needs one; export it again")
    if folder_hash(artifact.format, files) != artifact.sha256:
        raise _refused(f"the files of {artifact.label!r} do not give its sha256; those it was hashed from are needed")


def folder_hash(kind: str, files: Sequence[BlobFile]) -> str:
    """The sha256 of a folder: of the names and hashes of what is run, as `artifact_hash` of bench.networks has it."""
    digests = {item.name: item.sha256 for item in files}
    listing = "".join(f"{digests[name]}  {name}\n" for name in FOLDER_FORMATS[kind][0] if name in digests)
    return hashlib.sha256(listing.encode()).hexdigest()


def stored_name(kind: str, sha256: str) -> str:
    """What an artifact is called on a device: never anything that came with a job but its hash."""
    return f"{sha256}.{kind}" if kind in FOLDER_FORMATS else sha256


def _read_file(entry: Any) -> BlobFile:
    if not isinstance(entry, Mapping) or set(entry) != {"name", "sha256", "bytes"}:
        raise _refused("a file has a name, a sha256 and bytes, and nothing else; list it so")
    name, digest, size = entry["name"], entry["sha256"], entry["bytes"]
    if not isinstance(name, str) or not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise _refused("a file without a name or 64 hex digits of sha256; both are needed; list it again")
    if type(size) is not int or not 0 <= size <= LARGEST_FILE:
        raise _refused(f"a file of {ascii(size)[:30]} bytes; 0 to {LARGEST_FILE} are allowed; export less")
    return BlobFile(name=name, sha256=digest, num_bytes=size)


def _refused(reason: str) -> JobRefusedError:
    return JobRefusedError("unsupported", reason)
'''

SOURCES["bench.agent.blobs"] = r'''"""The files of a lease on this device: fetched by their sha256, hashed again before each use, gone after it.

Names are hashes, and the folder is this agent's alone. What an artifact computes is its owner's business, so nothing is
kept once a lease is over, unless whoever started the agent set some space aside for files that come again, such as the
reference.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bench.agent.artifact_files import FOLDER_FORMATS, BlobFile, stored_name
from bench.agent.failure import DriverError
from bench.agent.files import private_folder
from bench.agent.transport import Hub, HubError
from bench.measure.job import Job, JobArtifact

_CHUNK = 1 << 20
# Left to everything else on the disk.
_LEAST_FREE = 256 << 20
# Attempts at one file before it is asked whether the lease still lives.
_ATTEMPTS = 3
_LONGEST_MANIFEST = 64 << 10
_PARTIAL = ".part"


class BlobCache:
    """One folder of files, each named by its sha256."""

    def __init__(self, folder: Path, *, keep_bytes: int = 0) -> None:
        """Takes the folder over, and throws out what a killed agent left in it.

        Args:
            folder: is made where it is missing.
            keep_bytes: that may stay after a lease; the least recently used go first.

        Raises:
            MeasureError: the folder cannot be used.
        """
        self.folder = private_folder(folder)
        self._keep_bytes = keep_bytes
        # The latest last; of what an earlier agent kept nothing is known.
        self._used: dict[str, int] = {}
        for path in self.folder.iterdir():
            _remove(path)

    def gather(
        self, hub: Hub, job: Job, files: Mapping[str, Sequence[BlobFile]], *, is_cancelled: Callable[[], bool]
    ) -> None:
        """Has every file of `job` at its place, with the content that its hash names.

        Raises:
            DriverError: the hub does not give one, the disk is full, or it was cancelled.
        """
        wanted = {item.sha256: item for found in files.values() for item in found}
        try:
            missing = [item for item in wanted.values() if not self._has(item)]
            self._make_room(sum(item.num_bytes for item in missing), keep=wanted)
            for item in missing:
                self._fetch(hub, item, is_cancelled)
            for artifact in (job.reference, *job.artifacts):
                if artifact.format in FOLDER_FORMATS:
                    self._assemble(artifact, files[artifact.label])
        except OSError as error:
            raise DriverError("unhealthy", f"the device's disk fails: {error.strerror}") from error
        for sha256, item in wanted.items():
            self._used.pop(sha256, None)
            self._used[sha256] = item.num_bytes

    def clear(self) -> None:
        """After a lease: removes all but the most recently used files that may stay."""
        left = self._keep_bytes
        kept = set()
        for sha256, size in reversed(tuple(self._used.items())):
            left -= size
            if left < 0:
                break
            kept.add(sha256)
        self._used = {sha256: size for sha256, size in self._used.items() if sha256 in kept}
        with contextlib.suppress(OSError):  # a folder that is gone holds nothing
            for path in self.folder.iterdir():
                if path.name not in kept:
                    _remove(path)

    def _has(self, item: BlobFile) -> bool:
        """Whether the file lies here, whole and unchanged; another one of its name is removed."""
        path, digest = self.folder / item.sha256, hashlib.sha256()
        with contextlib.suppress(OSError):
            for chunk in _read_chunks(path):
                digest.update(chunk)
            if digest.hexdigest() == item.sha256:
                return True
        _remove(path)
        return False

    def _make_room(self, num_bytes: int, *, keep: Mapping[str, BlobFile]) -> None:
        for sha256 in [name for name in self._used if name not in keep]:
            if self._free_bytes() - num_bytes >= _LEAST_FREE:
                return
            del self._used[sha256]
            _remove(self.folder / sha256)
        free = self._free_bytes()
        if free - num_bytes < _LEAST_FREE:
            raise DriverError(
                "unhealthy",
                f"{free >> 20} MiB are free on the device's disk; the job's {num_bytes >> 20} MiB and "
                f"{_LEAST_FREE >> 20} MiB are needed; free some",
            )

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self.folder).free

    def _fetch(self, hub: Hub, item: BlobFile, is_cancelled: Callable[[], bool]) -> None:
        partial = self.folder / f"{item.sha256}{_PARTIAL}"
        path = f"/v1/blobs/sha256/{item.sha256}"
        while not is_cancelled():
            try:
                reply = hub.request("GET", path, stream_to=partial, limit=item.num_bytes, attempts=_ATTEMPTS)
            except HubError as error:
                if error.is_passing:
                    continue  # for as long as the lease lives
                raise DriverError("unhealthy", f"file {item.sha256} could not be fetched: {error}") from error
            if reply.sha256 != item.sha256 or partial.stat().st_size != item.num_bytes:
                _remove(partial)
                raise DriverError("unhealthy", f"the hub gave something else for file {item.sha256}; it is not used")
            partial.replace(self.folder / item.sha256)
            return
        raise DriverError("unhealthy", "cancelled while its files were fetched")

    def _assemble(self, artifact: JobArtifact, files: Sequence[BlobFile]) -> None:
        """Makes the folder of an artifact out of its files, each hashed once more on the way."""
        folder = self.folder / stored_name(artifact.format, artifact.sha256)
        _remove(folder)
        for item in files:
            target = folder / item.name
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            digest = hashlib.sha256()
            with target.open("xb") as copy:
                for chunk in _read_chunks(self.folder / item.sha256):
                    digest.update(chunk)
                    copy.write(chunk)
            if digest.hexdigest() != item.sha256:
                raise DriverError("unhealthy", f"file {item.sha256} changed on the device's disk; check the disk")
        if artifact.format == "mlpackage":
            _check_manifest(folder / "Manifest.json")


def _check_manifest(path: Path) -> None:
    """It may point at the hashed files only."""
    allowed = {"com.apple.CoreML/model.mlmodel", "com.apple.CoreML/weights"}
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST_MANIFEST)
        named = {entry["path"] for entry in json.loads(content)["itemInfoEntries"].values()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        named = {"no entries that can be read"}
    if not named <= allowed:
        raise DriverError(
            "artifact_invalid",
            f"the manifest names {ascii(sorted(map(str, named)))[:100]}; {', '.join(sorted(allowed))} are allowed; "
            "export it again",
        )


def _read_chunks(path: Path) -> Iterator[bytes]:
    """The content of a plain file; a link or a device is an OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path.name} is no plain file")
        while True:
            chunk = file.read(_CHUNK)
            if not chunk:
                return
            yield chunk


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
'''

SOURCES["bench.agent.bounds"] = r'''"""What a job may ask of a device: bounds of every number, the kinds of every value, names from closed alphabets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from bench.agent.artifact_files import FILE_FORMATS, FOLDER_FORMATS
from bench.agent.failure import JobRefusedError
from bench.measure.job import Job, JobArtifact

LONGEST_S = 6 * 3600.0
# Figures in memory at once, some 40 bytes each.
MOST_SAMPLES = 50_000_000

_WHOLE: Mapping[str, tuple[int, int]] = {
    "resolution": (1, 4096),
    "threads": (1, 1024),
    "restarts": (1, 1000),
    "most_restarts": (1, 1000),
    "blocks": (1, 1000),
    "iterations": (1, 2000),
    "warmup_window": (1, 1000),
    "memory_mib": (64, 1 << 20),
    "seed": (0, (1 << 63) - 1),
}
# At most; those that must be above 0 are held to that by `Job`.
_NUMBERS: Mapping[str, float] = {
    "visit_ms": 60e3,
    "warmup_least_ms": 600e3,
    "warmup_ms": 600e3,
    "target": 1000.0,
    "limit_s": LONGEST_S,
    "deadline_s": 3600.0,
}
_FLAGS = ("channels_last", "repeats")
# A visit that is made longer has up to so many runs (restart.py), and a restart may repeat all of its blocks.
_LONGEST_VISIT, _REPEATS = 2000, 2
_CPUS = 4096
_TEXT_LENGTH, _DOCUMENT_BYTES = 200, 256 << 10
# Squares of them are added up.
_MOST_LOGITS, _LARGEST_LOGIT = 100_000, 1e30
_MOST_OPTIONS, _OPTION_LENGTH = 16, 100
# timm takes "hf-hub:..." and "local-dir:..." for addresses.
_TIMM_NAME = re.compile(r"[A-Za-z0-9_]{1,100}(\.[A-Za-z0-9_-]{1,100})?")
_SHOWN = 60


def check_numbers(job: Job) -> None:
    """Every number of `job`, and how many runs they come to.

    Raises:
        JobRefusedError: one is out of bounds, or of another type.
    """
    for name, (low, high) in _WHOLE.items():
        whole(name, getattr(job, name), low, high)
    for name, most in _NUMBERS.items():
        number(name, getattr(job, name), most, is_zero_allowed=True)
    for name in _FLAGS:
        if not isinstance(getattr(job, name), bool):
            raise refused(f"{name} {show(getattr(job, name))}; true or false is allowed; change it in the job")
    cpus = job.cpus or ()
    for cpu in cpus:
        whole("cpus", cpu, 0, _CPUS - 1)
    if len(set(cpus)) < len(cpus):
        raise refused("a CPU to be pinned to twice; each once is allowed; change it in the job")
    runs = _LONGEST_VISIT if job.visit_ms else job.iterations
    visits = max(job.restarts, job.most_restarts) * job.blocks * (_REPEATS if job.repeats else 1)
    samples = (len(job.artifacts) + 2) * visits * runs  # with the reference and its copy
    if samples > MOST_SAMPLES:
        raise refused(
            f"up to {samples} runs are asked for; at most {MOST_SAMPLES} are allowed; split the job, or ask for less"
        )


def check_artifact(artifact: JobArtifact) -> None:
    """What is said of one artifact, besides its files.

    Raises:
        JobRefusedError: a value of another type, too long, or with a meaning that must not travel.
    """
    label = artifact.label
    if not isinstance(label, str) or len(label) > _TEXT_LENGTH or not label.isprintable():
        raise refused(f"label {show(label)}; up to {_TEXT_LENGTH} printable characters are allowed; rename it")
    if artifact.path != "":
        raise refused(f"{show(label)} names a path; files travel by their sha256 alone; leave it empty")
    if artifact.format not in (*FILE_FORMATS, *FOLDER_FORMATS):
        known = ", ".join((*FILE_FORMATS, *FOLDER_FORMATS))
        raise refused(f"format {artifact.format!r} of {show(label)} does not travel; {known} do; export another")
    if artifact.resolution is not None:
        whole(f"resolution of {show(label)}", artifact.resolution, *_WHOLE["resolution"])
    identity = artifact.architecture_id
    if identity is not None and (not isinstance(identity, str) or len(identity) > _TEXT_LENGTH):
        raise refused(f"architecture_id {show(identity)} of {show(label)}; a short text is allowed; write it again")
    for name in ("architecture", "export"):
        _check_document(name, getattr(artifact, name), label)
    name = (artifact.architecture or {}).get("timm", "plain")
    if not isinstance(name, str) or not _TIMM_NAME.fullmatch(name):
        raise refused(f"{show(name)} of {show(label)}; the plain name of a model of timm is allowed; name one")
    _check_logits(artifact)
    _check_setup(artifact)


def whole(name: str, value: Any, low: int, high: int) -> int:
    """`value`, if it is a whole number within the bounds.

    Raises:
        JobRefusedError: it is not.
    """
    if type(value) is not int or not low <= value <= high:
        raise refused(f"{name} {show(value)}; a whole number from {low} to {high} is allowed; change it in the job")
    return value


def number(name: str, value: Any, most: float, *, is_zero_allowed: bool = False) -> float:
    """`value`, if it is a number above 0 (or 0) and not over `most`.

    Raises:
        JobRefusedError: it is not.
    """
    # NaN is in no interval.
    if type(value) not in (int, float) or not (0 < value <= most or (is_zero_allowed and value == 0)):
        raise refused(f"{name} {show(value)}; a number above 0, up to {most:g}, is allowed; change it in the job")
    return float(value)


def refused(reason: str) -> JobRefusedError:
    """Of a job that no device may take, however often it is sent."""
    return JobRefusedError("unsupported", reason)


def show(value: Any) -> str:
    """Short and in ASCII, whatever it is."""
    if type(value) is int:
        return str(value) if abs(value) < 10**30 else "of over 30 digits"
    if value is not None and not isinstance(value, (str, float, bool)):
        return f"a {type(value).__name__}"
    shown = ascii(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."


def _check_document(name: str, value: Any, label: str) -> None:
    if value is None:
        return
    try:
        size = len(json.dumps(value)) if isinstance(value, Mapping) else None
    except (RecursionError, TypeError, ValueError):
        size = None
    if size is None or size > _DOCUMENT_BYTES:
        raise refused(f"{name} of {show(label)} is no JSON object, or has over {_DOCUMENT_BYTES} bytes; mend it")


def _check_logits(artifact: JobArtifact) -> None:
    logits = artifact.logits or ()
    is_plain = all(type(value) in (int, float) and abs(value) <= _LARGEST_LOGIT for value in logits)
    if len(logits) > _MOST_LOGITS or not is_plain:
        raise refused(
            f"logits of {show(artifact.label)}; up to {_MOST_LOGITS} numbers up to {_LARGEST_LOGIT:g} are allowed; "
            "leave them out"
        )


def _check_setup(artifact: JobArtifact) -> None:
    setup = artifact.setup
    if setup is None:
        return
    whole(f"threads of {show(artifact.label)}", setup.threads, *_WHOLE["threads"])
    is_short = len(setup.options) <= _MOST_OPTIONS and all(
        len(word) <= _OPTION_LENGTH for pair in setup.options for word in pair
    )
    if not isinstance(setup.channels_last, bool) or not is_short:
        raise refused(
            f"setup of {show(artifact.label)}; true or false for channels_last, and a few short options, are allowed; "
            "write it again"
        )
'''

SOURCES["bench.agent.capabilities"] = r'''"""What a device can time, as its agent tells the hub: nothing is loaded to find out, and nothing says whose it is."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
from collections.abc import Mapping
from typing import Any

from bench.agent import PROTOCOL, VERSION
from bench.agent.artifact_files import FILE_FORMATS, FOLDER_FORMATS
from bench.measure.catalogue import RUNTIMES, Runtime, installed_version
from bench.measure.fingerprint import fingerprint
from bench.measure.gpu import gpus

# The first whose files have all fields that the check of ONNX files looks at (`NodeProto.overload`).
_LEAST_ONNX = (1, 16)
_CHECKED_WITHOUT_PACKAGES = ("tflite",)


def capabilities(kind: str) -> dict[str, Any]:
    """Of this machine; `kind` is "cpu", "cuda" or "apple".

    Keys: kind, device, runtimes, checks (formats that are looked into here before they are loaded), python, agent,
    protocol.
    """
    found = fingerprint(runner=kind)
    return {
        "kind": kind,
        "device": {**found["machine"], "gpus": found["gpus"]},
        "runtimes": runtimes(kind),
        "checks": list(checked_formats()),
        "python": platform.python_version(),
        "agent": VERSION,
        "protocol": PROTOCOL,
    }


def runtimes(kind: str) -> dict[str, Any]:
    """The runtimes that can time on `kind` here: {name: {versions, formats, precisions}}."""
    return {
        runtime.name: {
            "versions": {package: installed_version(package) for package in runtime.packages},
            "formats": list(runtime.formats),
            "precisions": list(runtime.precisions),
        }
        for runtime in RUNTIMES.values()
        if kind in runtime.runners and why_not(runtime, kind) is None
    }


def why_not(runtime: Runtime, kind: str) -> str | None:
    """What a runtime lacks to time on `kind` here, in words; None: nothing."""
    version = installed_version(runtime.packages[0])
    if not set(runtime.formats) & {*FILE_FORMATS, *FOLDER_FORMATS}:
        return f"{runtime.formats[0]} files do not travel"
    if runtime.systems and platform.system() not in runtime.systems:
        return f"runs on {', '.join(runtime.systems)} only"
    if version is None:
        return f"{runtime.packages[0]} is not installed: {runtime.command}"
    if kind == "cuda" and not gpus():
        return "no NVIDIA GPU is found"
    if runtime.packages[0] == "torch":
        return _why_not_torch(runtime, kind, version)
    return None


def checked_formats() -> tuple[str, ...]:
    """Formats that this device looks into itself before a runtime loads a file; others must be checked by who sends."""
    return (*_CHECKED_WITHOUT_PACKAGES, "onnx") if _has_onnx() else _CHECKED_WITHOUT_PACKAGES


def health(
    celsius: Mapping[str, float], mhz: tuple[float, ...] | None, memory_free_mib: float | None
) -> dict[str, Any]:
    """The state of a machine in a few numbers, for whoever looks at a list of runners."""
    found: dict[str, Any] = {}
    if celsius:
        found["celsius"] = round(max(celsius.values()), 1)
    if mhz:
        found["mhz"] = round(max(mhz))
    if memory_free_mib is not None:
        found["memory_free_mib"] = round(memory_free_mib)
    if hasattr(os, "getloadavg"):
        found["load"] = round(os.getloadavg()[0], 2)
    return found


def _why_not_torch(runtime: Runtime, kind: str, version: str) -> str | None:
    # A network is rebuilt from its description: that takes all of `bench`, which the one file does not hold.
    if importlib.util.find_spec("bench.networks") is None:
        return "needs the package bench on the device: start the agent with python -m bench.agent.main"
    if kind == "cuda" and version.endswith("+cpu"):
        return f"torch {version} is built without CUDA"
    compiler = "clang++" if platform.system() == "Darwin" else "g++"
    if runtime.name == "torch-compile" and kind == "cpu" and shutil.which(compiler) is None:
        return f"needs the compiler {compiler}"
    return None


def _has_onnx() -> bool:
    found = re.match(r"(\d+)\.(\d+)", installed_version("onnx") or "")
    return found is not None and (int(found[1]), int(found[2])) >= _LEAST_ONNX
'''

SOURCES["bench.agent.connections"] = r'''"""Connections to a hub: which certificate is the right one, and an end to every read however slowly bytes drip in."""

from __future__ import annotations

import functools
import hashlib
import hmac
import http.client
import io
import ipaddress
import re
import socket
import ssl
import time
from typing import Any
from urllib.parse import SplitResult, urlsplit

from bench.agent.answers import HubError

_BLOCK = 1 << 18
_CONNECT_S = 10.0
_LEAST_S = 0.001
_FINGERPRINT = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


class Address:
    """Where a hub is and how it is known; makes connections that are ready to be used."""

    def __init__(self, url: str, fingerprint: str | None) -> None:
        """See `transport.Hub`.

        Raises:
            HubError: no address of a hub, plain HTTP to another machine, or a fingerprint that is none.
        """
        parts = _parts(url)
        self._host, self._port = str(parts.hostname), parts.port
        self._fingerprint = None if fingerprint is None else _digits(fingerprint)
        self._context = _context(self._fingerprint) if parts.scheme == "https" else None

    def connected(self, end: float) -> http.client.HTTPConnection:
        """A new connection.

        Raises:
            HubError: it shows another certificate than it should.
            OSError: nobody answers before `end` (monotonic).
        """
        seconds = min(left_s(end), _CONNECT_S)
        connection: http.client.HTTPConnection
        if self._context is None:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=seconds, blocksize=_BLOCK)
        else:
            connection = _TlsConnection(self._host, self._port, seconds, self._context, self._fingerprint)
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        return connection


def limit_reads(connection: http.client.HTTPConnection, end: float) -> None:
    """The next answer on the connection, its headers included, has come by `end` (monotonic) or not at all."""
    connection.sock.settimeout(left_s(end))
    # It is only called, with the socket.
    connection.response_class = functools.partial(_Response, end=end)  # type: ignore[assignment]


def left_s(end: float) -> float:
    """Seconds until `end`, as a time limit of a socket, for which 0 has another meaning."""
    return max(end - time.monotonic(), _LEAST_S)


def is_loopback(host: str) -> bool:
    """Whether only this machine answers there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _TlsConnection(http.client.HTTPSConnection):
    """A connection whose fingerprint is compared whenever it is made: http.client makes a closed one anew unasked."""

    def __init__(
        self, host: str, port: int | None, seconds: float, context: ssl.SSLContext, fingerprint: str | None
    ) -> None:
        super().__init__(host, port, timeout=seconds, context=context, blocksize=_BLOCK)
        self._fingerprint = fingerprint

    def connect(self) -> None:
        super().connect()
        if self._fingerprint is None:
            return
        found = hashlib.sha256(self.sock.getpeercert(binary_form=True) or b"").hexdigest()
        if not hmac.compare_digest(found, self._fingerprint):
            self.close()
            raise HubError(
                0,
                f"{self.host}:{self.port} shows the certificate sha256:{found}; sha256:{self._fingerprint} is that of "
                "the hub; if the hub has a new one, register the runner again",
            )


class _Response(http.client.HTTPResponse):
    """A response of which every read ends in time."""

    def __init__(self, sock: socket.socket, *args: Any, end: float, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Until(self.fp.detach(), sock, end))


class _Until(io.RawIOBase):
    """What a socket gives until a moment of the monotonic clock."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, end: float) -> None:
        self._raw, self._sock, self._end = raw, sock, end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise socket.timeout("the time for it is over")  # TimeoutError is another class before Python 3.10
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, brackets that do not match
        parts, is_url = SplitResult("", "", "", "", ""), False
    if not is_url or parts.username is not None or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise HubError(  # a password in it would end in a log
            0, "that is no address of a hub; http://127.0.0.1:8741 or https://HOST:PORT are; copy it from the hub"
        )
    if parts.scheme == "http" and not is_loopback(str(parts.hostname)):
        raise HubError(
            0, f"plain HTTP to {parts.hostname}, which others on the way can read; https is needed; use the hub's TLS"
        )
    return parts


def _context(fingerprint: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if fingerprint is not None:  # who signed it, and for which name, does not matter then
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _digits(fingerprint: str) -> str:
    found = _FINGERPRINT.fullmatch(fingerprint.lower())
    if found is None:
        raise HubError(0, "that is no fingerprint; sha256: and 64 hex digits are; copy the whole line from the hub")
    return found[1]
'''

SOURCES["bench.agent.doctor"] = r'''"""What this device can do as a runner, for whoever sets it up; no hub is asked."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.agent import VERSION
from bench.agent.capabilities import checked_formats, runtimes, why_not
from bench.agent.enrolment import enrolled
from bench.measure.catalogue import RUNTIMES
from bench.measure.child import ISOLATED_WORKER, Child, LostError, RefusedError
from bench.measure.exclusive import cpu_lock_folder
from bench.measure.fingerprint import fingerprint
from bench.measure.restart import search_paths

_START_S = 120.0
_MEMORY_MIB = 16384


def examine(kind: str, base: Path) -> Iterator[str]:
    """One finding a line; `base` is where agents keep their tokens."""
    machine = fingerprint(runner=kind)["machine"]
    yield f"bench-agent {VERSION}, Python {platform.python_version()}"
    yield f"device: {machine['cpu']}, {machine['logical_cpus']} CPUs, {machine['distribution']}"
    ready = runtimes(kind)
    for runtime in RUNTIMES.values():
        if kind in runtime.runners:
            lack = why_not(runtime, kind)
            versions = ready.get(runtime.name, {}).get("versions", {})
            told = ", ".join(f"{name} {version}" for name, version in versions.items())
            yield f"runtime {runtime.name}: {'ready, ' + told if lack is None else lack}"
    yield f"looks into files of: {', '.join(checked_formats())} (others are looked into by who sends them)"
    if ready:
        yield f"child processes: {_isolation(next(iter(ready)), kind)}"
    yield f"CPU lock: {cpu_lock_folder()} (of this user; agents, searches and measurements take turns there)"
    yield f"enrolled here: {', '.join(enrolled(base)) or 'none'}"


def _isolation(runtime: str, kind: str) -> str:
    """What a child process gives up before it opens a file, as one tells it."""
    request: dict[str, Any] = {
        "runtime": runtime,
        "runner": kind,
        "threads": 1,
        "precision": "fp32",
        "channels_last": False,
        "memory_mib": _MEMORY_MIB,
        "paths": search_paths(),
    }
    try:
        with Child(ISOLATED_WORKER) as child:
            limits = child.ask("start", request, limit_s=_START_S).get("limits") or {}
    except (LostError, RefusedError) as error:
        return f"cannot start: {error}"
    told = {True: "yes", False: "no", None: "as this user"}
    names = {"network": "has_network", "other processes": "reaches_processes", "gain rights": "may_gain_rights"}
    memory = f"{limits['RLIMIT_AS'] >> 20} MiB" if "RLIMIT_AS" in limits else "not limited"
    return "; ".join([*(f"{name}: {told[limits.get(key)]}" for name, key in names.items()), f"memory: {memory}"])
'''

SOURCES["bench.agent.drivers"] = r'''"""One file for each way to time something: on this machine (`local`), or on what is attached to it.

The loop (`bench.agent.loop`) knows nothing of devices; it asks a driver for three things and gives it one job at a
time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from bench.agent.failure import DriverError
from bench.measure.job import Job
from bench.measure.measurement import Measurement
from bench.measure.session import Enough, Progress

__all__ = ["Driver", "DriverError", "Enough", "Progress"]


class Driver(Protocol):
    """A device that can time jobs, one at a time."""

    name: str

    def capabilities(self) -> dict[str, Any]:
        """Device, runtimes, formats: plain JSON-able data, asked once before the first job.

        Keys: driver, kind ("cpu", "cuda" or "apple"), device, runtimes ({name: {versions, formats, precisions}}),
        checks (formats that the device itself can look into), python, agent, protocol.
        """

    def health(self) -> dict[str, Any]:
        """Temperature and the like now, small and JSON-able; quick, and asked by another thread while `run` works."""

    def run(
        self, job: Job, *, is_enough: Enough, progress: Progress, is_cancelled: Callable[[], bool]
    ) -> tuple[Measurement, ...]:
        """Times every artifact of `job`; one measurement each, in the job's order, not judged.

        What it gives is a whole result. Once `is_cancelled()` is true it leaves the device as it found it and raises,
        within seconds and not with the end of the job.

        Raises:
            DriverError: nothing could be timed, or it was cancelled (the loop knows why).
        """
'''

SOURCES["bench.agent.drivers.adb"] = r'''"""Android phones that are attached to this host: `--driver adb --serial S --binary FILE --binary-sha256 HEX`.

The benchmark program is the user's: nothing is downloaded, and a file with another hash than was given is refused.
What is changed on a phone (fixed-performance mode, files under /data/local/tmp/bench) is noted on the disk before and
undone afterwards, by the next start of the agent if need be. runners/android.md tells how to set a phone up, and what
of this was never tried on one.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.agent import PROTOCOL, VERSION
from bench.agent.capabilities import checked_formats
from bench.agent.drivers import DriverError, Enough, Progress
from bench.agent.drivers.adb_benchmark import Program, Told
from bench.agent.drivers.adb_device import AdbDevice, CommandError, DeviceLostError, hash_file
from bench.agent.drivers.adb_entry import Entry, Setting
from bench.agent.drivers.adb_files import compare_output, look_into, write_pictures
from bench.agent.drivers.adb_litert import LiteRt
from bench.agent.drivers.adb_note import Note
from bench.agent.drivers.adb_onnx import OnnxRuntime
from bench.agent.drivers.adb_phone import health_of, processor, properties, surroundings, temperature
from bench.agent.drivers.adb_session import PhoneSession
from bench.agent.drivers.local import ended_when
from bench.errors import MeasureError, nearest
from bench.measure.child import ISOLATED_WORKER
from bench.measure.inspection import Inspection
from bench.measure.job import Job, JobArtifact
from bench.measure.measurement import Measurement

_PROGRAMS: tuple[Program, ...] = (LiteRt(), OnnxRuntime())
PROGRAMS: Mapping[str, Program] = {program.name: program for program in _PROGRAMS}

_MASK = re.compile(r"[0-9a-fA-F]{1,16}")
_FIXED = ("cmd", "power", "set-fixed-performance-mode-enabled")


class AdbDriver:
    """One phone."""

    name = "adb"

    def __init__(
        self,
        serial: str,
        *,
        binary: Path,
        binary_sha256: str,
        folder: Path,
        adb: str = "adb",
        tool: str = "litert",
        cores: str | None = None,
        command: Sequence[str] = ISOLATED_WORKER,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Looks at the settings, and undoes what an agent before has left on the phone, if it is there.

        Args:
            serial: as `adb devices` tells it.
            binary: the benchmark program, on this host.
            binary_sha256: that it has.
            folder: of the agent, where a note about the phone may lie.
            adb: the client.
            tool: a name of `PROGRAMS`.
            cores: mask of CPUs in hexadecimal digits, as taskset takes it; None leaves it to the phone.
            command: of the child process that looks into files.
            sleep: waits so many seconds.

        Raises:
            MeasureError: a setting that is not allowed, or another program than the hash says.
        """
        if tool not in PROGRAMS:
            known = ", ".join(PROGRAMS)
            hint = nearest(tool, PROGRAMS) or "; choose one of them"
            raise MeasureError(f"unknown tool {tool!r} for a phone; known: {known}{hint}")
        if cores is not None and not (_MASK.fullmatch(cores) and int(cores, 16)):
            raise MeasureError(
                f"cores {cores!r}; a mask of CPUs in hexadecimal digits is needed; f0 stands for the CPUs 4 to 7"
            )
        self._device = AdbDevice(serial, adb=adb)
        self._program = PROGRAMS[tool]
        self._binary = binary
        self._binary_sha256 = _pinned(binary, binary_sha256)
        self._cores = cores
        self._note = Note(folder, serial)
        self._command = tuple(command)
        self._sleep = sleep
        self._facts: dict[str, Any] | None = None
        # Nobody else asks the phone anything while something is timed: the answer would take its time.
        self._lock = threading.Lock()
        self._health: dict[str, Any] = {}
        with contextlib.suppress(DeviceLostError, CommandError):
            self.restore()

    def capabilities(self) -> dict[str, Any]:
        """The phone, and what it can time.

        Raises:
            DriverError: it is not there.
        """
        with self._lock, _failures():
            self._device.require()
            facts = self._phone_facts()
        program = self._program
        runtime = {"versions": facts["software"], "formats": [program.format], "precisions": ["fp32"]}
        return {
            "driver": self.name,
            "kind": "cpu",
            "device": facts["machine"],
            "runtimes": {program.runtime: runtime},
            "checks": [found for found in checked_formats() if found == program.format],
            "python": platform.python_version(),
            "agent": VERSION,
            "protocol": PROTOCOL,
        }

    def health(self) -> dict[str, Any]:
        """Highest temperature and thermal status now; while something is timed, those before its last block."""
        if not self._lock.acquire(blocking=False):
            return dict(self._health)
        try:
            self._health = health_of(*temperature(self._device))
        except MeasureError as error:
            self._health = {"state": str(error)}
        finally:
            self._lock.release()
        return dict(self._health)

    def run(
        self, job: Job, *, is_enough: Enough, progress: Progress, is_cancelled: Callable[[], bool]
    ) -> tuple[Measurement, ...]:
        """Times every artifact of `job`; one measurement each, in the job's order, not judged.

        Raises:
            DriverError: nothing could be timed, or it was cancelled.
        """
        self._check(job)
        # What this host cannot look into, the sender of the job has; the record says who it was.
        is_looker = self._program.format in checked_formats()
        entries = []
        with ended_when(is_cancelled), Inspection(job, self._command) as inspection:
            for artifact in (job.reference, *job.artifacts):
                _go_on(is_cancelled)
                looker = inspection if is_looker else None
                entries.append(look_into(artifact, looker, resolution=job.resolution))
        with self._lock, _failures(), tempfile.TemporaryDirectory(prefix="bench-adb-") as folder:
            self.restore()
            self._device.require()
            with self._changed(entries, Path(folder), is_cancelled) as is_fixed:
                session = PhoneSession(
                    self._setting(job, is_fixed=is_fixed),
                    reference=entries[0],
                    twin=replace(entries[0], artifact=_again(job), logs={}),
                    entries=entries[1:],
                    check_output=self._compare,
                    progress=progress,
                    is_cancelled=is_cancelled,
                    sleep=self._sleep,
                    tell_health=self._keep_health,
                )
                session.run(is_enough)
        reference = entries[0]
        if reference.reason is not None:  # nothing of the session counts, but it tells something of this phone
            kind = "worker_crash" if reference.model else "artifact_invalid"
            raise DriverError(kind, f"the reference {job.reference.label!r} failed: {reference.reason}")
        checked_by = "device" if is_looker else "hub"
        return tuple(
            replace(found, protocol={**found.protocol, "checked_by": checked_by}) for found in session.measurements()
        )

    def restore(self) -> None:
        """Undoes what the note says is still to be undone on the phone.

        Raises:
            DeviceLostError: the phone is not there; the note stays.
            CommandError: the phone does not do it; the note stays.
        """
        changes = self._note.read()
        if changes is None:
            return
        self._device.require()
        is_undone = not changes.is_fixed or self._device.shell(*_FIXED, "false").code == 0
        self._device.remove(changes.files)
        if is_undone:
            self._note.clear()

    def _check(self, job: Job) -> None:
        program = self._program
        for artifact in (job.reference, *job.artifacts):
            setup = job.setup_of(artifact)
            if (setup.runtime, artifact.format) != (program.runtime, program.format):
                found = f"format {artifact.format!r} for {setup.runtime!r}"
                wanted = f"{program.format!r} for {program.runtime!r}"
            elif setup.precision != "fp32" or setup.channels_last or setup.options:
                found, wanted = f"the setup {setup.name!r}", f"plain {program.runtime} in fp32"
            elif job.runner != "cpu":
                found, wanted = f"the kind {job.runner!r}", "on a CPU"
            else:
                continue
            raise DriverError(
                "unsupported", f"{found} ({artifact.label!r}); this phone times {wanted}; send the job elsewhere"
            )

    @contextlib.contextmanager
    def _changed(self, entries: Sequence[Entry], folder: Path, is_cancelled: Callable[[], bool]) -> Iterator[bool]:
        """Files on the phone, and fixed-performance mode (whether it has one), for as long as they are needed."""
        wanted = [entry.layout for entry in entries if entry.layout and self._program.takes_picture]
        pictures = write_pictures(wanted, folder)
        files = sorted({entry.artifact.sha256 for entry in entries} | {sha256 for sha256, _ in pictures.values()})
        self._note.write(is_fixed=True, files=files)
        try:
            is_fixed = self._device.shell(*_FIXED, "true").code == 0
            if not is_fixed:
                self._note.write(is_fixed=False, files=files)
            self._device.remove(files)  # what an earlier job computed is not what this one computes
            for entry in entries:
                _go_on(is_cancelled)
                if entry.reason is None:
                    path, sha256 = Path(entry.artifact.path), entry.artifact.sha256
                    entry.model = self._device.push(path, sha256, self._program.file, is_cancelled=is_cancelled)
                if entry.reason is None and entry.layout in pictures:
                    sha256, path = pictures[entry.layout]
                    entry.picture = self._device.push(path, sha256, "picture.f32")
            yield is_fixed
        finally:
            # A lost phone is tidied up when it is back.
            with contextlib.suppress(DeviceLostError, CommandError):
                self.restore()

    def _setting(self, job: Job, *, is_fixed: bool) -> Setting:
        device, sha256 = self._device, self._binary_sha256
        binary = device.push(self._binary, sha256, "program")
        device.read("chmod", "755", binary)
        return Setting(
            job=job,
            device=device,
            program=self._program,
            binary=binary,
            binary_sha256=sha256,
            mask=self._cores,
            facts={**self._phone_facts(), "governor": "fixed-performance" if is_fixed else None},
            surroundings=surroundings(device),
        )

    def _compare(self, entry: Entry, told: Told, output: str) -> None:
        compare_output(self._device, entry, told, output)

    def _keep_health(self, found: dict[str, Any]) -> None:
        self._health = found

    def _phone_facts(self) -> dict[str, Any]:
        """Phone and program, as a fingerprint names them; asked once."""
        if self._facts is None:
            told = properties(self._device)
            machine = {
                "system": "Android",
                "release": told.pop("kernel"),
                "distribution": f"Android {told.get('android', '?')}",
                "architecture": told.pop("abi", None),
                "cpu": told.get("soc") or told.get("board"),
                **processor(self._device),
                **told,
                # Two phones of one model differ; this tells them apart and does not tell the serial number.
                "unit": hashlib.sha256(f"bench {self._device.serial}".encode()).hexdigest()[:12],
            }
            self._facts = {"machine": machine, "software": {self._program.name: self._binary_sha256}}
        return self._facts


def _go_on(is_cancelled: Callable[[], bool]) -> None:
    if is_cancelled():
        raise DriverError("unhealthy", "cancelled")


def _again(job: Job) -> JobArtifact:
    return replace(job.reference, label=f"{job.reference.label} (again)")


def _pinned(binary: Path, sha256: str) -> str:
    """The hash, once it is that of the file."""
    try:
        found = hash_file(binary)
    except OSError as error:
        raise MeasureError(
            f"the program {str(binary)!r} cannot be read ({error.strerror}); a benchmark program for the phone is "
            "needed; runners/android.md tells where to get one"
        ) from error
    if found != sha256.lower():
        raise MeasureError(
            f"the program {binary.name!r} has sha256 {found}, and {sha256!r} was given; the hash of the file that is "
            "meant is needed; look at both again"
        )
    return found


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """What goes wrong with a phone, in the kinds that a hub knows."""
    try:
        yield
    except DriverError:
        raise
    except DeviceLostError as error:
        raise DriverError("device_lost", str(error)) from error
    except MeasureError as error:
        raise DriverError("unhealthy", str(error)) from error
'''

SOURCES["bench.agent.drivers.adb_benchmark"] = r'''"""What the benchmark programs of a phone have in common: what a process is asked for, and what it told.

A process is one visit of a block. `adb_litert.py` and `adb_onnx.py` know one program each.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bench.agent.drivers.adb_device import CommandError

# A number as C++ streams print it.
NUMBER = r"[0-9][0-9.eE+-]{0,30}"


@dataclass(frozen=True)
class Visit:
    """What one process of a program shall do.

    Attributes:
        model: path on the phone.
        threads: of the runtime.
        runs: timed ones, at least.
        seconds: of timed runs, at least.
        warmup_s: of runs before them, at least.
        most_s: after which it ends by itself.
        layout: sizes of the input, in order.
        picture: path on the phone of the input as float32; empty leaves the program its own random input.
        output: path on the phone where the output, or the result file, may be written; empty: none.
    """

    model: str
    threads: int
    runs: int
    seconds: float
    warmup_s: float
    most_s: float
    layout: tuple[int, ...] = ()
    picture: str = ""
    output: str = ""


@dataclass(frozen=True)
class Told:
    """What one process told.

    Attributes:
        samples: ns: one statistic of its runs, or each run.
        statistic: what a sample is: "median", "mean" (of the runs of a process) or "each run".
        runs: number of timed runs.
        load_ms, first_ms, memory_mib: None where it does not tell.
        placement: operators by where they ran; empty: not told.
        unused: flags that this build of the program does not know.
    """

    samples: tuple[int, ...]
    statistic: str
    runs: int
    load_ms: float | None = None
    first_ms: float | None = None
    memory_mib: float | None = None
    placement: Mapping[str, int] = field(default_factory=dict)
    unused: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data, without the samples."""
        rest = {key: value for key, value in vars(self).items() if key != "samples"}
        return {**rest, "placement": dict(self.placement), "unused": list(self.unused)}


class Program(Protocol):
    """A benchmark program on the phone.

    Attributes:
        name: as in `--tool`.
        runtime: a name of bench.measure's catalogue.
        format: of the artifacts that it reads.
        file: what a model is called on the phone.
        has_result_file: whether its runs stand in a file on the phone, and not in what it says.
        takes_picture: whether some build of it takes an input file and writes its output.
    """

    name: str
    runtime: str
    format: str
    file: str
    has_result_file: bool
    takes_picture: bool

    def words(self, binary: str, visit: Visit) -> tuple[str, ...]:
        """The command, word by word."""

    def parse(self, text: str, visit: Visit) -> Told:
        """What a process told.

        Raises:
            CommandError: it is of no known form.
        """

    def runs(self, samples: Sequence[int], *, least: int, seconds: float, warmup_s: float) -> int:
        """How many runs to ask for, from the samples (ns) of a first process."""


def number(text: str, what: str) -> float:
    """A number of 0 or more, as a program printed it.

    Raises:
        CommandError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise CommandError(f"{what} is {text!r}; a number of 0 or more is needed; take another build of the program")
    return value


def only(pattern: re.Pattern[str], text: str, what: str) -> re.Match[str] | None:
    """The one match, or None.

    Raises:
        CommandError: there are several.
    """
    found = list(pattern.finditer(text))
    if len(found) > 1:
        raise CommandError(f"{len(found)} lines of {what!r} from one process; one is known; take another build of it")
    return found[0] if found else None
'''

SOURCES["bench.agent.drivers.adb_device"] = r'''"""One Android phone on the other side of the `adb` client: commands, files, and whether it is still there.

The client (of Debian's package `adb`, or of Google's platform-tools) is started with a list of arguments and never
through a shell of this host. On the phone a shell reads the words, so every word is held to a plain alphabet, and none
is made of a name that came with a job: files are named by their sha256. The end of each command is told by a marker of
our own, because a client whose connection broke may end with status 0 (seen in its source, read_and_dump).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import selectors
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench.errors import MeasureError

# Where every user of adb may write and start programs (SELinux lets a shell do so here and hardly anywhere else).
ROOT = "/data/local/tmp/bench"

_SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_WORD = re.compile(r"[A-Za-z0-9_./:=,@%+-]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# What the client says of itself: a starting server, and lines of its log with time and process.
_OF_CLIENT = re.compile(r"\*|adb [A-Z] \d\d-\d\d ")
_MARKER = re.compile(r"bench-exit:(\d{1,3})\r?\n?\Z")
# The client finds its server and its keys by these; nothing else of this process's environment is its business.
_PASSED_ON = (
    *("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "ADB_VENDOR_KEYS", "ANDROID_USER_HOME"),
    *("ADB_SERVER_SOCKET", "ANDROID_ADB_SERVER_ADDRESS", "ANDROID_ADB_SERVER_PORT"),
)
# dumpsys of a phone with many apps is some 100 KiB.
_MOST_OUTPUT = 4 << 20
_SHORT_S = 30.0
# USB 2 moves 20 MiB/s and more; Wi-Fi a tenth of it.
_LEAST_BYTES_PER_S = 1 << 20
# Between two looks at whether a command is still wanted.
_LOOK_S = 0.25


class DeviceLostError(MeasureError):
    """The phone is offline, unauthorized or gone."""


class CommandError(MeasureError):
    """A command on the phone failed, was late or said something else than it should; the phone is still there."""


@dataclass(frozen=True)
class Output:
    """What a command on the phone said (both its streams) and how it ended."""

    code: int
    text: str


class AdbDevice:
    """One phone, by its serial number."""

    def __init__(self, serial: str, *, adb: str = "adb") -> None:
        if not _SERIAL.fullmatch(serial):
            raise MeasureError(
                f"serial {serial!r}; letters, digits, dots, colons, hyphens and underscores are allowed; "
                "take it from `adb devices`"
            )
        self.serial = serial
        self._adb = adb

    def state(self) -> str:
        """ "device" when it can be used, else what adb says: "offline", "device unauthorized.", "device not found"."""
        code, out, err = self._client(("get-state",), _SHORT_S)
        if code == 0:
            return out.strip()
        lines = [line.strip() for line in (err + out).splitlines()]
        told = [line for line in lines if line and not _OF_CLIENT.match(line)]
        found = told[0] if told else "no answer from adb"
        for prefix in ("error: ", "adb: "):
            found = found[len(prefix) :] if found.startswith(prefix) else found
        return found

    def require(self) -> None:
        """Does nothing while the phone is there.

        Raises:
            DeviceLostError: it is not; the message is what adb says.
        """
        try:
            state = self.state()
        except CommandError:
            state = "adb does not answer"
        if state != "device":
            raise DeviceLostError(
                f"the phone is lost ({state}); an attached phone that trusts this host is needed; "
                "plug it in and allow USB debugging"
            )

    def shell(self, *words: str, limit_s: float = _SHORT_S, is_cancelled: Callable[[], bool] = lambda: False) -> Output:
        """Runs words as one command on the phone, to its end.

        Raises:
            CommandError: a word of other letters than allowed, no end within `limit_s`, or it was cancelled.
            DeviceLostError: the phone was lost meanwhile.
        """
        for word in words:
            if not _WORD.fullmatch(word):
                raise CommandError(f"word {word!r} for the phone's shell; plain words are allowed; rename the file")
        # Constants that adb joins with the words above by spaces; what follows the semicolon always runs.
        command = ("shell", *words, ";", "echo", "bench-exit:$?")
        try:
            _, out, err = self._client(command, limit_s, is_cancelled)
        except CommandError:
            self.require()
            raise
        end = _MARKER.search(out)
        if end is None:
            self.require()
            raise DeviceLostError("the connection to the phone broke in the middle of a command; try again")
        return Output(code=int(end[1]), text=out[: end.start()] + err)

    def read(self, *words: str, limit_s: float = _SHORT_S) -> str:
        """What a command says.

        Raises:
            CommandError: it ended with another status than 0.
        """
        output = self.shell(*words, limit_s=limit_s)
        if output.code != 0:
            raise CommandError(f"`{words[0]}` ended with status {output.code} on the phone: {last_line(output.text)}")
        return output.text

    def push(self, path: Path, sha256: str, name: str, *, is_cancelled: Callable[[], bool] = lambda: False) -> str:
        """Copies a file to the phone, and has the phone hash it; where it lies there.

        A file that is there already, with this hash, is not sent again.

        Args:
            path: on this host.
            sha256: that its content has.
            name: of its last part on the phone; ours, never a job's.
            is_cancelled: whether it is not wanted any more.

        Raises:
            CommandError: the file here or its copy there has another hash, adb cannot copy it, or it was cancelled.
        """
        if hash_file(path) != sha256:
            raise CommandError(f"{path.name} has another sha256 than {sha256}; fetch it again")
        remote = f"{folder_of(sha256)}/{name}"
        if self._remote_hash(remote) == sha256:
            return remote
        self.read("mkdir", "-p", folder_of(sha256))
        limit_s = _SHORT_S + path.stat().st_size / _LEAST_BYTES_PER_S
        code, out, err = self._client(("push", str(path.absolute()), remote), limit_s, is_cancelled)
        if code != 0:
            self.require()
            raise CommandError(f"adb cannot push a file to the phone: {last_line(err + out)}")
        found = self._remote_hash(remote)
        if found != sha256:
            raise CommandError(f"the copy on the phone has sha256 {found}, {sha256} was sent; check cable and storage")
        return remote

    def pull(self, remote: str, *, most_bytes: int) -> bytes:
        """The content of a file on the phone.

        Raises:
            CommandError: it is not there, or larger than `most_bytes`.
        """
        size = self.read("stat", "-c", "%s", remote).strip()
        if not size.isdigit() or int(size) > most_bytes:
            raise CommandError(f"a file of {size[:40]} bytes on the phone; at most {most_bytes} are read")
        with tempfile.TemporaryDirectory(prefix="bench-adb-") as folder:
            local = Path(folder) / "pulled"
            code, out, err = self._client(("pull", remote, str(local)), _SHORT_S + most_bytes / _LEAST_BYTES_PER_S)
            if code != 0 or not local.is_file():
                self.require()
                raise CommandError(f"adb cannot pull a file from the phone: {last_line(err + out)}")
            content = local.read_bytes()
        if len(content) != int(size):
            raise CommandError(f"{len(content)} of {size} bytes came from the phone; try again")
        return content

    def remove(self, sha256s: Iterable[str]) -> None:
        """Deletes the folders of these files on the phone, where they are there."""
        folders = [folder_of(sha256) for sha256 in sha256s]
        if folders:
            self.read("rm", "-rf", *folders)

    def end_processes(self, sha256: str) -> None:
        """Ends what still runs from the folder of this file on the phone."""
        # The shell that runs this has the pattern in its own command line, which must not match: no "+" is in there.
        pattern = folder_of(sha256).replace(f"{ROOT}/", f"{ROOT}/+")
        self.shell("pkill", "-9", "-f", pattern)  # status 1: nothing ran

    def _remote_hash(self, remote: str) -> str | None:
        output = self.shell("sha256sum", remote, limit_s=4 * _SHORT_S)
        word = (output.text.split() or [""])[0]
        return word if output.code == 0 and _SHA256.fullmatch(word) else None

    def _client(
        self, words: Sequence[str], limit_s: float, is_cancelled: Callable[[], bool] = lambda: False
    ) -> tuple[int, str, str]:
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        command = (self._adb, "-s", self.serial, *words)
        try:
            return _run(command, environment, limit_s, is_cancelled)
        except FileNotFoundError as error:
            raise MeasureError(
                f"there is no {self._adb!r} here; the client of Android's debug bridge is needed; "
                "install the package `adb`, or name it with --adb"
            ) from error
        except OSError as error:
            raise MeasureError(
                f"{self._adb!r} cannot be started ({error.strerror}); adb is needed; name it with --adb"
            ) from error


def folder_of(sha256: str) -> str:
    """Where a file of this hash lies on the phone."""
    if not _SHA256.fullmatch(sha256):
        raise CommandError(f"sha256 {sha256!r}; 64 hex digits are needed; hash the file again")
    return f"{ROOT}/{sha256}"


def hash_file(path: Path) -> str:
    """The sha256 of a file on this host."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def last_line(text: str) -> str:
    """The last line with anything in it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def _run(
    command: Sequence[str], environment: dict[str, str], limit_s: float, is_cancelled: Callable[[], bool]
) -> tuple[int, str, str]:
    """Status and both streams of a process of this host, bounded in time and size."""
    end = time.monotonic() + limit_s
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None  # made with PIPE
        assert process.stderr is not None
        try:
            out, err = _drain((process.stdout, process.stderr), end, is_cancelled)
            code = process.wait(max(end - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            raise CommandError(f"no answer from the phone within {limit_s:.3g} s") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    return code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


def _drain(streams: Sequence[IO[bytes]], end: float, is_cancelled: Callable[[], bool]) -> tuple[bytes, ...]:
    found = dict.fromkeys(streams, b"")
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            left_s = end - time.monotonic()
            if left_s <= 0:  # also of one that says a little all the time
                raise subprocess.TimeoutExpired("adb", 0.0)
            if is_cancelled():
                raise CommandError("a command on the phone was cancelled")
            for key, _ in selector.select(min(left_s, _LOOK_S)):
                stream = next(stream for stream in streams if stream is key.fileobj)
                chunk = os.read(key.fd, 1 << 16)
                if not chunk:
                    selector.unregister(stream)
                found[stream] += chunk
                if len(found[stream]) > _MOST_OUTPUT:
                    raise CommandError(f"over {_MOST_OUTPUT >> 20} MiB of output from one command on the phone")
    return tuple(found[stream] for stream in streams)
'''

SOURCES["bench.agent.drivers.adb_entry"] = r'''"""What a session on a phone is about: its job, the phone with its program, and how far each artifact has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.agent.drivers.adb_benchmark import Program, Told
from bench.agent.drivers.adb_device import AdbDevice
from bench.agent.drivers.adb_phone import cpus_of
from bench.measure.job import Job, JobArtifact

# Each visit is a fresh process with a start and a warm-up of its own: a group has fewer of them than a child process,
# whose models stay loaded, has visits.
MOST_BLOCKS = 4
LEAST_RUNS = 3
# For the same reason more is timed in one.
LEAST_VISIT_S = 0.2
USUAL_WARMUP_MS = 300.0


@dataclass(frozen=True)
class Setting:
    """A job, and where it is done.

    Attributes:
        job: what is to be timed.
        device: the phone.
        program: that times.
        binary: its path on the phone.
        binary_sha256: of its file.
        mask: of CPUs, for taskset, in hexadecimal digits; None: where the phone's system puts it.
        facts: what a fingerprint says of phone and program.
        surroundings: battery, screen, ... before.
    """

    job: Job
    device: AdbDevice
    program: Program
    binary: str
    binary_sha256: str
    mask: str | None
    facts: Mapping[str, Any]
    surroundings: Mapping[str, Any]

    @property
    def cpus(self) -> tuple[int, ...] | None:
        """That are used; None: any."""
        return None if self.mask is None else cpus_of(self.mask)

    @property
    def blocks(self) -> int:
        """Of a restart."""
        return min(self.job.blocks, MOST_BLOCKS)

    @property
    def least_runs(self) -> int:
        """Timed ones of a process."""
        return max(self.job.iterations, LEAST_RUNS)

    @property
    def seconds(self) -> float:
        """Of timed runs of a process, at least."""
        return max(self.job.visit_ms / 1e3, LEAST_VISIT_S)

    @property
    def warmup_s(self) -> float:
        """Of runs before them, at least."""
        return max(self.job.warmup_least_ms, min(self.job.warmup_ms, USUAL_WARMUP_MS)) / 1e3


@dataclass
class Log:
    """What a restart came to for one artifact: for each block its samples (ns) and what its process told."""

    samples: list[tuple[int, ...]] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)


@dataclass
class Restart:
    """A group of blocks: which of them were disturbed, and what happened during each."""

    number: int
    contended: list[bool] = field(default_factory=list)
    windows: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Entry:
    """One artifact of a session.

    Attributes:
        artifact: what is timed.
        model: its path on the phone; empty where it failed before it got there.
        layout: sizes of its input, in order.
        picture: path on the phone of its input; empty: the program's own.
        operators: of its file.
        logits: what it has to compute; None: not known.
        reason: why it is not timed any more.
        is_wrong: it computes something else.
        output_error: against `logits`; None: not checked.
        unchecked: why not.
        first: what its first process told.
        runs: that each process is asked for.
        left_s: seconds that it may still take in this restart.
        logs: of the whole restarts that it was part of.
    """

    artifact: JobArtifact
    model: str = ""
    layout: tuple[int, ...] = ()
    picture: str = ""
    operators: Any = None
    logits: tuple[float, ...] | None = None
    reason: str | None = None
    is_wrong: bool = False
    output_error: float | None = None
    unchecked: str | None = None
    first: Told | None = None
    runs: int = 0
    left_s: float = 0.0
    logs: dict[int, Log] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Where its file lies on the phone."""
        return self.model.rpartition("/")[0]
'''

SOURCES["bench.agent.drivers.adb_files"] = r'''"""The files of a job for a phone: looked into before they go there, the picture beside them, the output afterwards."""

from __future__ import annotations

import hashlib
import math
import sys
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.agent.drivers.adb_benchmark import Told
from bench.agent.drivers.adb_device import AdbDevice
from bench.agent.drivers.adb_entry import Entry
from bench.agent.drivers.picture import as_bytes
from bench.measure.child import LostError, RefusedError
from bench.measure.inspection import Inspection
from bench.measure.job import JobArtifact
from bench.measure.outputs import check_output

_MOST_OUTPUT_BYTES = 4 << 20
_FLOAT_BYTES = 4


def look_into(artifact: JobArtifact, inspection: Inspection | None, *, resolution: int) -> Entry:
    """An entry for the artifact, once a child process of this host (`inspection`; None: nobody) has looked into it.

    Args:
        resolution: of the job, for an artifact without its own.
    """
    found = Entry(artifact, logits=artifact.logits)
    if inspection is None:
        return found
    try:
        details = inspection.check(artifact)
    except (LostError, RefusedError) as error:
        found.reason = f"checking failed: {error}"
        return found
    found.operators = details.get("operators")
    found.layout = layout_of(details.get("inputs"), artifact.resolution or resolution)
    return found


def layout_of(inputs: Any, resolution: int) -> tuple[int, ...]:
    """Sizes of the one float32 picture that a file takes, in its order; empty: it takes something else."""
    if not isinstance(inputs, list) or len(inputs) != 1 or inputs[0].get("dtype") != "float32":
        return ()
    found = tuple(inputs[0].get("shape") or ())
    known = ((1, 3, resolution, resolution), (1, resolution, resolution, 3))
    return found if found in known else ()


def write_pictures(layouts: Iterable[tuple[int, ...]], folder: Path) -> dict[tuple[int, ...], tuple[str, Path]]:
    """The picture in each of these layouts as a file in `folder`: its sha256 and its path."""
    found = {}
    for layout in set(layouts):
        content = as_bytes(layout[2], channels_last=layout[1] != 3)
        path = folder / "-".join(map(str, layout))
        path.write_bytes(content)
        found[layout] = (hashlib.sha256(content).hexdigest(), path)
    return found


def compare_output(device: AdbDevice, entry: Entry, told: Told, output: str) -> None:
    """Compares what the phone computed with the reference logits, where it can be had; notes it in the entry.

    Args:
        told: by the process that computed it.
        output: path on the phone; empty: the program was not asked for one.

    Raises:
        CommandError: the output cannot be read.
    """
    if entry.logits is None:
        entry.unchecked = "what it has to compute is not known"
    elif not output:
        entry.unchecked = "the program takes no input file, or the input of this one is no picture"
    elif told.unused:
        entry.unchecked = f"this build of the program does not know {', '.join(told.unused)}"
    elif device.shell("test", "-f", output).code != 0:
        entry.unchecked = "this build of the program wrote no output"
    else:
        values = _floats(device.pull(output, most_bytes=_MOST_OUTPUT_BYTES))
        error, entry.reason = check_output(values, entry.logits, precision="fp32")
        entry.is_wrong = entry.reason is not None
        entry.output_error = error if math.isfinite(error) else None


def _floats(content: bytes) -> array[float]:
    values = array("f")
    values.frombytes(content[: len(content) // _FLOAT_BYTES * _FLOAT_BYTES])
    if sys.byteorder == "big":
        values.byteswap()
    return values
'''

SOURCES["bench.agent.drivers.adb_litert"] = r'''"""LiteRT's `benchmark_model` on a phone.

Read from its source: tflite/tools/benchmark/benchmark_model.cc and benchmark_tflite_model.cc in
github.com/google-ai-edge/LiteRT (before: tensorflow/lite/tools/benchmark). It tells statistics of its runs and never
the single ones: `--verbose` tells parameters, op profiling tells operators, and `--num_runs=1` costs a process a run.
So the median of a process (the mean of builds from before p5, median and p95 were printed) is the one sample of a
visit. Its median is the upper of the two middle runs.

Two programs bear this name. The one of the Interpreter API takes an input file (the name of the input need not be the
model's) and writes its output; that of the CompiledModel API, under litert/tools, does neither, and says which flags it
left unused. Both print the lines that are read here, in microseconds. Anything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bench.agent.drivers.adb_benchmark import NUMBER, Told, Visit, number, only
from bench.agent.drivers.adb_device import CommandError, last_line

_NS_PER_US = 1000
# Streams print six digits.
_ROUNDED = 1e-5
_PREFIX = r"^(?:[A-Z]+: )?(?:\[[^\]\n]{0,200}\] )?"
_PHASE = re.compile(
    rf"{_PREFIX}Running benchmark for at least (\d{{1,9}}) iterations and at least ({NUMBER}) seconds", re.MULTILINE
)
_COUNT = re.compile(
    rf"{_PREFIX}count=(?P<count>\d{{1,9}}) (?:"
    rf"first=(?P<first>{NUMBER}) curr={NUMBER} min=(?P<min>{NUMBER}) max=(?P<max>{NUMBER}) "
    rf"avg=(?P<mean>{NUMBER}) std={NUMBER}|curr=(?P<same>{NUMBER})(?:\(all same\))?)"
    rf"(?: p5={NUMBER} median=(?P<median>{NUMBER}) p95={NUMBER})?[ \t\r]*$",
    re.MULTILINE,
)
_TIMINGS = re.compile(
    rf"{_PREFIX}Inference timings in us: Init: {NUMBER}, First inference: {NUMBER}, "
    rf"Warmup \(avg\): {NUMBER}, Inference \(avg\): ({NUMBER})",
    re.MULTILINE,
)
_STARTED = re.compile(rf"{_PREFIX}Initialized session in ({NUMBER})ms", re.MULTILINE)
_MEMORY = re.compile(rf"{_PREFIX}Memory footprint delta from the start .{{0,60}}overall=({NUMBER})", re.MULTILINE)
_UNUSED = re.compile(rf"{_PREFIX}Unconsumed cmdline flags: (.{{1,2000}})$", re.MULTILINE)
_DELEGATE = re.compile(
    r"Replacing (\d{1,9}) out of (\d{1,9}) node\(s\) with delegate \(TfLiteXNNPackDelegate\).{0,80}?subgraph (\d{1,9})"
)


class LiteRt:
    """`benchmark_model`, on the CPU with the delegate that it takes by itself (XNNPACK)."""

    name = "litert"
    runtime = "litert"
    format = "tflite"
    file = "model.tflite"
    has_result_file = False
    takes_picture = True

    def words(self, binary: str, visit: Visit) -> tuple[str, ...]:
        words = [
            binary,
            f"--graph={visit.model}",
            f"--num_threads={visit.threads}",
            f"--num_runs={visit.runs}",
            f"--min_secs={visit.seconds:.3f}",
            "--warmup_runs=1",
            f"--warmup_min_secs={visit.warmup_s:.3f}",
            f"--max_secs={visit.most_s:.1f}",
        ]
        if visit.picture:
            words += [
                "--input_layer=picture",
                f"--input_layer_shape={','.join(map(str, visit.layout))}",
                f"--input_layer_value_files=picture:{visit.picture}",
            ]
        if visit.output:
            words.append(f"--output_filepath={visit.output}")
        return tuple(words)

    def runs(self, samples: Sequence[int], *, least: int, seconds: float, warmup_s: float) -> int:
        """It minds the seconds itself."""
        del samples, seconds, warmup_s
        return least

    def parse(self, text: str, visit: Visit) -> Told:
        warm, timed = _phases(text, visit)
        runs, mean = int(timed["count"]), number(timed["same"] or timed["mean"], "its mean")
        middle = mean if timed["median"] is None else number(timed["median"], "its median")
        low, high = (number(timed["same"] or timed[name], name) for name in ("min", "max"))
        is_ordered = low <= middle <= high and low * (1 - _ROUNDED) <= mean <= high * (1 + _ROUNDED)
        if runs < visit.runs or low <= 0 or not is_ordered:
            raise CommandError(f"benchmark_model told {timed[0].strip()!r}, which cannot be; take another build of it")
        timings = only(_TIMINGS, text, "Inference timings")
        if timings is not None and abs(number(timings[1], "a time") / mean - 1) > 2 * _ROUNDED:
            raise CommandError(f"benchmark_model told means of {timings[1]} us and of {mean:g} us for the same runs")
        started = only(_STARTED, text, "Initialized session")
        memory = only(_MEMORY, text, "Memory footprint")
        unused = only(_UNUSED, text, "Unconsumed cmdline flags")
        return Told(
            samples=(round(middle * _NS_PER_US),),
            statistic="mean" if timed["median"] is None else "median",
            runs=runs,
            load_ms=None if started is None else number(started[1], "a time"),
            first_ms=number(warm["same"] or warm["first"], "a time") / 1e3,
            memory_mib=None if memory is None else number(memory[1], "a size"),
            placement=_placement(text),
            unused=() if unused is None else tuple(word.split("=")[0] for word in unused[1].split()),
        )


def _phases(text: str, visit: Visit) -> tuple[re.Match[str], re.Match[str]]:
    """The statistics of the warm-up and of the timed runs, if these are what was asked for."""
    phases, counts = _PHASE.findall(text), list(_COUNT.finditer(text))
    if len(phases) != 2 or len(counts) != 2:
        raise CommandError(
            f"benchmark_model told {len(phases)} phases and {len(counts)} lines of statistics, where warm-up and timed "
            f"runs make two of each: {last_line(text)}"
        )
    runs, seconds = int(phases[1][0]), number(phases[1][1], "its seconds")
    if runs != visit.runs or abs(seconds - visit.seconds) > 1e-3:
        raise CommandError(
            f"benchmark_model timed {runs} runs and {seconds:g} s at least, {visit.runs} and {visit.seconds:g} were "
            "asked for; take another build of it"
        )
    return counts[0], counts[1]


def _placement(text: str) -> dict[str, int]:
    """Operators by where they ran, from the first delegate of each subgraph: a later one counts it as an operator."""
    taken: dict[str, tuple[int, int]] = {}
    for count, total, subgraph in _DELEGATE.findall(text):
        taken.setdefault(subgraph, (int(count), int(total)))
    inside = sum(count for count, _ in taken.values())
    rest = sum(total for _, total in taken.values()) - inside
    return {place: count for place, count in (("XNNPACK", inside), ("CPU", rest)) if count}
'''

SOURCES["bench.agent.drivers.adb_note"] = r'''"""What has to be undone on a phone, in a file of the agent until it is undone.

Written before anything is changed on the phone and deleted after everything is changed back, so that an agent that was
killed, or whose phone was unplugged, does it at its next start.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.agent.files import private_folder, read_private, write_private
from bench.errors import MeasureError

_LARGEST = 1 << 20


@dataclass(frozen=True)
class Changes:
    """What was changed on a phone.

    Attributes:
        is_fixed: whether fixed-performance mode was asked for.
        files: sha256 of each file whose folder lies there for a job.
    """

    is_fixed: bool
    files: tuple[str, ...]


class Note:
    """The note about one phone."""

    def __init__(self, folder: Path, serial: str) -> None:
        """`folder` is the agent's own. A serial number tells who owns a phone, so its hash is in the name."""
        self._path = folder / f"adb-{hashlib.sha256(serial.encode()).hexdigest()[:16]}.json"

    def read(self) -> Changes | None:
        """What is to be undone; None: nothing. A note that cannot be read asks for the mode to be switched off."""
        try:
            content = read_private(self._path, limit=_LARGEST)
            if content is None:
                return None
            data: Any = json.loads(content)
            return Changes(is_fixed=bool(data["is_fixed"]), files=tuple(str(name) for name in data["files"]))
        except (MeasureError, ValueError, KeyError, TypeError):
            return Changes(is_fixed=True, files=())

    def write(self, *, is_fixed: bool, files: Sequence[str]) -> None:
        """Puts it on the disk, whole or not at all."""
        private_folder(self._path.parent)
        write_private(self._path, json.dumps({"is_fixed": is_fixed, "files": list(files)}).encode("ascii"))

    def clear(self) -> None:
        """Everything is undone."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
'''

SOURCES["bench.agent.drivers.adb_onnx"] = r'''"""ONNX Runtime's `onnxruntime_perf_test` on a phone, on its CPU provider.

Read from its source, onnxruntime/test/perftest in github.com/microsoft/onnxruntime: it writes each run as a line of a
result file (model,seconds,peak bytes,CPU percent,number; nanoseconds instead of seconds in releases of 2018 and 2019),
with six digits. Hence its runs are samples, each on its own. Its warm-up is one run, so the first runs are set apart
here. Its input is random (`-I`) and it keeps no output: what it computes cannot be checked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from statistics import median

from bench.agent.drivers.adb_benchmark import NUMBER, Told, Visit, number
from bench.agent.drivers.adb_device import CommandError

_NS_PER_S = 10**9
_BYTES_PER_MIB = 1 << 20
_MOST_RUNS = 2000
_LINE = re.compile(rf"[^\n]{{0,500}},({NUMBER}),(\d{{1,15}}),-?\d{{1,6}},(\d{{1,9}})")


class OnnxRuntime:
    """`onnxruntime_perf_test`; what it told is the text of its result file."""

    name = "onnxruntime"
    runtime = "onnxruntime"
    format = "onnx"
    file = "model.onnx"
    has_result_file = True
    takes_picture = False

    def words(self, binary: str, visit: Visit) -> tuple[str, ...]:
        runs = ("-m", "times", "-r", str(visit.runs))
        return (binary, "-I", "-e", "cpu", "-x", str(visit.threads), "-y", "1", *runs, visit.model, visit.output)

    def runs(self, samples: Sequence[int], *, least: int, seconds: float, warmup_s: float) -> int:
        """Timed runs, and before them as many as warm up, but not more than those."""
        run_s = median(samples) / _NS_PER_S
        timed = max(least, math.ceil(seconds / run_s))
        return min(timed + min(math.ceil(warmup_s / run_s), timed), _MOST_RUNS)

    def parse(self, text: str, visit: Visit) -> Told:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        found = [match for match in map(_LINE.fullmatch, lines) if match is not None]
        if len(found) != len(lines) or [int(match[3]) for match in found] != list(range(visit.runs)):
            raise CommandError(
                f"the result file of onnxruntime_perf_test has {len(lines)} lines, {len(found)} of them runs; "
                f"{visit.runs} numbered runs are needed; take another build of it"
            )
        kept = settled([_run_ns(match[1]) for match in found], visit.warmup_s)
        return Told(
            samples=kept,
            statistic="each run",
            runs=len(kept),
            memory_mib=max(int(match[2]) for match in found) / _BYTES_PER_MIB,
        )


def settled(times: Sequence[int], warmup_s: float) -> tuple[int, ...]:
    """The runs (ns) after the warm-up, at least one half of all."""
    spent, skipped = 0, 0
    while spent < warmup_s * _NS_PER_S and skipped < len(times) // 2:
        spent += times[skipped]
        skipped += 1
    return tuple(times[skipped:])


def _run_ns(text: str) -> int:
    value = number(text, "a run")
    if value <= 0:
        raise CommandError(f"a run of {text} s; a time above 0 is needed; take another build of the program")
    # No run takes a thousand seconds, and none a microsecond: a whole number like this is of nanoseconds.
    return int(value) if text.isdigit() and value >= 1000 else round(value * _NS_PER_S)
'''

SOURCES["bench.agent.drivers.adb_phone"] = r'''"""The state of a phone while it is timed: temperature, frequency limits, who else used its CPU, battery and screen.

Read by commands that any user of adb may run; what a phone does not tell is None. Formats as AOSP prints them
(ThermalManagerService, BatteryService, PowerManagerService), which makers extend and seldom change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.agent.drivers.adb_device import AdbDevice

# Of android.os.PowerManager.THERMAL_STATUS_*.
THERMAL = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
# What a model and its system are; never who owns it: no serial number, no account, no network.
_PROPERTIES = {
    "ro.product.manufacturer": "maker",
    "ro.product.model": "model",
    "ro.soc.manufacturer": "soc_maker",
    "ro.soc.model": "soc",
    "ro.board.platform": "board",
    "ro.product.cpu.abi": "abi",
    "ro.build.version.release": "android",
    "ro.build.version.sdk": "sdk",
    "ro.build.id": "build",
    "ro.build.version.incremental": "increment",
    "ro.build.version.security_patch": "patch",
}
_FREQUENCIES = "/sys/devices/system/cpu/cpu{}/cpufreq/{}"
# Of the kernel, 10 ms everywhere.
_TICK_S = 0.01
# Of one core. A phone is never idle; its services use some percent also in the night.
MOST_OTHERS = 0.1
LEAST_LIMIT = 0.9
_CHARGING = {1: "unknown", 2: "charging", 3: "discharging", 4: "not charging", 5: "full"}


@dataclass(frozen=True)
class PhoneReading:
    """Counters of one moment.

    Attributes:
        at_s: since the phone's start.
        busy_s: of the CPUs that are used, together: neither idle nor waiting.
        num_cpus: that are used.
    """

    at_s: float
    busy_s: float
    num_cpus: int


@dataclass(frozen=True)
class PhoneWindow:
    """What happened during some blocks; 1.0 of a share is one whole core.

    Attributes:
        seconds: by the phone's clock.
        others: share of the used CPUs' time that was not of what was timed; None where it cannot be told.
        uncertainty: of it, from counting in ticks.
        thermal_status: of `THERMAL`, the highest.
        celsius_max: of all sensors.
        mhz_limit: the highest frequency that is allowed to the CPUs that are used.
    """

    seconds: float
    others: float | None
    uncertainty: float
    thermal_status: int | None
    celsius_max: float | None
    mhz_limit: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        return asdict(self)


def properties(device: AdbDevice) -> dict[str, str]:
    """Model and system, of an allow-list of properties."""
    found = re.findall(r"^\[([a-z0-9._]+)\]: \[([^\]\r\n]{0,200})\]", device.read("getprop"), re.MULTILINE)
    told = {_PROPERTIES[name]: value for name, value in found if name in _PROPERTIES and value}
    return {**told, "kernel": device.read("uname", "-r").strip()[:200]}


def processor(device: AdbDevice) -> dict[str, Any]:
    """CPUs by their highest frequency in MHz, and memory in MiB."""
    cpus = sorted(_cpu_lines(device.read("cat", "/proc/stat")))
    limits = _frequencies(device, cpus, "cpuinfo_max_freq")
    memory = re.search(r"^MemTotal: +(\d{1,12}) kB", device.read("cat", "/proc/meminfo"), re.MULTILINE)
    return {
        "logical_cpus": len(cpus),
        "mhz": [limits.get(cpu) for cpu in cpus],
        "memory_mib": int(memory[1]) >> 10 if memory else None,
    }


def surroundings(device: AdbDevice) -> dict[str, Any]:
    """Battery, charging, screen, airplane mode, battery saver."""
    battery = device.shell("dumpsys", "battery").text
    power = re.search(r"^ *mWakefulness=([A-Za-z]{1,20})", device.shell("dumpsys", "power").text, re.MULTILINE)
    level, scale, status = (_field(battery, name) for name in ("level", "scale", "status"))
    tenths = _field(battery, "temperature")
    return {
        "battery_percent": None if level is None or not scale else round(100 * level / scale),
        "battery_celsius": None if tenths is None else tenths / 10,
        "charging": None if status is None else _CHARGING.get(status, "unknown"),
        "powered_by": re.findall(r"^ *(AC|USB|Wireless|Dock) powered: true", battery, re.MULTILINE),
        "screen": power[1] if power else None,
        "airplane_mode": _setting(device, "airplane_mode_on"),
        "battery_saver": _setting(device, "low_power"),
    }


def temperature(device: AdbDevice) -> tuple[int | None, dict[str, float]]:
    """The thermal status, and degrees Celsius by sensor; (None, {}) where there is no such service (Android 9)."""
    text = device.shell("dumpsys", "thermalservice").text
    status = re.search(r"^ *Thermal Status: (\d)\r?$", text, re.MULTILINE)
    _, _, current = text.partition("Current temperatures from HAL:")
    sensors = current.partition("Current cooling devices")[0]
    # All types but 6, 7 and 8, which are a battery's volts, amperes and percents.
    found = re.findall(
        r"Temperature\{mValue=(-?\d{1,4}(?:\.\d{1,20})?), mType=([0-59]|1\d), mName=([^,}\n]{1,60})", sensors
    )
    celsius = {name: float(value) for value, _, name in found if float(value) != 0}  # 0: no such sensor
    return (int(status[1]) if status else None), celsius


def health_of(status: int | None, celsius: Mapping[str, float]) -> dict[str, Any]:
    """What `temperature` gave in a few numbers, for whoever looks at a list of runners."""
    found: dict[str, Any] = {"state": "device"}
    if celsius:
        found["celsius"] = round(max(celsius.values()), 1)
    if status is not None:
        found["thermal"] = name_of(status)
    return found


def reading(device: AdbDevice, cpus: Sequence[int] | None) -> PhoneReading | None:
    """Counters now; `cpus` are those that are used (None: all). None where the phone does not tell."""
    text = device.shell("cat", "/proc/uptime", "/proc/stat").text
    uptime = re.match(r"(\d{1,12}\.\d{1,9}) ", text)
    used = {cpu: idle for cpu, idle in _cpu_lines(text).items() if cpus is None or cpu in cpus}
    if uptime is None or not used:
        return None
    at_s = float(uptime[1])
    return PhoneReading(at_s=at_s, busy_s=len(used) * at_s - sum(used.values()), num_cpus=len(used))


def window(
    device: AdbDevice,
    first: PhoneReading | None,
    second: PhoneReading | None,
    *,
    own_s: float | None,
    status: int | None,
    cpus: Sequence[int] | None,
) -> PhoneWindow:
    """What happened between two readings.

    Args:
        own_s: CPU seconds of what was timed; None: not told.
        status: the thermal status before.
        cpus: that are used; None: all.
    """
    after, celsius = temperature(device)
    limits = _frequencies(device, range(16) if cpus is None else cpus, "scaling_max_freq")
    others: float | None = None
    seconds = uncertainty = 0.0
    if first is not None and second is not None and second.at_s > first.at_s:
        seconds = second.at_s - first.at_s
        # The uptime has two digits, and each CPU's idle time is told in ticks.
        uncertainty = 2 * _TICK_S * second.num_cpus / seconds
        if own_s is not None:
            others = max(second.busy_s - first.busy_s - own_s, 0.0) / seconds
    statuses = [value for value in (status, after) if value is not None]
    return PhoneWindow(
        seconds=seconds,
        others=others,
        uncertainty=uncertainty,
        thermal_status=max(statuses, default=None),
        celsius_max=max(celsius.values(), default=None),
        mhz_limit=max(limits.values(), default=None),
    )


def contention(found: PhoneWindow) -> str | None:
    """Why others may have slowed what was timed, or None."""
    if found.others is None or found.others - found.uncertainty <= MOST_OTHERS:
        return None
    return f"others used {100 * found.others:.0f} % of a core of the phone ({100 * MOST_OTHERS:.0f} % is the limit)"


def throttling(found: PhoneWindow, calm: PhoneWindow | None) -> str | None:
    """Why the phone may have run slower than it can, or None; `calm` is of the beginning of the session."""
    reasons = []
    if found.thermal_status:
        reasons.append(f"the phone's thermal status was {name_of(found.thermal_status)!r}")
    if calm is not None and calm.mhz_limit and found.mhz_limit and found.mhz_limit < LEAST_LIMIT * calm.mhz_limit:
        reasons.append(f"its CPU was limited to {found.mhz_limit:.0f} MHz ({calm.mhz_limit:.0f} MHz before)")
    return "; ".join(reasons) or None


def name_of(status: int) -> str:
    """A thermal status in a word."""
    return THERMAL[status] if status < len(THERMAL) else str(status)


def cpus_of(mask: str) -> tuple[int, ...]:
    """The CPUs of a mask for taskset, in hexadecimal digits."""
    bits = int(mask, 16)
    return tuple(cpu for cpu in range(bits.bit_length()) if bits >> cpu & 1)


def _cpu_lines(text: str) -> dict[int, float]:
    """Seconds that each CPU was idle or waiting for a disk."""
    found = re.findall(r"^cpu(\d{1,3}) \d+ \d+ \d+ (\d+) (\d+)", text, re.MULTILINE)
    return {int(cpu): (int(idle) + int(waiting)) * _TICK_S for cpu, idle, waiting in found}


def _frequencies(device: AdbDevice, cpus: Iterable[int], name: str) -> Mapping[int, float]:
    """MHz by CPU, of those that tell it; some makers keep it to themselves."""
    paths = [_FREQUENCIES.format(cpu, name) for cpu in cpus]
    text = device.shell("grep", "-H", ".", *paths).text if paths else ""
    found = re.findall(rf"^/sys/devices/system/cpu/cpu(\d{{1,3}})/cpufreq/{name}:(\d{{1,9}})\r?$", text, re.MULTILINE)
    return {int(cpu): int(khz) / 1000 for cpu, khz in found}


def _field(text: str, name: str) -> int | None:
    found = re.search(rf"^ *{name}: (-?\d{{1,9}})\r?$", text, re.MULTILINE)
    return int(found[1]) if found else None


def _setting(device: AdbDevice, name: str) -> bool | None:
    value = device.shell("settings", "get", "global", name).text.strip()
    return {"0": False, "1": True}.get(value)
'''

SOURCES["bench.agent.drivers.adb_process"] = r'''"""One process of the benchmark program on the phone: started, timed out, read."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.agent.drivers import DriverError
from bench.agent.drivers.adb_benchmark import Told, Visit
from bench.agent.drivers.adb_device import CommandError, last_line
from bench.agent.drivers.adb_entry import Entry, Setting

# What `time -p`, a word of the phone's shell (mksh), says after the process.
_CPU_TIME = re.compile(r"^(?:user|sys) +(\d{1,9}\.\d{1,6})\r?$", re.MULTILINE)
_OF_TIME = re.compile(r"(?:real|user|sys) +\d")
# An artifact whose seconds are used up is asked once more with this and fails by itself.
_LEAST_LIMIT_S = 0.001


@dataclass(frozen=True)
class Ran:
    """What a process told, and the CPU seconds that it used (None: the phone's shell does not tell)."""

    told: Told
    cpu_s: float | None


class Processes:
    """Starts the program, once for each visit."""

    def __init__(self, setting: Setting, *, is_cancelled: Callable[[], bool]) -> None:
        self.statistic: str | None = None
        self._setting = setting
        self._is_cancelled = is_cancelled
        self._number = 0

    def run(self, entry: Entry, *, output: str = "") -> Ran:
        """Runs the program once; `output` is where it shall leave what it computed (empty: nowhere).

        Raises:
            CommandError: it failed, was late, or told something that is of no known form.
            DriverError: the job was cancelled.
            DeviceLostError: the phone was lost.
        """
        if self._is_cancelled():
            raise DriverError("unhealthy", "cancelled")
        program = self._setting.program
        self._number += 1
        result = f"{entry.folder}/runs-{self._number}.csv" if program.has_result_file else output
        visit = self._visit(entry, result)
        text = self._run(entry, visit)
        cpu_times = [float(seconds) for seconds in _CPU_TIME.findall(text)]
        told = program.parse(self._setting.device.read("cat", result) if program.has_result_file else text, visit)
        if self.statistic not in (None, told.statistic):
            raise CommandError(
                f"a process told {told.statistic!r} of its runs, others {self.statistic!r}; one statistic is compared; "
                "take another build of the program"
            )
        self.statistic = told.statistic
        return Ran(told=told, cpu_s=sum(cpu_times) if len(cpu_times) == 2 else None)

    def _visit(self, entry: Entry, output: str) -> Visit:
        setting = self._setting
        return Visit(
            model=entry.model,
            threads=setting.job.setup_of(entry.artifact).threads,
            runs=entry.runs or setting.least_runs,
            seconds=setting.seconds,
            warmup_s=setting.warmup_s,
            most_s=setting.job.deadline_s,
            layout=entry.layout,
            picture=entry.picture,
            output=output,
        )

    def _run(self, entry: Entry, visit: Visit) -> str:
        setting = self._setting
        pinned = () if setting.mask is None else ("taskset", setting.mask)
        words = ("time", "-p", *pinned, *setting.program.words(setting.binary, visit))
        begin = time.monotonic()
        try:
            limit_s = max(entry.left_s, _LEAST_LIMIT_S)
            ended = setting.device.shell(*words, limit_s=limit_s, is_cancelled=self._is_cancelled)
        except CommandError as error:
            # What never ended must not go on beside the next one.
            setting.device.end_processes(setting.binary_sha256)
            if self._is_cancelled():
                raise DriverError("unhealthy", "cancelled") from error
            raise
        finally:
            entry.left_s -= time.monotonic() - begin
        if ended.code != 0:
            how = f"was ended by signal {ended.code - 128}" if ended.code > 128 else f"ended with status {ended.code}"
            raise CommandError(f"{setting.program.name}'s program {how}: {_last_words(ended.text)}")
        return ended.text


def _last_words(text: str) -> str:
    """The last line of the program, without those of `time`."""
    return last_line("\n".join(line for line in text.splitlines() if not _OF_TIME.match(line)))
'''

SOURCES["bench.agent.drivers.adb_record"] = r'''"""What a session on a phone came to, as the same document that a session on this machine gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.agent.drivers.adb_benchmark import Told
from bench.agent.drivers.adb_entry import Entry, Restart, Setting
from bench.measure.job import JobArtifact
from bench.measure.measurement import Measurement
from bench.measure.session import PROTOCOL_VERSION

_NUMBERS = (
    *("restarts", "most_restarts", "iterations", "visit_ms", "warmup_window", "warmup_least_ms", "warmup_ms"),
    *("target", "limit_s", "repeats", "twin", "deadline_s", "memory_mib", "seed"),
)


def measurement_of(
    setting: Setting,
    entry: Entry,
    *,
    reference: Entry,
    twin: Entry,
    restarts: Sequence[Restart],
    statistic: str | None,
    session: str,
) -> Measurement:
    """Samples of one artifact with everything about them but the verdict of a success."""
    job, artifact = setting.job, entry.artifact
    setup = job.setup_of(artifact)
    shared = [found for found in restarts if found.number in entry.logs and found.number in reference.logs]
    numbers = [found.number for found in shared]
    reason = entry.reason
    if reason is None and reference.reason is not None:
        reason = f"the reference {reference.artifact.label!r} failed: {reference.reason}"
    failure = "wrong_output" if entry.is_wrong else "failed"
    return Measurement(
        label=artifact.label,
        architecture_id=artifact.architecture_id,
        artifact_sha256=artifact.sha256,
        runner=job.runner,
        runtime=setup.runtime,
        threads=setup.threads,
        resolution=artifact.resolution or job.resolution,
        samples=tuple(tuple(entry.logs[number].samples) for number in numbers),
        reference_samples=tuple(tuple(reference.logs[number].samples) for number in numbers),
        twin_samples=tuple(tuple(twin.logs[number].samples) if number in twin.logs else () for number in numbers),
        contended=tuple(tuple(found.contended) for found in shared),
        verdict="valid" if reason is None else failure,
        reason=reason,
        fingerprint=_fingerprint(setting, artifact, statistic),
        protocol=_protocol(setting, entry, shared, statistic),
        session=session,
    )


def _fingerprint(setting: Setting, artifact: JobArtifact, statistic: str | None) -> dict[str, Any]:
    """Phone, program, how it was run and made, and what its ratio is a ratio to; keys as of a local one."""
    job, setup, cpus = setting.job, setting.job.setup_of(artifact), setting.cpus
    return {
        **setting.facts,
        "limits": {"affinity": None if cpus is None else list(cpus)},
        "gpus": [],
        "runner": job.runner,
        "runtime": setup.runtime,
        "threads": setup.threads,
        "precision": setup.precision,
        "channels_last": setup.channels_last,
        "options": dict(setup.options),
        "cpus": None,
        "export": dict(artifact.export or {}),
        "reference": {
            "setup": job.setup_of(job.reference).name,
            "resolution": job.reference.resolution or job.resolution,
        },
        "loaded": {"program": setting.program.name, "statistic": statistic},
    }


def _protocol(setting: Setting, entry: Entry, shared: Sequence[Restart], statistic: str | None) -> dict[str, Any]:
    """How it was measured. `statistic` is what a sample is: "median" or "mean" of the runs of one process, or a run."""
    job, artifact, first = setting.job, entry.artifact, entry.first
    return {
        "version": PROTOCOL_VERSION,
        "reference": {"label": job.reference.label, "sha256": job.reference.sha256},
        "labels": [found.label for found in (job.reference, *job.artifacts)],
        **{name: getattr(job, name) for name in _NUMBERS},
        "blocks": setting.blocks,
        "statistic": statistic,
        "process": {"runs": entry.runs, "seconds": setting.seconds, "warmup_s": setting.warmup_s},
        "setup": job.setup_of(artifact).name,
        "form": artifact.form,
        "architecture": artifact.architecture,
        "limits": None,
        "children_lost": 0,
        "start_ms": [],
        "operators": entry.operators,
        "placement": dict(first.placement) if first is not None and first.placement else None,
        "wanted_placement": None,
        "output": {
            "is_checked": entry.output_error is not None or entry.is_wrong,
            "errors": [] if entry.output_error is None else [entry.output_error],
            "unchecked": entry.unchecked,
        },
        "phone": dict(setting.surroundings),
        "health": [found.windows for found in shared],
        "processes": [_of_restart(entry.logs[found.number].told) for found in shared],
    }


def _of_restart(told: Sequence[Told]) -> dict[str, Any]:
    """What the processes of a restart told; together under the names that a local child process has."""
    return {
        "load_ms": min((one.load_ms for one in told if one.load_ms is not None), default=None),
        "first_ms": min((one.first_ms for one in told if one.first_ms is not None), default=None),
        "memory_mib": max((one.memory_mib for one in told if one.memory_mib is not None), default=None),
        "visits": [one.to_dict() for one in told],
    }
'''

SOURCES["bench.agent.drivers.adb_session"] = r'''"""A measuring session on a phone: blocks and orders as in `bench.measure.session`, and a process for each visit.

The program of a phone ends after each visit and is started anew, so that a block visits each artifact by a process of
its own: start, load, warm up, timed runs. A restart is no more than a group of blocks between two looks at whether
enough is known. Before each block the phone is waited for until its thermal status is "none"; a block beside other
work, or on a phone that slowed itself down, is repeated once, and all blocks stay in the record.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.agent.drivers import DriverError, Enough, Progress
from bench.agent.drivers.adb_benchmark import Told
from bench.agent.drivers.adb_device import CommandError
from bench.agent.drivers.adb_entry import Entry, Log, Restart, Setting
from bench.agent.drivers.adb_phone import (
    PhoneWindow,
    contention,
    health_of,
    name_of,
    reading,
    temperature,
    throttling,
    window,
)
from bench.agent.drivers.adb_process import Processes
from bench.agent.drivers.adb_record import measurement_of
from bench.measure.measurement import Measurement
from bench.measure.restart import visiting_order

# How long a warm phone is waited for before one block.
GATE_S = 120.0
GATE_STEP_S = 5.0
# A number of android.os.PowerManager: from here on users notice.
SEVERE = 3
# Between two looks at whether the target is met, in restarts: who looks after every restart stops by luck.
_LOOK_EVERY = 3

# Compares what an artifact left on the phone (at that path) with its logits, and notes in the entry what it found.
CheckOutput = Callable[[Entry, Told, str], None]


class PhoneSession:
    """A job under way."""

    def __init__(
        self,
        setting: Setting,
        *,
        reference: Entry,
        twin: Entry,
        entries: Sequence[Entry],
        check_output: CheckOutput,
        progress: Progress,
        is_cancelled: Callable[[], bool],
        sleep: Callable[[float], None],
        tell_health: Callable[[dict[str, Any]], None],
    ) -> None:
        """`sleep` waits so many seconds; `tell_health` is told the state of the phone whenever it was read."""
        self._setting = setting
        self._reference = reference
        self._twin = twin
        self._entries = tuple(entries)
        self._check_output = check_output
        self._progress = progress
        self._is_cancelled = is_cancelled
        self._sleep = sleep
        self._tell_health = tell_health
        self._processes = Processes(setting, is_cancelled=is_cancelled)
        self._began = time.monotonic()
        self._id = uuid.uuid4().hex
        self._restarts: list[Restart] = []
        self._calm: PhoneWindow | None = None
        self._done = 0

    def run(self, is_enough: Enough) -> None:
        """Restart after restart, until enough is known or the time is over.

        Raises:
            DriverError: it was cancelled, or the phone stays too hot.
            DeviceLostError: the phone was lost.
        """
        job = self._setting.job
        for entry in (self._reference, *self._entries):
            if entry.reason is None and self._is_worthwhile:
                self._look(entry)
        reference = self._reference
        self._twin.first, self._twin.runs, self._twin.reason = reference.first, reference.runs, reference.reason
        for number in range(max(job.restarts, job.most_restarts)):
            is_late = number > 0 and time.monotonic() - self._began > job.limit_s
            is_look = number >= job.restarts and not (number - job.restarts) % _LOOK_EVERY
            if not self._is_worthwhile or is_late or (is_look and is_enough(self.measurements())):
                return
            self._run_restart(number)

    def measurements(self) -> tuple[Measurement, ...]:
        """What is known so far; one for each of the job's artifacts, in its order."""
        return tuple(
            measurement_of(
                self._setting,
                entry,
                reference=self._reference,
                twin=self._twin,
                restarts=self._restarts,
                statistic=self._processes.statistic,
                session=self._id,
            )
            for entry in self._entries
        )

    @property
    def _is_worthwhile(self) -> bool:
        return self._reference.reason is None and any(entry.reason is None for entry in self._entries)

    def _look(self, entry: Entry) -> None:
        """The first process of an artifact: whether it runs, how long it takes, and what it computes."""
        setting = self._setting
        output = f"{entry.folder}/output.f32" if entry.picture and entry.logits is not None else ""
        entry.left_s = setting.job.deadline_s
        try:
            entry.first = self._processes.run(entry, output=output).told
            entry.runs = setting.program.runs(
                entry.first.samples, least=setting.least_runs, seconds=setting.seconds, warmup_s=setting.warmup_s
            )
            self._check_output(entry, entry.first, output)
        except CommandError as error:
            entry.reason = f"loading failed: {error}"
        self._tell(restarts_left=setting.job.restarts)

    def _run_restart(self, number: int) -> None:
        setting, job = self._setting, self._setting.job
        has_twin = job.twin == "always" or (job.twin == "first" and number == 0)
        everything = (self._reference, *((self._twin,) if has_twin else ()), *self._entries)
        present = [entry for entry in everything if entry.reason is None]
        logs = {entry.artifact.label: Log() for entry in present}
        for entry in present:
            entry.left_s = job.deadline_s
        restart, planned = Restart(number), setting.blocks
        orders = visiting_order(len(present), 2 * setting.blocks + 2, seed=(job.seed, number))
        for block, order in enumerate(orders):
            if block == planned or not self._is_worthwhile:
                break
            self._run_block(restart, [present[index] for index in order], logs)
            if job.repeats and block + 1 == planned == setting.blocks and any(restart.contended):
                # In pairs, so that each order has its reverse.
                planned += 2 * math.ceil(sum(restart.contended) / 2)
        for entry in present:
            if entry.reason is None:
                entry.logs[number] = logs[entry.artifact.label]
        self._restarts.append(restart)

    def _run_block(self, restart: Restart, entries: Sequence[Entry], logs: Mapping[str, Log]) -> None:
        device, cpus = self._setting.device, self._setting.cpus
        status = self._wait_until_cool()
        before = reading(device, cpus)
        used: list[float | None] = []
        for entry in entries:
            if entry.reason is None and self._is_worthwhile:
                used.append(self._visit(entry, logs[entry.artifact.label], restart.number))
            self._tell(restarts_left=max(self._setting.job.restarts - restart.number - 1, 0))
        own_s = None if None in used else sum(seconds or 0.0 for seconds in used)
        after = reading(device, cpus)
        found = window(device, before, after, own_s=own_s, status=status, cpus=cpus)
        self._calm = self._calm or found
        slowed = throttling(found, self._calm)
        # A block on a warm phone is set aside like one beside other work.
        disturbed = contention(found) or slowed
        restart.contended.append(disturbed is not None)
        restart.windows.append({"blocks": 1, **found.to_dict(), "contention": disturbed, "throttling": slowed})

    def _visit(self, entry: Entry, log: Log, number: int) -> float | None:
        """One process of an artifact; its CPU seconds. A process that fails is tried once more."""
        failure: CommandError | None = None
        for _ in range(2):
            if failure is not None and entry.left_s <= 0:
                break
            try:
                ran = self._processes.run(entry)
            except CommandError as error:
                failure = error
                continue
            log.samples.append(ran.told.samples)
            log.told.append(ran.told)
            return ran.cpu_s if failure is None else None
        entry.reason = f"timing failed (restart {number + 1}): {failure}"
        return None

    def _wait_until_cool(self) -> int | None:
        """The thermal status before a block, after waiting for it to be "none"."""
        waited_s = 0.0
        while True:
            status, celsius = temperature(self._setting.device)
            self._tell_health(health_of(status, celsius))
            if not status or waited_s >= GATE_S:
                break
            if self._is_cancelled():
                raise DriverError("unhealthy", "cancelled while the phone cooled down")
            self._sleep(GATE_STEP_S)
            waited_s += GATE_STEP_S
        if status is not None and status >= SEVERE:
            raise DriverError(
                "unhealthy",
                f"the phone's thermal status is {name_of(status)!r} after {waited_s:.0f} s of waiting; "
                "'none' is needed; let it cool down, out of its case",
            )
        return status

    def _tell(self, *, restarts_left: int) -> None:
        self._done += 1
        each = (len(self._entries) + 1) * self._setting.blocks
        self._progress(self._done, self._done + restarts_left * each)
'''

SOURCES["bench.agent.drivers.devicectl"] = r'''"""An iPhone or iPad on the cable of this Mac, without an app of ours on it: `--driver devicectl --device NAME`.

The fallback, and flagged as such: coremltools passes each input and each output as a file that both sides poll for, so
what is timed is a device that has idled half a second and more, with its clocks down. Every measurement carries
`spacing: "idle"` in its fingerprint, which keeps it from being compared with back-to-back figures; runners/ios is the
way to those. Session, blocks and orders are those of every other runner (`bench.measure.session`), only that the child
process behind them runs the model over there.

What can be tried without a Mac is tried: everything up to the calls of coremltools. Not run here: those.
"""

from __future__ import annotations

import importlib.util
import platform
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench.agent import PROTOCOL, VERSION
from bench.agent.drivers import DriverError, Enough, Progress
from bench.agent.drivers.local import check_reference, ended_when
from bench.errors import MeasureError
from bench.measure.catalogue import installed_version
from bench.measure.job import Job, JobArtifact
from bench.measure.measurement import Measurement
from bench.measure.session import record_session

SPACING = "idle"
_CHILD = "bench.agent.drivers.devicectl_child"
_RUNTIME = "coreml"
# A run takes half a second and more of polling: a session has to get by with few.
_MOST_BLOCKS = 4
_MOST_ITERATIONS = 3
# Warm-up would be lost in the pauses: one run.
_WARMUP_MS = 1e-6
# A UDID or a device's name; neither begins like an option.
_IDENTIFIER = re.compile(r"[A-Za-z0-9][^\x00-\x1f\x7f]{0,99}")
_TEAM = re.compile(r"[A-Z0-9]{0,16}")


class DevicectlDriver:
    """One device, driven by coremltools of this Mac."""

    name = "devicectl"

    def __init__(
        self,
        device: str,
        *,
        team: str = "",
        system: str | None = None,
        command: Sequence[str] | None = None,
    ) -> None:
        """Takes the settings; the device is looked for when there is a job.

        Args:
            device: name, identifier or UDID, as `xcrun devicectl list devices` tells them.
            team: of Apple's developer account that signs coremltools' app; empty: the one that Xcode takes.
            system: of this host, as `platform.system()` names it; None: as it does.
            command: of the child process; None: the usual one.

        Raises:
            MeasureError: a name or a team that cannot be.
        """
        if not _IDENTIFIER.fullmatch(device) or not _TEAM.fullmatch(team):
            raise MeasureError(
                f"device {device!r} of team {team!r}; a device's name or UDID, and a team of capital letters and "
                "digits, are needed; take them from `xcrun devicectl list devices` and from Xcode"
            )
        self._system = platform.system() if system is None else system
        usual: Sequence[str] = (sys.executable, "-I", "-c", _source(), device, team)
        self._command = tuple(usual if command is None else command)

    def capabilities(self) -> dict[str, Any]:
        """What this host can have timed.

        Raises:
            DriverError: it is no Mac, or has no coremltools.
        """
        version = self._require()
        return {
            "driver": self.name,
            "kind": "apple",
            "device": {"system": "iOS", "spacing": SPACING},
            "runtimes": {
                _RUNTIME: {
                    "versions": {"coremltools": version},
                    "formats": ["mlpackage"],
                    "precisions": ["fp16", "fp32"],
                }
            },
            "checks": [],
            "python": platform.python_version(),
            "agent": VERSION,
            "protocol": PROTOCOL,
        }

    def health(self) -> dict[str, Any]:
        """Nothing: coremltools does not tell the state of the device."""
        return {}

    def run(
        self, job: Job, *, is_enough: Enough, progress: Progress, is_cancelled: Callable[[], bool]
    ) -> tuple[Measurement, ...]:
        """Times every artifact of `job`; one measurement each, in the job's order, not judged.

        Raises:
            DriverError: nothing could be timed, or it was cancelled.
        """
        self._require()
        _check(job)

        def step(done: int, total: int) -> None:
            if is_cancelled():
                raise DriverError("unhealthy", "cancelled")
            progress(done, total)

        with ended_when(is_cancelled):
            found = record_session(_thinned(job), is_enough=is_enough, command=self._command, progress=step)
        check_reference(job, found, lost="device_lost")
        return tuple(_flagged(measurement) for measurement in found)

    def _require(self) -> str:
        if self._system != "Darwin":
            raise DriverError(
                "unsupported", f"this is {self._system}; coremltools reaches a device from macOS only; use a Mac"
            )
        version = installed_version("coremltools")
        if version is None:
            raise DriverError(
                "unsupported", "coremltools is not installed; 9.0 or newer is needed; run pip install coremltools"
            )
        return version


def _source() -> str:
    """The child's program, which may not lie on this disk as a file."""
    found = importlib.util.find_spec(_CHILD)
    assert found is not None  # it is ours
    loader: Any = found.loader
    source: str = loader.get_source(_CHILD)
    return source


def _check(job: Job) -> None:
    for artifact in (job.reference, *job.artifacts):
        setup = job.setup_of(artifact)
        if job.runner != "apple" or setup.runtime != _RUNTIME or artifact.format != "mlpackage":
            raise DriverError(
                "unsupported",
                f"{artifact.label!r} is a {artifact.format} file for {setup.runtime} on {job.runner!r}; this device "
                "times mlpackage files for coreml on 'apple'; send it elsewhere",
            )


def _thinned(job: Job) -> Job:
    """The job with as few runs as half a second each allows. Its files are held to closed lists of names and hashes."""

    def trusted(artifact: JobArtifact) -> JobArtifact:
        return replace(artifact, is_checked=True)

    return replace(
        job,
        reference=trusted(job.reference),
        artifacts=tuple(map(trusted, job.artifacts)),
        blocks=min(job.blocks, _MOST_BLOCKS),
        iterations=min(job.iterations, _MOST_ITERATIONS),
        visit_ms=0.0,
        warmup_window=1,
        warmup_least_ms=0.0,
        warmup_ms=_WARMUP_MS,
        repeats=False,
    )


def _flagged(measurement: Measurement) -> Measurement:
    """Says in the record that a device was timed that idled between runs, and that its own state is not known."""
    loaded: Mapping[str, Any] = measurement.fingerprint.get("loaded") or {}
    fingerprint = {
        **measurement.fingerprint,
        "machine": {"system": "iOS", **(loaded.get("device") or {})},
        "supervisor": measurement.fingerprint.get("machine"),
        "spacing": SPACING,
    }
    # The supervisor has watched this Mac, which is not what was timed.
    windows = [
        [{"blocks": window["blocks"], "others": None, "contention": None, "throttling": None} for window in restart]
        for restart in measurement.protocol["health"]
    ]
    return replace(
        measurement,
        contended=tuple(tuple(False for _ in process) for process in measurement.contended),
        fingerprint=fingerprint,
        protocol={**measurement.protocol, "spacing": SPACING, "health": windows, "checked_by": "hub"},
    )
'''

SOURCES["bench.agent.drivers.devicectl_child"] = r'''"""The child process behind `devicectl.py`: answers as bench.measure's worker does, and runs the model on an iPhone.

Started as `python -I -c SOURCE DEVICE TEAM`; one JSON request a line on stdin, one JSON reply a line on stdout. It
drives what coremltools' MLModelBenchmarker drives (coremltools.models.ml_program.experimental: remote_device and
async_wrapper, 9.0), one layer below it, because that layer gives the output too, and nanoseconds. coremltools builds
its app `modelrunner` with Xcode, installs it with devicectl, and passes each input and output as a file that both
sides poll for. The times are of the device; between two of them it idles.

This file imports the standard library alone until a request asks for more.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import pwd
import signal
import sys
from pathlib import Path
from typing import Any

Request = dict[str, Any]

_ERROR_LENGTH = 500
_LARGEST_OUTPUT = 100_000
# The supervisor ends a late child; this is for a child whose supervisor is gone.
_ALARM_MARGIN_S = 5.0


class Phone:
    """One attached iPhone or iPad, with the models that are loaded on it."""

    def __init__(self, identifier: str, team: str) -> None:
        self._identifier = identifier
        self._team = team
        self._loop = asyncio.new_event_loop()
        self._models: dict[str, tuple[Any, dict[str, Any]]] = {}
        self._device: Any = None
        self._options: Any = {}

    def answer(self, request: Request) -> Request:
        """The reply to one request; whatever goes wrong belongs to the artifact and is told."""
        asks = {"check": self.check, "start": self.start, "load": self.load, "time": self.time}
        try:
            return asks[request["ask"]](request)
        except Exception as error:
            text = " ".join(str(error).split())
            return {"error": f"{type(error).__name__}: {text[:_ERROR_LENGTH]}"}

    def check(self, request: Request) -> Request:
        """Nothing can be looked into: the agent held names and hashes of the package to its lists."""
        del request
        return {"details": {}}

    def start(self, request: Request) -> Request:
        """Finds the device, and has coremltools build and start its app there."""
        self._find_packages(request)
        import coremltools
        from coremltools.models.ml_program.experimental import remote_device

        self._options = request.get("options") or {}
        kinds = (remote_device.DeviceType.IPHONE, remote_device.DeviceType.IPAD)
        found = [device for kind in kinds for device in remote_device.Device.get_connected_devices(kind)]
        mine = [device for device in found if self._identifier in (device.identifier, device.udid, device.name)]
        if len(mine) != 1:
            # Not by name: a hub is told of this.
            others = ", ".join(f"{device.type.value} with {device.os_version}" for device in found) or "none"
            raise ValueError(f"{len(mine)} connected devices are {self._identifier!r}; connected: {others}; name one")
        credentials = remote_device.AppSigningCredentials(development_team=self._team)
        # Kept, so that each start after the first finds the app built.
        folder = Path.home() / "Library" / "Caches" / "bench-agent" / "modelrunner"
        folder.mkdir(parents=True, exist_ok=True)
        self._device = self._wait(
            mine[0].prepare_for_model_debugging(credentials=credentials, working_directory=folder)
        )
        told = {"type": str(mine[0].type.value), "os_version": mine[0].os_version, "build": mine[0].os_build_number}
        return {
            "details": {"coremltools": coremltools.__version__, "device": told, "spacing": "idle"},
            "limits": {},
        }

    def load(self, request: Request) -> Request:
        """Compiles one package here, sends it, loads it there, and runs it once."""
        import coremltools
        import numpy
        from coremltools.models.ml_program.experimental.async_wrapper import MLModelAsyncWrapper

        artifact, side = request["artifact"], request["resolution"]
        description = coremltools.utils.load_spec(artifact["path"]).description
        wanted = [1, 3, side, side]
        shapes = [list(item.type.multiArrayType.shape) for item in description.input]
        if shapes != [wanted] or len(description.output) != 1:
            raise ValueError(f"inputs {shapes} and {len(description.output)} outputs; {wanted} and one are needed")
        units = coremltools.ComputeUnit[str(self._options.get("compute_units", "all")).upper()]
        model = MLModelAsyncWrapper.from_spec_or_path(
            spec_or_path=artifact["path"], weights_dir="", compute_units=units, device=self._device
        )
        self._wait(model.load())
        picture = numpy.random.default_rng(0).standard_normal(tuple(wanted), dtype=numpy.float32)
        feed = {str(description.input[0].name): picture}
        output = self._wait(model.predict(feed))[str(description.output[0].name)]
        values = [float(value) for value in numpy.asarray(output, numpy.float32).ravel()]
        if len(values) > _LARGEST_OUTPUT or not all(map(math.isfinite, values)):
            raise ValueError("its output is not finite, or too large; check its weights")
        self._models[artifact["label"]] = (model, feed)
        load_ns, first_ns = model.load_duration_in_nano_seconds, model.last_predict_duration_in_nano_seconds
        return {
            "details": {"compute_units": units.name.lower(), "spacing": "idle"},
            "load_ms": None if load_ns is None else load_ns / 1e6,
            "first_ms": None if first_ns is None else first_ns / 1e6,
            "output": values,
        }

    def time(self, request: Request) -> Request:
        """Runs one model so many times, each after the files of the one before have gone to and fro."""
        model, feed = self._models[request["label"]]
        samples = []
        for _ in range(request["iterations"]):
            self._wait(model.predict(feed))
            taken = model.last_predict_duration_in_nano_seconds
            if taken is None:
                raise ValueError("the device told no duration; another coremltools is needed")
            samples.append(int(taken))
        return {"samples": samples}

    def _wait(self, awaited: Any) -> Any:
        return self._loop.run_until_complete(awaited)

    def _find_packages(self, request: Request) -> None:
        # -I hides folders that the parent may have found its packages in.
        sys.path.extend(path for path in request["paths"] if path not in sys.path)


def main() -> None:
    """Answers requests until the input ends."""
    # What coremltools prints would break the replies: they keep the pipe, and stdout goes where stderr goes.
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's business
    # Xcode's settings and the keychain with the signing identity are the user's, not of the empty folder around here.
    os.environ["HOME"] = pwd.getpwuid(os.getuid()).pw_dir
    phone = Phone(sys.argv[1], sys.argv[2])
    for line in sys.stdin:
        request = json.loads(line)
        signal.setitimer(signal.ITIMER_REAL, request["limit_s"] + _ALARM_MARGIN_S)
        replies.write(json.dumps(phone.answer(request)) + "\n")
        replies.flush()
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    main()
'''

SOURCES["bench.agent.drivers.local"] = r'''"""Times on the machine that the agent runs on: the same session and the same worker as `bench measure` uses.

The CPUs are held alone meanwhile (`bench.measure.exclusive`), so that an agent on a machine that also trains waits for
the step under way, and training waits for it.

Files of an agent's jobs are of unknown origin. Where this device can look into a format, its worker does so before a
runtime loads the file; where it cannot (ONNX files without the package onnx; folders and weights everywhere), whoever
sent the job has, and each measurement says which of the two it was (`protocol["checked_by"]`).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.agent.capabilities import capabilities, checked_formats, health
from bench.agent.drivers import DriverError, Enough, Progress
from bench.agent.unpacking import isolated_worker
from bench.errors import MeasureError
from bench.measure.child import ISOLATED_WORKER, end_children
from bench.measure.exclusive import cpu_lock_folder, exclusive
from bench.measure.gpu import Nvml
from bench.measure.job import Job
from bench.measure.measurement import Measurement
from bench.measure.monitor import this_system
from bench.measure.restart import NOT_STARTED
from bench.measure.session import record_session

DEVICE, HUB = "device", "hub"

# Between two looks at whether the job was cancelled.
_LOOK_S = 0.25
# A wait for the CPUs that is longer begins anew, with a look at whether the job was cancelled. Longer than a step of a
# training, or the turn that is given up each time would never come.
_TURN_S = 30.0


class LocalDriver:
    """This machine as a device."""

    name = "local"

    def __init__(
        self,
        kind: str = "cpu",
        *,
        requires_check: bool = False,
        lock: Path | None = None,
        folder: Path | None = None,
        command: Sequence[str] = ISOLATED_WORKER,
    ) -> None:
        """A device of kind "cpu", "cuda" or "apple".

        Args:
            requires_check: refuse files that this device cannot look into itself.
            lock: folder of the lock on the CPUs; None: that of all of this user's programs here.
            folder: of the agent, which may lay out its worker there (`unpacking`); None: `command` is used as it is.
            command: of a child process.
        """
        self._kind = kind
        self._folder = folder
        self._requires_check = requires_check
        self._lock = cpu_lock_folder() if lock is None else lock
        self._command = tuple(command)
        self._system = this_system()
        self._nvml = Nvml() if kind == "cuda" else None

    def capabilities(self) -> dict[str, Any]:
        """See `drivers.Driver`."""
        return {"driver": self.name, **capabilities(self._kind)}

    def health(self) -> dict[str, Any]:
        """See `drivers.Driver`."""
        system = self._system
        found = health(system.celsius(), system.mhz(), system.memory_free_mib())
        for gpu in self._nvml.read()[:1] if self._nvml is not None else ():
            told = {"gpu_celsius": gpu.celsius, "gpu_mhz": gpu.sm_mhz}
            found.update({key: value for key, value in told.items() if value is not None})
        return found

    def run(
        self, job: Job, *, is_enough: Enough, progress: Progress, is_cancelled: Callable[[], bool]
    ) -> tuple[Measurement, ...]:
        """See `drivers.Driver`."""
        if job.runner != self._kind:
            raise DriverError(
                "unsupported", f"a job for {job.runner!r}; this runner times on {self._kind!r}; send it to another"
            )
        self._lay_worker_out()
        checked = self._checkers(job)
        job = replace(
            job,
            reference=replace(job.reference, is_checked=checked[job.reference.label] == HUB),
            artifacts=tuple(replace(item, is_checked=checked[item.label] == HUB) for item in job.artifacts),
        )

        def step(done: int, total: int) -> None:
            if is_cancelled():
                raise DriverError("unhealthy", "cancelled")
            progress(done, total)

        with contextlib.ExitStack() as stack:
            self._take_cpus(stack, is_cancelled)
            stack.enter_context(ended_when(is_cancelled))
            found = record_session(job, is_enough=is_enough, command=self._command, progress=step)
        check_reference(job, found, lost="worker_crash")
        return tuple(replace(item, protocol={**item.protocol, "checked_by": checked[item.label]}) for item in found)

    def _lay_worker_out(self) -> None:
        """Once, before the first job."""
        if self._folder is not None:
            try:
                self._command, self._folder = isolated_worker(self._folder / "worker"), None
            except MeasureError as error:
                raise DriverError("unhealthy", str(error)) from error

    def _checkers(self, job: Job) -> dict[str, str]:
        """Who looks into each file, by label."""
        own = checked_formats()
        found = {}
        for artifact in (job.reference, *job.artifacts):
            found[artifact.label] = DEVICE if artifact.format in own else HUB
            if self._requires_check and artifact.format not in own:
                raise DriverError(
                    "unsupported",
                    f"{artifact.label!r} is a {artifact.format} file; with --require-check this device takes only what "
                    f"it can look into ({', '.join(own)}); install the package onnx there, or leave the option out",
                )
        return found

    def _take_cpus(self, stack: contextlib.ExitStack, is_cancelled: Callable[[], bool]) -> None:
        while True:
            begin = time.monotonic()
            try:
                stack.enter_context(exclusive(self._lock, timeout_s=_TURN_S))
                return
            except MeasureError as error:
                if time.monotonic() - begin < _TURN_S:  # no wait was over: the lock cannot be had at all
                    raise DriverError("unhealthy", str(error)) from error
                if is_cancelled():
                    raise DriverError("unhealthy", "cancelled while something else used the CPUs") from error


class _Watch(threading.Thread):
    """Ends the child processes of a session that is cancelled: a step of it may take minutes, or hang."""

    def __init__(self, is_cancelled: Callable[[], bool]) -> None:
        super().__init__(name="watch of a session", daemon=True)
        self.has_ended = False
        self.is_over = threading.Event()
        self._is_cancelled = is_cancelled

    def run(self) -> None:
        # Again and again: the session starts another child in place of a lost one.
        while not self.is_over.wait(_LOOK_S):
            if self._is_cancelled():
                self.has_ended = True
                end_children()


@contextlib.contextmanager
def ended_when(is_cancelled: Callable[[], bool]) -> Iterator[None]:
    """Ends the child processes of the session within as soon as that is true.

    Raises:
        DriverError: it was: what came out tells of children that were ended and not of artifacts.
    """
    watch = _Watch(is_cancelled)
    watch.start()
    try:
        yield
    finally:
        watch.is_over.set()
        watch.join()
    if watch.has_ended:
        raise DriverError("unhealthy", "cancelled")


def check_reference(job: Job, found: Sequence[Measurement], *, lost: str) -> None:
    """A session whose reference failed tells nothing of its artifacts, but something of this device.

    Args:
        job: what was to be timed.
        found: of each of its artifacts, in its order.
        lost: kind of failure where the process of the reference was lost.

    Raises:
        DriverError: it failed: of the kind `lost`, or "artifact_invalid" where it was refused.
    """
    with_reference = {item.label for item in job.artifacts if job.setup_of(item) == job.setup_of(job.reference)}
    for measurement in found:
        reason = measurement.reason or ""
        # Artifacts of one setup share a process, and each of them has it as its own reason that it could not start.
        has_not_started = reason.startswith(NOT_STARTED) and measurement.label in with_reference
        if has_not_started or reason.startswith(f"the reference {job.reference.label!r} failed: "):
            is_lost = bool(measurement.protocol.get("children_lost"))
            raise DriverError(lost if is_lost else "artifact_invalid", reason)
'''

SOURCES["bench.agent.drivers.picture"] = r'''"""The picture that every network is shown, without NumPy: `default_rng(0).standard_normal((1, 3, n, n), float32)`.

A phone's host may have no NumPy, and what a network computes can be compared with its reference logits only from the
very same picture. NumPy does not promise its streams across releases; a test compares with the one that is installed.
PCG64 is O'Neill's (2014), seeded as NumPy's SeedSequence(0) seeds it; normal numbers are drawn by Marsaglia and
Tsang's ziggurat (2000) of 256 strips in single precision.
"""

from __future__ import annotations

import functools
import math
import struct
import sys
from array import array
from collections.abc import Iterator

# NumPy's PCG64(SeedSequence(0)).
_STATE = 35399562948360463058890781895381311971
_INCREMENT = 87136372517582989555478159403783844777
_MULTIPLIER = 47026247687942121848144207491837523525
_MASK_64 = (1 << 64) - 1
_MASK_128 = (1 << 128) - 1

_STRIPS = 256
# Where the tail begins, so that 256 strips have one area.
_TAIL = 3.6541528853610088
# Of a float: what is left of 32 bits after strip and sign.
_MANTISSA = 1 << 23


@functools.lru_cache(maxsize=2)
def picture(resolution: int) -> array[float]:
    """3 x n x n values, channel by channel; plain Python, so a second or so for a large one."""
    draw = _normals(_words())
    return array("f", (next(draw) for _ in range(3 * resolution * resolution)))


def as_bytes(resolution: int, *, channels_last: bool) -> bytes:
    """The picture as a file: float32, little-endian."""
    values = picture(resolution)
    if channels_last:
        plane = resolution * resolution
        turned = array("f", bytes(4 * len(values)))
        for channel in range(3):
            turned[channel::3] = values[channel * plane : (channel + 1) * plane]
        values = turned
    elif sys.byteorder == "big":
        values = array("f", values)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _words() -> Iterator[int]:
    """PCG64 (XSL RR 128/64) in words of 32 bits, the low one of each number first."""
    state = _STATE
    while True:
        state = (state * _MULTIPLIER + _INCREMENT) & _MASK_128
        folded, turn = (state >> 64) ^ (state & _MASK_64), state >> 122
        drawn = ((folded >> turn) | (folded << (64 - turn))) & _MASK_64
        yield drawn & 0xFFFFFFFF
        yield drawn >> 32


def _normals(words: Iterator[int]) -> Iterator[float]:
    limits, widths, heights = _tables()
    for word in words:
        strip, place = word & 0xFF, word >> 9
        value = place * widths[strip]
        if word & 0x100:
            value = -value
        # Nearly all end here.
        if place < limits[strip]:
            yield value
        elif strip == 0:
            yield _tail(words, is_negative=bool((place >> 8) & 1))
        else:
            value, span = _single(value), _single(heights[strip - 1] - heights[strip])
            if _single(_single(span * _uniform(words)) + heights[strip]) < math.exp(-0.5 * value * value):
                yield value


def _tail(words: Iterator[int], *, is_negative: bool) -> float:
    while True:
        beyond = _single(-_single(1 / _TAIL) * _single(math.log1p(-_uniform(words))))
        below = _single(-math.log1p(-_uniform(words)))
        if below + below > beyond * beyond:
            value = _single(_single(_TAIL) + beyond)
            return -value if is_negative else value


def _uniform(words: Iterator[int]) -> float:
    return (next(words) >> 8) / (1 << 24)


def _tables() -> tuple[list[int], list[float], list[float]]:
    """For each strip: below which place a point is inside for sure, width of a place, height of the curve."""
    area = _TAIL * math.exp(-0.5 * _TAIL**2) + math.sqrt(math.pi / 2) * math.erfc(_TAIL / math.sqrt(2))
    edges = [0.0] * _STRIPS
    edges[_STRIPS - 1] = _TAIL
    for strip in range(_STRIPS - 2, 0, -1):
        above = edges[strip + 1]
        edges[strip] = math.sqrt(-2 * math.log(area / above + math.exp(-0.5 * above * above)))
    # The lowest strip has the tail in it: as wide as a rectangle of its area.
    edges[0] = area / math.exp(-0.5 * _TAIL**2)
    limits = [int(_TAIL / edges[0] * _MANTISSA), 0]
    limits += [int(edges[strip - 1] / edges[strip] * _MANTISSA) for strip in range(2, _STRIPS)]
    heights = [1.0, *(_single(math.exp(-0.5 * edge * edge)) for edge in edges[1:])]
    return limits, [_single(edge / _MANTISSA) for edge in edges], heights


def _single(value: float) -> float:
    """Rounded to single precision."""
    return float(struct.unpack("f", struct.pack("f", value))[0])
'''

SOURCES["bench.agent.enrolment"] = r'''"""How a device becomes a runner: a code that is good for once and ten minutes buys a token, which a file then keeps.

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
'''

SOURCES["bench.agent.failure"] = r'''"""Why a lease came to nothing, in the words of the call that tells the hub (POST /v1/leases/{fence}/fail)."""

from __future__ import annotations

from bench.agent.answers import printable
from bench.errors import MeasureError

# Whoever tries again gets the same answer.
FATAL = ("artifact_invalid", "unsupported")
# Another attempt may go well.
PASSING = ("worker_crash", "timeout", "device_lost", "unhealthy")
KINDS = (*FATAL, *PASSING)

# Of a reason: one line for a person.
_LENGTH = 500


class LeaseFailure(MeasureError):
    """A lease that gives no result.

    Attributes:
        kind: one of `KINDS`.
        reason: one line.
    """

    def __init__(self, kind: str, reason: str) -> None:
        assert kind in KINDS, kind
        super().__init__(kind, reason)
        self.kind = kind
        self.reason = printable(reason)[:_LENGTH] or "no reason given"

    def __str__(self) -> str:
        return self.reason


class JobRefusedError(LeaseFailure):
    """A job that asks for what is not allowed, or not to be had here."""


class DriverError(LeaseFailure):
    """A device that could not time a job."""
'''

SOURCES["bench.agent.files"] = r'''"""Files that only their owner may read: tokens, and what is kept of a lease; written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from bench.errors import MeasureError

# O_NOFOLLOW: a link that somebody put there must not lead anywhere.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def private_folder(path: Path) -> Path:
    """The folder, made where it is missing, closed to others.

    Raises:
        MeasureError: it cannot be made, belongs to somebody else, or others may write there.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
    except OSError as error:
        raise MeasureError(
            f"cannot use the folder {str(path)!r} ({error.strerror}); a writable one is needed; give --folder"
        ) from error
    if found.st_uid != os.geteuid() or found.st_mode & _OTHERS_WRITE:
        raise MeasureError(
            f"others can write to {str(path)!r}; a folder of your own is needed; run chmod 700, or give --folder"
        )
    return path


def write_private(path: Path, content: bytes, *, is_lasting: bool = True) -> None:
    """Puts `content` at `path`, readable by its owner alone; a reader sees all of it or what was there before.

    Args:
        path: in a folder of our own.
        is_lasting: waits until the disk has it, so that it outlives a loss of power too.

    Raises:
        MeasureError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.unlink(missing_ok=True)  # of a process that had this id and died
        with os.fdopen(os.open(partial, _WRITE, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            if is_lasting:
                os.fsync(file.fileno())
        partial.replace(path)
        if is_lasting:
            _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise MeasureError(
            f"cannot write {str(path)!r} ({error.strerror}); a writable disk with space is needed; give --folder"
        ) from error


def read_private(path: Path, *, limit: int) -> bytes | None:
    """The content of `path`; None where there is nothing.

    Raises:
        MeasureError: it is a link or no plain file, belongs to others or is open to them, or has over `limit` bytes.
    """
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MeasureError(
            f"cannot read {str(path)!r} ({error.strerror}); a plain file of your own is needed; register this again"
        ) from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & _OTHERS:
        os.close(descriptor)
        raise MeasureError(
            f"{str(path)!r} is not a plain file that you alone may read; mode 600 is needed; run chmod 600 on it"
        )
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise MeasureError(f"{str(path)!r} has over {limit} bytes; at most these are read; remove it")
    return content


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
'''

SOURCES["bench.agent.heartbeat"] = r'''"""Signs of life of a lease, from a thread of the supervisor: never from the process that is timed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from bench.agent.transport import Hub, HubError
from bench.agent.wire import Lease, finite

# A hub that does not answer must not hold up the next sign of life for long.
_TIMEOUT_S = 10.0
_JOIN_S = 1.0
_UNAUTHORIZED, _STALE = 401, 409
_LOST = {
    _UNAUTHORIZED: "the hub refuses its token",
    403: "the lease is another's",
    404: "the hub does not know its lease",
    _STALE: "its fence is stale",
}


class Heartbeat(threading.Thread):
    """Tells the hub how a lease goes, and keeps what the hub says to it.

    Attributes:
        why_over: the lease is not ours any more, or was cancelled: in words; None as long as it goes on.
        is_refused: the hub does not take the token any more.
    """

    def __init__(
        self, hub: Hub, lease: Lease, *, health: Callable[[], dict[str, Any]], told: Callable[[str], None]
    ) -> None:
        super().__init__(name=f"heartbeat of lease {lease.fence}", daemon=True)
        self.why_over: str | None = None
        self.is_refused = False
        self._hub, self._lease, self._health, self._told = hub, lease, health, told
        self._state: tuple[str, int, int] = ("fetching", 0, 0)
        self._has_ended = threading.Event()
        self._is_away = self._is_draining = False

    def enter(self, phase: str) -> None:
        """What is done from now on: "fetching", "measuring" or "posting"."""
        self._state = (phase, 0, 0)

    def progress(self, done: int, total: int) -> None:
        """How far that is."""
        self._state = (self._state[0], done, total)

    def give_up(self, why: str, *, is_refused: bool = False) -> None:
        """The lease is over, as this or another call has found."""
        self.is_refused = self.is_refused or is_refused
        self.why_over = self.why_over or why

    def end(self) -> None:
        """No further sign of life."""
        self._has_ended.set()
        if self.is_alive():
            self.join(_JOIN_S)  # one that is under way comes to nothing by itself

    def run(self) -> None:
        """Until the end of the lease; the first at once, since only then does the hub know that it has arrived."""
        try:
            while True:
                self._beat()
                if self.why_over is not None or self._has_ended.wait(self._lease.heartbeat_s):
                    return
        finally:
            self._hub.close()

    def _beat(self) -> None:
        phase, done, total = self._state
        body = {"phase": phase, "done": done, "total": total, "health": self._health_now()}
        path = f"/v1/leases/{self._lease.fence}/heartbeat"
        try:
            reply = self._hub.request(
                "POST", path, body=body, is_repeatable=True, attempts=1, timeout_s=_TIMEOUT_S
            ).json()
        except HubError as error:
            self._on_error(error)
            return
        if self._is_away:
            self._is_away = False
            self._told(f"lease {self._lease.fence}: the hub is back")
        action = reply.get("action")
        if action == "cancel":
            self.give_up("the hub cancelled it")
        elif action == "drain" and not self._is_draining:
            self._is_draining = True
            self._told(f"lease {self._lease.fence}: the runner is draining; this is the last one for now")

    def _on_error(self, error: HubError) -> None:
        if self._has_ended.is_set():
            return
        if error.status in _LOST:
            self.give_up(f"{_LOST[error.status]}: {error}", is_refused=error.status == _UNAUTHORIZED)
        elif not self._is_away:
            self._is_away = True
            self._told(f"lease {self._lease.fence}: no sign of life reaches the hub ({error}); the work goes on")

    def _health_now(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = finite(self._health())
            return found
        except Exception as error:  # of whatever driver: it must not end the lease
            return {"error": f"{type(error).__name__}: {error}"[:200]}
'''

SOURCES["bench.agent.journal"] = r'''"""What is known of the lease under way, on disk: an agent that is killed tells the hub when it is started again.

Without it the hub would wait for the lease to expire, and a result that was not delivered yet would be lost. Nothing
here is waited for until the disk has it: a loss of power costs a lease, which the hub gives again.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

from bench.agent.files import read_private, write_private
from bench.errors import MeasureError

# What the hub takes as a result.
RESULT_BYTES = 64 << 20
_LEASE_BYTES = 4096


@dataclass(frozen=True)
class Left:
    """What an earlier agent left behind.

    Attributes:
        fence: of its lease.
        result: that it had measured and not delivered; None: it had none yet.
    """

    fence: int
    result: bytes | None


class Journal:
    """One lease at a time, in the runner's folder."""

    def __init__(self, folder: Path) -> None:
        self._lease, self._result = folder / "lease.json", folder / "result.json"

    def begin(self, fence: int) -> None:
        """A lease begins."""
        self._remove(self._result)  # first: it belongs to the lease before
        write_private(self._lease, json.dumps({"fence": fence}).encode("ascii"), is_lasting=False)

    def keep(self, result: bytes) -> None:
        """It has a result, which is not delivered yet."""
        write_private(self._result, result, is_lasting=False)

    def end(self) -> None:
        """The hub knows how it ended."""
        self._remove(self._lease)
        self._remove(self._result)

    def left(self) -> Left | None:
        """The lease that began and did not end; None: there is none, or nothing that can be read."""
        with contextlib.suppress(MeasureError, ValueError, KeyError, TypeError, RecursionError):
            content = read_private(self._lease, limit=_LEASE_BYTES)
            if content is not None:
                fence = json.loads(content)["fence"]
                return Left(fence=fence, result=self._whole_result()) if type(fence) is int and fence > 0 else None
        return None

    def _whole_result(self) -> bytes | None:
        try:
            content = read_private(self._result, limit=RESULT_BYTES)
            if content is not None:
                json.loads(content)  # a disk that lost power may hold a part of it
        except (MeasureError, ValueError, RecursionError):
            return None
        return content

    def _remove(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            path.unlink()
'''

SOURCES["bench.agent.log"] = r'''"""Lines on stderr for whoever looks after a device: when, which runner, what; never a secret."""

from __future__ import annotations

import contextlib
import sys
import time

from bench.agent.answers import printable


class Log:
    """Writes one line a call; a closed stderr does not end the agent."""

    def __init__(self) -> None:
        self.name = ""
        self._secrets: tuple[str, ...] = ()

    def hide(self, *secrets: str) -> None:
        """These are never written, wherever they come from."""
        self._secrets += tuple(secret for secret in secrets if secret)

    def __call__(self, line: str) -> None:
        text = printable(line)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        # The wall clock, for people alone: nothing here is decided by it.
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        with contextlib.suppress(OSError, ValueError):
            print(f"{now} bench-agent{' ' if self.name else ''}{self.name}: {text}", file=sys.stderr, flush=True)
'''

SOURCES["bench.agent.loop"] = r'''"""The agent: asks for work, has a driver do it, tells the hub how it went; for as long as it lives.

A hub that is away costs nothing but time: the measuring goes on, and the result is kept on disk and delivered when the
hub is back. What the hub does not take any more (another attempt has taken its place) is dropped, and the log says so.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.agent.blobs import BlobCache
from bench.agent.drivers import Driver
from bench.agent.enrolment import Identity
from bench.agent.failure import LeaseFailure
from bench.agent.heartbeat import Heartbeat
from bench.agent.journal import RESULT_BYTES, Journal
from bench.agent.reporting import FORBIDDEN, LONG_PAUSE_S, STALE, UNAUTHORIZED, Reporter, TokenRefusedError
from bench.agent.stopping import Stop, Stopped
from bench.agent.transport import JSON_TYPE, Hub, HubError
from bench.agent.wire import Lease, encode_measurements, files_of, finite, read_job, read_lease
from bench.errors import MeasureError
from bench.measure.measurement import Measurement

# A job, which the hub bounds to half of that, and a few words.
_LEASE_BYTES = 16 << 20
# Over what the hub lets a request for work wait.
_MARGIN_S = 15.0
# A hub that has no work and does not wait with saying so must not be asked all the time.
_LEAST_PAUSE_S = 1.0
_LOOK_S, _LOOKS = 10.0, 2


@dataclass(frozen=True)
class Agent:
    """One runner's agent.

    Attributes:
        hub: that it was enrolled with.
        identity: what it was given there.
        driver: of the device.
        cache: for the files of leases.
        journal: of the lease under way.
        stop: whether it was asked to end.
        told: hears of everything that happens, line by line.
        pause: between two requests where the hub does not pause.
    """

    hub: Hub
    identity: Identity
    driver: Driver
    cache: BlobCache
    journal: Journal
    stop: Stop
    told: Callable[[str], None]
    pause: Callable[[float], None] = time.sleep

    def run(self, *, most: int | None = None) -> None:
        """Until it is stopped, or has worked on `most` leases.

        Raises:
            Stopped: it was asked to end.
            TokenRefusedError: the runner was removed, or enrolled elsewhere.
        """
        self._introduce()
        self._settle()
        done = 0
        while most is None or done < most:
            lease = self._next_lease()
            if lease is not None:
                self._work(lease)
                done += 1

    @property
    def _reporter(self) -> Reporter:
        return Reporter(self.hub, self.journal, self.stop, self.told, self.pause)

    def _introduce(self) -> None:
        """Tells what the device can do, once it is there: a phone may be plugged in later."""
        path = f"/v1/runners/{self.identity.runner_id}/capabilities"
        with self.stop.may_interrupt():
            while True:
                try:
                    self._reporter.insist("PUT", path, body=finite(self.driver.capabilities()))
                    return
                except LeaseFailure as error:
                    self.told(f"the device cannot be used: {error}; looking again in {LONG_PAUSE_S:g} s")
                    self.pause(LONG_PAUSE_S)
                except HubError as error:
                    self._reporter.check_token(error, UNAUTHORIZED, FORBIDDEN)
                    self.told(f"the hub does not take what this device can do: {error}")
                    return

    def _settle(self) -> None:
        """Ends the lease that an agent before this one left open."""
        left = self.journal.left()
        if left is None:
            return
        self.told(f"lease {left.fence}: an agent before this one left it open")
        if left.result is not None:
            self._reporter.deliver(left.fence, left.result)
        else:
            self._reporter.fail(left.fence, "device_lost", "the agent ended during the lease and was started again")

    def _next_lease(self) -> Lease | None:
        begin, wait_s = time.monotonic(), self.identity.wait_s
        path = f"/v1/runners/{self.identity.runner_id}/lease?wait={wait_s:g}"
        with self.stop.may_interrupt():
            try:
                reply = self.hub.request(
                    "POST", path, limit=_LEASE_BYTES, is_repeatable=True, attempts=None, timeout_s=wait_s + _MARGIN_S
                )
                data = None if reply.status == 204 else reply.json()
            except HubError as error:
                self._reporter.check_token(error, UNAUTHORIZED, FORBIDDEN)
                self.told(f"no work to be had: {error}; asking again in {LONG_PAUSE_S:g} s")
                self.pause(LONG_PAUSE_S)
                return None
            if data is None:
                if time.monotonic() - begin < _LEAST_PAUSE_S:
                    self.pause(_LEAST_PAUSE_S)
                return None
            return self._read_lease(data)

    def _read_lease(self, data: Mapping[str, Any]) -> Lease | None:
        """The lease; one that makes no sense is given back, or it would come again and again."""
        try:
            return read_lease(data)
        except LeaseFailure as error:
            self.told(f"a lease that makes no sense: {error}")
            if type(data.get("fence")) is int:
                self._reporter.say_failed(data["fence"], error.kind, error.reason)
            self.pause(LONG_PAUSE_S)
            return None

    def _work(self, lease: Lease) -> None:
        self.told(f"lease {lease.fence}: job {lease.job_id}, attempt {lease.attempt}")
        self._note(lambda: self.journal.begin(lease.fence))
        beat = Heartbeat(self.hub, lease, health=self.driver.health, told=self.told)
        beat.start()
        end = time.monotonic() + lease.max_s
        outcome: bytes | LeaseFailure | Stopped
        try:
            outcome = self._measured(lease, beat, end)
        except (LeaseFailure, Stopped) as error:
            outcome = error
        except Exception as error:  # a mistake of ours: the agent must live on, and the hub must hear of it
            self.told(f"lease {lease.fence}: {traceback.format_exc()}")
            outcome = LeaseFailure("unhealthy", f"the agent failed: {type(error).__name__}: {error}")
        is_late = time.monotonic() > end
        self.cache.clear()  # first: what follows may wait for the hub for days
        try:
            if isinstance(outcome, bytes) and beat.why_over is None:
                result = outcome
                beat.enter("posting")
                self._note(lambda: self.journal.keep(result))
                self._reporter.deliver(lease.fence, result)
            else:
                self._give_up(lease, beat, outcome, is_late=is_late)
        finally:
            beat.end()

    def _measured(self, lease: Lease, beat: Heartbeat, end: float) -> bytes:
        """The result as it is sent.

        Raises:
            LeaseFailure: there is none.
            Stopped: the agent was asked to end while it fetched files.
        """

        def is_cancelled() -> bool:
            return self.stop.is_asked or beat.why_over is not None or time.monotonic() > end

        files, job = files_of(lease.body), read_job(lease.body, self.cache.folder)
        with self.stop.may_interrupt():
            self.cache.gather(self.hub, job, files, is_cancelled=is_cancelled)
        beat.enter("measuring")
        found = self.driver.run(
            job,
            is_enough=lambda known: self._is_enough(lease, beat, known),
            progress=beat.progress,
            is_cancelled=is_cancelled,
        )
        result = encode_measurements(found)
        if len(result) > RESULT_BYTES:
            raise LeaseFailure(
                "unsupported",
                f"the result has {len(result) >> 20} MiB; at most {RESULT_BYTES >> 20} MiB are sent; split the job, or "
                "ask for fewer runs",
            )
        return result

    def _is_enough(self, lease: Lease, beat: Heartbeat, known: Sequence[Measurement]) -> bool:
        """What the hub thinks of it; where it cannot be asked, the job's own limits decide."""
        try:
            reply = self.hub.request(
                "POST",
                f"/v1/leases/{lease.fence}/look",
                body=encode_measurements(known),
                headers=JSON_TYPE,
                is_repeatable=True,
                attempts=_LOOKS,
                timeout_s=_LOOK_S,
            )
            action = reply.json().get("action")
        except HubError as error:
            if error.status in (UNAUTHORIZED, *STALE):
                beat.give_up(f"the hub does not take its figures: {error}", is_refused=error.status == UNAUTHORIZED)
                return True
            self.told(f"lease {lease.fence}: the hub cannot be asked whether that is enough ({error}); it goes on")
            return False
        if action == "cancel":
            beat.give_up("the hub cancelled it")
        return action in ("enough", "cancel")

    def _give_up(self, lease: Lease, beat: Heartbeat, outcome: object, *, is_late: bool) -> None:
        """Ends a lease without a result, and says why to whom it matters."""
        beat.end()
        if beat.why_over is not None:
            self.told(f"lease {lease.fence}: given up: {beat.why_over}")
            self.journal.end()
            if beat.is_refused:
                raise TokenRefusedError
        elif self.stop.is_asked:
            self._reporter.fail_at_last(lease.fence, "unhealthy", "the agent was stopped")
        elif is_late:
            self._reporter.fail(lease.fence, "timeout", f"not done after the {lease.max_s:g} s that it may take")
        elif isinstance(outcome, LeaseFailure):
            self._reporter.fail(lease.fence, outcome.kind, outcome.reason)
        if isinstance(outcome, Stopped):
            raise outcome

    def _note(self, action: Callable[[], None]) -> None:
        """A journal that cannot be kept costs an attempt if the agent dies, and nothing else."""
        try:
            action()
        except MeasureError as error:
            self.told(f"the journal cannot be kept: {error}")
'''

SOURCES["bench.agent.main"] = r'''"""The agent as a command: `python3 agent.py NAME`; `--help` tells the rest.

Ends with 0 when it was asked to (SIGTERM, Ctrl-C), 3 when the hub does not know it any more, 1 for other errors.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.agent import VERSION
from bench.agent.blobs import BlobCache
from bench.agent.doctor import examine
from bench.agent.enrolment import (
    VARIABLE,
    Identity,
    enrol,
    enrolled,
    load_identity,
    parse_enrolment,
    runner_folder,
    save_identity,
)
from bench.agent.files import private_folder
from bench.agent.journal import Journal
from bench.agent.log import Log
from bench.agent.loop import Agent
from bench.agent.reporting import TokenRefusedError
from bench.agent.settings import DEFAULT_FOLDER, make_driver, parser, settings_of
from bench.agent.stopping import Stop, Stopped
from bench.agent.transport import Hub
from bench.agent.wire import finite
from bench.errors import BenchError, MeasureError

FAILED, REFUSED = 1, 3

# An agent whose token was replaced just now ends with its next call.
_TURN_S = 60.0
_POLL_S = 0.1


def main(words: Sequence[str] | None = None) -> int:
    """The status to exit with; `words` are those of the command line."""
    line = os.environ.pop(VARIABLE, None)  # a secret, which no child process must find there
    os.umask(0o077)
    options = parser().parse_args(words)
    base = (options.folder or DEFAULT_FOLDER).expanduser().absolute()
    log = Log()
    try:
        if options.version:
            print(f"bench-agent {version()}")
        elif options.doctor:
            for found in examine(options.kind or "cpu", base):
                print(found)
        else:
            _serve(options, line, base, log)
    except Stopped:
        log("stopped")
    except TokenRefusedError as error:
        log(str(error))
        return REFUSED
    except BenchError as error:
        log(str(error))
        return FAILED
    return 0


def version() -> str:
    """Of the sources, and in the one file of what was packed."""
    digest = getattr(sys.modules.get("__main__"), "DIGEST", None)
    return VERSION if digest is None else f"{VERSION} ({str(digest)[:12]})"


def _serve(options: Any, line: str | None, base: Path, log: Log) -> None:
    stop = Stop()
    stop.listen()
    if line is not None:
        settings = settings_of(options, {})
        identity = _enrolled(line, base, settings, log)
        folder = runner_folder(base, identity.name)
        save_identity(identity, folder)  # first: there is no second code
        wait_s = _TURN_S
    else:
        folder, identity = _known(options.name, base)
        settings = settings_of(options, identity.settings)
        wait_s = 0.0
    log.name = identity.name
    log.hide(identity.token)
    with _only_one(folder, stop, wait_s=wait_s):
        if settings != identity.settings:
            identity = replace(identity, settings=settings)
            save_identity(identity, folder)
        _run(identity, folder, stop, log, most=options.leases)


def _run(identity: Identity, folder: Path, stop: Stop, log: Log, *, most: int | None) -> None:
    settings = identity.settings
    if os.geteuid() == 0:
        log("this runs as root; an ordinary user is enough, and better")
    hub = Hub(identity.url, fingerprint=identity.fingerprint, token=identity.token, told=log)
    cache = BlobCache(folder / "blobs", keep_bytes=settings.get("keep_mib", 0) << 20)
    agent = Agent(hub, identity, make_driver(settings, folder), cache, Journal(folder), stop, log)
    log(f"version {version()}, driver {settings['driver']}, hub {identity.url}")
    try:
        agent.run(most=most)
    finally:
        hub.close()


def _known(name: str | None, base: Path) -> tuple[Path, Identity]:
    known = enrolled(base)
    if name is None:
        hint = f"enrolled here: {', '.join(known)}" if known else f"none is enrolled in {str(base)!r}"
        raise MeasureError(f"no runner is named; {hint}; give its name, or {VARIABLE} to enrol one")
    folder = runner_folder(base, name)
    return folder, load_identity(folder)


def _enrolled(line: str, base: Path, settings: Mapping[str, Any], log: Log) -> Identity:
    """A new identity; everything that can go wrong on this side does before the code is used up."""
    enrolment = parse_enrolment(line)
    log.hide(enrolment.code)
    private_folder(base)
    capabilities = finite(make_driver(settings, base).capabilities())
    hub = Hub(enrolment.url, fingerprint=enrolment.fingerprint, told=log)
    try:
        identity = enrol(enrolment, hub, capabilities=capabilities, settings=settings)
    finally:
        hub.close()
    log(f"enrolled as {identity.name!r}; later starts: agent.py {identity.name}")
    return identity


@contextlib.contextmanager
def _only_one(folder: Path, stop: Stop, *, wait_s: float) -> Iterator[None]:
    """Holds the runner: two agents of one would take each other's leases away.

    Raises:
        MeasureError: another agent holds it for longer than `wait_s`.
    """
    path = folder / "agent.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise MeasureError(
            f"cannot open the lock {str(path)!r} ({error.strerror}); a plain file of your own is needed; remove it"
        ) from error
    try:
        end = time.monotonic() + wait_s
        with stop.may_interrupt():
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= end:
                        raise MeasureError(
                            f"another agent serves {folder.name!r} here; one is allowed; stop it first"
                        ) from None
                    time.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main())
'''

SOURCES["bench.agent.reporting"] = r'''"""What the hub is told of a lease that is over: a result, or why there is none, until it knows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.agent.journal import Journal
from bench.agent.stopping import Stop
from bench.agent.transport import JSON_TYPE, Hub, HubError, Reply
from bench.errors import MeasureError

UNAUTHORIZED, FORBIDDEN = 401, 403
# Of a lease that is not ours (any more).
STALE = (403, 404, 409)
# After an answer that makes no sense.
LONG_PAUSE_S = 30.0

# On the way out nobody waits for long: the journal has it, and the lease expires by itself.
_LAST_WORDS_S, _LAST_WORDS = 5.0, 2
_NOT_KNOWN = (
    "the hub does not know this agent any more (removed, or enrolled again elsewhere); an agent serves one enrolment; "
    "run `bench runners register NAME` to bring the device back"
)


class TokenRefusedError(MeasureError):
    """The hub does not know this agent (any more)."""

    def __init__(self) -> None:
        super().__init__(_NOT_KNOWN)


@dataclass(frozen=True)
class Reporter:
    """Speaks to the hub in the name of one agent, and closes its journal.

    Attributes:
        hub: that it was enrolled with.
        journal: of the lease under way.
        stop: whether the agent was asked to end.
        told: hears of everything that happens, line by line.
        pause: where the hub makes no sense.
    """

    hub: Hub
    journal: Journal
    stop: Stop
    told: Callable[[str], None]
    pause: Callable[[float], None] = time.sleep

    def deliver(self, fence: int, result: bytes) -> None:
        """A result, until the hub has it or does not want it.

        Raises:
            Stopped: the agent was asked to end; the journal keeps the result.
            TokenRefusedError: the hub does not know the agent.
        """
        with self.stop.may_interrupt():
            try:
                self.insist("PUT", f"/v1/leases/{fence}/result", body=result, headers=JSON_TYPE)
                self.told(f"lease {fence}: its result is delivered")
            except HubError as error:
                self.check_token(error, UNAUTHORIZED)
                if error.status in STALE:
                    self.told(f"lease {fence}: its result is dropped, the lease is not ours any more: {error}")
                else:
                    self.told(f"lease {fence}: the hub does not take its result: {error}")
                    kind = "unhealthy" if error.is_passing else "unsupported"
                    self.say_failed(fence, kind, f"the hub did not take the result: {error}")
            self.journal.end()

    def fail(self, fence: int, kind: str, reason: str) -> None:
        """No result; raises as `deliver` does."""
        self.told(f"lease {fence}: failed ({kind}): {reason}")
        with self.stop.may_interrupt():
            self.say_failed(fence, kind, reason)
            self.journal.end()

    def fail_at_last(self, fence: int, kind: str, reason: str) -> None:
        """No result, on the way out: told without patience, and by the next start where nobody hears."""
        self.told(f"lease {fence}: failed ({kind}): {reason}")
        try:
            self.hub.request(
                "POST",
                f"/v1/leases/{fence}/fail",
                body={"kind": kind, "reason": reason},
                is_repeatable=True,
                attempts=_LAST_WORDS,
                timeout_s=_LAST_WORDS_S,
            )
        except HubError as error:
            self.told(f"lease {fence}: the hub does not hear of that now: {error}")
            if error.is_passing or not error.status:
                return
        self.journal.end()

    def say_failed(self, fence: int, kind: str, reason: str) -> None:
        """The call alone; a hub that refuses it knows more of the lease than we do."""
        try:
            body = {"kind": kind, "reason": reason}
            self.insist("POST", f"/v1/leases/{fence}/fail", body=body, is_repeatable=True)
        except HubError as error:
            self.check_token(error, UNAUTHORIZED)
            self.told(f"lease {fence}: the hub knows better: {error}")

    def insist(self, method: str, path: str, **call: Any) -> Reply:
        """The hub's answer, however long it takes: while nobody, or somebody else, is at its address, it is waited for.

        Raises:
            HubError: it says no.
        """
        while True:
            try:
                return self.hub.request(method, path, attempts=None, **call)
            except HubError as error:
                if error.status:
                    raise
                self.told(f"{method} {path}: {error}; again in {LONG_PAUSE_S:g} s")
                self.pause(LONG_PAUSE_S)

    def check_token(self, error: HubError, *refusals: int) -> None:
        """Ends everything where `error` has one of these statuses.

        Raises:
            TokenRefusedError: it has.
        """
        if error.status in refusals:
            self.told(f"the hub refuses: {error}")
            self.journal.end()
            raise TokenRefusedError from error
'''

SOURCES["bench.agent.settings"] = r'''"""How an agent was started: which device, which driver; kept beside its token for the next start."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.agent.drivers import Driver
from bench.errors import MeasureError, nearest

DEFAULT_FOLDER = Path("~/.local/share/bench-agent")

# What is kept; everything else is of one start.
_KEPT = (
    *("driver", "kind", "require_check", "keep_mib"),
    *("serial", "binary", "binary_sha256", "cores", "tool", "adb"),
    *("device", "team"),
)
_PHONE = ("serial", "binary", "binary_sha256")


def parser() -> argparse.ArgumentParser:
    """The command line; what is not given is None."""
    found = argparse.ArgumentParser(
        prog="agent.py",
        description="Times networks on this device for a hub: polls out, listens on nothing.",
        epilog="The first start takes the line that `bench runners register NAME` prints, in the variable BENCH_ENROL; "
        "later ones take the runner's name. What is given once is kept for later starts.",
    )
    found.add_argument("name", nargs="?", help="of the runner, as it was enrolled")
    found.add_argument("--folder", type=Path, help=f"for tokens and files of leases ({DEFAULT_FOLDER})")
    found.add_argument("--driver", choices=sorted(DRIVERS), help="what is driven (local)")
    found.add_argument("--kind", choices=("cpu", "cuda", "apple"), help="driver local: what is timed on (cpu)")
    found.add_argument(
        "--require-check",
        action=argparse.BooleanOptionalAction,
        help="whether to refuse files that this device cannot look into itself (no)",
    )
    found.add_argument("--keep-mib", type=int, metavar="N", help="of files that may stay between leases (0)")
    found.add_argument("--serial", help="driver adb: of the phone, as `adb devices` tells it")
    found.add_argument("--binary", type=Path, help="driver adb: the benchmark program")
    found.add_argument("--binary-sha256", metavar="HEX", help="driver adb: that it has")
    found.add_argument("--tool", help="driver adb: litert or onnxruntime (litert)")
    found.add_argument("--cores", metavar="MASK", help="driver adb: CPUs in hexadecimal digits, as taskset takes them")
    found.add_argument("--adb", help="driver adb: the client (adb)")
    found.add_argument("--device", help="driver devicectl: name or UDID of the iPhone or iPad")
    found.add_argument("--team", help="driver devicectl: of the Apple developer account")
    found.add_argument("--leases", type=int, metavar="N", help="end after so many")
    found.add_argument("--doctor", action="store_true", help="tell what this device can do, and end")
    found.add_argument("--version", action="store_true", help="tell the version, and end")
    return found


def settings_of(options: argparse.Namespace, kept: Mapping[str, Any]) -> dict[str, Any]:
    """What was kept, with what is given now over it.

    Raises:
        MeasureError: a driver that is unknown, or lacks something.
    """
    given = {name: getattr(options, name) for name in _KEPT if getattr(options, name) is not None}
    if "binary" in given:
        given["binary"] = str(given["binary"].expanduser().absolute())
    found = {name: value for name, value in kept.items() if name in _KEPT} | given
    driver = found.setdefault("driver", "local")
    if driver not in DRIVERS:
        raise MeasureError(f"unknown driver {driver!r}; known: {', '.join(DRIVERS)}{nearest(driver, DRIVERS)}")
    for name in _NEEDED[driver]:
        if not found.get(name):
            raise MeasureError(f"driver {driver} without --{name.replace('_', '-')}; it is needed; give it")
    if found.get("keep_mib", 0) < 0:
        raise MeasureError(f"--keep-mib {found['keep_mib']}; 0 or more are allowed; give another number")
    return found


def make_driver(settings: Mapping[str, Any], folder: Path) -> Driver:
    """The driver that `settings` name; `folder` is the agent's own.

    Raises:
        MeasureError: it cannot be had with these settings.
    """
    return DRIVERS[settings["driver"]](settings, folder)


def _local(settings: Mapping[str, Any], folder: Path) -> Driver:
    from bench.agent.drivers.local import LocalDriver

    return LocalDriver(settings.get("kind", "cpu"), requires_check=bool(settings.get("require_check")), folder=folder)


def _adb(settings: Mapping[str, Any], folder: Path) -> Driver:
    from bench.agent.drivers.adb import AdbDriver

    return AdbDriver(
        settings["serial"],
        binary=Path(settings["binary"]),
        binary_sha256=settings["binary_sha256"],
        folder=folder,
        adb=settings.get("adb", "adb"),
        tool=settings.get("tool", "litert"),
        cores=settings.get("cores"),
    )


def _devicectl(settings: Mapping[str, Any], folder: Path) -> Driver:
    from bench.agent.drivers.devicectl import DevicectlDriver

    del folder
    return DevicectlDriver(settings["device"], team=settings.get("team", ""))


DRIVERS: Mapping[str, Callable[[Mapping[str, Any], Path], Driver]] = {
    "local": _local,
    "adb": _adb,
    "devicectl": _devicectl,
}
_NEEDED: Mapping[str, tuple[str, ...]] = {"local": (), "adb": _PHONE, "devicectl": ("device",)}
'''

SOURCES["bench.agent.stopping"] = r'''"""SIGTERM, SIGINT and SIGHUP: a wait is broken off, anything else goes on to where it can be ended cleanly."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stopped(BaseException):
    """The agent was asked to end; no Exception, so that nothing takes it for a failure."""


class Stop:
    """Whether the agent was asked to end. Only a flag is set in the handler: locks are not safe there."""

    def __init__(self) -> None:
        self.is_asked = False
        self._is_waiting = False

    def listen(self) -> None:
        """Takes the signals on; one that the caller ignores (`nohup`) stays ignored. For the main thread."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    @contextlib.contextmanager
    def may_interrupt(self) -> Iterator[None]:
        """What is done within is broken off by a signal.

        Raises:
            Stopped: by one that came before or comes now.
        """
        try:
            self._is_waiting = True
            if self.is_asked:  # after the line above: one that comes between the two must not be missed
                raise Stopped
            yield
        finally:
            self._is_waiting = False

    def _on_signal(self, *_: object) -> None:
        self.is_asked = True
        if self._is_waiting:
            raise Stopped
'''

SOURCES["bench.agent.transport"] = r'''"""Asks a hub, with the standard library alone: JSON over HTTP, every answer bounded in size and in time.

A hub of one's own has a certificate that nobody signed. What makes it the right one is its fingerprint, which came
with the enrolment: a connection that shows another certificate is closed before anything is said on it. Redirects are
not followed, proxies of the environment are not used, and plain HTTP goes to this machine only.

Calls that may be repeated are, with growing pauses, and the hub's Retry-After is kept to. One attempt takes the
seconds it is given, from the connection to the last byte of the answer.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.agent.answers import HubAwayError, HubError, Reply, disk_errors, printable, read_reply
from bench.agent.connections import Address, limit_reads

__all__ = ["ATTEMPTS", "JSON_TYPE", "REPLY_BYTES", "Hub", "HubAwayError", "HubError", "Reply"]

# Of a body that is JSON already.
JSON_TYPE: Mapping[str, str] = {"Content-Type": "application/json"}
# Of an answer that is not written to a file.
REPLY_BYTES = 8 << 20
ATTEMPTS = 5

# A link slower than this (bytes a second) ends a call.
_LEAST_RATE = 64 << 10
# A hub keeps an idle connection for longer; what stands in front of one may not.
_KEEP_S = 3.0
_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.5, 30.0
# An error inside the hub may be over soon, and is not waited for for ever.
_MOST_500 = 8
_REPEATABLE = ("GET", "HEAD", "PUT", "DELETE")
_REASON_LENGTH = 200


@dataclass(frozen=True)
class _Call:
    """One call, ready to be made as often as is needed."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | Path | None
    stream_to: Path | None
    limit: int
    is_repeatable: bool


class Hub:
    """One hub; threads may share it, each has a connection of its own (`close` ends that of the calling one)."""

    def __init__(
        self,
        url: str,
        *,
        fingerprint: str | None = None,
        token: str | None = None,
        timeout_s: float = 30.0,
        told: Callable[[str], None] = lambda line: None,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """A hub at `url`; nothing is connected yet.

        Args:
            url: scheme, host and port.
            fingerprint: SHA-256 (hex, with or without "sha256:") of the certificate that it has to show; None
                verifies the certificate as usual.
            token: is sent with every call.
            timeout_s: of one attempt, besides what its bytes may take.
            told: hears of each retry and its reason.
            sleep, chance: of the pauses between them.

        Raises:
            HubError: no address of a hub, or plain HTTP to another machine.
        """
        self._address = Address(url, fingerprint)
        self.url = url.rstrip("/")
        self.timeout_s = timeout_s
        self._token = token
        self._told, self._sleep, self._chance = told, sleep, chance
        self._local = threading.local()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | Mapping[str, Any] | Path | None = None,
        headers: Mapping[str, str] | None = None,
        stream_to: Path | None = None,
        limit: int = REPLY_BYTES,
        timeout_s: float | None = None,
        is_repeatable: bool | None = None,
        attempts: int | None = ATTEMPTS,
    ) -> Reply:
        """The answer to one call.

        Args:
            method, path: of HTTP; the path begins with a slash.
            body: a mapping is sent as JSON, bytes and files as they are.
            headers: beside those that every call has.
            stream_to: where the answer is written: a new file, which is gone again if anything goes wrong.
            limit: bytes of the answer at most.
            timeout_s: of one attempt; None: that of the hub, and what the bytes may take.
            is_repeatable: whether doing it twice does no harm; None: as its method (or an Idempotency-Key) says.
            attempts: of what is repeatable; None: for as long as it takes.

        Raises:
            HubAwayError: nobody answers.
            HubError: the answer is a refusal, a redirect, or too large; or the certificate is another.
        """
        call, size = self._prepared(method, path, body, headers or {}, stream_to, limit, is_repeatable)
        seconds = self.timeout_s + size / _LEAST_RATE if timeout_s is None else timeout_s
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._try(call, seconds)
            except HubError as error:
                is_last = attempts is not None and attempt >= attempts
                if is_last or not _may_repeat(call, error, attempt):
                    raise
                delay_s = self._delay_s(error, attempt)
                count = f"{attempt + 1}" if attempts is None else f"{attempt + 1} of {attempts}"
                self._told(f"{method} {path}: {error}; attempt {count} in {delay_s:.1f} s")
                self._sleep(delay_s)

    def close(self) -> None:
        """Ends the connection of the calling thread; its next call makes another."""
        kept = self._kept()
        if kept is not None:
            kept.close()

    def _prepared(
        self,
        method: str,
        path: str,
        body: bytes | Mapping[str, Any] | Path | None,
        headers: Mapping[str, str],
        stream_to: Path | None,
        limit: int,
        is_repeatable: bool | None,
    ) -> tuple[_Call, int]:
        """The call, and how many bytes may move."""
        every = {"Accept": "application/json", "User-Agent": "bench-agent"}
        if self._token is not None:
            every["Authorization"] = f"Bearer {self._token}"
        content: bytes | Path | None
        size = limit if stream_to is not None else 0
        if body is None or isinstance(body, (bytes, Path)):
            content = body
            every.update({} if body is None else {"Content-Type": "application/octet-stream"})
        else:
            content = json.dumps(body, allow_nan=False).encode("ascii")
            every.update(JSON_TYPE)
        if isinstance(content, Path):
            with disk_errors(content):
                size += content.stat().st_size
                every["Content-Length"] = str(content.stat().st_size)
        elif content is not None:
            size += len(content)
        every.update(headers)
        if is_repeatable is None:
            is_repeatable = method in _REPEATABLE or "Idempotency-Key" in every
        return _Call(method, path, every, content, stream_to, limit, is_repeatable), size

    def _try(self, call: _Call, seconds: float) -> Reply:
        end = time.monotonic() + seconds
        try:
            kept = self._kept()
            if kept is not None and call.is_repeatable:
                # The hub may have closed it just now, which says nothing about the hub.
                with contextlib.suppress(ConnectionError, ssl.SSLError):
                    return self._talk(kept, call, end)
            elif kept is not None:  # nobody would know whether the call was heard
                kept.close()
            return self._talk(self._address.connected(end), call, end)
        except ssl.SSLCertVerificationError as error:
            raise HubError(
                0,
                f"the certificate of {self.url} is not trusted ({error.verify_message}); one that this machine trusts, "
                "or a fingerprint, is needed; register the runner again",
            ) from error
        except (OSError, http.client.HTTPException, UnicodeError) as error:  # the last: a host that is no name
            raise HubAwayError(
                0, f"{self.url} does not answer ({_reason(error)}); a running hub is needed; start it, or check the way"
            ) from error

    def _talk(self, connection: http.client.HTTPConnection, call: _Call, end: float) -> Reply:
        try:
            limit_reads(connection, end)
            with contextlib.suppress(BrokenPipeError):  # it has answered without reading all: too large, say
                _send(connection, call)
            response = connection.getresponse()
            reply = read_reply(response, limit=call.limit, stream_to=call.stream_to)
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._local.kept = (connection, time.monotonic())
        return reply

    def _kept(self) -> http.client.HTTPConnection | None:
        """The connection of this thread's last call, if the hub may still have it; it is not kept any more then."""
        kept: tuple[http.client.HTTPConnection, float] | None = getattr(self._local, "kept", None)
        self._local.kept = None
        if kept is None:
            return None
        connection, used_s = kept
        if time.monotonic() - used_s <= _KEEP_S:
            return connection
        connection.close()
        return None

    def _delay_s(self, error: HubError, attempt: int) -> float:
        """Doubled each time, with jitter, so that many agents do not come back at once."""
        longest = min(_FIRST_DELAY_S * 2 ** min(attempt - 1, 10), _LONGEST_DELAY_S)
        delay_s: float = longest * (1 + self._chance()) / 2
        return delay_s if error.wait_s is None else max(error.wait_s, delay_s)


def _may_repeat(call: _Call, error: HubError, attempt: int) -> bool:
    if error.status == 429:  # nothing was done
        return True
    if error.status == 500 and attempt >= _MOST_500:
        return False
    return call.is_repeatable and error.is_passing


def _send(connection: http.client.HTTPConnection, call: _Call) -> None:
    headers = dict(call.headers)
    if not isinstance(call.body, Path):
        connection.request(call.method, call.path, body=call.body, headers=headers)
        return
    with disk_errors(call.body):
        file = call.body.open("rb")
    with file:
        connection.request(call.method, call.path, body=file, headers=headers)


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return printable(str(text))[:_REASON_LENGTH]
'''

SOURCES["bench.agent.unpacking"] = r'''"""The worker of the one-file agent as files: started from these, a child does not read all of the agent each time.

A job starts two children that look into its files and one for each restart. Each of them would parse the whole
agent and compile what it needs of it, where files are compiled once.
"""

from __future__ import annotations

import importlib.util
import py_compile
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.agent.files import private_folder, write_private
from bench.errors import MeasureError
from bench.measure.child import ISOLATED_WORKER

_WORKER = "bench.measure.worker"
_BESIDE = ("bench.measure.isolation",)
_BELOW = ("bench.measure.checks.", "bench.measure.runtimes.")


def isolated_worker(folder: Path) -> tuple[str, ...]:
    """The command of an isolated worker; out of the one-file agent, its files are laid into `folder` anew.

    Args:
        folder: of this agent alone; what was in it is gone.

    Raises:
        MeasureError: the folder cannot be used, or the disk is full.
    """
    spec = importlib.util.find_spec(_WORKER)
    packed: Callable[[], Sequence[str]] | None = getattr(spec.loader, "names", None) if spec is not None else None
    if packed is None:  # its files are there already
        return ISOLATED_WORKER
    try:
        shutil.rmtree(folder, ignore_errors=True)
        for name in packed():
            if name in (_WORKER, *_BESIDE) or name.startswith(_BELOW):
                _lay(name, folder)
    except OSError as error:
        raise MeasureError(
            f"cannot use the folder {str(folder)!r} ({error.strerror}); a writable one is needed; give --folder"
        ) from error
    return (sys.executable, "-I", str(folder / "worker.py"), "--isolated")


def _lay(name: str, folder: Path) -> None:
    """One source, below `folder` as it is below bench/measure, and compiled."""
    found = importlib.util.find_spec(name)
    assert found is not None  # a name of its own
    loader = found.loader
    path = folder.joinpath(*name.split(".")[2:]).with_suffix(".py")
    private_folder(path.parent)
    write_private(path, loader.get_source(name).encode("ascii"), is_lasting=False)  # type: ignore[union-attr]
    py_compile.compile(str(path), doraise=True)
'''

SOURCES["bench.agent.wire"] = r'''"""What travels between a hub and a device, read as if somebody wished the device ill.

A job names formats, runtimes and files by their sha256, from closed lists; no path, code, archive, pickle or address
is taken from it, and every number has bounds. Whatever a job says of itself, none of its files counts as checked.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.agent.artifact_files import (
    FILE_FORMATS,
    FOLDER_FORMATS,
    BlobFile,
    check_files,
    read_files,
    stored_name,
)
from bench.agent.bounds import LONGEST_S, check_artifact, check_numbers, number, refused, show, whole
from bench.agent.failure import JobRefusedError
from bench.measure.job import Job, JobArtifact
from bench.measure.measurement import Measurement

__all__ = [
    "FILE_FORMATS",
    "FOLDER_FORMATS",
    "MOST_ARTIFACTS",
    "BlobFile",
    "JobRefusedError",
    "Lease",
    "encode_measurements",
    "files_of",
    "finite",
    "read_job",
    "read_lease",
]

MOST_ARTIFACTS = 64
# Of one job's files together.
MOST_BYTES = 2 << 30

_BODY_KEYS = ("runner", "max_s", "job", "files")
_MORE_KEYS = ("priority", "is_test")
_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LARGEST_FENCE = (1 << 63) - 1
_MOST_ATTEMPTS = 1000
_LONGEST_HEARTBEAT_S = 300.0


@dataclass(frozen=True)
class Lease:
    """A job for this device, for as long as the hub hears of it.

    Attributes:
        fence: number of this attempt; the hub takes nothing under an older one.
        attempt: of the job, from 1.
        job_id: of the hub.
        heartbeat_s: between two signs of life.
        max_s: that the device may work on it.
        body: of the job, not looked at yet.
    """

    fence: int
    attempt: int
    job_id: str
    heartbeat_s: float
    max_s: float
    body: Mapping[str, Any]


def read_lease(data: Mapping[str, Any]) -> Lease:
    """The hub's answer to a request for work.

    Raises:
        JobRefusedError: it is none.
    """
    job_id, body = data.get("job_id"), data.get("body")
    if not isinstance(job_id, str) or not _JOB_ID.fullmatch(job_id):
        raise refused(f"a lease of job {show(job_id)}; a short name is allowed; mend the hub")
    if not isinstance(body, Mapping):
        raise refused("a lease without a job; a JSON object is needed; mend the hub")
    return Lease(
        fence=whole("fence", data.get("fence"), 1, _LARGEST_FENCE),
        attempt=whole("attempt", data.get("attempt"), 1, _MOST_ATTEMPTS),
        job_id=job_id,
        heartbeat_s=number("heartbeat_s", data.get("heartbeat_s"), _LONGEST_HEARTBEAT_S),
        max_s=number("max_s", data.get("max_s"), LONGEST_S),
        body=body,
    )


def files_of(body: Mapping[str, Any]) -> dict[str, tuple[BlobFile, ...]]:
    """The files of each artifact and of the reference, by label.

    Raises:
        JobRefusedError: the body is malformed, or asks for more than is allowed.
    """
    _check_body(body)
    files = read_files(body["files"], most=MOST_ARTIFACTS + 1)
    total = sum({item.sha256: item.num_bytes for found in files.values() for item in found}.values())
    if total > MOST_BYTES:
        raise refused(f"its files have {total} bytes; at most {MOST_BYTES} are allowed; split the job")
    return files


def read_job(body: Mapping[str, Any], folder: Path) -> Job:
    """The job of a lease, with every file at its place in `folder`; none of them counts as checked.

    Raises:
        JobRefusedError: it is malformed, out of bounds, or asks for what never travels.
    """
    files = files_of(body)
    job = _parsed(body["job"])
    check_numbers(job)
    everything = (job.reference, *job.artifacts)
    for artifact in everything:
        check_artifact(artifact)
    if set(files) != {artifact.label for artifact in everything}:
        raise refused("files of other labels than the job has; one entry for each is needed; write it again")
    twin = f"{job.reference.label} (again)"  # the session's name for the reference's copy
    for artifact in everything:
        check_files(artifact, files[artifact.label])
        if artifact.label == twin:
            raise refused(f"label {show(twin)} is taken by the reference's copy; another is needed; rename it")
    return replace(
        job, reference=_placed(job.reference, folder), artifacts=tuple(_placed(item, folder) for item in job.artifacts)
    )


def encode_measurements(measurements: Sequence[Measurement]) -> bytes:
    """The body of a look or a result: JSON, the same bytes for the same measurements."""
    found = []
    for measurement in measurements:
        data = measurement.to_dict()
        # The error of an output of another size is infinite.
        found.append(data | {name: finite(data[name]) for name in ("fingerprint", "protocol")})
    return json.dumps({"measurements": found}, allow_nan=False, separators=(",", ":")).encode("ascii")


def finite(value: Any) -> Any:
    """The same with None for NaN and infinity, which JSON does not know, and lists for tuples."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


def _check_body(body: Any) -> None:
    if not isinstance(body, Mapping):
        raise refused("the job's body is no JSON object; one is needed; write it again")
    lacking = [key for key in _BODY_KEYS if key not in body]
    unknown = [key for key in body if key not in (*_BODY_KEYS, *_MORE_KEYS)]
    if lacking or unknown:
        what = f"without {lacking[0]!r}" if lacking else f"with {show(unknown[0])}"
        raise refused(f"a job's body {what}; its keys are {', '.join((*_BODY_KEYS, *_MORE_KEYS))}; write it again")
    whole("priority", body.get("priority", 0), -10, 10)
    number("max_s", body["max_s"], LONGEST_S)
    if not isinstance(body["runner"], str) or not isinstance(body.get("is_test", False), bool):
        raise refused("runner is no name, or is_test neither true nor false; those are allowed; write the job again")


def _parsed(data: Any) -> Job:
    artifacts = data.get("artifacts") if isinstance(data, Mapping) else None
    if not isinstance(artifacts, (list, tuple)) or not 1 <= len(artifacts) <= MOST_ARTIFACTS:
        raise refused(f"no job of 1 to {MOST_ARTIFACTS} artifacts; one is needed; write it again, or split it")
    try:
        return Job.from_dict(data)
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RuntimeError) as error:
        # MeasureError is a RuntimeError, and so is a recursion without end; the others are what odd types lead to.
        raise refused(str(error)) from error


def _placed(artifact: JobArtifact, folder: Path) -> JobArtifact:
    return replace(artifact, path=str(folder / stored_name(artifact.format, artifact.sha256)), is_checked=False)
'''

SOURCES["bench.errors"] = r'''"""Every error that a user can cause, as one tree.

    BenchError
    +-- SpaceError (ValueError)          a space, a rule or an architecture is not valid
    +-- NetworkError (ValueError)        a network cannot be built from its architecture
    +-- FoldError (ArithmeticError)      a deploy form differs from its train form
    +-- ExportError (RuntimeError)       a network cannot be exported, or its artifact differs from it
    +-- DataError (ValueError)           pictures are missing, unreadable or laid out in an unknown way
    +-- TrainingError (RuntimeError)     a short training diverged
    +-- MeasureError (RuntimeError)      something could not be timed
    +-- StoreError (RuntimeError)        the database cannot be opened, read or written
    +-- FleetError (RuntimeError)        a remote runner, a token or a job cannot do what was asked for
    +-- SearchError (RuntimeError)       a search cannot start or go on
    +-- ReproduceError (RuntimeError)    a published figure cannot be checked as asked for
    +-- ConfigError (ValueError)         a setting or a flag is not valid
    +-- ContentError (FileNotFoundError) a shipped file, or one named by the user, is not there
    +-- MissingExtra (ImportError)       an optional package is needed and not installed

A message is one line of three parts: what was got, what is allowed, what to do. The command line prints the
message alone; `--verbose` adds the traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BenchError(Exception):
    """Root of all errors that `bench` raises on purpose."""

    def __str__(self) -> str:
        # FileNotFoundError and ImportError would otherwise format their arguments their own way.
        return str(self.args[0]) if self.args else type(self).__name__


class SpaceError(BenchError, ValueError):
    """A space, a rule or an architecture is not valid."""


class NetworkError(BenchError, ValueError):
    """A network cannot be built from its architecture."""


class FoldError(BenchError, ArithmeticError):
    """A deploy form does not compute what its train form computes."""


class ExportError(BenchError, RuntimeError):
    """A network cannot be exported, or the artifact computes something else."""


class DataError(BenchError, ValueError):
    """Pictures are missing, unreadable or laid out in an unknown way."""


class TrainingError(BenchError, RuntimeError):
    """A short training diverged or could not run."""


class MeasureError(BenchError, RuntimeError):
    """Something could not be timed."""


class StoreError(BenchError, RuntimeError):
    """The database cannot be opened, read or written."""


class FleetError(BenchError, RuntimeError):
    """A remote runner, a token or a job cannot do what was asked for."""


class SearchError(BenchError, RuntimeError):
    """A search cannot start or go on."""


class ReproduceError(BenchError, RuntimeError):
    """A published figure cannot be checked as it was asked for."""


class ConfigError(BenchError, ValueError):
    """A setting or a flag is not valid."""


class ContentError(BenchError, FileNotFoundError):
    """A shipped file, or one named by the user, is not there."""


class MissingExtra(BenchError, ImportError):
    """An optional package is needed and not installed."""


def nearest(word: str, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` for the known word nearest to `word`, or an empty string."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
'''

SOURCES["bench.measure"] = ""

SOURCES["bench.measure.catalogue"] = r'''"""The runtimes that can time an artifact: what each reads, where it runs, what it needs installed.

Data only, so that asking costs nothing; the code of a runtime is one file in `runtimes/`, which the child process
loads by path (`worker.RUNTIMES`).
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass

PRECISIONS = ("fp32", "fp16", "bf16")
RUNNERS = ("cpu", "cuda", "apple")


@dataclass(frozen=True)
class Runtime:
    """One inference runtime.

    Attributes:
        name: as in flags and in the store.
        file: in `bench/measure/runtimes`.
        formats: of artifacts that it reads, the usual one first.
        runners: where it can run.
        packages: distributions whose versions decide its speed; the first one must be installed.
        command: what installs it.
        systems: of `platform.system()`; empty is any.
        precisions: that can be chosen; a format that fixes its own precision has the one entry "fp32".
    """

    name: str
    file: str
    formats: tuple[str, ...]
    runners: tuple[str, ...]
    packages: tuple[str, ...]
    command: str
    systems: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ("fp32",)


RUNTIMES: Mapping[str, Runtime] = {
    runtime.name: runtime
    for runtime in (
        Runtime(
            name="onnxruntime",
            file="onnx_runtime.py",
            formats=("onnx",),
            runners=("cpu",),
            packages=("onnxruntime", "numpy"),
            command="pip install onnxruntime",
        ),
        Runtime(
            name="onnxruntime-cuda",
            file="onnx_runtime.py",
            formats=("onnx",),
            runners=("cuda",),
            packages=("onnxruntime-gpu", "numpy"),
            command="pip uninstall -y onnxruntime && pip install onnxruntime-gpu",
        ),
        Runtime(
            name="onnxruntime-tensorrt",
            file="onnx_runtime.py",
            formats=("onnx",),
            runners=("cuda",),
            packages=("onnxruntime-gpu", "tensorrt", "numpy"),
            command="pip uninstall -y onnxruntime && pip install onnxruntime-gpu tensorrt",
            precisions=("fp32", "fp16"),
        ),
        Runtime(
            name="torch",
            file="pytorch.py",
            formats=("safetensors",),
            runners=("cpu", "cuda"),
            packages=("torch", "numpy"),
            command="pip install torch",
            precisions=PRECISIONS,
        ),
        Runtime(
            name="torch-compile",
            file="pytorch.py",
            formats=("safetensors",),
            runners=("cpu", "cuda"),
            packages=("torch", "numpy"),
            command="pip install torch",
            precisions=PRECISIONS,
        ),
        Runtime(
            name="torch-cudagraph",
            file="pytorch.py",
            formats=("safetensors",),
            runners=("cuda",),
            packages=("torch", "numpy"),
            command="pip install torch",
            precisions=PRECISIONS,
        ),
        Runtime(
            name="litert",
            file="litert.py",
            formats=("tflite",),
            runners=("cpu",),
            packages=("ai-edge-litert", "numpy"),
            command="pip install 'bench[litert]'",
        ),
        Runtime(
            name="openvino",
            file="openvino_cpu.py",
            formats=("onnx",),
            runners=("cpu",),
            packages=("openvino", "numpy"),
            command="pip install 'bench[openvino]'",
            precisions=PRECISIONS,
        ),
        Runtime(
            name="executorch",
            file="executorch_xnnpack.py",
            formats=("pte",),
            runners=("cpu",),
            packages=("executorch", "numpy"),
            command="pip install 'bench[executorch]'",
        ),
        Runtime(
            name="coreml",
            file="core_ml.py",
            formats=("mlpackage",),
            runners=("apple",),
            packages=("coremltools", "numpy"),
            command="pip install 'bench[coreml]'",
            systems=("Darwin",),
            precisions=("fp16", "fp32"),
        ),
        Runtime(
            name="coreai",
            file="core_ai.py",
            formats=("aimodel",),
            runners=("apple",),
            packages=("coreai-core", "numpy"),
            command="pip install 'bench[coreai]'",
            systems=("Darwin",),
        ),
    )
}

# Distributions that hold all of another: the GPU build of ONNX Runtime has the CPU provider too.
STAND_INS: Mapping[str, tuple[str, ...]] = {"onnxruntime": ("onnxruntime-gpu",)}

DEFAULT_RUNTIME: Mapping[str, str] = {"cpu": "onnxruntime", "cuda": "torch", "apple": "coreml"}


def installed_version(package: str) -> str | None:
    """The version of a distribution, or of one that stands in for it; None where neither is installed."""
    for name in (package, *STAND_INS.get(package, ())):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None
'''

SOURCES["bench.measure.checks"] = r'''"""What a file must pass before a runtime loads it: one small file for each format that others may hand in.

The child process loads such a file by path, as it loads a runtime, so each imports the standard library, numpy
and its format's own package only, and has one function:

    check(content, limits) -> description     `content` is the file's bytes; `limits` are changes to its `LIMITS`

`description` says what the file asks for (operators, inputs, outputs, sizes). A file that may not be loaded is a
ValueError of one line: what was found; what is allowed. What cannot be known without running a file (a size that
it computes, a loop that does not end) is the business of the child's memory limit and of its deadline.
"""
'''

SOURCES["bench.measure.checks.onnx_file"] = r'''"""What an ONNX file must pass before a runtime loads it: one file, known operators, bounded sizes.

A model is data, but what it may ask of a runtime goes far: to read other files (onnxruntime 1.31.1 still follows
a hard link out of the model's folder), to load a library's operators, to allocate 40 GB for a file of 93 bytes.
Nothing here trusts a place: external data is refused wherever the format has a tensor, because the whole message
is walked, and fields that this version of onnx does not know are refused, because a runtime may know them.

Allowed are the standard operators of opset 7 and newer, those of com.microsoft that compute something themselves,
and functions that the file defines out of these. Sizes are Python integers, which do not overflow; those of
values in between come from ONNX's shape inference, as far as the file's constants say them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from graphlib import CycleError, TopologicalSorter
from typing import Any

import onnx
import onnx.inliner
import onnx.shape_inference

LIMITS: dict[str, int] = {
    "file_bytes": 512 << 20,
    "messages": 2_000_000,  # parts of any kind, which cost memory and time before they are nodes
    "nodes": 50_000,  # with every call of a function replaced by its body
    "depth": 8,  # of graphs in graphs
    "string_bytes": 64 << 10,
    "constant_bytes": 1 << 30,  # all tensors in the file together, sparse ones as dense
    "value_bytes": 1 << 30,  # any one value whose shape is known
    "first_opset": 7,
    "last_opset": onnx.defs.onnx_opset_version(),
}

_STANDARD = ("", "ai.onnx")
_MICROSOFT = "com.microsoft"
# They hand a blob, a library or a function's name to other code.
_FORBIDDEN = ("EPContext", "Snpe", "ATen", "PythonOp", "PythonOpGrad", "TritonOp")
# ONNX Runtime takes a file with this at byte 4 for its own format, whatever else it is (a model can be both).
_ORT_FORMAT = b"ORTM"

_FLOAT8 = ("FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "FLOAT8E8M0")
_BITS = {
    "COMPLEX128": 128,
    **dict.fromkeys(("DOUBLE", "INT64", "UINT64", "COMPLEX64"), 64),
    **dict.fromkeys(("FLOAT", "INT32", "UINT32"), 32),
    **dict.fromkeys(("FLOAT16", "BFLOAT16", "INT16", "UINT16"), 16),
    **dict.fromkeys(("INT8", "UINT8", "BOOL", *_FLOAT8), 8),
    **dict.fromkeys(("INT4", "UINT4", "FLOAT4E2M1"), 4),
    **dict.fromkeys(("INT2", "UINT2"), 2),
    "STRING": 0,  # counted by its content
}
_KINDS = {value: name for name, value in onnx.TensorProto.DataType.items()}
_TYPED_DATA = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")
# Shape inference needs the values of small tensors only: those that are shapes, axes, repeats.
_SHAPE_BYTES = 1 << 10

# Domain ("" for ai.onnx), name and overload of an operator or function.
_Key = tuple[str, str, str]
_MAIN: _Key = ("", "", "")


def check(content: bytes, limits: dict[str, int]) -> dict[str, Any]:
    """What the ONNX file `content` asks for, if it may be loaded.

    Returns:
        opset, ir_version, producer, operators (type: count; those of other domains as "domain::type"), nodes,
        initializer_bytes (all constants), inputs and outputs (name, dtype as numpy names it, shape with None or
        a name for a free dimension).

    Raises:
        ValueError: it may not, in one line: what was found; what is allowed.
    """
    unknown = sorted(limits.keys() - LIMITS.keys())
    if unknown:
        raise ValueError(f"unknown limit {unknown[0]!r}; known: {', '.join(LIMITS)}")
    limits = LIMITS | limits
    _at_most(len(content), limits["file_bytes"], "the file has", "bytes")
    if content[4:8] == _ORT_FORMAT:
        raise ValueError("a file in ONNX Runtime's own format; an ONNX model is allowed")
    model = _parse(content)
    opset = _check_opsets(model, limits)
    walk = _Walk(model, limits)
    _check_unknown_fields(model)
    description = {
        "opset": opset,
        "ir_version": model.ir_version,
        "producer": " ".join(part for part in (model.producer_name, model.producer_version) if part),
        "operators": walk.operators(),
        "nodes": walk.check_calls(),
        "initializer_bytes": walk.num_constant_bytes,
        "inputs": _describe(model.graph.input, besides={tensor.name for tensor in model.graph.initializer}),
        "outputs": _describe(model.graph.output, besides=set()),
    }
    _check_valid(content, model)
    _check_values(model, limits)
    return description


def _parse(content: bytes) -> Any:
    try:
        model = onnx.load_from_string(content)
    except MemoryError:
        raise
    except Exception as error:  # protobuf's own class, and onnx names no other
        raise ValueError("no ONNX model (it cannot be parsed, or is cut off); a whole ONNX file is allowed") from error
    if not model.HasField("graph"):
        raise ValueError("no ONNX model (it has no graph); a whole ONNX file is allowed")
    return model


def _check_opsets(model: Any, limits: dict[str, int]) -> int:
    """The version of the standard operators."""
    first, last = limits["first_opset"], limits["last_opset"]
    for entries in (model.opset_import, *(function.opset_import for function in model.functions)):
        domains = ["" if entry.domain in _STANDARD else entry.domain for entry in entries]
        if len(set(domains)) < len(domains):
            raise ValueError("two opsets of one domain; one for each domain is allowed")
        for domain, entry in zip(domains, entries):
            if domain == "" and not first <= entry.version <= last:
                raise ValueError(f"opset {entry.version}; {first} to {last} are allowed")
    found = [int(entry.version) for entry in model.opset_import if entry.domain in _STANDARD]
    if not found:
        raise ValueError(f"no opset of the standard operators; {first} to {last} are allowed")
    return found[0]


class _Walk:
    """Visits every message of a model, of whatever kind and in whatever place, and clears large weights.

    No dataclass: those look for their module among the imported ones, and this file is loaded by path.
    """

    def __init__(self, model: Any, limits: dict[str, int]) -> None:
        self.num_constant_bytes = 0
        self._limits = limits
        self._functions = {_key(item.domain, item.name, item.overload) for item in model.functions}
        self._num_nodes = 0
        # Function (or the main graph) -> what it runs -> how often, and in how many graphs at most.
        self._calls: dict[_Key, Counter[_Key]] = {}
        self._depths: dict[_Key, dict[_Key, int]] = {}
        self._visit_all(model)

    def operators(self) -> dict[str, int]:
        """How many nodes of each type the file has."""
        total: Counter[str] = Counter()
        for calls in self._calls.values():
            for key, count in calls.items():
                total[_operator(key)] += count
        return dict(sorted(total.items()))

    def check_calls(self) -> int:
        """The number of nodes once every call of a function is replaced by the function."""
        callees = {body: [key for key in counter if key in self._functions] for body, counter in self._calls.items()}
        try:
            order = list(TopologicalSorter(callees).static_order())
        except CycleError as error:
            raise ValueError("functions that call themselves; functions without recursion are allowed") from error
        nodes: dict[_Key, int] = {}
        depths: dict[_Key, int] = {}
        for body in order:
            calls, around = self._calls.get(body, Counter()), self._depths.get(body, {})
            nodes[body] = sum(count * nodes.get(key, 1) for key, count in calls.items())
            depths[body] = max((depth + depths.get(key, 0) for key, depth in around.items()), default=0)
            _at_most(nodes[body], self._limits["nodes"], "the file has", "nodes, with each function as often as called")
            _at_most(depths[body], self._limits["depth"], "graphs in graphs, with those of functions, to depth", "")
        return nodes.get(_MAIN, 0)

    def _visit_all(self, model: Any) -> None:
        # Message, number of graphs around it, function around it.
        stack: list[tuple[Any, int, _Key]] = [(model, 0, _MAIN)]
        num_messages = 0
        while stack:
            message, depth, body = stack.pop()
            num_messages += 1
            _at_most(num_messages, self._limits["messages"], "the file has", "parts or more")
            kind = message.DESCRIPTOR.name
            if kind == "GraphProto":
                depth += 1
            elif kind == "FunctionProto":
                body = _key(message.domain, message.name, message.overload)
            children = self._children(message)
            self._visit(kind, message, depth, body)
            stack.extend((item, depth, body) for item in children)

    def _visit(self, kind: str, message: Any, depth: int, body: _Key) -> None:
        if kind == "TensorProto":
            self._visit_tensor(message)
        elif kind == "SparseTensorProto":  # a runtime makes it dense
            self._count_constant(message.dims, message.values.data_type, message.values.name)
        elif kind == "NodeProto":
            self._visit_node(message, depth, body)
        elif kind == "GraphProto":
            _at_most(depth, self._limits["depth"], "graphs in graphs to depth", "")
        elif kind == "FunctionProto" and body[0] in ("", _MICROSOFT):
            raise ValueError(f"function {_operator(body)} in a reserved domain; a domain of its own is allowed")
        elif kind == "TrainingInfoProto":
            raise ValueError("training information; a model for inference is allowed")

    def _visit_node(self, node: Any, depth: int, body: _Key) -> None:
        self._num_nodes += 1
        _at_most(self._num_nodes, self._limits["nodes"], "the file has", "nodes or more")
        key = _key(node.domain, node.op_type, node.overload)
        is_known = key[0] == "" or (key[0] == _MICROSOFT and key[1] not in _FORBIDDEN)
        if not is_known and key not in self._functions:
            raise ValueError(
                f"operator {_operator(key)}; standard operators, functions in the file and most of {_MICROSOFT} "
                "are allowed"
            )
        self._calls.setdefault(body, Counter())[key] += 1
        depths = self._depths.setdefault(body, {})
        depths[key] = max(depth, depths.get(key, 0))

    def _visit_tensor(self, tensor: Any) -> None:
        _check_place(tensor)
        self.num_constant_bytes += sum(len(text) for text in tensor.string_data)
        elements, bits = self._count_constant(tensor.dims, tensor.data_type, tensor.name)
        if tensor.HasField("raw_data"):
            unit, stored, needed = "bytes", len(tensor.raw_data), -(-elements * bits // 8)
        else:
            unit, needed = "values", _typed_count(elements, tensor.data_type)
            stored = sum(len(getattr(tensor, name)) for name in _TYPED_DATA)
        if stored != needed:
            raise ValueError(
                f"tensor {_show(tensor.name)} of shape {_show_shape(tensor.dims)} holds {stored} {unit} instead of "
                f"{needed}; tensors with all of their data are allowed"
            )
        if unit == "bytes" and stored > _SHAPE_BYTES:  # weights are not looked at again; what follows is quick then
            tensor.ClearField("raw_data")

    def _count_constant(self, dims: Any, data_type: int, name: str) -> tuple[int, int]:
        """Elements, and bits of each; their bytes are added to the total."""
        bits = _BITS.get(_KINDS.get(data_type, ""))
        if bits is None:
            raise ValueError(f"tensor {_show(name)} of element type {data_type}; those of ONNX are allowed")
        elements = _num_elements(f"tensor {_show(name)}", dims)
        self.num_constant_bytes += -(-elements * bits // 8)
        what = f"constants up to tensor {_show(name)} have"
        _at_most(self.num_constant_bytes, self._limits["constant_bytes"], what, "bytes")
        return elements, bits

    def _children(self, message: Any) -> list[Any]:
        """The messages in a message; its texts are checked on the way."""
        children: list[Any] = []
        for descriptor, value in message.ListFields():
            if descriptor.message_type is not None:
                children.extend([value] if hasattr(value, "ListFields") else value)
            elif descriptor.type in (descriptor.TYPE_STRING, descriptor.TYPE_BYTES) and descriptor.name != "raw_data":
                for text in [value] if isinstance(value, (str, bytes)) else value:
                    if descriptor.type == descriptor.TYPE_STRING and not isinstance(text, str):
                        raise ValueError(f"{descriptor.name} is not UTF-8; texts in ONNX files are UTF-8")
                    _at_most(len(text), self._limits["string_bytes"], f"{descriptor.name} has", "bytes")
        return children


def _check_place(tensor: Any) -> None:
    if tensor.external_data or tensor.data_location == onnx.TensorProto.EXTERNAL:
        places = [_show(entry.value) for entry in tensor.external_data if entry.key == "location"]
        where = f" {places[0]}" if places else ""
        raise ValueError(f"tensor {_show(tensor.name)} has its data in another file{where}; one file is allowed")
    if tensor.HasField("segment"):
        raise ValueError(f"tensor {_show(tensor.name)} is a segment; whole tensors are allowed")


def _typed_count(elements: int, data_type: int) -> int:
    """Values in the typed fields: a complex number is two of them, numbers below a byte share one."""
    kind = _KINDS[data_type]
    if kind.startswith("COMPLEX"):
        return 2 * elements
    return -(-elements * _BITS[kind] // 8) if 0 < _BITS[kind] < 8 else elements


def _check_unknown_fields(model: Any) -> None:
    size = model.ByteSize()
    model.DiscardUnknownFields()
    if model.ByteSize() != size:
        raise ValueError(
            f"fields that onnx {onnx.__version__} does not know; those of IR version {onnx.IR_VERSION} are allowed"
        )


def _check_valid(content: bytes, model: Any) -> None:
    """ONNX's own checker, which knows every operator's inputs and attributes."""
    if any(_lacks_shape(value.type) for value in model.graph.output):
        # The checker wants the shapes of outputs; runtimes do not, and not every exporter writes them.
        model = onnx.load_from_string(content)
        for value in model.graph.output:
            if _lacks_shape(value.type):
                value.type.tensor_type.shape.SetInParent()
        content = model.SerializeToString()
    _call(onnx.checker.check_model, content)


def _lacks_shape(kind: Any) -> bool:
    return bool(kind.HasField("tensor_type") and not kind.tensor_type.HasField("shape"))


def _check_values(model: Any, limits: dict[str, int]) -> None:
    """Every value whose shape follows from the constants has a bounded size."""
    if model.functions:
        model = _call(onnx.inliner.inline_local_functions, model)
    # Graph, constants of the graphs around it.
    stack: list[tuple[Any, list[Any]]] = [(model.graph, [])]
    while stack:
        graph, outer = stack.pop()
        for value in _inferred(graph, outer, model):
            _check_value(value, limits)
        small = [tensor for tensor in graph.initializer if math.prod(tensor.dims) <= _SHAPE_BYTES]
        for node in graph.node:
            for attribute in node.attribute:
                inner = [attribute.g] if attribute.HasField("g") else []
                stack.extend((item, outer + small) for item in (*inner, *attribute.graphs))


def _inferred(graph: Any, outer: list[Any], model: Any) -> list[Any]:
    """The values of one graph, with shapes as far as they follow."""
    alone = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, graph=graph)
    own = {tensor.name for tensor in graph.initializer}
    alone.graph.initializer.extend(tensor for tensor in outer if tensor.name not in own)
    try:
        graph = onnx.shape_inference.infer_shapes(alone, data_prop=True).graph
    except MemoryError:
        raise
    except Exception:
        # The sizes stay unknown, as those that are computed do; the memory limit is there for both.
        pass
    return [*graph.input, *graph.value_info, *graph.output]


def _check_value(value: Any, limits: dict[str, int]) -> None:
    kind = value.type.tensor_type
    dims = [dim.dim_value for dim in kind.shape.dim if dim.HasField("dim_value")]
    elements = _num_elements(f"value {_show(value.name)}", dims)
    bits = max(8, _BITS.get(_KINDS.get(kind.elem_type, ""), 8))
    found = f"value {_show(value.name)} of shape {_show_shape(dims)} has"
    _at_most(elements * bits // 8, limits["value_bytes"], found, "bytes")


def _num_elements(what: str, dims: Any) -> int:
    if any(size < 0 for size in dims):
        raise ValueError(f"{what} of shape {_show_shape(dims)}; sizes of 0 or more are allowed")
    return math.prod(dims)


def _describe(values: Any, *, besides: set[str]) -> list[dict[str, Any]]:
    return [
        {"name": value.name, "dtype": _dtype(value.type), "shape": _shape(value.type)}
        for value in values
        if value.name not in besides
    ]


def _dtype(kind: Any) -> str:
    """As numpy names it, where it does."""
    if not kind.HasField("tensor_type"):
        return str(kind.WhichOneof("value") or "unknown").removesuffix("_type")
    name = str(_KINDS.get(kind.tensor_type.elem_type, "unknown")).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)


def _shape(kind: Any) -> list[int | str | None] | None:
    if not kind.HasField("tensor_type") or _lacks_shape(kind):
        return None
    dims = kind.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None for dim in dims]


def _call(function: Callable[[Any], Any], argument: Any) -> Any:
    """The result of a function of onnx, whose error classes are many, with the text in one line."""
    try:
        return function(argument)
    except MemoryError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())
        raise ValueError(f"no valid ONNX model ({text[:200]}); valid ones are allowed") from error


def _key(domain: str, name: str, overload: str) -> _Key:
    return ("" if domain in _STANDARD else domain, name, overload)


def _operator(key: _Key) -> str:
    return "::".join(_show(part)[1:-1] for part in key[:2] if part)


def _at_most(value: int, limit: int, found: str, unit: str) -> None:
    if value > limit:
        raise ValueError(f"{f'{found} {value} {unit}'.rstrip()}; at most {limit} are allowed")


def _show(text: str) -> str:
    """Quoted, in one line, not longer than helps."""
    shown = ascii(text)
    return shown if len(shown) <= 64 else f"{shown[:60]}...'"


def _show_shape(dims: Any) -> str:
    shown = [str(size) for size in dims[:8]] + (["..."] if len(dims) > 8 else [])
    return f"[{', '.join(shown)}]"
'''

SOURCES["bench.measure.checks.tflite_file"] = r'''"""What a TFLite file must pass before LiteRT loads it: one file, built-in operators, nothing outside its bounds.

A TFLite file is a FlatBuffer: tables that point to each other by offsets, which LiteRT follows without verifying
a model that is given as bytes. Only what decides is read here (schema.fbs, version 3, in google-ai-edge/LiteRT:
operator codes, buffers, tensors, operators), and every offset on the way is checked. Refused are operators of other
libraries, and weights beside the FlatBuffer: appended to it (`Buffer.offset`, `large_custom_options_offset`) or in
other files (`external_buffers`).
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from typing import Any

LIMITS: dict[str, int] = {
    "file_bytes": 512 << 20,
    "parts": 1_000_000,  # tables and entries of vectors that are looked at, each as often as it is pointed to
    "nodes": 50_000,
    "string_bytes": 64 << 10,
    "value_bytes": 1 << 30,  # any one tensor
}

_IDENTIFIER = b"TFL3"
_VERSION = 3
# By number.
_NAMES = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM
MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS
SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN
EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2
GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG
SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT
UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU
SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE
MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND
SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D
IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE
READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU
DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2
UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE
STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE STABLEHLO_BROADCAST_IN_DIM
STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS STABLEHLO_AND
STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM STABLEHLO_NEGATE STABLEHLO_OR
STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER
STABLEHLO_COMPARE STABLEHLO_CONVERT STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA
STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE
STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE
"""
_OPERATORS = tuple(_NAMES.split())
_FORBIDDEN = ("CUSTOM", "DELEGATE", "STABLEHLO_CUSTOM_CALL", "PLACEHOLDER_FOR_GREATER_OP_CODES")
# Name and bits of each TensorType; strings and handles have no size of their own.
_TYPES = (
    *(("float32", 32), ("float16", 16), ("int32", 32), ("uint8", 8), ("int64", 64), ("string", 0), ("bool", 8)),
    *(("int16", 16), ("complex64", 64), ("int8", 8), ("float64", 64), ("complex128", 128), ("uint64", 64)),
    *(("resource", 0), ("variant", 0), ("uint32", 32), ("uint16", 16), ("int4", 4), ("bfloat16", 16), ("int2", 2)),
    *(("uint4", 4), ("float8_e4m3fn", 8), ("float8_e5m2", 8)),
)


def check(content: bytes, limits: dict[str, int]) -> dict[str, Any]:
    """What the TFLite file `content` asks for, if it may be loaded.

    Returns:
        opset (None: the format has none), ir_version (of the schema), producer (its description), operators (type:
        count), nodes, initializer_bytes (all buffers), inputs and outputs of the first subgraph (name, dtype, shape
        with None for a free dimension).

    Raises:
        ValueError: it may not, in one line: what was found; what is allowed.
    """
    unknown = sorted(limits.keys() - LIMITS.keys())
    if unknown:
        raise ValueError(f"unknown limit {unknown[0]!r}; known: {', '.join(LIMITS)}")
    limits = LIMITS | limits
    _at_most(len(content), limits["file_bytes"], "the file has", "bytes")
    if content[4:8] != _IDENTIFIER:
        raise ValueError("no TFLite model (its identifier is not TFL3); a TFLite file is allowed")
    model = _Table(_Reader(content, limits), struct.unpack_from("<I", content)[0])
    version = model.number(0, "I")
    if version != _VERSION:
        raise ValueError(f"schema version {version}; version {_VERSION} is allowed")
    if model.tables(8) or model.tables(9):
        raise ValueError("weights in other files (external_buffers); one file with all data is allowed")
    buffers = [_buffer_bytes(buffer) for buffer in model.tables(4)]
    operators = [_operator(code) for code in model.tables(1)]
    return {
        "opset": None,
        "ir_version": version,
        "producer": model.text(3),
        **_check_subgraphs(model.tables(2), operators, len(buffers), limits),
        "initializer_bytes": sum(buffers),
    }


def _check_subgraphs(
    subgraphs: list[_Table], operators: list[str], num_buffers: int, limits: dict[str, int]
) -> dict[str, Any]:
    """Operators, nodes, inputs and outputs of the description."""
    if not subgraphs:
        raise ValueError("no subgraph; one or more are allowed")
    counts: Counter[str] = Counter()
    num_nodes = 0
    ends: list[list[dict[str, Any]]] = []
    for subgraph in subgraphs:
        tensors = [_check_tensor(tensor, num_buffers, limits) for tensor in subgraph.tables(0)]
        ends += ([tensors[index] for index in _indices(subgraph, slot, len(tensors))] for slot in (1, 2))
        for node in subgraph.tables(3):
            counts[operators[_check_node(node, len(operators), len(tensors))]] += 1
            num_nodes += 1
            _at_most(num_nodes, limits["nodes"], "the file has", "nodes or more")
    return {
        "operators": dict(sorted(counts.items())),
        "nodes": num_nodes,
        "inputs": ends[0],
        "outputs": ends[1],
    }


def _operator(code: _Table) -> str:
    """The name of an operator code; files before schema 3a have it in one byte."""
    number = max(code.number(0, "b"), code.number(3, "i"))
    if not 0 <= number < len(_OPERATORS):
        raise ValueError(f"operator number {number}; the {len(_OPERATORS)} built-in operators are allowed")
    name = _OPERATORS[number]
    if name in _FORBIDDEN:
        custom = f" {code.text(1)[:60]!a}" if name == "CUSTOM" else ""
        raise ValueError(f"operator {name}{custom}; built-in operators are allowed")
    return name


def _buffer_bytes(buffer: _Table) -> int:
    if buffer.number(1, "Q") or buffer.number(2, "Q"):
        raise ValueError("a buffer outside the FlatBuffer (offset, size); buffers with their data are allowed")
    return buffer.length(0, 1)


def _check_tensor(tensor: _Table, num_buffers: int, limits: dict[str, int]) -> dict[str, Any]:
    name, number, shape = tensor.text(3), tensor.number(1, "b"), tensor.numbers(0, "i")
    shown = f"tensor {name[:60]!a}"
    if tensor.number(10, "I"):
        raise ValueError(f"{shown} has its data in another file (external_buffer); one file is allowed")
    if tensor.number(2, "I") >= max(num_buffers, 1):
        raise ValueError(f"{shown} has buffer {tensor.number(2, 'I')}; {num_buffers} buffers are there")
    if not 0 <= number < len(_TYPES):
        raise ValueError(f"{shown} of element type {number}; the {len(_TYPES)} types of the schema are allowed")
    if any(size < 0 for size in shape):
        raise ValueError(f"{shown} of shape {shape[:8]}; sizes of 0 or more are allowed")
    dtype, bits = _TYPES[number]
    _at_most(math.prod(shape) * bits // 8, limits["value_bytes"], f"{shown} of shape {shape[:8]} has", "bytes")
    signature = tensor.numbers(7, "i") or shape
    return {"name": name, "dtype": dtype, "shape": [None if size < 0 else size for size in signature]}


def _check_node(node: _Table, num_operators: int, num_tensors: int) -> int:
    """The index of its operator code."""
    index = int(node.number(0, "I"))
    if index >= num_operators:
        raise ValueError(f"a node of operator code {index}; {num_operators} codes are there")
    if node.number(9, "Q") or node.number(10, "Q"):
        raise ValueError("options of a node outside the FlatBuffer; options inside are allowed")
    for slot in (1, 2):
        _indices(node, slot, num_tensors, least=-1)
    return index


def _indices(table: _Table, slot: int, count: int, *, least: int = 0) -> list[int]:
    """Indices of tensors; -1 stands for an input that is left out."""
    indices = table.numbers(slot, "i")
    for index in indices:
        if not least <= index < count:
            raise ValueError(f"index {index} of a tensor; {count} tensors are there")
    return indices


class _Reader:
    """The bytes, every access within their bounds."""

    def __init__(self, content: bytes, limits: dict[str, int]) -> None:
        self.content = content
        self.limits = limits
        self._num_parts = 0

    def count(self, parts: int) -> None:
        """Bounds the work: offsets may point to one table a million times."""
        self._num_parts += parts
        _at_most(self._num_parts, self.limits["parts"], "the file has", "parts or more")

    def unpack(self, position: int, kinds: str) -> tuple[Any, ...]:
        size = struct.calcsize(f"<{kinds}")
        if not 0 <= position <= len(self.content) - size:
            raise ValueError(
                f"an offset to byte {position} of {len(self.content)}; offsets inside the file are allowed"
            )
        return struct.unpack_from(f"<{kinds}", self.content, position)


class _Table:
    """A table of a FlatBuffer: its fields by slot, in the order of the schema."""

    def __init__(self, reader: _Reader, position: int) -> None:
        reader.count(1)
        self._reader = reader
        self._position = position
        self._slots = position - reader.unpack(position, "i")[0]
        self._num_slots = max(0, reader.unpack(self._slots, "H")[0] - 4) // 2

    def number(self, slot: int, kind: str) -> int:
        """A field of `struct` kind `kind`; 0, the default of all fields here, where it is left out."""
        position = self._find(slot)
        return int(self._reader.unpack(position, kind)[0]) if position is not None else 0

    def length(self, slot: int, width: int) -> int:
        """Entries of a vector, each of `width` bytes, all inside the file."""
        start = self._start(slot)
        if start is None:
            return 0
        count = int(self._reader.unpack(start, "I")[0])
        if count * width > len(self._reader.content) - start - 4:
            raise ValueError(f"a vector of {count} entries that ends outside the file; vectors inside are allowed")
        return count

    def numbers(self, slot: int, kind: str) -> list[int]:
        """A vector of numbers of `struct` kind `kind`."""
        count = self.length(slot, struct.calcsize(kind))
        self._reader.count(count)
        return list(self._reader.unpack((self._start(slot) or 0) + 4, f"{count}{kind}")) if count else []

    def tables(self, slot: int) -> list[_Table]:
        """A vector of tables."""
        start = (self._start(slot) or 0) + 4
        offsets = self.numbers(slot, "I")
        return [_Table(self._reader, start + 4 * index + offset) for index, offset in enumerate(offsets)]

    def text(self, slot: int) -> str:
        """A string."""
        count = self.length(slot, 1)
        _at_most(count, self._reader.limits["string_bytes"], "a text has", "bytes")
        start = (self._start(slot) or 0) + 4
        return self._reader.content[start : start + count].decode("utf-8", "replace")

    def _find(self, slot: int) -> int | None:
        if slot >= self._num_slots:
            return None
        offset = self._reader.unpack(self._slots + 4 + 2 * slot, "H")[0]
        return self._position + int(offset) if offset else None

    def _start(self, slot: int) -> int | None:
        """Where a vector or a string begins."""
        position = self._find(slot)
        return None if position is None else position + int(self._reader.unpack(position, "I")[0])


def _at_most(value: int, limit: int, found: str, unit: str) -> None:
    if value > limit:
        raise ValueError(f"{found} {value} {unit}; at most {limit} are allowed")
'''

SOURCES["bench.measure.child"] = r'''"""The supervisor's side of a child process: a request goes in, a reply or a reason in words comes out."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from bench.errors import MeasureError
from bench.measure.isolation import end_below

_BESIDE = Path(__file__).with_name("worker.py")
# In the one file of an agent (runners/agent.py) that file is all there is, and takes the worker's place.
WORKER = (
    (sys.executable, "-I", str(_BESIDE))
    if _BESIDE.is_file()
    else (sys.executable, "-I", str(_BESIDE.parents[2]), "--worker")
)
# For files that came over a network.
ISOLATED_WORKER = (*WORKER, "--isolated")

# A reply holds some thousand samples at most; what is longer is not a reply.
_REPLY_LIMIT = 4 << 20
_TAIL = 2000
# Seconds for a process that closed its pipe to be gone.
_END_S = 5.0
# CUDA finds its libraries and its devices by these; everything else that a child needs is set below.
_PASSED_ON = ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_HOME", "PATH")


class RefusedError(MeasureError):
    """The child answered with an error; it can be asked again."""


class LostError(MeasureError):
    """The child is dead, late or talks nonsense; it has been ended."""


class Child:
    """One child process, from its start to the end of its process group.

    It must be left by the thread that entered it: on Linux it ends with that thread, however that ends.
    """

    def __init__(self, command: Sequence[str] = WORKER, *, threads: int = 1) -> None:
        self._command = tuple(command)
        self._threads = threads
        self._buffer = b""

    def __enter__(self) -> Child:
        with contextlib.ExitStack() as stack:
            try:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-measure-"))
                self._errors = stack.enter_context(tempfile.TemporaryFile())
                self._process = self._start(folder)
            except OSError as error:
                raise LostError(f"a child process cannot be started ({error})") from error
            self._stack = stack.pop_all()
        _LIVING.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _LIVING.discard(self)
        self._kill()
        self._stdin.close()
        self._stdout.close()
        self._stack.close()

    @property
    def pid(self) -> int:
        """Its process id, which is its process group's too."""
        return self._process.pid

    def ask(self, ask: str, request: Mapping[str, Any], *, limit_s: float) -> dict[str, Any]:
        """The reply to one request.

        Raises:
            RefusedError: the reply is an error.
            LostError: no reply within `limit_s`, a dead child, or something that is not a reply.
        """
        line = json.dumps({"ask": ask, "limit_s": limit_s, **request}) + "\n"
        with contextlib.suppress(BrokenPipeError):  # dead: the reading says of what
            self._stdin.write(line.encode("ascii"))
        reply = _parse(self._read_line(limit_s))
        if reply is None:
            self._kill()
            raise LostError("its answer is no JSON object (or has NaN in it)")
        if "error" in reply:
            raise RefusedError(str(reply["error"]))
        return reply

    def end(self) -> None:
        """Ends it from another thread than that which waits for its answer, and then gets a LostError."""
        if self._process.returncode is None:
            self._kill_group()

    def _start(self, folder: str) -> subprocess.Popen[bytes]:
        # No preexec_fn: it forks this process with all of torch in it, where vfork is at hand. The worker
        # limits itself.
        return subprocess.Popen(
            self._command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=folder,
            env=_environment(folder, self._threads),
            start_new_session=True,
        )

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None  # made with PIPE
        return self._process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None  # made with PIPE
        return self._process.stdout

    def _read_line(self, limit_s: float) -> bytes:
        descriptor = self._stdout.fileno()
        end = time.monotonic() + limit_s
        poll = select.poll()  # select() stops at descriptor 1023, which a process full of workers may pass
        poll.register(descriptor, select.POLLIN)
        while b"\n" not in self._buffer:
            left = end - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                self._kill()
                raise LostError(f"no answer within its deadline ({limit_s:.3g} s were left)")
            chunk = os.read(descriptor, 1 << 16)
            if not chunk:
                raise LostError(self._death())
            self._buffer += chunk
            if len(self._buffer) > _REPLY_LIMIT:
                self._kill()
                raise LostError(f"it flooded its output (over {_REPLY_LIMIT >> 20} MiB in one answer)")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _death(self) -> str:
        """Why a child that closed its output ended."""
        try:
            code = self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._kill()
            return "it closed its output and went on running"
        self._kill_group()  # now: once its number is free for others, it must not be used
        if code < 0:
            with contextlib.suppress(ValueError):
                number = signal.Signals(-code)
                return f"its process was ended by {number.name} ({signal.strsignal(number)})"
            return f"its process was ended by signal {-code}"
        last = self._last_words()
        return f"its process ended with status {code}" + (f": {last}" if last else "")

    def _last_words(self) -> str:
        """The last line on its stderr."""
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - _TAIL))
        lines = self._errors.read().decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _kill(self) -> None:
        if self._process.returncode is None:
            self._kill_group()
            self._process.wait()

    def _kill_group(self) -> None:
        # A runtime may have started processes of its own, and those may have left the group.
        end_below(self._process.pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


# Those of this process, entered and not yet left.
_LIVING: set[Child] = set()


def end_children() -> None:
    """Ends every child of this process, for a thread that none of them belongs to."""
    for child in tuple(_LIVING):
        child.end()


def _environment(folder: str, threads: int) -> dict[str, str]:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    count = str(threads)
    pools = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), count)
    return environment | pools | {"HOME": folder, "TMPDIR": folder, "LC_ALL": "C.UTF-8"}


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        reply = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return reply if isinstance(reply, dict) else None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
'''

SOURCES["bench.measure.exclusive"] = r'''"""Keeps timing and training apart: a lock between processes that trainers share and a timer holds alone.

Training beside a timed network doubles its milliseconds. A trainer holds `shared` for one step at a time;
whoever times holds `exclusive` for a whole session. Between two readers and a writer a plain lock starves
the writer: two trainers that alternate never leave a gap. So there is a turnstile: everyone passes it to
get in, a waiting timer stands in it, and no trainer starts another step until the timer is done. The kernel
releases the locks of a process that dies, however it dies.

The folder must be on a local disk: the lock is about the CPUs of one machine.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import MeasureError

if sys.platform != "win32":
    import fcntl

# A blocked flock cannot time out, so a wait with a limit asks again at this interval.
_POLL_S = 0.002

# Names another folder for the lock, which containers that share one machine's CPUs have to share.
VARIABLE = "BENCH_CPU_LOCK"


def cpu_lock_folder() -> Path:
    """Where the lock that keeps timing and training apart lies: one for all studies of this user on this machine.

    `BENCH_CPU_LOCK` names another.
    """
    if named := os.environ.get(VARIABLE):
        return Path(named)
    user = os.getuid() if hasattr(os, "getuid") else "user"
    # Not $TMPDIR, which can differ between two terminals of one user.
    usual = Path("/tmp")
    return (usual if usual.is_dir() else Path(tempfile.gettempdir())) / f"bench-cpu-{user}"


@contextmanager
def shared(folder: Path, *, timeout_s: float | None = None) -> Iterator[float]:
    """Holds the CPU together with other trainers; waits while someone times or waits to time.

    Args:
        folder: where the lock files lie, the same for all of one machine; made when missing.
        timeout_s: most seconds to wait; None waits for ever.

    Yields:
        The seconds that were spent waiting.

    Raises:
        MeasureError: the wait was longer than `timeout_s`, or the lock files cannot be opened.
    """
    yield from _hold(folder, is_shared=True, timeout_s=timeout_s)


@contextmanager
def exclusive(folder: Path, *, timeout_s: float | None = None) -> Iterator[float]:
    """Holds the CPU alone: waits for the steps under way, and keeps new ones from starting.

    Arguments, result and errors are those of `shared`.
    """
    yield from _hold(folder, is_shared=False, timeout_s=timeout_s)


def is_held(folder: Path) -> bool | None:
    """Whether another process or thread holds the CPU alone; None: there is no lock to look at.

    Looking is a shared lock for some microseconds: the kernel knows of holders in other containers too.
    """
    if sys.platform == "win32":
        return None
    try:
        descriptor = os.open(folder / "cpu.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    except BlockingIOError:
        return True
    except OSError:
        return None  # a file system without locks
    finally:
        os.close(descriptor)
    return False


def _hold(folder: Path, *, is_shared: bool, timeout_s: float | None) -> Iterator[float]:
    if sys.platform == "win32":
        raise MeasureError(
            "Windows has no flock, which keeps training and timing apart; Linux or macOS is needed; use WSL"
        )
    start = time.monotonic()
    with _opened(folder / "cpu.lock") as cpu:
        with _opened(folder / "turnstile.lock") as turnstile:
            _lock(turnstile, fcntl.LOCK_EX, start, timeout_s)
            _lock(cpu, fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX, start, timeout_s)
        yield time.monotonic() - start


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """One open lock file; each opening is a lock of its own, so threads exclude each other too."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise MeasureError(
            f"cannot open the lock {str(path)!r} ({error.strerror}); a writable local folder is needed; choose another"
        ) from error
    try:
        yield descriptor
    finally:
        # Unlocked by name: a process forked meanwhile has a copy of the descriptor, which closing leaves
        # locked.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _lock(descriptor: int, kind: int, start: float, timeout_s: float | None) -> None:
    if timeout_s is None:
        fcntl.flock(descriptor, kind)
        return
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() - start >= timeout_s:
                raise MeasureError(
                    f"waited {timeout_s:g} s for the CPU; another process trains or times on it; wait longer or stop it"
                ) from None
            time.sleep(_POLL_S)
'''

SOURCES["bench.measure.fingerprint"] = r'''"""Machine and software, as far as they decide how long something takes; never who owns them.

No host name, user, address or serial number: a fingerprint is stored with each measurement and may be
published.
"""

from __future__ import annotations

import functools
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.measure.catalogue import RUNTIMES, installed_version
from bench.measure.gpu import gpus

# What trains and what times where nothing else is asked for.
DEFAULT_RUNTIMES = ("onnxruntime", "torch")


def fingerprint(*, runner: str = "cpu", runtime: str | None = None, threads: int | None = None) -> dict[str, Any]:
    """Plain JSON-able data; a few milliseconds.

    Args:
        runner: GPUs are looked for when it is "cuda".
        runtime: whose packages are named; None names all that time or train.
        threads: of the runtime; None where nothing is timed.
    """
    runtimes = DEFAULT_RUNTIMES if runtime is None else (runtime,)
    packages = sorted({name for known in runtimes for name in RUNTIMES[known].packages})
    return {
        "machine": dict(_machine()),
        "limits": _limits(),
        "governor": _read(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "software": {"python": platform.python_version(), **_versions(packages)},
        "gpus": [asdict(gpu) for gpu in gpus()] if runner == "cuda" else [],
        "runner": runner,
        "runtime": runtime,
        "threads": threads,
    }


def same_conditions(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[str, ...]:
    """What differs between two fingerprints, one line each; measurements compare only where it is empty."""
    left, right = dict(_flat(first)), dict(_flat(second))
    names = sorted(left.keys() | right.keys())
    return tuple(
        f"{name}: {left.get(name)!r} and {right.get(name)!r}" for name in names if left.get(name) != right.get(name)
    )


@functools.cache
def _machine() -> Mapping[str, Any]:
    return {
        "system": platform.system(),
        "release": platform.release(),
        "distribution": _distribution(),
        "architecture": platform.machine(),
        "cpu": _cpu_model(),
        "logical_cpus": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "virtual": "hypervisor" in _cpu_flags(),
    }


def _limits() -> dict[str, Any]:
    """What of the machine this process may use."""
    affinity = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return {"affinity": affinity, "cgroup_cpu": _cgroup("cpu.max"), "cgroup_memory": _cgroup("memory.max")}


def _cgroup(name: str) -> str | None:
    """The limit of this process's control group (version 2), or of the nearest one above that has one."""
    found = re.search(r"^0::(/.*)$", _read(Path("/proc/self/cgroup")) or "", re.MULTILINE)
    root = Path("/sys/fs/cgroup")
    place = root / found[1].lstrip("/") if found else root
    while place.is_relative_to(root):
        limit = _read(place / name)
        if limit is not None and not limit.startswith("max"):
            return limit
        place = place.parent
    return None


def _cpu_model() -> str:
    if platform.system() == "Darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        return asked.stdout.strip() or platform.machine()
    board = _read(Path("/proc/device-tree/model"))  # ARM boards name themselves and not their cores
    return _cpuinfo("model name") or (board.rstrip("\0") if board else None) or platform.machine()


def _cpu_flags() -> tuple[str, ...]:
    return tuple((_cpuinfo("flags") or "").split())


def _cpuinfo(key: str) -> str | None:
    found = re.search(rf"^{key}\s*:\s*(.*)$", _read(Path("/proc/cpuinfo")) or "", re.MULTILINE)
    return found[1].strip() if found else None


def _distribution() -> str:
    if platform.system() == "Darwin":
        return f"macOS {platform.mac_ver()[0]}"
    # platform.freedesktop_os_release is of Python 3.10.
    told = _read(Path("/etc/os-release")) or _read(Path("/usr/lib/os-release")) or ""
    found = re.search(r"^PRETTY_NAME=[\"']?([^\"'\n]*)", told, re.MULTILINE)
    return found[1] if found else platform.system()


def _versions(packages: Iterable[str]) -> dict[str, str | None]:
    return {name: installed_version(name) for name in packages}


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _flat(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
'''

SOURCES["bench.measure.gpu"] = r'''"""What NVIDIA GPUs there are and how they are, as the driver's management library says: no torch, no CUDA context.

A CUDA context in a process makes CUDA unusable in what it forks, and importing torch to ask takes seconds.
Constants and structures are those of nvml.h (NVIDIA Management Library API reference).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

_LIBRARY = "libnvidia-ml.so.1"
_NAME_BYTES = 96
_SUCCESS = 0
_CLOCK_SM = 1  # NVML_CLOCK_SM
_TEMPERATURE_GPU = 0  # NVML_TEMPERATURE_GPU
_MOST_PROCESSES = 256
# PROC_PID_INIT_INO of the kernel: the namespace in which the driver numbers processes.
_FIRST_PID_NAMESPACE = "pid:[4026531836]"

IDLE = "idle"
CLOCK_SETTING = "application clocks setting"
# nvmlClocksEventReason*: why a clock is not higher.
CLOCK_REASONS = {
    0x1: IDLE,
    0x2: CLOCK_SETTING,
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "thermal slowdown by the driver",
    0x40: "thermal slowdown by the hardware",
    0x80: "power brake",
    0x100: "display clock setting",
}


@dataclass(frozen=True)
class Gpu:
    """One GPU as its driver names it."""

    name: str
    driver: str
    memory_mib: int


@dataclass(frozen=True)
class GpuReading:
    """The state of one GPU at one moment; None is what its driver does not tell.

    Attributes:
        name: as in `Gpu`.
        sm_mhz: clock of the streaming multiprocessors now.
        sm_max_mhz: the highest that they can have.
        celsius: of the chip.
        power_w: of the board.
        reasons: why the clock is not higher, in the words of `CLOCK_REASONS`; one of them is "idle".
        is_persistent: whether the driver stays loaded while nobody uses it.
        foreign_processes: ids of others that compute on it. None inside a container: the driver's numbers mean
            nothing there.
    """

    name: str
    sm_mhz: int | None
    sm_max_mhz: int | None
    celsius: int | None
    power_w: float | None
    reasons: tuple[str, ...]
    is_persistent: bool | None
    foreign_processes: tuple[int, ...] | None


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class _Process(ctypes.Structure):
    _fields_ = (
        ("pid", ctypes.c_uint),
        ("memory", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


class Nvml:
    """The management library, opened: once for many readings, since opening takes tens of milliseconds."""

    def __init__(self, library: str = _LIBRARY) -> None:
        self._nvml = _opened(library)
        self._devices = tuple(_visible(self._nvml)) if self._nvml is not None else ()

    def close(self) -> None:
        """Ends it; without devices afterwards."""
        if self._nvml is not None:
            self._nvml.nvmlShutdown()
        self._nvml, self._devices = None, ()

    def gpus(self) -> tuple[Gpu, ...]:
        """The GPUs that a CUDA program started here would see, in the order of CUDA_VISIBLE_DEVICES."""
        return tuple(self._gpu(device) for device in self._devices)

    def read(self, own: Collection[int] = (), *, is_host: bool | None = None) -> tuple[GpuReading, ...]:
        """Their states now.

        Args:
            own: ids of processes that are not foreign.
            is_host: whether process ids here are the driver's; None finds out.
        """
        is_host = _is_first_namespace() if is_host is None else is_host
        return tuple(self._reading(device, own, is_host) for device in self._devices)

    def _gpu(self, device: ctypes.c_void_p) -> Gpu:
        driver = ctypes.create_string_buffer(_NAME_BYTES)
        memory = _Memory()
        self._ask("nvmlSystemGetDriverVersion", driver, ctypes.c_uint(_NAME_BYTES))
        self._ask("nvmlDeviceGetMemoryInfo", device, ctypes.byref(memory))
        return Gpu(name=self._name(device), driver=driver.value.decode(), memory_mib=memory.total >> 20)

    def _reading(self, device: ctypes.c_void_p, own: Collection[int], is_host: bool) -> GpuReading:
        power_mw = self._number("nvmlDeviceGetPowerUsage", device)
        persistence = self._number("nvmlDeviceGetPersistenceMode", device)
        processes = self._processes(device) if is_host else None
        return GpuReading(
            name=self._name(device),
            sm_mhz=self._number("nvmlDeviceGetClockInfo", device, _CLOCK_SM),
            sm_max_mhz=self._number("nvmlDeviceGetMaxClockInfo", device, _CLOCK_SM),
            celsius=self._number("nvmlDeviceGetTemperature", device, _TEMPERATURE_GPU),
            power_w=None if power_mw is None else power_mw / 1000,
            reasons=self._reasons(device),
            is_persistent=None if persistence is None else bool(persistence),
            foreign_processes=None if processes is None else tuple(pid for pid in processes if pid not in own),
        )

    def _name(self, device: ctypes.c_void_p) -> str:
        name = ctypes.create_string_buffer(_NAME_BYTES)
        self._ask("nvmlDeviceGetName", device, name, ctypes.c_uint(_NAME_BYTES))
        return name.value.decode()

    def _reasons(self, device: ctypes.c_void_p) -> tuple[str, ...]:
        mask = ctypes.c_ulonglong()
        # The second is the name before driver 535.
        for function in ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"):
            if self._ask(function, device, ctypes.byref(mask)):
                bits = (1 << place for place in range(64))
                return tuple(CLOCK_REASONS.get(bit, f"reason {bit:#x}") for bit in bits if mask.value & bit)
        return ()

    def _processes(self, device: ctypes.c_void_p) -> tuple[int, ...] | None:
        found = (_Process * _MOST_PROCESSES)()
        for function in ("nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"):
            count = ctypes.c_uint(_MOST_PROCESSES)
            if self._ask(function, device, ctypes.byref(count), found):
                return tuple(sorted(process.pid for process in found[: count.value]))
        return None

    def _number(self, function: str, device: ctypes.c_void_p, *which: int) -> int | None:
        number = ctypes.c_uint()
        is_told = self._ask(function, device, *(ctypes.c_uint(word) for word in which), ctypes.byref(number))
        return number.value if is_told else None

    def _ask(self, function: str, *arguments: object) -> bool:
        """Whether the driver knows the function and has an answer."""
        call = getattr(self._nvml, function, None)
        return call is not None and call(*arguments) == _SUCCESS


def gpus(library: str = _LIBRARY) -> tuple[Gpu, ...]:
    """The GPUs that CUDA programs see; none without a driver, or where CUDA_VISIBLE_DEVICES hides all of them."""
    nvml = Nvml(library)
    try:
        return nvml.gpus()
    finally:
        nvml.close()


def _opened(library: str) -> ctypes.CDLL | None:
    try:
        nvml = ctypes.CDLL(library)
    except OSError:
        return None
    return nvml if nvml.nvmlInit_v2() == _SUCCESS else None


def _visible(nvml: ctypes.CDLL) -> Iterator[ctypes.c_void_p]:
    """Handles in the order of CUDA_VISIBLE_DEVICES, which ends at the first word that names none (CUDA's own rule)."""
    count = ctypes.c_uint()
    if nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != _SUCCESS:
        return
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    words = map(str, range(count.value)) if chosen is None else (word.strip() for word in chosen.split(","))
    for word in words:
        device = ctypes.c_void_p()
        if word.isdigit() and int(word) < count.value:
            status = nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(int(word)), ctypes.byref(device))
        elif word.startswith(("GPU-", "MIG-")):
            status = nvml.nvmlDeviceGetHandleByUUID(word.encode("ascii", "replace"), ctypes.byref(device))
        else:
            return
        if status != _SUCCESS:
            return
        yield device


def _is_first_namespace() -> bool:
    try:
        return str(Path("/proc/self/ns/pid").readlink()) == _FIRST_PID_NAMESPACE
    except OSError:
        return False
'''

SOURCES["bench.measure.health"] = r'''"""Whether the machine was fit while something was timed: read by the supervisor, never by the process that is timed.

What decides is the CPU time that others used: pressure figures stay near zero while two threads keep two CPUs busy.
It is what all CPUs were busy less what our own processes used. The first is told in ticks of 10 ms, so a short window
says little; its uncertainty stands beside it, and no verdict is given within it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from bench.measure.gpu import CLOCK_SETTING, IDLE, GpuReading
from bench.measure.health_linux import TICK_S
from bench.measure.monitor import Monitor, Reading, foreign_processes

__all__ = [
    "GpuWindow",
    "Monitor",
    "Reading",
    "Window",
    "between",
    "contention",
    "foreign_processes",
    "throttling",
]

# Of one core. A second process on the other of two cores is seen from here on in the milliseconds.
MOST_OTHERS = 0.05
# Another guest's CPU time is others' like any; on a shared host some percent of it are always there, and the ratio of
# interleaved networks does not feel them.
MOST_STEAL = 0.05
# nvbench repeats what ran below this share of the GPU's clock.
LEAST_SM_CLOCK = 0.75
LEAST_CPU_CLOCK = 0.9
THROTTLING_REASONS = (
    "power cap",
    "power brake",
    "hardware slowdown",
    "thermal slowdown by the driver",
    "thermal slowdown by the hardware",
)


@dataclass(frozen=True)
class GpuWindow:
    """One GPU between two readings.

    Attributes:
        name: as its driver says.
        sm_mhz: the lowest clock of the readings that found it at work; None if neither did.
        sm_max_mhz: the highest possible.
        is_clock_set: whether somebody set its clocks lower (`nvidia-smi -lgc`, `-ac`).
        celsius: the higher of both readings.
        power_w: likewise.
        reasons: why its clock was not higher: `CLOCK_REASONS` without idleness and set clocks.
        foreign_processes: ids of others that compute on it; None where the ids mean nothing (a container).
    """

    name: str
    sm_mhz: int | None
    sm_max_mhz: int | None
    is_clock_set: bool
    celsius: int | None
    power_w: float | None
    reasons: tuple[str, ...]
    foreign_processes: tuple[int, ...] | None


@dataclass(frozen=True)
class Window:
    """What happened between two readings; 1.0 of a share is one whole core during the window.

    Attributes:
        seconds: its length.
        others: share of CPU time that was neither ours nor idle; None where CPUs cannot be asked.
        steal: share that the hypervisor took, all CPUs together.
        uncertainty: of both shares, from counting in ticks.
        pressure: share of the window in which some process waited for a CPU.
        throttled: periods stopped by a CPU limit.
        mhz_low: the lower of both readings' fastest CPUs: the timed one works, and is the fastest or near it, while
            idle ones may sleep as they like.
        celsius_max: of all zones.
        gpus: those of both readings.
    """

    seconds: float
    others: float | None
    steal: float
    uncertainty: float
    pressure: float | None
    throttled: int | None
    mhz_low: float | None
    celsius_max: float | None
    gpus: tuple[GpuWindow, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        data = asdict(self)
        for gpu in data["gpus"]:
            foreign = gpu["foreign_processes"]
            gpu["reasons"] = list(gpu["reasons"])
            gpu["foreign_processes"] = None if foreign is None else list(foreign)
        return data | {"gpus": list(data["gpus"])}


def between(first: Reading, second: Reading) -> Window:
    """What happened between two readings, of which `second` is the later."""
    seconds = max(second.at_s - first.at_s, 1e-9)
    cpus = list(zip(first.busy_s, second.busy_s))
    busy_s = sum(after - before for before, after in cpus)
    zones = [*first.celsius.values(), *second.celsius.values()]
    return Window(
        seconds=seconds,
        others=max(busy_s - (second.own_s - first.own_s), 0.0) / seconds if cpus else None,
        steal=max(second.steal_s - first.steal_s, 0.0) / seconds,
        uncertainty=_uncertainty_s(len(cpus)) / seconds,
        pressure=None
        if first.pressure_s is None or second.pressure_s is None
        else (second.pressure_s - first.pressure_s) / seconds,
        throttled=None if first.throttled is None or second.throttled is None else second.throttled - first.throttled,
        mhz_low=min(max(first.mhz), max(second.mhz)) if first.mhz and second.mhz else None,
        celsius_max=max(zones, default=None),
        gpus=tuple(_gpu_between(*pair) for pair in zip(first.gpus, second.gpus)),
    )


def contention(window: Window) -> str | None:
    """Why others may have slowed what was timed, or None."""
    reasons = []
    if window.others is not None and window.others - window.uncertainty > MOST_OTHERS:
        reasons.append(f"others used {_percent(window.others)} of a core ({_percent(MOST_OTHERS)} is the limit)")
    if window.steal - window.uncertainty > MOST_STEAL:
        reasons.append(f"the hypervisor took {_percent(window.steal)} of a core ({_percent(MOST_STEAL)} is the limit)")
    for gpu in window.gpus[:1]:
        if gpu.foreign_processes:
            ids = ", ".join(map(str, gpu.foreign_processes[:3]))
            reasons.append(f"other processes compute on the GPU, {len(gpu.foreign_processes)} of them (id {ids})")
    return "; ".join(reasons) or None


def throttling(window: Window, calm: Window | None) -> str | None:
    """Why the machine may have run slower than it can, or None.

    Args:
        window: what is judged.
        calm: of the same session, for the frequency that the CPU can hold.
    """
    reasons = []
    if window.throttled:
        reasons.append(f"a CPU limit (cgroup) stopped this process in {window.throttled} periods")
    if window.mhz_low and calm and calm.mhz_low and window.mhz_low < LEAST_CPU_CLOCK * calm.mhz_low:
        reasons.append(f"the CPU ran at {window.mhz_low:.0f} MHz ({calm.mhz_low:.0f} MHz when calm)")
    reasons += [reason for gpu in window.gpus[:1] for reason in gpu_throttling(gpu)]
    return "; ".join(reasons) or None


def gpu_throttling(gpu: GpuWindow) -> tuple[str, ...]:
    """Why a GPU may have run slower than it can."""
    reasons = []
    found = [reason for reason in gpu.reasons if reason in THROTTLING_REASONS]
    if found:
        reasons.append(f"the GPU was slowed by: {', '.join(found)}")
    if gpu.sm_mhz and gpu.sm_max_mhz and not gpu.is_clock_set and gpu.sm_mhz < LEAST_SM_CLOCK * gpu.sm_max_mhz:
        reasons.append(f"the GPU ran at {gpu.sm_mhz} MHz (of {gpu.sm_max_mhz} MHz)")
    return tuple(reasons)


def _uncertainty_s(num_cpus: int) -> float:
    """Two ticks on two CPUs.

    Each CPU's idle time is rounded down in both readings, which spreads the difference by 0.41 ticks, and the sum over
    n CPUs by 0.41 sqrt(n). This is 3.4 times that.
    """
    return max(2.0, math.sqrt(2 * num_cpus)) * TICK_S


def _gpu_between(first: GpuReading, second: GpuReading) -> GpuWindow:
    both = (first, second)
    reasons = dict.fromkeys(reason for gpu in both for reason in gpu.reasons)
    clocks = [gpu.sm_mhz for gpu in both if gpu.sm_mhz is not None and IDLE not in gpu.reasons]
    foreign = [gpu.foreign_processes for gpu in both if gpu.foreign_processes is not None]
    return GpuWindow(
        name=second.name,
        sm_mhz=min(clocks, default=None),
        sm_max_mhz=second.sm_max_mhz,
        is_clock_set=CLOCK_SETTING in reasons,
        celsius=max((gpu.celsius for gpu in both if gpu.celsius is not None), default=None),
        power_w=max((gpu.power_w for gpu in both if gpu.power_w is not None), default=None),
        reasons=tuple(reason for reason in reasons if reason not in (IDLE, CLOCK_SETTING)),
        foreign_processes=tuple(sorted({pid for found in foreign for pid in found})) if foreign else None,
    )


def _percent(share: float) -> str:
    return f"{round(100 * share, 1):g} %"
'''

SOURCES["bench.measure.health_linux"] = r'''"""What Linux tells of CPUs and processes in /proc and /sys: no dependency, well under a millisecond a reading."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

# /proc/stat counts in these, 10 ms everywhere.
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
# CPUCLOCK_SCHED of the kernel: with a process id, the clock of all its threads, the ended ones too, in ns.
_CPU_CLOCK = 2
_LIMITS = ("scaling_max_freq", "cpuinfo_max_freq")


class Linux:
    """One machine; what never changes while it runs is found once."""

    def __init__(self, root: Path = Path("/")) -> None:
        """`root` is where proc and sys lie."""
        self._proc = root / "proc"
        self._devices = root / "sys/devices/system/cpu"
        frequencies = self._devices.glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
        self._frequencies = sorted(frequencies, key=lambda path: int(path.parts[-3].removeprefix("cpu")))
        self._zones = sorted((root / "sys/class/thermal").glob("thermal_zone*"))
        self._groups = tuple(_cgroups(root))
        own = self._proc / "thread-self"
        self._lists_children = (own / "children").is_file() or not own.is_dir()

    def cpus(self) -> tuple[tuple[float, ...], float]:
        """Seconds that each CPU was busy (interrupts too; no steal, no waiting) since some moment, and all steal.

        What was neither idle nor stolen: idle time is measured, while user and system time are guessed from what runs
        at each timer interrupt. Of 22 windows of 0.5 s, with a process that worked and slept 2 ms by turns (HZ 250),
        user and system time were up to 12 % of a core too high, this up to 2 %.
        """
        now_s = time.monotonic()
        busy, steal = [], 0.0
        for line in _text(self._proc / "stat").splitlines():
            name, *words = line.split()
            if re.fullmatch(r"cpu\d+", name):
                _, _, _, idle, waiting, _, _, stolen, *_ = (*map(int, words), *[0] * 8)
                busy.append(now_s - (idle + waiting + stolen) * TICK_S)
                steal += stolen * TICK_S
        return tuple(busy), steal

    def used(self, pid: int) -> tuple[int, float] | None:
        """When a process started (ticks since boot) and the CPU seconds that it and its children used; None: gone."""
        fields = self._fields(pid)
        if fields is None:
            return None
        ended_s = (int(fields[13]) + int(fields[14])) * TICK_S  # children that it has waited for
        living = [self.used(child) for child in self._children(pid)]
        return int(fields[19]), _clock_s(pid, fields) + ended_s + sum(found[1] for found in living if found)

    def family(self, pids: Iterable[int]) -> frozenset[int]:
        """These processes and all below them."""
        found: set[int] = set()
        waiting = list(pids)
        while waiting:
            pid = waiting.pop()
            if pid not in found:
                found.add(pid)
                waiting += self._children(pid)
        return frozenset(found)

    def processes(self) -> dict[int, float]:
        """CPU seconds of every process that can be seen, by its id."""
        used = {}
        for name in _names(self._proc):
            with contextlib.suppress(OSError, ValueError):
                used[int(name)] = _clock_of(int(name))
        return used

    def name(self, pid: int) -> str:
        """The short name of a process, without its arguments."""
        name = _text(self._proc / str(pid) / "comm").strip()
        return "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in name)

    def pressure_s(self) -> float | None:
        """Seconds since boot in which some process waited for a CPU."""
        found = re.search(r"^some .*total=(\d+)", _text(self._proc / "pressure/cpu"), re.MULTILINE)
        return int(found[1]) / 1e6 if found else None

    def throttled(self) -> int | None:
        """Periods in which a CPU limit stopped the control group of this process, or one above it."""
        counts = [re.search(r"^nr_throttled (\d+)", _text(group / "cpu.stat"), re.MULTILINE) for group in self._groups]
        known = [int(found[1]) for found in counts if found]
        return sum(known) if known else None

    def limit_cores(self) -> float | None:
        """The CPU time that those control groups allow, in cores; None is all."""
        allowed = [cores for group in self._groups for cores in (_quota(group),) if cores is not None]
        return min(allowed, default=None)

    def mhz(self) -> tuple[float, ...] | None:
        """Current frequency by CPU."""
        known = [int(text) / 1000 for text in map(_text, self._frequencies) if text.strip().isdigit()]
        return tuple(known) or None

    def highest_mhz(self) -> tuple[float, float] | None:
        """What CPU 0 is allowed and what it is able to do."""
        limits = [_text(self._devices / "cpu0/cpufreq" / name).strip() for name in _LIMITS]
        allowed, able = (int(text) / 1000 if text.isdigit() else None for text in limits)
        return None if allowed is None or able is None else (allowed, able)

    def memory_free_mib(self) -> float | None:
        """What can be had without swapping."""
        found = re.search(r"^MemAvailable:\s*(\d+) kB", _text(self._proc / "meminfo"), re.MULTILINE)
        return int(found[1]) / 1024 if found else None

    def celsius(self) -> Mapping[str, float]:
        """The hottest thermal zone of each type."""
        hottest: dict[str, float] = {}
        for zone in self._zones:
            kind, text = _text(zone / "type").strip(), _text(zone / "temp").strip()
            if kind and re.fullmatch(r"-?\d+", text):
                hottest[kind] = max(int(text) / 1000, hottest.get(kind, -273.0))
        return hottest

    def _fields(self, pid: int) -> list[str] | None:
        """Those of /proc/PID/stat from the third on; a name before them may hold anything."""
        fields = _text(self._proc / str(pid) / "stat").rpartition(")")[2].split()
        return fields if len(fields) > 19 else None

    def _children(self, pid: int) -> Iterator[int]:
        if not self._lists_children:  # a kernel without CONFIG_PROC_CHILDREN
            for name in filter(str.isdigit, _names(self._proc)):
                fields = self._fields(int(name))
                if fields is not None and int(fields[1]) == pid:
                    yield int(name)
            return
        tasks = self._proc / str(pid) / "task"
        for task in _names(tasks):
            yield from map(int, _text(tasks / task / "children").split())


def _clock_of(pid: int) -> float:
    return time.clock_gettime_ns(~pid << 3 | _CPU_CLOCK) / 1e9


def _clock_s(pid: int, fields: list[str]) -> float:
    try:
        return _clock_of(pid)
    except OSError:  # a sandbox that hides others' clocks
        return (int(fields[11]) + int(fields[12])) * TICK_S


def _cgroups(root: Path) -> Iterator[Path]:
    """This process's control group and those above it that count CPU time (version 2, or the cpu hierarchy of 1)."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, place = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # A container sees its own group as the top, while the path may still be that of the host.
        top = root / "sys/fs/cgroup" / controllers
        group = top / place.lstrip("/")
        for folder in (group, *group.parents):
            if folder.is_relative_to(top) and (folder / "cpu.stat").is_file():
                yield folder


def _quota(group: Path) -> float | None:
    limit = _text(group / "cpu.max").split()
    if not limit:
        limit = [_text(group / name).strip() for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")]
    if len(limit) == 2 and all(word.isdigit() for word in limit):  # otherwise "max" or -1
        return int(limit[0]) / int(limit[1])
    return None


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208  (three times as fast as iterdir)
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # gone, not there on this machine, or not ready to answer
        return ""
'''

SOURCES["bench.measure.health_macos"] = r'''"""What psutil tells of CPUs and processes where there is no /proc: macOS. Without psutil nothing is known."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from typing import Any


class MacOS:
    """The same questions as `health_linux.Linux` answers; macOS tells no pressure, limit, frequency or zone."""

    def __init__(self) -> None:
        self._psutil: Any = None
        with contextlib.suppress(ImportError):
            import psutil

            self._psutil = psutil

    def cpus(self) -> tuple[tuple[float, ...], float]:
        """Seconds that each CPU was busy since boot; there is no steal."""
        if self._psutil is None:
            return (), 0.0
        return tuple(cpu.user + cpu.nice + cpu.system for cpu in self._psutil.cpu_times(percpu=True)), 0.0

    def used(self, pid: int) -> tuple[int, float] | None:
        """When a process started (us) and the CPU seconds that it and its living children used; None: gone."""
        if self._psutil is None:
            return None
        try:
            process = self._psutil.Process(pid)
            started = int(process.create_time() * 1e6)
        except self._psutil.Error:
            return None
        return started, sum(self._seconds(member) for member in self._members(process))

    def family(self, pids: Iterable[int]) -> frozenset[int]:
        """These processes and all below them."""
        found = set(pids)
        if self._psutil is not None:
            for pid in tuple(found):
                with contextlib.suppress(self._psutil.Error):
                    found |= {member.pid for member in self._members(self._psutil.Process(pid))}
        return frozenset(found)

    def processes(self) -> dict[int, float]:
        """CPU seconds of every process, by its id; 0 for those of others, which only root may ask."""
        if self._psutil is None:
            return {}
        return {process.pid: self._seconds(process) for process in self._psutil.process_iter()}

    def name(self, pid: int) -> str:
        """The short name of a process, without its arguments."""
        if self._psutil is not None:
            with contextlib.suppress(self._psutil.Error):
                name = os.path.basename(self._psutil.Process(pid).name())  # noqa: PTH119  (a name, no path)
                return "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in name)
        return ""

    def pressure_s(self) -> float | None:
        """Not told."""
        return None

    def throttled(self) -> int | None:
        """Not told."""
        return None

    def limit_cores(self) -> float | None:
        """There is none."""
        return None

    def highest_mhz(self) -> tuple[float, float] | None:
        """Not told."""
        return None

    def memory_free_mib(self) -> float | None:
        """What can be had without swapping."""
        return self._psutil.virtual_memory().available / (1 << 20) if self._psutil is not None else None

    def mhz(self) -> tuple[float, ...] | None:
        """Not told: psutil repeats the nominal frequency."""
        return None

    def celsius(self) -> Mapping[str, float]:
        """Not told."""
        return {}

    def _members(self, process: Any) -> list[Any]:
        try:
            return [process, *process.children(recursive=True)]
        except self._psutil.Error:
            return [process]

    def _seconds(self, process: Any) -> float:
        try:
            times = process.cpu_times()
        except self._psutil.Error:
            return 0.0
        return float(times.user + times.system)
'''

SOURCES["bench.measure.inspection"] = r'''"""Looks into files of unknown origin before a runtime may load them, in child processes apart from those that time.

The files of a job share a child each for checking and for computing without optimisation: starting one and importing
what it needs takes several times as long as a file does. What one file leaves behind does not decide over the next:
a file that is refused, or that costs a child in which others were before it, is asked about again in a fresh one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

from bench.measure.catalogue import RUNTIMES
from bench.measure.child import WORKER, Child, LostError, RefusedError
from bench.measure.job import Job, JobArtifact, Setup
from bench.measure.restart import entry, numbers, search_paths, start_request

# Formats that a runtime can compute without optimising, which tells what a file of unknown origin should give.
_PLAIN_FORMATS = ("onnx", "tflite")
# A file whose seconds are almost used up is asked about with this, and fails by itself.
_LEAST_LIMIT_S = 0.001


class Inspection:
    """The children that look into the files of one job; started when the first file needs one.

    It must be left by the thread that entered it, as a `Child`.

    Attributes:
        num_lost: children that a file has cost.
    """

    def __init__(self, job: Job, command: Sequence[str] = WORKER) -> None:
        self.num_lost = 0
        self._job = job
        self._command = command
        self._num_files = len(job.artifacts) + 1
        self._checking = _Shared(command, None)
        self._computing: tuple[Setup, _Shared] | None = None

    def __enter__(self) -> Inspection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._checking.close()
        if self._computing is not None:
            self._computing[1].close()

    def check(self, artifact: JobArtifact) -> Mapping[str, Any]:
        """What the file asks for, if a runtime may load it.

        Returns:
            The description of `bench.measure.checks`.

        Raises:
            RefusedError: it may not; the message is why.
            LostError: the child was lost over it.
        """
        job = self._job
        # What a child may use of the CPU is set once: as much as all its files may.
        limits = {"memory_mib": job.memory_mib, "work_s": self._num_files * job.deadline_s}
        request = {"artifact": entry(artifact), **limits, "paths": search_paths()}
        details = self._ask(self._checking, "check", request).get("details")
        return details if isinstance(details, dict) else {}

    def look_into(self, artifact: JobArtifact) -> tuple[float, ...] | None:
        """The logits that the file should give, if its check passes; None where its format cannot tell, or the job
        does.

        Raises:
            RefusedError: the check says no; the message is why.
            LostError: a child was lost over it.
        """
        self.check(artifact)
        if artifact.format not in _PLAIN_FORMATS or artifact.logits is not None:
            return None
        job = self._job
        plain = next(name for name, runtime in RUNTIMES.items() if runtime.formats[0] == artifact.format)
        setup = replace(job.setup_of(artifact), runtime=plain, precision="fp32", channels_last=False, options=())
        request = {"artifact": entry(artifact), "resolution": artifact.resolution or job.resolution, "is_plain": True}
        return tuple(numbers(self._ask(self._computing_with(setup), "load", request).get("output")))

    def _computing_with(self, setup: Setup) -> _Shared:
        if self._computing is None or self._computing[0] != setup:
            if self._computing is not None:
                self._computing[1].close()
            request = start_request(self._job, setup, num_artifacts=self._num_files)
            self._computing = setup, _Shared(self._command, {**request, "runner": "cpu"})
        return self._computing[1]

    def _ask(self, shared: _Shared, ask: str, request: Mapping[str, Any]) -> dict[str, Any]:
        is_fresh, end = shared.num_asked == 0, time.monotonic() + self._job.deadline_s
        try:
            return self._ask_once(shared, ask, request, end)
        except (LostError, RefusedError):
            # Both questions share the file's seconds: one that hangs has used them up.
            if is_fresh or time.monotonic() >= end:
                raise
        shared.close()
        return self._ask_once(shared, ask, request, end)

    def _ask_once(self, shared: _Shared, ask: str, request: Mapping[str, Any], end: float) -> dict[str, Any]:
        try:
            return shared.ask(ask, request, limit_s=max(end - time.monotonic(), _LEAST_LIMIT_S))
        except LostError:
            self.num_lost += 1
            raise


class _Shared:
    """One child after the other, each for as many files as it survives.

    Attributes:
        num_asked: how often the child that is there was asked.
    """

    def __init__(self, command: Sequence[str], start: Mapping[str, Any] | None) -> None:
        """Children of `command`; `start` is what each is told first."""
        self.num_asked = 0
        self._command, self._start = command, start
        self._stack = contextlib.ExitStack()
        self._child: Child | None = None

    def ask(self, ask: str, request: Mapping[str, Any], *, limit_s: float) -> dict[str, Any]:
        """The reply of a child, which is gone after a LostError."""
        try:
            if self._child is None:
                self._child = self._begun(limit_s)
            self.num_asked += 1
            return self._child.ask(ask, request, limit_s=limit_s)
        except LostError:
            self.close()
            raise

    def _begun(self, limit_s: float) -> Child:
        child = self._stack.enter_context(Child(self._command))
        if self._start is not None:
            try:
                child.ask("start", self._start, limit_s=limit_s)
            except RefusedError:
                self.close()  # half started, it is of no use to the next file either
                raise
        return child

    def close(self) -> None:
        """Ends the child; the next question starts another."""
        self._stack.close()
        self._child, self.num_asked = None, 0
'''

SOURCES["bench.measure.isolation"] = r'''"""What a worker gives up before it opens a file of unknown origin, and who ends what it leaves behind.

On Linux an isolated worker is three processes. The one that the supervisor started (the keeper) waits for the one that
works, and ends as that ends. Where the system lets an ordinary user have namespaces, the third is process 1 of the
worker's own: with it the kernel ends everything that the worker has started, in whatever session or group, at the end
of the worker, of the keeper, or of the supervisor. Elsewhere the keeper adopts what the worker leaves and ends it,
which is weaker: a worker that ends its keeper first gets away. On other systems the process group is all there is.

The standard library alone, as `worker.py`, beside which it is sent to a device.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

# linux/prctl.h, linux/sched.h, linux/capability.h, linux/mount.h
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38
_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x0002_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000
_CAPABILITY_VERSION = 0x2008_0522
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8

_ALONE = _CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWPID | _CLONE_NEWNS
_KINDS = (_ALONE, _CLONE_NEWUSER | _CLONE_NEWNET) if sys.platform == "linux" else ()
# From here on the kernel counts a user's processes in each user namespace for itself.
_COUNTED_APART = (5, 14)
# Of one worker: 64 artifacts with a pool of threads each, and room.
_MOST_TASKS = 4096
# The worker has five descriptors by then; none of them is the keeper's business.
_DESCRIPTORS = 256
_MOST_ROUNDS, _PAUSE_S = 20, 0.001
# States of a process in /proc.
_ENDED = (b"Z", b"X")


def end_with_supervisor(number: int = signal.SIGKILL) -> None:
    """Has Linux send this process a signal at the end of the thread that started it; a busy one would not see its
    input end."""
    _prctl(_PR_SET_PDEATHSIG, number)


def isolate(*, keeps_rights: bool) -> dict[str, bool]:
    """Gives up what can be given up and says what is left; returns in the process that goes on as the worker.

    For a process with one thread; its process id is another afterwards. With `keeps_rights` nothing is given up, and
    what it leaves behind is ended all the same.
    """
    if sys.platform != "linux":
        return {} if keeps_rights else {"may_gain_rights": True, "has_network": True, "reaches_processes": True}
    may_gain_rights = keeps_rights or not _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    kind = 0 if keeps_rights else _leave()
    first = _first_process() if kind == _ALONE else None
    if first is None:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    worker = os.fork()
    if worker:
        _keep(worker, first)
    end_with_supervisor()
    if first is not None:
        os.close(first[1])
    is_hidden = first is not None and _hide_processes()
    if kind:
        _drop_capabilities()
        _limit_tasks()
    if keeps_rights:
        return {}
    return {"may_gain_rights": may_gain_rights, "has_network": not kind, "reaches_processes": not is_hidden}


def end_below(pid: int) -> None:
    """Ends every process below `pid`, in whatever session or group; for the one above them, or itself."""
    for _ in range(_MOST_ROUNDS):  # what is started meanwhile is found by the next look
        is_alive = False
        for member, has_ended in _below(pid):
            is_alive |= not has_ended
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(member, signal.SIGKILL)
        if not is_alive:
            return
        time.sleep(_PAUSE_S)


def _leave() -> int:
    """The namespaces that this process has for itself from now on, as flags; in them its user keeps its name."""
    user, group = os.geteuid(), os.getegid()
    kind = next((kind for kind in _KINDS if ctypes.CDLL(None).unshare(kind) == 0), 0)
    if kind:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with contextlib.suppress(OSError):
                (Path("/proc/self") / name).write_text(text, encoding="ascii")
    return kind


def _first_process() -> tuple[int, int]:
    """Process 1 of the namespace, and a descriptor: it ends as soon as nobody holds that open any more."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(reader)
        return pid, writer
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # it inherits orphans, which are gone then when they end
        _drop_capabilities()
        os.closerange(0, reader)
        os.closerange(reader + 1, _DESCRIPTORS)
        os.read(reader, 1)
    finally:
        os._exit(0)


def _keep(worker: int, first: tuple[int, int] | None) -> NoReturn:
    """Waits for the worker, ends what it has left, and ends as it did."""
    code = 1
    try:
        if first is None:
            signal.signal(signal.SIGTERM, lambda *_: _end_all())
            end_with_supervisor(signal.SIGTERM)
            os.closerange(0, _DESCRIPTORS)
        else:
            _drop_capabilities()
            end_with_supervisor()
            os.closerange(0, first[1])
            os.closerange(first[1] + 1, _DESCRIPTORS)
        code = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
        if first is None:
            _end_all()
        else:
            os.kill(first[0], signal.SIGKILL)
            os.waitpid(first[0], 0)  # returns when everything in the namespace is gone
        if code < 0:
            if -code not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
    finally:
        os._exit(max(code, 1) if code else 0)


def _end_all() -> None:
    """Ends all children of this process, which adopts what they leave, until there are none."""
    with contextlib.suppress(ChildProcessError):
        while True:
            end_below(os.getpid())
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(_PAUSE_S)


def _below(pid: int) -> Iterator[tuple[int, bool]]:
    """Processes below `pid` and whether they have ended, nearest first; none where there is no /proc.

    One whose main thread alone has ended looks like one that has ended.
    """
    children: dict[int, list[tuple[int, bool]]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent = (path / "stat").read_bytes().rpartition(b")")[2].split()[:2]
            children.setdefault(int(parent), []).append((int(path.name), state in _ENDED))
    waiting = children.pop(pid, [])
    while waiting:
        found = waiting.pop(0)
        yield found
        waiting += children.pop(found[0], [])


def _hide_processes() -> bool:
    """Whether /proc shows the worker's own processes alone, whose files in there are open to their user."""
    flags = ctypes.c_ulong(_MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    return bool(ctypes.CDLL(None).mount(b"proc", b"/proc", b"proc", flags, None) == 0)


def _drop_capabilities() -> None:
    """In a namespace of its own a process may do everything, which is more of the kernel than it should see."""
    header, nothing = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    ctypes.CDLL(None).capset(header, nothing)


def _limit_tasks() -> None:
    """Bounds processes and threads together; the kernel excepts root, and before 5.14 counts the user's others too."""
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if found is None or (int(found[1]), int(found[2])) < _COUNTED_APART:
        return
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    most = _MOST_TASKS if hard == resource.RLIM_INFINITY else min(_MOST_TASKS, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def _prctl(option: int, value: int) -> bool:
    """Whether Linux has done it."""
    if sys.platform != "linux":
        return False
    zeros = [ctypes.c_ulong(0)] * 3
    return bool(ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), *zeros) == 0)
'''

SOURCES["bench.measure.job"] = r'''"""What is to be timed and how: plain data, the same for this machine and for a remote runner."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from bench.errors import MeasureError, nearest
from bench.measure.catalogue import RUNNERS, RUNTIMES

FORMS = ("deploy", "train", "timm")
FORMATS = tuple(sorted({kind for runtime in RUNTIMES.values() for kind in runtime.formats}))

# What `bench measure` asks for (Job's own defaults are the quick form): six processes are the fewest whose smallest
# and largest median hold the true one with 95 %; three runs in each of 72 visits make 216 an artifact, and 28 ms a
# visit make 2 s (MLPerf's LoadGen asks for a number and a duration too); half a second of warm-up is LiteRT's rule.
# Many short visits and not few long ones: where the host's speed changes within a tenth of a second, the medians of
# processes of T8 against its copy lay within 0.7 % with 12 visits of 3 runs, and up to 14 % apart with 4 of 9.
FULL: Mapping[str, Any] = {
    "restarts": 6,
    "most_restarts": 24,
    "blocks": 12,
    "iterations": 3,
    "visit_ms": 28.0,
    "warmup_window": 10,
    "warmup_least_ms": 500.0,
    "warmup_ms": 5000.0,
    "target": 0.01,
    "limit_s": 120.0,
    "twin": "always",
}

_FRACTIONS = ("warmup_ms", "deadline_s", "target", "limit_s")
_AMOUNTS = ("visit_ms", "warmup_least_ms")
_NUMBERS = (
    *("threads", "resolution", "restarts", "most_restarts", "blocks", "iterations", "warmup_window", "memory_mib"),
    *_FRACTIONS,
)


@dataclass(frozen=True)
class Setup:
    """How a runtime runs an artifact; artifacts of one setup share a child process.

    Attributes:
        runtime: a name of `catalogue.RUNTIMES`.
        threads: intra-op threads.
        precision: "fp32", "fp16" or "bf16".
        channels_last: memory format of torch.
        options: of the runtime's own, such as Core ML's compute units.
    """

    runtime: str
    threads: int = 1
    precision: str = "fp32"
    channels_last: bool = False
    options: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.runtime not in RUNTIMES:
            raise MeasureError(unknown("runtime", self.runtime, RUNTIMES))
        known = RUNTIMES[self.runtime].precisions
        if self.precision not in known:
            raise MeasureError(unknown(f"precision of {self.runtime}", self.precision, known))
        if self.channels_last and not self.runtime.startswith("torch"):
            raise MeasureError(f"channels_last for {self.runtime}; torch's runtimes know it; leave it out")
        if not isinstance(self.threads, int) or self.threads < 1:
            raise MeasureError(f"threads {self.threads!r}; a whole number above 0 is needed; change it in the job")

    @property
    def name(self) -> str:
        """Short, for tables: `torch-compile fp16 channels-last, 2 threads`."""
        parts = [self.runtime]
        parts += [self.precision] if self.precision != "fp32" else []
        parts += ["channels-last"] if self.channels_last else []
        parts += [f"{key}={value}" for key, value in self.options]
        return " ".join(parts) + (f", {self.threads} threads" if self.threads > 1 else "")


@dataclass(frozen=True)
class JobArtifact:
    """One file to be timed.

    Attributes:
        label: its name in the job and in the result; unique in a job.
        path: where the file (or the folder of an .mlpackage) lies.
        format: "onnx", "tflite", ...; "safetensors" are the weights of a network in train form, rebuilt from
            `architecture` in the child process (weights, never code).
        sha256: of the file; the child process refuses another content.
        architecture_id: where it is known.
        architecture: `Architecture.to_dict()`, or `{"timm": NAME}`; needed by "safetensors".
        resolution: of its own; None: the job's.
        form: of a network in "safetensors": "deploy" folds it, "train" leaves it, "timm" folds as timm does.
        setup: how it is run; None: as the job says.
        logits: what it has to compute from the job's picture; None: not known.
        is_checked: made and checked by this process; any other file is looked into before a runtime may load it.
        export: how it was made (exporter, its version, opset): part of what has to agree in a comparison.
    """

    label: str
    path: str
    format: str
    sha256: str
    architecture_id: str | None = None
    architecture: Mapping[str, Any] | None = None
    resolution: int | None = None
    form: str = "deploy"
    setup: Setup | None = None
    logits: tuple[float, ...] | None = None
    is_checked: bool = False
    export: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not self.label:
            raise MeasureError("an artifact without a label; a job names each artifact; give it a label")
        if self.format not in FORMATS:
            raise MeasureError(unknown(f"artifact format of {self.label!r}", self.format, FORMATS))
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise MeasureError(
                f"sha256 {self.sha256!r} of {self.label!r}; 64 hex digits are needed; hash the file again"
            )
        if self.format == "safetensors" and self.architecture is None:
            raise MeasureError(f"{self.label!r} has weights and no architecture; give both, or an ONNX file")
        if self.form not in FORMS:
            raise MeasureError(unknown(f"form of {self.label!r}", self.form, FORMS))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> JobArtifact:
        """The artifact that `asdict` gave, before or after a turn as JSON; a file of unknown origin from now on."""
        setup, logits = data.get("setup"), data.get("logits")
        if setup is not None:
            options = tuple((str(key), str(value)) for key, value in setup.get("options", ()))
            setup = Setup(**{**setup, "options": options})
        found = {**data, "setup": setup, "logits": None if logits is None else tuple(logits), "is_checked": False}
        return cls(**found)


@dataclass(frozen=True)
class Job:
    """One measuring session: artifacts and a pinned reference, interleaved in fresh child processes.

    The defaults are the quick form that a search uses; `FULL` holds the settings of the full one. The reference is
    timed in every block, so that every result has a ratio to it that other work on the machine disturbs far less
    than it disturbs milliseconds. The twin is the reference once more, loaded a second time: what the two differ by
    is what the session cannot tell apart.

    Attributes:
        artifacts: what is to be timed.
        reference: the pinned network (FastViT-T8 at the same resolution, or the nearest that it can take).
        resolution: height and width of the one input picture (batch 1), of whatever has none of its own.
        runner: "cpu", "cuda" or "apple".
        runtime, threads, precision, channels_last: the `Setup` of what has none of its own.
        cpus: the child processes are pinned to; None leaves them where this process may run.
        restarts: fresh child processes, at least.
        most_restarts: at most, while the target is missed.
        blocks: blocks in each process; each visits every artifact once in random order.
        iterations: timed runs back to back in one visit, at least.
        visit_ms: a visit is made as long as this by further iterations.
        warmup_window: runs whose median is compared with that of as many runs before.
        warmup_least_ms: of warm-up, for one artifact in one process.
        warmup_ms: most of it; it ends sooner when the windows agree.
        target: half width of the ratio's 95 % interval that is aimed at, 0.01 is one percent.
        limit_s: no further restart begins after so many seconds.
        repeats: whether a restart makes up once for blocks during which others used the CPU.
        twin: "always", "first" (in the first process only) or "never".
        deadline_s: seconds that all work on one artifact may take; a hang costs this much and fails that
            artifact alone.
        memory_mib: address space of a child process on the CPU.
        seed: of the visiting order.
    """

    artifacts: tuple[JobArtifact, ...]
    reference: JobArtifact
    resolution: int
    runner: str = "cpu"
    runtime: str = "onnxruntime"
    threads: int = 1
    precision: str = "fp32"
    channels_last: bool = False
    cpus: tuple[int, ...] | None = None
    restarts: int = 3
    most_restarts: int = 3
    blocks: int = 8
    iterations: int = 2
    visit_ms: float = 0.0
    warmup_window: int = 3
    warmup_least_ms: float = 0.0
    warmup_ms: float = 300.0
    target: float = 0.03
    limit_s: float = 120.0
    repeats: bool = True
    twin: str = "first"
    deadline_s: float = 120.0
    memory_mib: int = 16384
    seed: int = 0

    def __post_init__(self) -> None:
        default = self.default_setup
        if self.runner not in RUNNERS:
            raise MeasureError(unknown("runner", self.runner, RUNNERS))
        self._check_artifacts()
        for setup in {default, *(self.setup_of(artifact) for artifact in self.artifacts)}:
            if self.runner not in RUNTIMES[setup.runtime].runners:
                raise MeasureError(unknown(f"runner of {setup.runtime}", self.runner, RUNTIMES[setup.runtime].runners))
        for name in (*_NUMBERS, *_AMOUNTS):
            value = getattr(self, name)
            is_fraction = name in _FRACTIONS or name in _AMOUNTS
            least_ok = name in _AMOUNTS and value == 0
            if not (isinstance(value, int) or is_fraction) or not (0 < value < float("inf") or least_ok):
                kind = "number" if is_fraction else "whole number"
                raise MeasureError(f"{name} {value!r}; a {kind} above 0 is needed; change it in the job")
        if not isinstance(self.seed, int) or self.seed < 0:
            raise MeasureError(f"seed {self.seed!r}; a whole number of 0 or more is needed; change it in the job")
        if self.twin not in ("always", "first", "never"):
            raise MeasureError(unknown("twin", self.twin, ("always", "first", "never")))

    @property
    def default_setup(self) -> Setup:
        """Of what has none of its own."""
        return Setup(
            runtime=self.runtime, threads=self.threads, precision=self.precision, channels_last=self.channels_last
        )

    def setup_of(self, artifact: JobArtifact) -> Setup:
        """How `artifact` is run."""
        return artifact.setup or self.default_setup

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
                raise MeasureError(unknown("job key", key, sorted(known)))
        try:
            artifacts = tuple(JobArtifact.from_dict(item) for item in data["artifacts"])
            rest = {key: value for key, value in data.items() if key not in ("artifacts", "reference", "cpus")}
            cpus = data.get("cpus")
            return cls(
                artifacts=artifacts,
                reference=JobArtifact.from_dict(data["reference"]),
                cpus=None if cpus is None else tuple(cpus),
                **rest,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise MeasureError(
                f"malformed job ({error}); known keys: {', '.join(sorted(known))}; write it again"
            ) from error

    def _check_artifacts(self) -> None:
        if not self.artifacts:
            raise MeasureError("a job without artifacts; one or more are needed; add what is to be timed")
        everything = (self.reference, *self.artifacts)
        labels = [artifact.label for artifact in everything]
        for artifact in everything:
            if labels.count(artifact.label) > 1:
                raise MeasureError(f"label {artifact.label!r} occurs twice; labels in a job are unique; rename one")
            runtime = RUNTIMES[self.setup_of(artifact).runtime]
            if artifact.format not in runtime.formats:
                what = f"format of {artifact.label!r} for {runtime.name}"
                raise MeasureError(unknown(what, artifact.format, runtime.formats))


def unknown(what: str, found: str, known: Iterable[str]) -> str:
    """One line: what was found, what is known, and the nearest word."""
    known = list(known)
    hint = nearest(found, known) or "; choose one of them"
    return f"unknown {what} {found!r}; known: {', '.join(known)}{hint}"
'''

SOURCES["bench.measure.measurement"] = r'''"""A measurement: raw samples in nanoseconds, with what is needed to judge them and derive statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from bench.errors import MeasureError

# [process][block][iteration] in ns
Samples = tuple[tuple[tuple[int, ...], ...], ...]

_SAMPLES = ("samples", "reference_samples", "twin_samples")


@dataclass(frozen=True)
class Measurement:
    """What one artifact took, beside the reference in the same processes and blocks.

    Attributes:
        label: of the artifact in its job.
        architecture_id: where it is known.
        artifact_sha256: of the file that was timed.
        runner: "cpu", "cuda" or "apple" of the machine that it was asked on, or the name of a registered runner.
        runtime: a name of `catalogue.RUNTIMES`.
        threads: intra-op threads.
        resolution: height and width of the input.
        samples: ns of each iteration, by process and block; empty when nothing was timed.
        reference_samples: the same of the reference in the same blocks.
        twin_samples: the same of the reference loaded a second time; a process without one has no blocks.
        contended: by process and block, whether others used the CPU meanwhile.
        verdict: as `verdict.VERDICTS` explains.
        reason: why the verdict is not "valid", in words.
        fingerprint: machine and software.
        protocol: how it was measured: the job's numbers, the order of visits, warm-up samples, load times, health.
        session: the same for all that was timed interleaved.
    """

    label: str
    architecture_id: str | None
    artifact_sha256: str
    runner: str
    runtime: str
    threads: int
    resolution: int
    samples: Samples
    reference_samples: Samples
    twin_samples: Samples
    contended: tuple[tuple[bool, ...], ...]
    verdict: str
    reason: str | None
    fingerprint: Mapping[str, Any]
    protocol: Mapping[str, Any]
    session: str

    @property
    def has_figures(self) -> bool:
        """Whether its samples may be summarised; their verdict says how far to believe them."""
        return bool(self.samples) and self.verdict not in ("failed", "wrong_output")

    @property
    def device_kind(self) -> str:
        """Of what it was timed on: "cpu", "cuda" or "apple", whatever the runner is called."""
        return str(self.fingerprint.get("runner") or self.runner)

    @property
    def memory_mib(self) -> float | None:
        """Peak resident memory of a run, over what its process had before: the largest of all restarts.

        None where the system does not tell it.
        """
        logs = self.protocol.get("processes") or []
        return max((log["memory_mib"] for log in logs if log.get("memory_mib") is not None), default=None)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        data = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in _SAMPLES:
            data[name] = [[list(block) for block in process] for process in data[name]]
        data["contended"] = [list(process) for process in self.contended]
        return data | {"fingerprint": dict(self.fingerprint), "protocol": dict(self.protocol)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Measurement:
        """The measurement that `to_dict` gave.

        Raises:
            MeasureError: a key is unknown or missing.
        """
        try:
            samples = {name: _freeze(data[name]) for name in _SAMPLES}
            contended = tuple(tuple(bool(flag) for flag in process) for process in data["contended"])
            return cls(**{**data, **samples, "contended": contended})
        except (KeyError, TypeError) as error:
            known = ", ".join(field.name for field in fields(cls))
            raise MeasureError(f"malformed measurement ({error}); known keys: {known}; measure again") from error


def samples_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Of a measurement as a mapping what is long: all samples, and which blocks were disturbed."""
    return {name: data[name] for name in (*_SAMPLES, "contended")}


def _freeze(samples: Any) -> Samples:
    return tuple(tuple(tuple(int(value) for value in block) for block in process) for process in samples)
'''

SOURCES["bench.measure.monitor"] = r'''"""Reads the state of this machine while something is timed: by the supervisor, never by the process that is timed."""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.measure.gpu import GpuReading, Nvml
from bench.measure.health_linux import Linux
from bench.measure.health_macos import MacOS

# What used less of a core is not named.
_LEAST_NAMED = 0.01
_STEP_S = 0.05


@dataclass(frozen=True)
class Reading:
    """The state of the machine at one moment. Counters count from some past moment: only differences mean something.

    Attributes:
        at_s: monotonic clock.
        busy_s: of each CPU: neither idle nor stolen; empty where it cannot be told.
        steal_s: taken by the hypervisor, all CPUs together.
        own_s: CPU time of this process and of those given to `Monitor.read`, with all their threads and children.
        pressure_s: in which some process waited for a CPU; None where it is not told, as everything below.
        throttled: periods in which a CPU limit stopped the control group of this process.
        mhz: current frequency by CPU.
        celsius: by type of thermal zone.
        gpus: those that CUDA programs see; the first is the one in use.
    """

    at_s: float
    busy_s: tuple[float, ...]
    steal_s: float
    own_s: float
    pressure_s: float | None
    throttled: int | None
    mhz: tuple[float, ...] | None
    celsius: Mapping[str, float]
    gpus: tuple[GpuReading, ...]


class System(Protocol):
    """What a kind of machine must tell; see `health_linux.Linux`."""

    def cpus(self) -> tuple[tuple[float, ...], float]: ...
    def used(self, pid: int) -> tuple[int, float] | None: ...
    def family(self, pids: Iterable[int]) -> frozenset[int]: ...
    def processes(self) -> dict[int, float]: ...
    def name(self, pid: int) -> str: ...
    def pressure_s(self) -> float | None: ...
    def throttled(self) -> int | None: ...
    def limit_cores(self) -> float | None: ...
    def highest_mhz(self) -> tuple[float, float] | None: ...
    def memory_free_mib(self) -> float | None: ...
    def mhz(self) -> tuple[float, ...] | None: ...
    def celsius(self) -> Mapping[str, float]: ...


class Monitor:
    """Reads the state of this machine; less than a millisecond a reading with one process given and no GPU."""

    def __init__(self, *, uses_gpu: bool) -> None:
        self._system = this_system()
        self._nvml = Nvml() if uses_gpu else None
        # By id and start, since ids are used again. What has ended keeps what it had, or own_s would fall.
        self._used: dict[tuple[int, int], float] = {}

    def read(self, pids: Sequence[int]) -> Reading:
        """The state now.

        `pids` are the processes that count as ours, with all below them; this process is ours without its other
        children. A process counts from its own start, so it must be given in a reading soon after it.
        """
        at_s = time.monotonic()
        busy_s, steal_s = self._system.cpus()
        own_s = self._own_s(pids)
        own = self._system.family([*pids, os.getpid()]) if self._nvml else frozenset[int]()
        return Reading(
            at_s=at_s,
            busy_s=busy_s,
            steal_s=steal_s,
            own_s=own_s,
            pressure_s=self._system.pressure_s(),
            throttled=self._system.throttled(),
            mhz=self._system.mhz(),
            celsius=self._system.celsius(),
            gpus=self._nvml.read(own) if self._nvml else (),
        )

    def _own_s(self, pids: Sequence[int]) -> float:
        for pid in pids:
            found = self._system.used(pid)
            if found is not None:
                started, seconds = found
                self._used[pid, started] = max(seconds, self._used.get((pid, started), 0.0))
        return time.process_time() + sum(self._used.values())


def foreign_processes(seconds: float, exclude: Iterable[int] = ()) -> tuple[tuple[str, float], ...]:
    """Which other processes use the CPU: looks for some seconds, gives names and shares of a core, most first.

    Processes of one name are added up. Not seen: what lives outside this container, and what starts and ends between
    two of the looks, of which there are up to 20 a second.

    Args:
        seconds: how long to look.
        exclude: ids of our own processes, left out with all below them; this process is left out without its
            children.
    """
    system = this_system()
    own = system.family(exclude) | {os.getpid()}
    begin, last = time.monotonic(), system.processes()
    step_s = max(_STEP_S, 50 * (time.monotonic() - begin))  # looking shall take 2 % of a core at most
    gained: dict[int, float] = defaultdict(float)
    names: dict[int, str] = {}
    while (left := begin + seconds - time.monotonic()) > 0:
        time.sleep(min(step_s, left))
        used = system.processes()
        for pid in used.keys() - own:
            more = used[pid] - last.get(pid, 0.0)
            if more > 0:
                gained[pid] += more
                names[pid] = system.name(pid) or names.get(pid, "unnamed")  # each time: exec changes it
        last = used
    shares: dict[str, float] = defaultdict(float)
    for pid, more in gained.items():
        shares[names[pid]] += more / (time.monotonic() - begin)
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    return tuple((name, share) for name, share in ordered if share > _LEAST_NAMED)


def this_system() -> System:
    """The one for this machine's operating system."""
    return Linux() if sys.platform.startswith("linux") else MacOS()
'''

SOURCES["bench.measure.outputs"] = r'''"""Whether an artifact computes what its network computes; the standard library only, as all that runs on a device."""

from __future__ import annotations

import math
from collections.abc import Sequence

# Relative difference of logits that rounding explains: float32 in another order of summation is some 1e-6.
LARGEST_ERROR = 1e-3
# Half precision: the same class, and logits that point the same way.
LEAST_COSINE = 0.99


def check_output(found: Sequence[float], expected: Sequence[float], *, precision: str) -> tuple[float, str | None]:
    """The difference of an output from what it should be, and why that is too much (None: it is not).

    Args:
        found: what the runtime computed, flat.
        expected: the reference logits of the same picture.
        precision: "fp32" is held to `LARGEST_ERROR` (relative), others to top-1 and `LEAST_COSINE`.
    """
    if len(found) != len(expected):
        return math.inf, f"its output has {len(found)} numbers, the network's has {len(expected)}"
    scale = _length(expected)
    distance = _length([one - other for one, other in zip(found, expected)])  # of one length
    error = distance / scale if scale else _length(found)
    if precision == "fp32":
        reason = (
            f"its output differs from the network's by {error:.1e} (relative); at most {LARGEST_ERROR:.0e} is right; "
            "export it again, or try another runtime"
        )
        return error, None if error <= LARGEST_ERROR else reason
    lengths = _length(found) * scale
    product = math.fsum(one * other for one, other in zip(found, expected))
    cosine = product / lengths if lengths else 0.0
    first, second = _largest(found), _largest(expected)
    if first != second:
        return error, f"in {precision} it names class {first}, the network class {second}"
    if not cosine >= LEAST_COSINE:
        return (
            error,
            f"in {precision} the cosine of its logits with the network's is {cosine:.3f}; {LEAST_COSINE} is right",
        )
    return error, None


def _length(values: Sequence[float]) -> float:
    return math.sqrt(math.fsum(value * value for value in values))


def _largest(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__)
'''

SOURCES["bench.measure.restart"] = r'''"""One restart of a session: fresh child processes, loaded, warmed up, and visited block by block.

Artifacts of one setup share a child; the children of several setups live side by side and only one of them works at
a time, so that runtimes are interleaved too. The machine's health is read between blocks, from here: a worker that
looked at itself would disturb what it times. Blocks during which others used the CPU are repeated once.
"""

from __future__ import annotations

import contextlib
import math
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.measure.child import Child, LostError, RefusedError
from bench.measure.health import Monitor, Reading, Window, between, contention, throttling
from bench.measure.job import Job, JobArtifact, Setup
from bench.measure.outputs import check_output

# Where `bench` itself is imported from, which sys.path may name as "the current folder".
_ROOT = str(Path(__file__).resolve().parents[2])
# Importing torch with CUDA from a cold disk takes tens of seconds.
_START_LIMIT_S = 120.0
# An artifact whose seconds are used up is asked once more with this and fails by itself.
_LEAST_LIMIT_S = 0.001
# A GPU's clock is not the host's.
_CLOCK_MARGIN = 1.05
_STABLE = 0.02
# The first run of a visit is 2 to 3 % slower (T8 after T8 or SA12, 2 vCPUs of an AVX-512 Xeon, 2026): it
# brings the weights back into caches that the artifact before it has used, which a deployed network, alone
# in its process, does not pay for. It is kept, apart from the samples.
_SETTLE = 1
# A visit of a very fast network is not made of more runs than this.
_MOST_ITERATIONS = 2000
# Shorter stretches cannot be judged: the kernel counts CPU time in ticks of 10 ms.
_WINDOW_S = 0.5
_GERUNDS = {"load": "loading", "warm": "warming up", "visit": "timing"}
# Begins the reason of every artifact of a setup whose child never came as far as any of them.
NOT_STARTED = "the child process could not start"


@dataclass
class Log:
    """What one process did for one artifact; all times of runs in ns."""

    details: Any = None
    load_ms: Any = None
    first_ms: Any = None
    memory_mib: Any = None
    output_error: float | None = None
    warmup: list[int] = field(default_factory=list)
    is_stable: bool = False
    settle: list[list[int]] = field(default_factory=list)
    samples: list[tuple[int, ...]] = field(default_factory=list)


@dataclass
class Record:
    """What is known about one artifact so far, with a log for each whole restart that it was part of."""

    left_s: float
    logits: tuple[float, ...] | None = None
    reason: str | None = None
    is_wrong: bool = False
    iterations: int | None = None
    logs: dict[int, Log] = field(default_factory=dict)


@dataclass
class Restart:
    """One restart under way.

    Attributes:
        job: what is to be done.
        number: of this restart, from 0.
        present: the artifacts that take part, the reference first.
        records: by label; what goes wrong with an artifact is noted there.
        command: of a child process.
        monitor: of the machine's health.
        tell: is called after each step.
    """

    job: Job
    number: int
    present: tuple[JobArtifact, ...]
    records: Mapping[str, Record]
    command: Sequence[str]
    monitor: Monitor
    tell: Callable[[], None]
    logs: dict[str, Log] = field(default_factory=dict)
    contended: list[bool] = field(default_factory=list)
    windows: list[dict[str, Any]] = field(default_factory=list)
    started: dict[Setup, dict[str, Any]] = field(default_factory=dict)
    start_ms: list[float] = field(default_factory=list)
    first_window: Window | None = None

    def run(self, calm: Window | None) -> None:
        """From start to end; `calm` is the first stretch of the session.

        Raises:
            LostError: a child was lost; whose fault it was stands in the records.
        """
        self.logs = {artifact.label: Log() for artifact in self.present}
        for artifact in self.present:
            # Of this restart: a slow network of many restarts is no hang.
            self.records[artifact.label].left_s = self.job.deadline_s
        with contextlib.ExitStack() as stack:
            children: dict[Setup, Child] = {}
            for artifact in self.present:
                setup = self.job.setup_of(artifact)
                if setup not in children:
                    children[setup] = self._start(stack, setup)
            for work in ("load", "warm"):
                for artifact in self.present:
                    self._do(work, children[self.job.setup_of(artifact)], artifact)
            self._visit_blocks(children, calm)

    @property
    def where(self) -> str:
        return f"restart {self.number + 1} of {max(self.job.restarts, self.number + 1)}"

    def _start(self, stack: contextlib.ExitStack, setup: Setup) -> Child:
        begin = time.monotonic()
        of_setup = [artifact for artifact in self.present if self.job.setup_of(artifact) == setup]
        try:
            child = stack.enter_context(Child(self.command, threads=setup.threads))
            request = start_request(self.job, setup, num_artifacts=len(of_setup))
            reply = child.ask("start", request, limit_s=_START_LIMIT_S)
        except (LostError, RefusedError) as error:
            for artifact in of_setup:
                self.records[artifact.label].reason = f"{NOT_STARTED} ({self.where}): {error}"
            raise LostError(str(error)) from error
        self.start_ms.append((time.monotonic() - begin) * 1e3)
        self.started[setup] = {"details": reply.get("details"), "limits": reply.get("limits")}
        return child

    def _visit_blocks(self, children: Mapping[Setup, Child], calm: Window | None) -> None:
        job, pids = self.job, [child.pid for child in children.values()]
        planned, pending = job.blocks, 0
        orders = visiting_order(len(self.present), 2 * job.blocks + 1, seed=(job.seed, self.number))
        before = self.monitor.read(pids)
        for block, order in enumerate(orders):
            if block == planned:
                break
            for index in order:
                artifact = self.present[index]
                self._do("visit", children[job.setup_of(artifact)], artifact)
            pending += 1
            now = self.monitor.read(pids)
            is_last = block + 1 == planned
            if is_last or (pending % 2 == 0 and now.at_s - before.at_s >= _WINDOW_S):
                self._close_window(before, now, pending, calm)
                before, pending = now, 0
            if job.repeats and is_last and planned == job.blocks and any(self.contended):
                # In pairs, so that each order has its reverse.
                planned += 2 * math.ceil(sum(self.contended) / 2)

    def _close_window(self, before: Reading, now: Reading, blocks: int, calm: Window | None) -> None:
        window = between(before, now)
        self.first_window = self.first_window or window
        reasons = {"contention": contention(window), "throttling": throttling(window, calm)}
        self.contended += [reasons["contention"] is not None] * blocks
        self.windows.append({"blocks": blocks, **window.to_dict(), **reasons})

    def _do(self, work: str, child: Child, artifact: JobArtifact) -> None:
        """One step; what goes wrong in it is the failure of its artifact. A lost child is raised on."""
        record, log = self.records[artifact.label], self.logs[artifact.label]
        if record.reason is not None or self.records[self.present[0].label].reason is not None:
            return
        try:
            if work == "load":
                self._load(child, artifact, record, log)
            elif work == "warm":
                self._warm(child, artifact, record, log)
            else:
                samples = self._time(child, artifact, _SETTLE + (record.iterations or self.job.iterations))
                log.settle.append(list(samples[:_SETTLE]))
                log.samples.append(samples[_SETTLE:])
        except (LostError, RefusedError) as error:
            record.reason = f"{_GERUNDS[work]} failed ({self.where}): {error}"
            if isinstance(error, LostError):
                raise
        self.tell()

    def _load(self, child: Child, artifact: JobArtifact, record: Record, log: Log) -> None:
        # What ran where is looked up once: it takes a session of its own.
        side = artifact.resolution or self.job.resolution
        request = {"artifact": entry(artifact), "resolution": side, "describes": self.number == 0}
        reply = self._ask(child, artifact, "load", request)
        details = reply.get("details")
        if details is not None and not isinstance(details, dict):
            raise RefusedError(f"its details are a {type(details).__name__}; a mapping is needed; mend the runtime")
        log.details = details
        log.load_ms, log.first_ms, log.memory_mib = (reply.get(name) for name in ("load_ms", "first_ms", "memory_mib"))
        if record.logits is not None:
            found = numbers(reply.get("output"))
            precision = self.job.setup_of(artifact).precision
            log.output_error, wrong = check_output(found, record.logits, precision=precision)
            if wrong is not None:
                record.reason, record.is_wrong = f"{wrong} ({self.where})", True

    def _warm(self, child: Child, artifact: JobArtifact, record: Record, log: Log) -> None:
        """Runs until a window's median agrees with that of the one before, or the time for it is over."""
        job, size = self.job, self.job.warmup_window
        while sum(log.warmup) < job.warmup_ms * 1e6:
            window = self._time(child, artifact, size)
            before = log.warmup[-size:]
            log.warmup += window
            is_stable = bool(before) and abs(median(window) / median(before) - 1) <= _STABLE
            if is_stable and sum(log.warmup) >= job.warmup_least_ms * 1e6:
                log.is_stable = True
                break
        if record.iterations is None:
            # Fixed by the first restart, so that all blocks weigh the same.
            wanted = math.ceil(job.visit_ms * 1e6 / median(log.warmup[-size:]))
            record.iterations = min(max(job.iterations, wanted), _MOST_ITERATIONS)

    def _time(self, child: Child, artifact: JobArtifact, iterations: int) -> tuple[int, ...]:
        request = {"label": artifact.label, "iterations": iterations}
        begin = time.monotonic_ns()
        samples = self._ask(child, artifact, "time", request).get("samples")
        elapsed = time.monotonic_ns() - begin
        if not isinstance(samples, list) or len(samples) != iterations:
            found = f"{len(samples)} samples" if isinstance(samples, list) else "none"
            raise RefusedError(f"{iterations} samples were asked for and {found} came; mend the runtime")
        for sample in samples:
            if type(sample) is not int or sample <= 0:
                raise RefusedError(f"a sample of {sample!r} ns; a whole number above 0 is needed")
        if sum(samples) > elapsed * _CLOCK_MARGIN:
            raise RefusedError(f"samples of {sum(samples)} ns together came within {elapsed} ns")
        return tuple(samples)

    def _ask(self, child: Child, artifact: JobArtifact, ask: str, request: Mapping[str, Any]) -> dict[str, Any]:
        record = self.records[artifact.label]
        begin = time.monotonic()
        try:
            return child.ask(ask, request, limit_s=max(record.left_s, _LEAST_LIMIT_S))
        finally:
            record.left_s -= time.monotonic() - begin


def numbers(output: Any) -> list[float]:
    """An output as it came from a child.

    Raises:
        RefusedError: it is no list of numbers.
    """
    if not isinstance(output, list) or any(type(value) not in (int, float) for value in output):
        raise RefusedError("its output is no list of numbers; one is needed; mend the runtime")
    return [float(value) for value in output]


def start_request(job: Job, setup: Setup, *, num_artifacts: int) -> dict[str, Any]:
    """What a child needs to take its runtime on, for so many artifacts."""
    return {
        "runtime": setup.runtime,
        "runner": job.runner,
        "threads": setup.threads,
        "precision": setup.precision,
        "channels_last": setup.channels_last,
        "options": dict(setup.options),
        "cpus": None if job.cpus is None else list(job.cpus),
        "resolution": job.resolution,
        "memory_mib": job.memory_mib,
        "work_s": _START_LIMIT_S + num_artifacts * job.deadline_s,
        "seed": job.seed,
        "paths": search_paths(),
    }


def search_paths() -> list[str]:
    """Where this process finds its packages, for a child that starts isolated."""
    return [_ROOT, *(path for path in sys.path if Path(path).is_absolute())]


def entry(artifact: JobArtifact) -> dict[str, Any]:
    """The artifact as a child is told of it; it stands in a folder of its own, where a relative path leads nowhere."""
    plain = asdict(artifact) | {"path": str(Path(artifact.path).absolute())}
    return {key: value for key, value in plain.items() if key not in ("logits", "setup")}


def visiting_order(count: int, blocks: int, *, seed: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The order in which each block visits `count` things: random, and reversed in each second block."""
    # Of a text, since tuples are no seeds; the same in every release of Python, as `random` promises for these calls.
    source = random.Random(" ".join(map(str, seed)))
    order: tuple[int, ...] = ()
    for block in range(blocks):
        order = order[::-1] if block % 2 else tuple(sorted(range(count), key=lambda index: source.random()))
        yield order
'''

SOURCES["bench.measure.runtimes"] = r'''"""One small file for each inference runtime; the child process loads it by path (`worker.RUNTIMES`).

A runtime file has two functions, and imports nothing but its runtime and numpy when it is loaded, because
every child process pays for it:

    start(settings) -> details       takes threads and device on; raises what the user must know
    load(task) -> Model              `task` is the settings, the job's entry as "artifact", its file as "content"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Model(Protocol):
    """A loaded artifact with its input in place."""

    details: Mapping[str, Any]

    def time(self, iterations: int) -> Sequence[int]:
        """Nanoseconds of each of `iterations` runs back to back, output fetched."""

    def output(self) -> Sequence[float]:
        """The output of the last run, flat."""

    def is_finite(self) -> bool:
        """Whether the output of the last run is free of NaN and infinity."""
'''

SOURCES["bench.measure.runtimes.core_ai"] = r'''"""Core AI: one .aimodel folder, run by coreai-core; a beta, so everything that is used of it is in this file.

On macOS 27 it is the system's framework that runs, with `compute_units` (all, cpu_only, cpu, gpu, neural_engine) as a
preference. Elsewhere the package's reference runtime computes the same slowly: right for comparing outputs, not for
timing, and the details say so.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
from coreai.authoring import AIModelAsset
from coreai.runtime import NDArray, SpecializationOptions

_KINDS = ("cpu", "gpu", "neural_engine")
UNITS = ("all", "cpu_only", *_KINDS)


class CoreAiModel:
    """A function with its input in place, and the event loop that it is called in."""

    def __init__(self, path: Path, options: Any, resolution: int, details: dict[str, Any]) -> None:
        self.details = details
        self._loop = asyncio.new_event_loop()
        self._stack = contextlib.AsyncExitStack()  # keeps the model for as long as this process lives
        executable = AIModelAsset.load(path).executable(options)
        model = self._loop.run_until_complete(self._stack.enter_async_context(executable))
        self._function = model.load_function(model.function_names[0])
        name = input_name(self._function.desc, resolution)
        picture = np.random.default_rng(0).standard_normal((1, 3, resolution, resolution), dtype=np.float32)
        self._feed = {name: NDArray(picture)}
        self._name = self._function.desc.output_names[0]
        self._output: np.ndarray[Any, Any] = np.empty(0, np.float32)

    def time(self, iterations: int) -> list[int]:
        """Nanoseconds of each run, output fetched as a numpy array."""
        return self._loop.run_until_complete(self._time(iterations))

    def is_finite(self) -> bool:
        """Whether the last output is free of NaN and infinity."""
        return bool(np.isfinite(self._output).all())

    def output(self) -> list[float]:
        """The last output, flat."""
        values: list[float] = np.asarray(self._output, np.float32).ravel().tolist()
        return values

    def close(self) -> None:
        """Gives the model and its files back, where the process does not end anyway."""
        self._loop.run_until_complete(self._stack.aclose())
        self._loop.close()

    async def _time(self, iterations: int) -> list[int]:
        function, feed, name, clock = self._function, self._feed, self._name, time.perf_counter_ns
        samples = []
        for _ in range(iterations):
            begin = clock()
            self._output = (await function(feed))[name].numpy()
            samples.append(clock() - begin)
        return samples


def start(settings: dict[str, Any]) -> dict[str, Any]:
    """Tells what was imported and which runtime it is."""
    return {
        "coreai-core": importlib.metadata.version("coreai-core"),
        "compute_units": compute_units(settings),
        "runtime": "macOS" if SpecializationOptions.is_supported() else "reference, for outputs and not for timing",
        "system": platform.system(),
        "threads": "chosen by Core AI",
    }


def load(task: dict[str, Any]) -> CoreAiModel:
    """The asset, specialised for this machine."""
    units = compute_units(task)
    details = {"input": [1, 3, task["resolution"], task["resolution"]], "compute_units": units, "placement": "unknown"}
    return CoreAiModel(Path(task["artifact"]["path"]), _options(units), task["resolution"], details)


def compute_units(settings: dict[str, Any]) -> str:
    """Which units are preferred, by name; "all" where nothing is said.

    Raises:
        ValueError: there are none of this name.
    """
    name = str(settings.get("options", {}).get("compute_units", "all"))
    if name not in UNITS:
        raise ValueError(f"compute_units {name!r}; known: {', '.join(UNITS)}; choose one of them")
    return name


def input_name(description: Any, resolution: int) -> str:
    """The name of the one input.

    Raises:
        ValueError: there are others, or it is no picture of this resolution.
    """
    wanted = [1, 3, resolution, resolution]
    found = {name: list(description.input_descriptor(name).shape) for name in description.input_names}
    if list(found.values()) != [wanted]:
        told = ", ".join(f"{name} {shape}" for name, shape in found.items()) or "none"
        raise ValueError(f"its inputs are {told}; one float32 input of shape {wanted} is needed; export it so")
    return str(next(iter(found)))


def _options(units: str) -> Any:
    if not SpecializationOptions.is_supported():
        return None
    if units == "all":
        return SpecializationOptions.default()
    if units == "cpu_only":
        return SpecializationOptions.cpu_only()
    from coreai.runtime import ComputeUnitKind

    return SpecializationOptions.from_preferred_compute_unit_kind(getattr(ComputeUnitKind, units)())
'''

SOURCES["bench.measure.runtimes.core_ml"] = r'''"""Core ML on macOS: one .mlpackage folder, run by coremltools.

What is timed is `predict`, with its crossing from numpy to Core ML and back, some 0.1 ms that a program in Swift does
not pay. Core ML chooses its own threads. `compute_units` (all, cpu_only, cpu_and_gpu, cpu_and_ne) is a permission and
not a fact: where the operators are meant to run is read from Core ML's compute plan.
"""

from __future__ import annotations

import logging
import platform
import time
from collections import Counter
from typing import Any

import numpy as np

logging.getLogger("coremltools").setLevel(logging.ERROR)  # it tells what it lacks at each import

import coremltools  # noqa: E402

UNITS = {unit.name.lower(): unit for unit in coremltools.ComputeUnit}
# What is hoped for where one other device is allowed beside the CPU.
_WANTED = {"cpu_only": "CPU", "cpu_and_gpu": "GPU", "cpu_and_ne": "NeuralEngine"}


class CoreMlModel:
    """A model with its input in place; `model` is a coremltools MLModel, or acts like one."""

    def __init__(self, model: Any, names: tuple[str, str], picture: np.ndarray[Any, Any], details: Any) -> None:
        self.details = details
        self._model = model
        self._feed, self._name = {names[0]: picture}, names[1]
        self._output: np.ndarray[Any, Any] = np.empty(0, np.float32)

    def time(self, iterations: int) -> list[int]:
        """Nanoseconds of each run, output fetched as a numpy array."""
        predict, feed, name, clock = self._model.predict, self._feed, self._name, time.perf_counter_ns
        samples = []
        for _ in range(iterations):
            begin = clock()
            self._output = predict(feed)[name]
            samples.append(clock() - begin)
        return samples

    def is_finite(self) -> bool:
        """Whether the last output is free of NaN and infinity."""
        return bool(np.isfinite(self._output).all())

    def output(self) -> list[float]:
        """The last output, flat."""
        values: list[float] = np.asarray(self._output, np.float32).ravel().tolist()
        return values


def start(settings: dict[str, Any]) -> dict[str, Any]:
    """Looks at the system and the compute units.

    Raises:
        RuntimeError: another system than macOS.
        ValueError: unknown compute units.
    """
    units = compute_units(settings)
    if platform.system() != "Darwin":
        raise RuntimeError(f"this is {platform.system()}; Core ML runs on macOS only; measure on a Mac")
    return {"coremltools": coremltools.__version__, "compute_units": units, "threads": "chosen by Core ML"}


def compute_units(settings: dict[str, Any]) -> str:
    """Which units are allowed, by name; "all" where nothing is said.

    Raises:
        ValueError: there are none of this name.
    """
    name = str(settings.get("options", {}).get("compute_units", "all"))
    if name not in UNITS:
        raise ValueError(f"compute_units {name!r}; known: {', '.join(sorted(UNITS))}; choose one of them")
    return name


def load(task: dict[str, Any]) -> CoreMlModel:
    """The package, compiled for this machine."""
    path, size, units = task["artifact"]["path"], task["resolution"], compute_units(task)
    specification = coremltools.utils.load_spec(path)
    names = input_and_output(specification, size)
    model = coremltools.models.MLModel(path, compute_units=UNITS[units])
    picture = np.random.default_rng(0).standard_normal((1, 3, size, size), dtype=np.float32)
    details: dict[str, Any] = {
        "input": list(picture.shape),
        "specification": specification.specificationVersion,
        "precision": precision(specification),
        "compute_units": units,
    }
    if task.get("describes"):
        plan = coremltools.models.compute_plan.MLComputePlan
        details |= describe(plan.load_from_path(model.get_compiled_model_path(), compute_units=UNITS[units]), units)
    return CoreMlModel(model, names, picture, details)


def describe(plan: Any, units: str) -> dict[str, Any]:
    """Operators of the compiled program and the device that Core ML prefers for each."""
    program = plan.model_structure.program
    operators: Counter[str] = Counter()
    places: Counter[str] = Counter()
    for operation in program.functions["main"].block.operations:
        usage = plan.get_compute_device_usage_for_mlprogram_operation(operation)
        if usage is None:  # constants run nowhere
            continue
        operators[operation.operator_name] += 1
        kind = type(usage.preferred_compute_device).__name__
        places[kind.removeprefix("ML").removesuffix("ComputeDevice")] += 1
    details: dict[str, Any] = {"operators": dict(sorted(operators.items())), "placement": dict(sorted(places.items()))}
    return details | ({"wanted_placement": _WANTED[units]} if units in _WANTED else {})


def precision(specification: Any) -> str:
    """ "fp16" where the program computes anything in float16."""
    function = specification.mlProgram.functions["main"]
    half = coremltools.proto.MIL_pb2.FLOAT16
    outputs = (
        output.type.tensorType.dataType
        for operation in function.block_specializations[function.opset].operations
        for output in operation.outputs
    )
    return "fp16" if half in outputs else "fp32"


def input_and_output(specification: Any, resolution: int) -> tuple[str, str]:
    """The names of the one input and the one output.

    Raises:
        ValueError: there are others, or the input is no float32 picture of this resolution.
    """
    wanted = [1, 3, resolution, resolution]
    float32 = coremltools.proto.FeatureTypes_pb2.ArrayFeatureType.FLOAT32
    inputs, outputs = specification.description.input, specification.description.output
    found = [(list(item.type.multiArrayType.shape), item.type.multiArrayType.dataType) for item in inputs]
    if found != [(wanted, float32)] or len(outputs) != 1:
        told = ", ".join(f"{item.name} {shape}" for item, (shape, _) in zip(inputs, found)) or "none"
        raise ValueError(
            f"it has inputs {told} and {len(outputs)} outputs; one float32 input of shape {wanted} and one output are "
            "needed; export it so"
        )
    return str(inputs[0].name), str(outputs[0].name)
'''

SOURCES["bench.measure.runtimes.executorch_xnnpack"] = r'''"""ExecuTorch on the CPU: one .pte program whose operators are compiled for XNNPACK as far as it takes them.

The compiled module is imported past `executorch.runtime`, which brings in the whole exporter and takes 3 s more, in
every child process (executorch 1.5.1).
"""

from __future__ import annotations

import importlib.metadata
import time
from collections import Counter
from typing import Any

import flatbuffers
import numpy as np
import torch
from executorch.extension.pybindings import _C
from flatbuffers.number_types import UOffsetTFlags

# schema/program.fbs of ExecuTorch ("ET12"): the place of each field that is read here, and the members of
# InstructionArguments that compute something.
_PLANS, _CHAINS, _INSTRUCTIONS, _KIND = 1, 5, 2, 0
_KINDS = {1: "CPU", 2: "XNNPACK"}
_FLOAT32 = 6  # of ScalarType, schema/scalar_type.fbs


class ExecuTorchModel:
    """A method and its input, which each run copies: the program may plan other values into its place."""

    def __init__(self, program: Any, content: bytes, picture: torch.Tensor, details: dict[str, Any]) -> None:
        self.details = details
        self._kept = (program, content)  # the method points into both
        self._method = program.load_method("forward")
        self._inputs = [picture]
        self._output = picture

    @torch.inference_mode()
    def time(self, iterations: int) -> list[int]:
        """Nanoseconds of each run, with a copy of the output."""
        run, inputs, clock = self._method.call, self._inputs, time.perf_counter_ns
        samples = []
        for _ in range(iterations):
            begin = clock()
            self._output = run(inputs)[0]
            samples.append(clock() - begin)
        return samples

    def is_finite(self) -> bool:
        """Whether the last output is free of NaN and infinity."""
        return bool(torch.isfinite(self._output).all())

    def output(self) -> list[float]:
        """The last output, flat."""
        values: list[float] = self._output.float().flatten().tolist()
        return values


def start(settings: dict[str, Any]) -> dict[str, Any]:
    """Gives the process's one thread pool its size.

    Raises:
        RuntimeError: it has another size afterwards.
    """
    torch.set_num_threads(1)  # it computes nothing here
    _C._unsafe_reset_threadpool(settings["threads"])  # the only way, and before anything has run
    found = _C._threadpool_get_thread_count()
    if found != settings["threads"]:
        raise RuntimeError(f"ExecuTorch has {found} threads and not {settings['threads']}; ask for {found}")
    version = importlib.metadata.version("executorch")
    return {"executorch": version, "torch": torch.__version__, "threads": found}


def load(task: dict[str, Any]) -> ExecuTorchModel:
    """A program from the file's bytes."""
    content, size = task["content"], task["resolution"]
    program = _C._load_program_from_buffer(content)
    _check_input(program.method_meta("forward"), size)
    pixels = np.random.default_rng(0).standard_normal((1, 3, size, size), dtype=np.float32)
    details: dict[str, Any] = {"input": list(pixels.shape)}
    if task.get("describes"):
        # A call of a delegate runs a whole subgraph; how many operators are in it, the file does not say.
        calls = instructions(content)
        details |= {"placement": calls, "delegates": calls.get("XNNPACK", 0)}
    return ExecuTorchModel(program, content, torch.from_numpy(pixels), details)


def instructions(content: bytes) -> dict[str, int]:
    """How many instructions of a program call a delegate ("XNNPACK") and how many a portable kernel ("CPU")."""
    root = flatbuffers.encode.Get(flatbuffers.packer.uoffset, content, 0)
    counts: Counter[str] = Counter()
    for plan in _tables(flatbuffers.table.Table(content, root), _PLANS):
        for chain in _tables(plan, _CHAINS):
            for instruction in _tables(chain, _INSTRUCTIONS):
                place = instruction.Offset(_slot(_KIND))
                kind = instruction.Get(flatbuffers.number_types.Uint8Flags, instruction.Pos + place) if place else 0
                if kind in _KINDS:
                    counts[_KINDS[kind]] += 1
    return dict(sorted(counts.items()))


def _tables(table: Any, field: int) -> list[Any]:
    """The tables of a vector that is a field of `table`."""
    place = table.Offset(_slot(field))
    if not place:
        return []
    begin = table.Vector(place)
    offsets = range(begin, begin + table.VectorLen(place) * UOffsetTFlags.bytewidth, UOffsetTFlags.bytewidth)
    return [flatbuffers.table.Table(table.Bytes, table.Indirect(offset)) for offset in offsets]


def _slot(field: int) -> int:
    return 4 + 2 * field  # of a FlatBuffer's table of offsets


def _check_input(meta: Any, resolution: int) -> None:
    wanted = [1, 3, resolution, resolution]
    tensors = [meta.input_tensor_meta(index) for index in range(meta.num_inputs())]
    found = [(list(tensor.sizes()), tensor.dtype()) for tensor in tensors]
    if found != [(wanted, _FLOAT32)]:
        told = ", ".join(f"{shape} of scalar type {kind}" for shape, kind in found) or "none"
        raise ValueError(
            f"its inputs are {told}; one of shape {wanted} and scalar type {_FLOAT32} (float32) is needed; export it so"
        )
'''

SOURCES["bench.measure.runtimes.litert"] = r'''"""LiteRT (TensorFlow Lite) on the CPU with its XNNPACK delegate: one .tflite file, one float32 picture in.

Files of others mostly want the picture as 1 x H x W x 3, which is accepted too.
"""

from __future__ import annotations

import importlib.metadata
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

_DELEGATE = "DELEGATE"


class LiteRtModel:
    """An interpreter with its input in place; the arena keeps inputs, so it is written once."""

    def __init__(self, interpreter: Any, details: dict[str, Any]) -> None:
        self.details = details
        self._interpreter = interpreter
        self._index = interpreter.get_output_details()[0]["index"]
        self._output: np.ndarray[Any, Any] = np.empty(0, np.float32)

    def time(self, iterations: int) -> list[int]:
        """Nanoseconds of each run, with a copy of the output."""
        invoke, fetch, index, clock = (
            self._interpreter.invoke,
            self._interpreter.get_tensor,
            self._index,
            time.perf_counter_ns,
        )
        samples = []
        for _ in range(iterations):
            begin = clock()
            invoke()
            self._output = fetch(index)
            samples.append(clock() - begin)
        return samples

    def is_finite(self) -> bool:
        """Whether the last output is free of NaN and infinity."""
        return bool(np.isfinite(self._output).all())

    def output(self) -> list[float]:
        """The last output, flat."""
        values: list[float] = np.asarray(self._output, np.float32).ravel().tolist()
        return values


def start(settings: dict[str, Any]) -> dict[str, Any]:
    """Tells what was imported; threads are each interpreter's."""
    version = importlib.metadata.version("ai-edge-litert")
    return {"ai-edge-litert": version, "numpy": np.__version__, "threads": settings["threads"]}


def load(task: dict[str, Any]) -> LiteRtModel:
    """An interpreter of the file's bytes; `task["is_plain"]` asks for one without delegates."""
    # Plain: without XNNPACK, so that an error of the delegate is seen.
    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if task.get("is_plain") else OpResolverType.AUTO
    interpreter = Interpreter(
        model_content=task["content"], num_threads=task["threads"], experimental_op_resolver_type=resolver
    )
    inputs = interpreter.get_input_details()
    picture = _picture(inputs, task["resolution"])
    interpreter.allocate_tensors()
    interpreter.set_tensor(inputs[0]["index"], picture)
    details: dict[str, Any] = {"input": list(picture.shape), "threads": task["threads"]}
    if task.get("describes"):
        # Private, and the only way to them (2.3).
        details |= describe(interpreter._get_ops_details())
    return LiteRtModel(interpreter, details)


def describe(nodes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Which operators the delegates took.

    Nodes that a delegate replaces stay in the list. Those inside it are found by going back from what it gives to
    what it takes.
    """
    makers = {int(tensor): node for node in nodes if node["op_name"] != _DELEGATE for tensor in node["outputs"]}
    inside: set[int] = set()
    for delegate in (node for node in nodes if node["op_name"] == _DELEGATE):
        given = {int(tensor) for tensor in delegate["inputs"]}
        pending = [int(tensor) for tensor in delegate["outputs"]]
        while pending:
            tensor = pending.pop()
            if tensor in given or tensor not in makers or makers[tensor]["index"] in inside:
                continue
            inside.add(makers[tensor]["index"])
            pending += [int(needed) for needed in makers[tensor]["inputs"]]
    operators = Counter(node["op_name"] for node in nodes if node["op_name"] != _DELEGATE)
    num_operators = sum(operators.values())
    places = {"XNNPACK": len(inside), "CPU": num_operators - len(inside)}
    return {
        "operators": dict(sorted(operators.items())),
        "placement": {place: count for place, count in places.items() if count},
        "delegates": len(nodes) - num_operators,
    }


def _picture(inputs: Sequence[dict[str, Any]], resolution: int) -> np.ndarray[Any, Any]:
    picture = np.random.default_rng(0).standard_normal((1, 3, resolution, resolution), dtype=np.float32)
    shapes = {picture.shape: picture, (1, resolution, resolution, 3): picture.transpose(0, 2, 3, 1)}
    found = [(tuple(int(size) for size in item["shape"]), item["dtype"]) for item in inputs]
    if len(found) != 1 or found[0][1] is not np.float32 or found[0][0] not in shapes:
        told = ", ".join(f"{np.dtype(kind).name} {list(shape)}" for shape, kind in found) or "none"
        raise ValueError(
            f"its inputs are {told}; one float32 input of shape {list(picture.shape)} (or with the channels last) is "
            "needed; export it so"
        )
    return np.ascontiguousarray(shapes[found[0][0]])
'''

SOURCES["bench.measure.runtimes.onnx_runtime"] = r'''"""ONNX Runtime on the CPU, and on NVIDIA GPUs through its CUDA and TensorRT providers.

Single-file ONNX, one float32 picture in, output fetched as numpy arrays (from the GPU too: a picture goes up and the
logits come down, as in use).
"""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

# Denormals cost hundreds of cycles each on x86 and depend on weights, not on the architecture.
_CONFIG = {"session.set_denormal_as_zero": "1"}
_PROVIDERS = {
    "onnxruntime": "CPUExecutionProvider",
    "onnxruntime-cuda": "CUDAExecutionProvider",
    "onnxruntime-tensorrt": "TensorrtExecutionProvider",
}


class OnnxModel:
    """A session with its input in place."""

    def __init__(self, session: ort.InferenceSession, picture: np.ndarray[Any, Any], details: dict[str, Any]) -> None:
        self.details = details
        self._session = session
        self._feed = {session.get_inputs()[0].name: picture}
        self._outputs: list[Any] = []

    def time(self, iterations: int) -> list[int]:
        """Nanoseconds of each run."""
        run, feed, clock = self._session.run, self._feed, time.perf_counter_ns
        samples = []
        for _ in range(iterations):
            begin = clock()
            self._outputs = run(None, feed)
            samples.append(clock() - begin)
        return samples

    def is_finite(self) -> bool:
        """Whether the last outputs are free of NaN and infinity."""
        return all(bool(np.isfinite(output).all()) for output in self._outputs)

    def output(self) -> list[float]:
        """The last outputs, flat."""
        return [float(value) for output in self._outputs for value in np.asarray(output, np.float32).ravel()]


def start(settings: dict[str, Any]) -> dict[str, Any]:
    """Keeps warnings of the runtime quiet, and tells what was imported.

    Raises:
        RuntimeError: the installed ONNX Runtime has no such provider.
    """
    ort.set_default_logger_severity(3)
    provider = _PROVIDERS[settings["runtime"]]
    known = ort.get_available_providers()
    if provider not in known:
        raise RuntimeError(
            f"this ONNX Runtime has {', '.join(known)}; {settings['runtime']} needs {provider}; "
            "install onnxruntime-gpu in place of onnxruntime"
        )
    if provider != "CPUExecutionProvider" and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()  # CUDA's libraries from the packages that torch or pip brought
    return {"onnxruntime": ort.__version__, "numpy": np.__version__, "threads": settings["threads"], "clock": "wall"}


def load(task: dict[str, Any]) -> OnnxModel:
    """A session from the file's bytes: without a path, no external data next to it can be reached.

    `task["is_plain"]` asks for one without any optimisation: what the file says, computed as it stands.
    """
    options = _options(task)
    if task.get("is_plain"):
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = ort.InferenceSession(task["content"], options, providers=["CPUExecutionProvider"])
    else:
        session = ort.InferenceSession(task["content"], options, providers=_providers(task))
    shape = _input_shape(session, task["resolution"])
    picture = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    details: dict[str, Any] = {"providers": session.get_providers(), "input": list(shape), "config": _CONFIG}
    if task.get("describes"):
        details |= _describe(task, picture)
    return OnnxModel(session, picture, details)


def _options(task: dict[str, Any]) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = task["threads"]
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    for key, value in _CONFIG.items():
        options.add_session_config_entry(key, value)
    return options


def _providers(task: dict[str, Any]) -> list[Any]:
    """The wanted provider; what it cannot run falls to the CPU, which the placement then shows."""
    provider = _PROVIDERS[task["runtime"]]
    if provider == "TensorrtExecutionProvider":
        precision = {"trt_fp16_enable": task["precision"] == "fp16"}
        return [(provider, precision), "CUDAExecutionProvider", "CPUExecutionProvider"]
    if provider == "CUDAExecutionProvider":
        # TF32 would make float32 something else than it is elsewhere.
        return [(provider, {"use_tf32": "0", "cudnn_conv_algo_search": "EXHAUSTIVE"}), "CPUExecutionProvider"]
    return [provider]


def _describe(task: dict[str, Any], picture: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Which operators ran where, after all optimisation, from one profiled run of a session of its own."""
    options = _options(task)
    options.enable_profiling = True
    options.profile_file_prefix = str(Path.cwd() / "profile")
    session = ort.InferenceSession(task["content"], options, providers=_providers(task))
    session.run(None, {session.get_inputs()[0].name: picture})
    path = Path(session.end_profiling())
    nodes = {}
    for event in json.loads(path.read_text()):
        found = event.get("args", {})
        if event.get("cat") == "Node" and "op_name" in found and "provider" in found:
            nodes[event["name"]] = (found["op_name"], found["provider"])
    path.unlink()
    return {
        "operators": dict(sorted(Counter(kind for kind, _ in nodes.values()).items())),
        "placement": dict(sorted(Counter(provider for _, provider in nodes.values()).items())),
        "wanted_placement": _PROVIDERS[task["runtime"]],
    }


def _input_shape(session: ort.InferenceSession, resolution: int) -> tuple[int, ...]:
    """The shape of one picture; a free dimension is taken as this job needs it, a fixed one must agree."""
    wanted = (1, 3, resolution, resolution)
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != len(wanted):
        found = ", ".join(f"{item.name} {item.type} {item.shape}" for item in inputs) or "none"
        raise ValueError(f"its inputs are {found}; one float32 input of shape {list(wanted)} is needed; export it so")
    fixed = [(have, want) for have, want in zip(inputs[0].shape, wanted) if isinstance(have, int)]
    if any(have != want for have, want in fixed):
        raise ValueError(
            f"its input is {inputs[0].shape}, the job times {list(wanted)}; give --resolution, or export it so"
        )
    return wanted
'''

SOURCES["bench.measure.runtimes.openvino_cpu"] = r'''"""OpenVINO on the CPU: single-file ONNX, one float32 picture in, output fetched as a numpy array.

Precision is always asked for: left to itself the plug-in computes in bfloat16 where the CPU has instructions for it.
Threads are pinned to no core by OpenVINO, because where this process may run is the supervisor's business.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import numpy as np
import openvino

_PRECISIONS = {"fp32": "f32", "fp16": "f16", "bf16": "bf16"}
_CONFIG = {
    "NUM_STREAMS": 1,
    "PERFORMANCE_HINT": "LATENCY",
    "ENABLE_CPU_PINNING": False,
    # As for ONNX Runtime: denormals depend on weights, not on the architecture.
    "CPU_DENORMALS_OPTIMIZATION": True,
}
# Nodes of the compiled graph that compute nothing.
_PASSIVE = ("Const", "Input", "Output")


class OpenVinoModel:
    """An infer request with its input in place."""

    def __init__(self, compiled: Any, picture: np.ndarray[Any, Any], details: dict[str, Any]) -> None:
        self.details = details
        self._compiled = compiled
        self._picture = picture  # shared, not copied
        self._request = compiled.create_infer_request()
        self._request.set_input_tensor(openvino.Tensor(picture, shared_memory=True))
        self._output: np.ndarray[Any, Any] = np.empty(0, np.float32)

    def time(self, iterations: int) -> list[int]:
        """Nanoseconds of each run, with a copy of the output."""
        infer, fetch, clock = self._request.infer, self._request.get_output_tensor, time.perf_counter_ns
        samples = []
        for _ in range(iterations):
            begin = clock()
            infer()
            self._output = fetch(0).data.copy()
            samples.append(clock() - begin)
        return samples

    def is_finite(self) -> bool:
        """Whether the last output is free of NaN and infinity."""
        return bool(np.isfinite(self._output).all())

    def output(self) -> list[float]:
        """The last output, flat."""
        values: list[float] = np.asarray(self._output, np.float32).ravel().tolist()
        return values


def start(settings: dict[str, Any]) -> dict[str, Any]:
    """Tells what was imported; threads are each model's."""
    return {"openvino": openvino.__version__, "numpy": np.__version__, "threads": settings["threads"]}


def load(task: dict[str, Any]) -> OpenVinoModel:
    """A model compiled from the file's bytes: without a path, no external data next to it can be reached."""
    core = openvino.Core()
    model = core.read_model(task["content"])
    shape = _input_shape(model, task["resolution"])
    wanted = {"INFERENCE_NUM_THREADS": task["threads"], "INFERENCE_PRECISION_HINT": _PRECISIONS[task["precision"]]}
    compiled = core.compile_model(model, "CPU", _CONFIG | wanted)
    picture = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    details: dict[str, Any] = {
        "input": list(shape),
        "config": _CONFIG,
        "threads": compiled.get_property("INFERENCE_NUM_THREADS"),
        "precision": compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name(),
    }
    if task.get("describes"):
        details |= _describe(compiled)
    return OpenVinoModel(compiled, picture, details)


def _describe(compiled: Any) -> dict[str, Any]:
    """The graph after all optimisation: operators, and how many compute in which precision with which kernels."""
    nodes = [
        {key: str(value.value) for key, value in node.get_rt_info().items()}
        for node in compiled.get_runtime_model().get_ordered_ops()
    ]
    active = [node for node in nodes if node["layerType"] not in _PASSIVE]
    counts = {
        name: dict(sorted(Counter(node[key] for node in active).items()))
        for name, key in (("operators", "layerType"), ("types", "runtimePrecision"), ("kernels", "primitiveType"))
    }
    return {**counts, "placement": {"CPU": len(active)}, "wanted_placement": "CPU"}


def _input_shape(model: Any, resolution: int) -> tuple[int, ...]:
    """The shape of one picture; a free dimension is set to what this job needs, a fixed one must agree."""
    wanted = (1, 3, resolution, resolution)
    inputs = model.inputs
    if (
        len(inputs) != 1
        or inputs[0].get_element_type() != openvino.Type.f32
        or not inputs[0].get_partial_shape().compatible(openvino.PartialShape(list(wanted)))
    ):
        found = ", ".join(f"{item.get_element_type().get_type_name()} {item.get_partial_shape()}" for item in inputs)
        raise ValueError(
            f"its inputs are {found or 'none'}; one float32 input of shape {list(wanted)} is needed; export it so"
        )
    model.reshape(openvino.PartialShape(list(wanted)))
    return wanted
'''

SOURCES["bench.measure.runtimes.pytorch"] = r'''"""PyTorch on the CPU or an NVIDIA GPU: eager, compiled, or replayed as a CUDA graph.

A network is rebuilt here from an architecture and its weights, in deploy form (this project's or timm's) or train
form, at batch 1. On a GPU each run lies between two CUDA events and the device is waited for once at the end, so that
the figure is the device's and not the clock's of this process.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

_NS_PER_MS = 1e6
_TYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_GRAPH_WARMUP = 3

Run = Callable[[torch.Tensor], torch.Tensor]


class TorchModel:
    """A network with its input in place."""

    def __init__(self, run: Run, picture: torch.Tensor, details: dict[str, Any]) -> None:
        self.details = details
        self._run = run
        self._picture = picture
        self._output = picture

    @torch.inference_mode()
    def time(self, iterations: int) -> list[int]:
        """Nanoseconds of each run."""
        return self._time_cuda(iterations) if self._picture.is_cuda else self._time_cpu(iterations)

    def is_finite(self) -> bool:
        """Whether the last output is free of NaN and infinity."""
        return bool(torch.isfinite(self._output).all())

    def output(self) -> list[float]:
        """The last output, flat."""
        values: list[float] = self._output.float().cpu().flatten().tolist()
        return values

    def _time_cpu(self, iterations: int) -> list[int]:
        run, picture, clock = self._run, self._picture, time.perf_counter_ns
        samples = []
        for _ in range(iterations):
            begin = clock()
            self._output = run(picture)
            samples.append(clock() - begin)
        return samples

    def _time_cuda(self, iterations: int) -> list[int]:
        # torch declares neither Event nor cudnn.version with types.
        events = [torch.cuda.Event(enable_timing=True) for _ in range(2 * iterations)]  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
        for begin, end in zip(events[::2], events[1::2]):
            begin.record()
            self._output = self._run(self._picture)
            end.record()
        torch.cuda.synchronize()
        pairs = zip(events[::2], events[1::2])
        return [round(begin.elapsed_time(end) * _NS_PER_MS) for begin, end in pairs]


def start(settings: dict[str, Any]) -> dict[str, Any]:
    """Takes the threads on and looks for the device."""
    torch.set_num_threads(settings["threads"])
    torch.set_flush_denormal(True)
    # What its figures are: on a GPU the device's own time, without copies of input and output.
    clock = "cuda events" if settings["runner"] == "cuda" else "wall"
    details: dict[str, Any] = {"torch": torch.__version__, "cuda": torch.version.cuda, "clock": clock}
    if settings["runner"] == "cuda":
        if not torch.cuda.is_available():
            raise RuntimeError("torch finds no usable GPU; a CUDA build of torch and an NVIDIA driver are needed")
        # Without it cuDNN's first guess at an algorithm is what is timed; TF32 would make float32 something else.
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        details["gpu"] = torch.cuda.get_device_name()
        details["cudnn"] = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    return details


def load(task: dict[str, Any]) -> TorchModel:
    """The network in its form, precision and memory format, and the way it is run."""
    artifact, size, device = task["artifact"], task["resolution"], torch.device(task["runner"])
    memory = torch.channels_last if task["channels_last"] else torch.contiguous_format
    precision = _TYPES[task["precision"]]
    network = _network(artifact, task["content"], size)
    operators = _operators(network)
    network = network.to(device, precision).to(memory_format=memory)
    pixels = np.random.default_rng(0).standard_normal((1, 3, size, size), dtype=np.float32)
    picture = torch.from_numpy(pixels).to(device, precision).contiguous(memory_format=memory)
    details = {"device": str(picture.device), "input": list(picture.shape), "modules": operators}
    return TorchModel(_RUNS[task["runtime"]](network, picture), picture, details)


def _network(artifact: dict[str, Any], content: bytes, size: int) -> torch.nn.Module:
    from bench.networks.weights import load_weights

    if artifact["form"] == "timm":
        import timm
        from timm.utils.model import reparameterize_model

        network = timm.create_model(artifact["architecture"]["timm"], pretrained=False)
        load_weights(network, artifact["path"], content=content)
        with contextlib.redirect_stdout(None):
            folded: torch.nn.Module = reparameterize_model(network.eval())
        return folded.eval()
    from bench.networks import build
    from bench.networks.fold import fold
    from bench.space import Architecture

    network = build(Architecture.from_dict(artifact["architecture"]), resolution=size)
    load_weights(network, artifact["path"], content=content)
    return (fold(network.eval()) if artifact["form"] == "deploy" else network).eval()


def _eager(network: torch.nn.Module, _: torch.Tensor) -> Run:
    return network


def _compiled(network: torch.nn.Module, picture: torch.Tensor) -> Run:
    run: Run = torch.compile(network, dynamic=False)
    with torch.inference_mode():
        run(picture)
    return run


def _graphed(network: torch.nn.Module, picture: torch.Tensor) -> Run:
    """One launch for the whole network: what a small one costs where its launches are what takes the time."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.inference_mode(), torch.cuda.stream(stream):
        for _ in range(_GRAPH_WARMUP):
            network(picture)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.inference_mode(), torch.cuda.graph(graph):
        output = network(picture)

    def replay(_: torch.Tensor) -> torch.Tensor:
        graph.replay()
        result: torch.Tensor = output
        return result

    return replay


_RUNS: dict[str, Callable[[torch.nn.Module, torch.Tensor], Run]] = {
    "torch": _eager,
    "torch-compile": _compiled,
    "torch-cudagraph": _graphed,
}


def _operators(network: torch.nn.Module) -> dict[str, int]:
    """Leaf modules by type: how far it was folded."""
    counts: dict[str, int] = {}
    for module in network.modules():
        if not any(True for _ in module.children()):
            counts[type(module).__name__] = counts.get(type(module).__name__, 0) + 1
    return dict(sorted(counts.items()))
'''

SOURCES["bench.measure.session"] = r'''"""A measuring session under way: restart after restart, until enough is known or the time is over.

What it gives are raw samples with everything about them; nothing here judges or derives statistics, so that the same
code runs on a device that has Python and a runtime and nothing else (`runners/`). `protocol.py` says what is enough,
and judges.

An artifact that crashes, hangs, answers nonsense or computes something else is a failed measurement with its
reason; the others go on in a fresh child. A file of unknown origin is looked into before a runtime may load it, and
what it should compute is what the runtime makes of it without any optimisation.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from bench.measure.child import WORKER, LostError, RefusedError
from bench.measure.fingerprint import fingerprint
from bench.measure.health import Monitor
from bench.measure.inspection import Inspection
from bench.measure.job import Job, JobArtifact
from bench.measure.measurement import Measurement
from bench.measure.restart import Log, Record, Restart

# Called with the number of steps that are done and the number of all, which grows while a target is missed.
Progress = Callable[[int, int], None]

# Asked after a restart, with what is known so far, whether that is enough.
Enough = Callable[[Sequence[Measurement]], bool]

# Raised with each change to what is timed or in which order.
PROTOCOL_VERSION = 3

# Between two looks at whether the target is met, in restarts: who looks after every restart stops by luck.
_LOOK_EVERY = 3


def record_session(
    job: Job, *, is_enough: Enough, command: Sequence[str] = WORKER, progress: Progress | None = None
) -> tuple[Measurement, ...]:
    """Times every artifact of `job`; one measurement each, in the job's order, not judged yet.

    An artifact that cannot be timed gives the verdict "failed" (or "wrong_output") and never an exception. Nothing
    else may use the CPU meanwhile: hold `exclusive`.
    """
    session = _Session(job, command, progress)
    session.look_into_files()
    session.run(is_enough)
    return session.measurements()


class _Session:
    """A job under way."""

    def __init__(self, job: Job, command: Sequence[str], progress: Progress | None) -> None:
        self._job = job
        self._command = command
        self._progress = progress
        self._began = time.monotonic()
        self._id = uuid.uuid4().hex
        self._twin = replace(job.reference, label=f"{job.reference.label} (again)")
        everything = (job.reference, self._twin, *job.artifacts)
        self._records = {
            artifact.label: Record(left_s=job.deadline_s, logits=artifact.logits) for artifact in everything
        }
        self._reference = self._records[job.reference.label]
        self._monitor = Monitor(uses_gpu=job.runner == "cuda")
        self._restarts: list[Restart] = []
        self._num_lost = 0

    def look_into_files(self) -> None:
        """Checks what is of unknown origin, and computes what it should give."""
        with Inspection(self._job, self._command) as inspection:
            for artifact in (self._job.reference, *self._job.artifacts):
                if artifact.is_checked or not self._is_worthwhile:
                    continue
                record = self._records[artifact.label]
                try:
                    logits = inspection.look_into(artifact)
                except (LostError, RefusedError) as error:
                    record.reason = f"checking failed: {error}"
                else:
                    record.logits = record.logits or logits
            self._num_lost += inspection.num_lost
        self._records[self._twin.label].logits = self._reference.logits

    def run(self, is_enough: Enough) -> None:
        """Restart after restart, until enough is known or the time is over."""
        job = self._job
        for number in range(max(job.restarts, job.most_restarts)):
            is_late = number > 0 and time.monotonic() - self._began > job.limit_s
            is_look = number >= job.restarts and not (number - job.restarts) % _LOOK_EVERY
            if is_late or (is_look and is_enough(self.measurements())):
                return
            while self._is_worthwhile and not self._run_restart(number):
                pass  # each turn lost a child and failed the artifact that it was busy with, so this ends
            if not self._is_worthwhile:
                return

    def measurements(self) -> tuple[Measurement, ...]:
        """What is known so far."""
        return tuple(self._timed(artifact) for artifact in self._job.artifacts)

    def _shared(self, artifact: JobArtifact) -> list[Restart]:
        """The restarts that the artifact and the reference were part of."""
        own, reference = self._records[artifact.label].logs, self._reference.logs
        return [found for found in self._restarts if found.number in own and found.number in reference]

    def _timed(self, artifact: JobArtifact) -> Measurement:
        """Samples with everything about them but the verdict of a success."""
        job, record, reference = self._job, self._records[artifact.label], self._reference
        setup, shared = job.setup_of(artifact), self._shared(artifact)
        reason = record.reason
        if reason is None and reference.reason is not None:
            reason = f"the reference {job.reference.label!r} failed: {reference.reason}"
        twin = self._records[self._twin.label].logs
        logs = [record.logs[restart.number] for restart in shared]
        verdict = "wrong_output" if record.is_wrong else "failed"
        return Measurement(
            label=artifact.label,
            architecture_id=artifact.architecture_id,
            artifact_sha256=artifact.sha256,
            runner=job.runner,
            runtime=setup.runtime,
            threads=setup.threads,
            resolution=artifact.resolution or job.resolution,
            samples=tuple(tuple(log.samples) for log in logs),
            reference_samples=tuple(tuple(reference.logs[restart.number].samples) for restart in shared),
            twin_samples=tuple(
                tuple(twin[restart.number].samples) if restart.number in twin else () for restart in shared
            ),
            contended=tuple(tuple(restart.contended) for restart in shared),
            verdict="valid" if reason is None else verdict,
            reason=reason,
            fingerprint=self._fingerprint(artifact, shared[0].started[setup] if shared else {}),
            protocol=self._protocol(artifact, shared, logs),
            session=self._id,
        )

    def _fingerprint(self, artifact: JobArtifact, started: Mapping[str, Any]) -> dict[str, Any]:
        """Machine, software, how it was run and made, and what its ratio is a ratio to."""
        job, setup = self._job, self._job.setup_of(artifact)
        return {
            **fingerprint(runner=job.runner, runtime=setup.runtime, threads=setup.threads),
            "precision": setup.precision,
            "channels_last": setup.channels_last,
            "options": dict(setup.options),
            "cpus": None if job.cpus is None else list(job.cpus),
            "export": dict(artifact.export or {}),
            "reference": {
                "setup": job.setup_of(job.reference).name,
                "resolution": job.reference.resolution or job.resolution,
            },
            "loaded": started.get("details"),
        }

    @property
    def _is_worthwhile(self) -> bool:
        """Whether the reference and at least one artifact can still be timed."""
        rest = (self._records[artifact.label] for artifact in self._job.artifacts)
        return self._reference.reason is None and any(record.reason is None for record in rest)

    def _run_restart(self, number: int) -> bool:
        """One restart from start to end; False when a child was lost and another restart must take its place."""
        job = self._job
        has_twin = job.twin == "always" or (job.twin == "first" and number == 0)
        present = (job.reference, *((self._twin,) if has_twin else ()), *job.artifacts)
        present = tuple(artifact for artifact in present if self._records[artifact.label].reason is None)
        steps = len(present) * (2 + job.blocks)
        done = sum(len(restart.present) * (2 + job.blocks) for restart in self._restarts)
        told = 0

        def tell() -> None:
            nonlocal told
            told += 1
            if self._progress is not None:
                left = max(job.restarts - number - 1, 0) * len((job.reference, *job.artifacts)) * (2 + job.blocks)
                self._progress(done + min(told, steps), done + steps + left)

        restart = Restart(job, number, present, self._records, self._command, self._monitor, tell)
        try:
            restart.run(self._restarts[0].first_window if self._restarts else None)
        except LostError:
            self._num_lost += 1
            return False
        for label, log in restart.logs.items():
            if self._records[label].reason is None:
                self._records[label].logs[number] = log
        self._restarts.append(restart)
        return True

    def _protocol(self, artifact: JobArtifact, shared: Sequence[Restart], logs: Sequence[Log]) -> dict[str, Any]:
        job = self._job
        names = (
            *("restarts", "most_restarts", "blocks", "iterations", "visit_ms", "warmup_window", "warmup_least_ms"),
            *("warmup_ms", "target", "limit_s", "repeats", "twin", "deadline_s", "memory_mib", "seed"),
        )
        details = logs[0].details if logs and isinstance(logs[0].details, dict) else {}
        setup = job.setup_of(artifact)
        return {
            "version": PROTOCOL_VERSION,
            "reference": {"label": job.reference.label, "sha256": job.reference.sha256},
            "labels": [found.label for found in (job.reference, *job.artifacts)],
            **{name: getattr(job, name) for name in names},
            "setup": setup.name,
            "form": artifact.form,
            "architecture": artifact.architecture,
            "limits": shared[0].started[setup]["limits"] if shared else None,
            "children_lost": self._num_lost,
            "start_ms": [value for restart in shared for value in restart.start_ms],
            "operators": details.get("operators"),
            "placement": details.get("placement"),
            "wanted_placement": details.get("wanted_placement"),
            "output": {
                "is_checked": self._records[artifact.label].logits is not None,
                "errors": [log.output_error for log in logs],
            },
            "health": [restart.windows for restart in shared],
            "processes": [{key: value for key, value in asdict(log).items() if key != "samples"} for log in logs],
        }
'''

SOURCES["bench.measure.worker"] = r'''"""The child process: checks, loads and times artifacts as it is told; it decides nothing.

The supervisor (`child.py`) starts it as `python -I worker.py`, because a crash, a hang or a leak of a
runtime must cost one process and not the search. One JSON request a line comes in on stdin, one JSON reply
a line goes out:

    {"ask": "check", "artifact": {...}}              -> {"details": {...}}
    {"ask": "start", "runtime": ..., ...}            -> {"details": {...}, "limits": {...}}
    {"ask": "load", "artifact": {...}}               -> {"details": {...}, "load_ms": ..., "output": [...], ...}
    {"ask": "time", "label": ..., "iterations": 4}   -> {"samples": [ns, ns, ns, ns]}

or `{"error": "why"}`, after which it goes on. It ends with the end of its input, on Linux with its supervisor, and
in any case some seconds after the deadline of what it is busy with. This file imports the standard library only, so
that a child is ready to load after the import of its runtime, and so that it can be sent to a device alone with
`isolation.py` and the files in `runtimes/` and `checks/`, or in one file with them.

With `--isolated` it gives up more before it opens a file (`isolation.py`): rising in rights, and, where Linux lets an
ordinary user do so, the network and other processes; what it starts ends with it. No filter of system calls is used,
which before Linux 5.16 slows down what it is put upon.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import hashlib
import importlib
import importlib.util
import json
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

# Closed on purpose: a job names a runtime or a format, never a file or a module.
RUNTIMES = {
    "onnxruntime": "onnx_runtime.py",
    "onnxruntime-cuda": "onnx_runtime.py",
    "onnxruntime-tensorrt": "onnx_runtime.py",
    "torch": "pytorch.py",
    "torch-compile": "pytorch.py",
    "torch-cudagraph": "pytorch.py",
    "litert": "litert.py",
    "openvino": "openvino_cpu.py",
    "executorch": "executorch_xnnpack.py",
    "coreml": "core_ml.py",
    "coreai": "core_ai.py",
}
CHECKS = {"onnx": "onnx_file.py", "tflite": "tflite_file.py"}
# What a runtime needs is a folder, whose files have been hashed by who made it.
FOLDERS = ("mlpackage", "aimodel")

_MIB = 1 << 20
# Profiles and what a compiler writes; a model is read, never written.
_FILE_MIB = 64
_OPEN_FILES = 1024
_ERROR_LENGTH = 500
_LARGEST_FILE_MIB = 2048
_LARGEST_OUTPUT = 100_000
# The supervisor kills a late child; this is for a child whose supervisor is gone.
_ALARM_MARGIN_S = 5.0
# Of CPU time, between the signal that can be caught and the one that cannot.
_LAST_S = 5

Request = dict[str, Any]


class Worker:
    """The loaded models of one process."""

    def __init__(self) -> None:
        self.isolation: dict[str, bool] = {}
        self._models: dict[str, Any] = {}
        self._settings: Request = {}
        self._runtime: ModuleType | None = None

    def answer(self, request: Request) -> Request:
        """The reply to one request; whatever a runtime raises belongs to the artifact and is told."""
        asks = {"check": self.check, "start": self.start, "load": self.load, "time": self.time}
        try:
            return asks[request["ask"]](request)
        except MemoryError:
            limit = self._settings.get("memory_mib", "allowed")
            return {"error": f"it needs more than the {limit} MiB of memory that a child process may have"}
        except Exception as error:
            text = " ".join(str(error).split())
            return {"error": f"{type(error).__name__}: {text[:_ERROR_LENGTH]}"}

    def check(self, request: Request) -> Request:
        """Looks into a file of unknown origin before any runtime does."""
        self._settings = request
        _limit(request["memory_mib"], request.get("work_s"))
        _find_packages(request)
        artifact = request["artifact"]
        content = _read(artifact)
        if artifact["format"] not in CHECKS or content is None:
            known = ", ".join(CHECKS)
            raise ValueError(f"a {artifact['format']} file of unknown origin; {known} files can be looked into")
        checks = _import("checks", CHECKS[artifact["format"]])
        return {"details": checks.check(content, request.get("file_limits") or {})}

    def start(self, request: Request) -> Request:
        """Takes the limits on, then imports the runtime."""
        self._settings = request
        # CUDA and compiled code reserve terabytes of addresses.
        limits = _limit(None if request["runner"] == "cuda" else request["memory_mib"], request.get("work_s"))
        if request.get("cpus"):
            os.sched_setaffinity(0, request["cpus"])
        _find_packages(request)
        self._runtime = _import("runtimes", RUNTIMES[request["runtime"]])
        return {"details": self._runtime.start(request), "limits": {**limits, **self.isolation}}

    def load(self, request: Request) -> Request:
        """Reads, compares the hash, loads one artifact, and runs it once."""
        artifact = request["artifact"]
        _forget_peak()
        before = _memory_mib("VmRSS")
        begin = time.perf_counter_ns()
        content = _read(artifact)
        assert self._runtime is not None  # `start` is always first
        task = {**self._settings, **request, "content": content}
        model = self._runtime.load(task)
        loaded = time.perf_counter_ns()
        # What a runtime lets go of again while it loads is not what running takes.
        del content, task
        _forget_peak()
        first = model.time(1)
        peak = _memory_mib("VmHWM")
        if not model.is_finite():
            raise ValueError("its output is not finite; check its weights")
        output = model.output()
        if len(output) > _LARGEST_OUTPUT:
            raise ValueError(f"its output has {len(output)} numbers; at most {_LARGEST_OUTPUT} are compared")
        if not request.get("is_plain"):  # that one has told what it computes, and is not timed
            self._models[artifact["label"]] = model
        # What loading left behind must not be collected while something is timed.
        gc.collect()
        gc.freeze()
        found = {"load_ms": (loaded - begin) / 1e6, "first_ms": first[0] / 1e6}
        if before is not None and peak is not None:
            found["memory_mib"] = peak - before
        return {"details": model.details, "output": output, **found}

    def time(self, request: Request) -> Request:
        """Runs one model back to back."""
        gc.disable()
        samples = self._models[request["label"]].time(request["iterations"])
        gc.enable()
        return {"samples": samples}


def main(words: Sequence[str] = ()) -> None:
    """Answers requests until the input ends; `words` are those of the command line."""
    isolation = _import("isolation.py")
    isolation.end_with_supervisor()
    # A runtime that prints would break the replies: they keep the pipe, and stdout goes where stderr goes.
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's business
    worker, is_to_be_isolated = Worker(), "--isolated" in words
    for line in sys.stdin:
        request = json.loads(line)
        if is_to_be_isolated:  # before anything has a thread, or a timer
            # The driver of CUDA may start a program as root.
            worker.isolation = isolation.isolate(keeps_rights=request.get("runner") == "cuda")
            is_to_be_isolated = False
        signal.setitimer(signal.ITIMER_REAL, request["limit_s"] + _ALARM_MARGIN_S)
        replies.write(json.dumps(worker.answer(request)) + "\n")
        replies.flush()
        signal.setitimer(signal.ITIMER_REAL, 0)


def _read(artifact: Request) -> bytes | None:
    """The content whose hash the job names; None for a folder."""
    if artifact["format"] in FOLDERS:
        return None
    path = Path(artifact["path"])
    size = path.stat().st_size
    if size > _LARGEST_FILE_MIB * _MIB:
        raise ValueError(f"the file has {size // _MIB} MiB; at most {_LARGEST_FILE_MIB} MiB are loaded")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != artifact["sha256"]:
        raise ValueError(f"the file's sha256 is {digest}, the job says {artifact['sha256']}; export it again")
    return content


def _memory_mib(name: str) -> float | None:
    """Resident memory of this process, now (VmRSS) or at its peak (VmHWM); None where Linux does not tell it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
    return None


def _forget_peak() -> None:
    """Gives freed memory back and starts the peak anew from what is resident now."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _find_packages(request: Request) -> None:
    # -I hides folders that the parent may have found its packages in (a user site, PYTHONPATH).
    sys.path.extend(path for path in request["paths"] if path not in sys.path)


def _import(*place: str) -> ModuleType:
    """A file beside this one, or below."""
    path = Path(__file__).resolve().parent.joinpath(*place)
    if not path.is_file():  # this is the one file of an agent, which has it inside
        return importlib.import_module(".".join(("bench", "measure", *place[:-1], path.stem)))
    spec = importlib.util.spec_from_file_location(f"bench_{path.stem}_file", path)
    assert spec is not None  # the file is ours
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _limit(memory_mib: int | None, work_s: float | None) -> dict[str, int]:
    """Sets resource limits, returns those that took.

    Args:
        memory_mib: of addresses; None for CUDA, which reserves terabytes of them.
        work_s: that all requests together may take; unlike the alarm, what comes of it holds for whatever this process
            starts, too. None: as long as it likes.
    """
    wanted = {"RLIMIT_CORE": 0, "RLIMIT_FSIZE": _FILE_MIB * _MIB, "RLIMIT_NOFILE": _OPEN_FILES}
    if memory_mib is not None:
        wanted["RLIMIT_AS"] = memory_mib * _MIB
    if work_s is not None:
        wanted["RLIMIT_CPU"] = math.ceil((work_s + _ALARM_MARGIN_S) * (os.cpu_count() or 1))
    taken = {}
    for name, value in wanted.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        hard = sys.maxsize if hard == resource.RLIM_INFINITY else hard
        value = min(value, hard)
        # Time that is over is told by a signal of its own (SIGXCPU) before that which nobody can be deaf to.
        hard = min(value + _LAST_S, hard) if name == "RLIMIT_CPU" else value
        # macOS refuses a limit on address space; the reply says what holds.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, hard))
            taken[name] = value
    return taken


if __name__ == "__main__":
    main(sys.argv[1:])
'''

PACKAGES = (
    "bench",
    "bench.agent",
    "bench.agent.drivers",
    "bench.measure",
    "bench.measure.checks",
    "bench.measure.runtimes",
)


class _Sources:
    """Finds and loads modules among `SOURCES`, before any that are installed."""

    def __init__(self, path):
        self._path = path

    def find_spec(self, name, path=None, target=None):
        if name not in SOURCES:
            return None
        is_package = name in PACKAGES
        place = name.replace(".", "/") + ("/__init__.py" if is_package else ".py")
        spec = importlib.machinery.ModuleSpec(name, self, origin=self._path + "/" + place, is_package=is_package)
        spec.has_location = True
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        spec = module.__spec__
        exec(compile(SOURCES[spec.name], spec.origin, "exec", dont_inherit=True), module.__dict__)

    def get_source(self, name):
        return SOURCES[name]

    def names(self):
        return sorted(SOURCES)


def _start():
    path = os.path.abspath(__file__)
    sys.meta_path.insert(0, _Sources(path))
    # The folder of this file is no place to import from, and may be anybody's.
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != os.path.dirname(path)]
    if sys.argv[1:2] == ["--worker"]:
        from bench.measure.worker import main

        return main(sys.argv[2:])
    from bench.agent.main import main

    return main()


if __name__ == "__main__":
    sys.exit(_start())
