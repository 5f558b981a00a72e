"""Which files an artifact consists of, on the way to a device: one file, or a folder from a closed list of names."""

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
