"""What a user names on the command line: a reference point of a space, a trial, or a file."""

from __future__ import annotations

from pathlib import Path

from bench.errors import SpaceError, nearest
from bench.networks.models import Model
from bench.space import Architecture, load_space
from bench.store import open_store

# Ends of names that are files.
FILE_SUFFIXES = (".onnx", ".tflite")


def find_model(name: str, *, db: str | None = None, space: str = "fastvit") -> Model | Path:
    """The network or file that `name` stands for.

    Raises:
        SpaceError: no reference point of that name.
        StoreError: no trial of that name.
    """
    if name.lower().endswith(FILE_SUFFIXES):
        return Path(name)
    if "/" in name or name.isdigit():
        with open_store(db, read_only=True) as store:
            record = store.find_trial(name)
        return Model(name=record.label, architecture=Architecture.from_dict(record.architecture))
    return Model(name=name, architecture=reference_point(name, space))


def reference_point(name: str, space: str) -> Architecture:
    """The reference point `name` of the space.

    Raises:
        SpaceError: there is none; the message names those that there are.
    """
    points = load_space(space).reference_points
    if name not in points:
        known = ", ".join(points) or "none"
        raise SpaceError(
            f"no reference point {name!r} in space {space!r}; known: {known}{nearest(name, points)}; "
            "a trial is STUDY/NUMBER"
        )
    return points[name]
