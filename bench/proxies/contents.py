"""Encoded pictures as they lie in files and in the cells of tables, or the reason why there are none."""

from __future__ import annotations

from pathlib import Path

from bench.proxies.decoding import Unreadable

Content = bytes | Unreadable


def read_file(path: Path) -> Content:
    """What a file holds. A file that cannot be read now may be there again later; a broken one stays broken."""
    try:
        return path.read_bytes()
    except OSError as error:
        return Unreadable(f"{type(error).__name__}: {error.strerror}", may_pass=True)


def read_cell(cell: object, folder: Path) -> Content:
    """What a cell of a table in `folder` holds: bytes, or a struct of bytes and the path of a file beside the table."""
    content, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, None)
    if content is None and path:
        place = (folder / path).resolve()
        if not place.is_relative_to(folder.resolve()):
            return Unreadable("its path leaves the data set's folder")
        return read_file(place)
    return content if isinstance(content, bytes) and content else Unreadable("the row holds no picture")
