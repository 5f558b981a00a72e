from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import ExportError
from bench.networks.formats.writing import check_target, unfinished


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_file_gets_its_name_when_it_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "a.pte"
    path.write_text("old")
    with unfinished(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert partial.name == path.name
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.pte"]


def test_a_folder_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.mlpackage"
    for content in ("old", "new"):
        with unfinished(path) as partial:
            partial.mkdir()
            (partial / content).write_text(content)
    assert names(tmp_path) == ["a.mlpackage", "a.mlpackage/new"]


def test_weights_come_with_their_file(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    for content in ("old", "new"):
        with unfinished(path) as partial:
            partial.write_text(content)
            partial.with_suffix(".bin").write_text(content)
    assert (path.read_text(), path.with_suffix(".bin").read_text()) == ("new", "new")
    assert names(tmp_path) == ["a.bin", "a.xml"]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text("old")

    def write_half() -> None:
        with unfinished(path) as partial:
            partial.write_text("new")
            partial.with_suffix(".bin").write_text("new")
            raise ExportError("wrong")

    with pytest.raises(ExportError, match="wrong"):
        write_half()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.xml"]


def test_a_place_that_cannot_be_used_is_refused_beforehand(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"'a.onnx' ends in '.onnx'; files of this format end in '.pte'; rename it"):
        check_target(tmp_path / "a.onnx", ".pte")
    with pytest.raises(ExportError, match=r"there is no folder .*nowhere; make it first"):
        check_target(tmp_path / "nowhere" / "a.pte", ".pte")


def test_a_folder_of_something_else_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.mlpackage"
    path.mkdir()
    with pytest.raises(
        ExportError, match="is a folder of something else; only an artifact is replaced; choose another"
    ):
        check_target(path, ".mlpackage")
    (path / "Manifest.json").write_text("{}")
    check_target(path, ".mlpackage")
