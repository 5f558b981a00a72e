from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.errors import DataError
from bench.evaluate.tally import UNREADABLE, Tally


def test_counts_are_taken_up_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "tally.json"
    first = Tally("x", 300, path)
    first.add([0, 4, UNREADABLE, 5], [("c.png", "torn")])
    first.save()
    again = Tally("x", 300, path)
    assert again.ranks == [0, 4, UNREADABLE, 5]
    assert again.unreadable == [("c.png", "torn")]
    assert (again.num_within(1), again.num_within(5)) == (1, 2)
    assert [item.name for item in path.parent.iterdir()] == ["tally.json"]


def test_nothing_is_kept_without_a_path(tmp_path: Path) -> None:
    tally = Tally("x", 2, None)
    tally.add([0, 1], [])
    tally.save()
    assert list(tmp_path.iterdir()) == []


def test_too_many_unreadable_pictures_are_not_counted(tmp_path: Path) -> None:
    tally = Tally("x", 200, tmp_path / "tally.json")
    tally.add([UNREADABLE, 0], [("a", "torn")])
    tally.add([UNREADABLE], [("b", "torn")])
    with pytest.raises(DataError, match=r"3 of 200 pictures of x are unreadable, such as a \(torn\); b .*at most 1%"):
        tally.add([UNREADABLE], [("c", "torn")])
    tally.save()
    assert Tally("x", 200, tmp_path / "tally.json").ranks == [UNREADABLE, 0, UNREADABLE]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        json.dumps({"total": 3, "ranks": [0, 0, 0, 0], "unreadable": []}),
        json.dumps({"total": 4, "ranks": [0], "unreadable": []}),
        json.dumps({"total": 3, "ranks": [-1], "unreadable": []}),
        json.dumps({"total": 3, "ranks": ["a"], "unreadable": []}),
    ],
)
def test_a_damaged_file_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "tally.json").write_text(text)
    with pytest.raises(DataError, match=r"tally.json is damaged \(.*\); it keeps what .*; delete it"):
        Tally("x", 3, tmp_path / "tally.json")


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    tally = Tally("x", 1, tmp_path / "file" / "tally.json")
    tally.add([0], [])
    with pytest.raises(DataError, match=r"cannot keep what was counted in .*; the folder has to be writable"):
        tally.save()
