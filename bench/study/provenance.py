"""Where a study ran and with what, and whether it may go on here: figures of different conditions never mix."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.errors import SearchError
from bench.measure import fingerprint, same_conditions
from bench.version import __version__

_PACKAGES = ("torch", "torchvision", "timm", "optuna", "ray", "onnx", "onnxruntime", "numpy", "moocore")
# What of a score's fidelity has to be equal for two of them to stand on one front at one rung.
_FIDELITY = ("data_hash", "classes", "precision", "device", "threads", "supernet")


def versions() -> dict[str, str]:
    """Versions of the packages that decide what a study gives."""
    found = {"bench": __version__}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "missing"
    return found


def git_revision() -> str | None:
    """The commit of this checkout, with `+changes` when it was edited since; None in an installed package."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists() or shutil.which("git") is None:
        return None
    commit = _git(root, "rev-parse", "HEAD")
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    return (commit + "+changes" if changed else commit) if commit else None


def provenance() -> dict[str, Any]:
    """All of it as plain data, for the event of a study that goes on."""
    return {"versions": versions(), "git_revision": git_revision(), "fingerprint": fingerprint()}


def refuse_other_machine(name: str, stored: Mapping[str, Any]) -> None:
    """Milliseconds of two machines, or of two releases of a runtime, do not stand on one front.

    Raises:
        SearchError: naming what differs from the fingerprint that the study began with.
    """
    differences = same_conditions(_steady(stored), _steady(fingerprint()))
    if differences:
        raise SearchError(
            f"study {name!r} was timed under other conditions ({'; '.join(differences[:3])}); its latencies and new "
            "ones are not comparable; go on where it began, or --repeat it here under a new name"
        )


def fidelity_differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[str, ...]:
    """What differs between the fidelities of two scores of one rung, apart from the resolution of their networks."""
    return tuple(
        f"{name}: {first.get(name)!r} and {second.get(name)!r}"
        for name in _FIDELITY
        # Another resolution is another packing of the same pictures, with a hash of its own.
        if first.get(name) != second.get(name)
        and not (name == "data_hash" and first.get("resolution") != second.get("resolution"))
    )


def _steady(found: Mapping[str, Any]) -> dict[str, Any]:
    """The machine and the software; limits and governor are looked at with each measurement."""
    return {name: found.get(name) for name in ("machine", "software")}


def _git(root: Path, *arguments: str) -> str:
    found = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=False
    )
    return found.stdout.strip() if found.returncode == 0 else ""
