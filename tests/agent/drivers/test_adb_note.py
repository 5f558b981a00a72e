from __future__ import annotations

import stat
from pathlib import Path

import pytest

from bench.agent.drivers.adb_note import Changes, Note

SECRET = "SERIAL0815"


def test_note_is_kept_until_it_is_cleared(tmp_path: Path) -> None:
    note = Note(tmp_path / "agent", SECRET)
    assert note.read() is None
    note.write(is_fixed=True, files=["a" * 64])
    note.write(is_fixed=False, files=["a" * 64, "b" * 64])
    assert Note(tmp_path / "agent", SECRET).read() == Changes(is_fixed=False, files=("a" * 64, "b" * 64))
    assert Note(tmp_path / "agent", "another").read() is None
    note.clear()
    note.clear()
    assert note.read() is None


def test_note_is_private_and_does_not_tell_the_serial_number(tmp_path: Path) -> None:
    Note(tmp_path, SECRET).write(is_fixed=True, files=[])
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SECRET not in path.name + path.read_text()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"is_fixed": true, "files": 1}', b"\xff"])
def test_note_that_cannot_be_read_asks_for_the_mode_to_be_switched_off(tmp_path: Path, content: bytes) -> None:
    note = Note(tmp_path, SECRET)
    note.write(is_fixed=False, files=[])
    (path,) = tmp_path.iterdir()
    path.write_bytes(content)
    assert note.read() == Changes(is_fixed=True, files=())
