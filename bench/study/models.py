"""What a user names on the command line: a reference point, a trial, a network of timm, or a file."""

from __future__ import annotations

from pathlib import Path

from bench.errors import NetworkError, SpaceError, nearest
from bench.networks.models import TIMM_NAMES, Model, TimmModel
from bench.space import Architecture, load_space, shipped_spaces
from bench.store import open_store

# Ends of names that are files.
FILE_SUFFIXES = (".onnx", ".tflite")

Named = Model | TimmModel | Path


def find_model(name: str, *, db: str | None = None, space: str | None = None) -> Named:
    """The network or file that `name` stands for.

    Networks take `@RESOLUTION` behind their name: `fastvit_ma36@384`.

    Args:
        space: whose reference points are looked at; None: those of all shipped spaces.

    Raises:
        SpaceError: no reference point of that name.
        StoreError: no trial of that name.
        NetworkError: timm has no network of that name, or the resolution is no number.
    """
    if name.lower().endswith(FILE_SUFFIXES):
        return Path(name)
    base, at, given = name.partition("@")
    resolution = _resolution(name, given) if at else None
    if base.startswith("timm:"):
        return _timm(base.removeprefix("timm:"), resolution)
    if "/" in base or base.isdigit():
        with open_store(db, read_only=True) as store:
            record = store.find_trial(base)
        base, architecture = record.label, Architecture.from_dict(record.architecture)
    else:
        base = _PUBLISHED_NAMES.get(base, base)
        architecture = reference_point(base, space)
    own = int(architecture.settings["input_resolution"])
    return Model(name=base, architecture=architecture, resolution=resolution or own)


# timm's name of a reference point -> ours.
_PUBLISHED_NAMES = {timm_name: name for name, timm_name in TIMM_NAMES.items()}


def reference_points(space: str | None = None) -> dict[str, Architecture]:
    """Named networks of a space; of None, those of all shipped spaces, the default space first."""
    if space is not None:
        return dict(load_space(space).reference_points)
    found: dict[str, Architecture] = {}
    for shipped in shipped_spaces():
        for name, architecture in shipped.reference_points.items():
            found.setdefault(name, architecture)
    return found


def reference_point(name: str, space: str | None = None) -> Architecture:
    """The reference point `name` of a space, or of any shipped one.

    Raises:
        SpaceError: there is none; the message names those that there are.
    """
    points = reference_points(space)
    if name not in points:
        where = "a shipped space" if space is None else f"space {space!r}"
        raise SpaceError(
            f"no reference point {name!r} in {where}; known: {', '.join(points) or 'none'}{nearest(name, points)}; "
            "a trial is STUDY/NUMBER, a network of timm timm:NAME"
        )
    return points[name]


def _resolution(name: str, given: str) -> int:
    if not given.isdecimal() or not 32 <= int(given) <= 4096:
        raise NetworkError(f"{name!r}; behind '@' stands a resolution from 32 to 4096; write it so, or leave it out")
    return int(given)


def _timm(name: str, resolution: int | None) -> TimmModel:
    import timm

    if not timm.is_model(name):
        known = nearest(name, timm.list_models())
        raise NetworkError(f"timm has no network {name!r}{known or '; timm.list_models() lists them'}")
    size = timm.get_pretrained_cfg(name).input_size if timm.get_pretrained_cfg(name) else (3, 224, 224)
    return TimmModel(timm_name=name, resolution=resolution or int(size[-1]))
