"""One hash for an artifact, be it a file, a pair of files or a folder.

Folders hold what differs from writing to writing: a Core ML package a manifest with random identifiers, a Core AI
asset its date. So what is hashed is what is run. Which files may be in a folder at all is a closed list: a file that
the hash does not cover must not be able to change what is run. Only the standard library is used here, so that a
device can hash what it was sent.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

_MODEL = "com.apple.CoreML/model.mlmodel"
_WEIGHTS = "com.apple.CoreML/weights"
# Suffix of a folder -> files that are hashed, and files that may be there beside them.
_FOLDERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # coremltools writes the mapping beside what comes from torch.export; Core ML does not read it.
    ".mlpackage": (
        (f"Data/{_MODEL}", f"Data/{_WEIGHTS}/weight.bin"),
        ("Manifest.json", "executorch_debug_handle_mapping.json"),
    ),
    ".aimodel": (("main.mlirb",), ("main.hash", "metadata.json")),
}


def artifact_hash(path: Path | str) -> str:
    """The sha256 of a file; of several files the sha256 of their names and hashes.

    Raises:
        ValueError: a folder of an unknown kind, or with files or links that do not belong there.
    """
    path = Path(path)
    files = payload_files(path)
    if files == (path,):
        return _sha256(path)
    listing = "".join(f"{_sha256(file)}  {_name(file, path)}\n" for file in files)
    return hashlib.sha256(listing.encode()).hexdigest()


def payload_files(path: Path | str) -> tuple[Path, ...]:
    """The files of an artifact that decide what is run, in a fixed order.

    Raises:
        ValueError: a folder of an unknown kind, or with files or links that do not belong there.
    """
    path = Path(path)
    if path.is_dir():
        return _folder_payload(path)
    # OpenVINO reads the weights of NAME.xml from NAME.bin.
    weights = path.with_suffix(".bin")
    return (path, weights) if path.suffix == ".xml" and weights.is_file() else (path,)


def _folder_payload(path: Path) -> tuple[Path, ...]:
    if path.suffix not in _FOLDERS:
        raise ValueError(f"{path.name} is a folder; folders that end in {', '.join(_FOLDERS)} are allowed; name a file")
    hashed, others = _FOLDERS[path.suffix]
    found = [entry for entry in path.rglob("*") if entry.is_symlink() or not entry.is_dir()]
    strange = [_name(entry, path) for entry in found if entry.is_symlink() or _name(entry, path) not in hashed + others]
    if strange:
        raise ValueError(
            f"{path.name} holds {strange[0]}; allowed: {', '.join(hashed + others)}; export the network again"
        )
    if path.suffix == ".mlpackage":
        _check_manifest(path)
    # The first file is the model; a network without large weights has no file for them.
    return tuple(path / name for name in hashed if name == hashed[0] or (path / name).is_file())


def _check_manifest(path: Path) -> None:
    """The manifest may point at the hashed files only."""
    entries = json.loads((path / "Manifest.json").read_text(encoding="utf-8"))["itemInfoEntries"].values()
    named = {entry["path"] for entry in entries}
    if not named <= {_MODEL, _WEIGHTS}:
        raise ValueError(
            f"the manifest of {path.name} names {', '.join(sorted(named))}; allowed: {_MODEL}, {_WEIGHTS}; "
            "export the network again"
        )


def _name(file: Path, path: Path) -> str:
    return file.relative_to(path).as_posix() if path.is_dir() else file.suffix


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
