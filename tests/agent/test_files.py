from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.agent.files import private_folder, read_private, write_private
from bench.errors import MeasureError


def test_content_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "agent.json"
    before = os.umask(0o000)
    try:
        write_private(path, b"secret")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_private(path, limit=6) == b"secret"
    assert [found.name for found in tmp_path.iterdir()] == ["agent.json"]


def test_content_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "agent.json"
    write_private(path, b"a long one")
    with path.open("rb") as reader:
        write_private(path, b"short", is_lasting=False)
        assert reader.read() == b"a long one"  # who reads the old one goes on reading it
    assert read_private(path, limit=100) == b"short"


def test_nothing_is_none(tmp_path: Path) -> None:
    assert read_private(tmp_path / "agent.json", limit=10) is None


def test_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "agent.json"
    target.write_text("mine")
    path.symlink_to(target)
    with pytest.raises(MeasureError, match="plain file of your own"):
        read_private(path, limit=10)
    write_private(path, b"secret")
    assert target.read_text() == "mine"
    assert not path.is_symlink()


def test_link_in_the_place_of_the_partial_file_is_not_followed(tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "agent.json"
    target.write_text("mine")
    (tmp_path / f".agent.json.{os.getpid()}").symlink_to(target)
    write_private(path, b"secret")
    assert (target.read_text(), path.read_text()) == ("mine", "secret")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o622])
def test_content_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "agent.json"
    write_private(path, b"secret")
    path.chmod(mode)
    with pytest.raises(MeasureError, match="chmod 600"):
        read_private(path, limit=10)


def test_pipes_folders_and_long_files_are_refused(tmp_path: Path) -> None:
    pipe, long = tmp_path / "pipe", tmp_path / "long"
    os.mkfifo(pipe, 0o600)
    write_private(long, b"x" * 11)
    for path in (pipe, tmp_path, long):
        with pytest.raises(MeasureError):
            read_private(path, limit=10)


def test_folder_is_made_closed_and_must_be_ours(tmp_path: Path) -> None:
    path = private_folder(tmp_path / "a" / "b")
    assert path.stat().st_mode & 0o077 == 0
    path.chmod(0o777)
    with pytest.raises(MeasureError, match="others can write to"):
        private_folder(path)
    (tmp_path / "file").write_text("")
    with pytest.raises(MeasureError, match="cannot use the folder"):
        private_folder(tmp_path / "file")


def test_disk_that_does_not_take_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(MeasureError, match="cannot write"):
        write_private(tmp_path / "missing" / "agent.json", b"secret")
