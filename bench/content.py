"""Finds the content folders (spaces, published figures, the dashboard page) in a checkout and in a wheel.

A checkout keeps them beside `bench/`; a wheel carries them inside the package under `bench/_content/`.
"""

from __future__ import annotations

from pathlib import Path

from bench.errors import ContentError, nearest

FOLDERS = ("search_spaces", "runners", "results", "dashboards")
_PACKAGE = Path(__file__).resolve().parent


def folder(kind: str) -> Path:
    """The shipped content folder `kind`, one of `FOLDERS`."""
    for candidate in (_PACKAGE / "_content" / kind, _PACKAGE.parent / kind):
        if candidate.is_dir():
            return candidate
    raise ContentError(f"content folder {kind!r} is not installed; known: {', '.join(FOLDERS)}; reinstall bench")


def find(kind: str, name: str, *, suffix: str = "") -> Path:
    """The file `name` of one kind: a path as it is, a bare name in the current folder first, then as shipped.

    Args:
        kind: one of `FOLDERS`.
        name: a path (has a separator or the suffix), or a bare name to which `suffix` is added.
        suffix: such as ".yaml".

    Raises:
        ContentError: nothing of that name; the message names what there is.
    """
    if "/" in name or "\\" in name or (suffix and name.endswith(suffix)):
        path = Path(name).expanduser()
        if path.is_file():
            return path
        raise ContentError(f"no file {name!r}; give the path of a {suffix or 'readable'} file, or a bare name")
    places = (Path.cwd(), Path.cwd() / kind, folder(kind))
    for place in places:
        if (place / (name + suffix)).is_file():
            return place / (name + suffix)
    known = sorted({path.stem for place in places for path in place.glob("*" + suffix)}) if suffix else []
    raise ContentError(
        f"no {kind.replace('_', ' ')} entry named {name!r}; known: {', '.join(known) or 'none'}{nearest(name, known)}"
    )
