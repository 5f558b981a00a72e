from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.errors import DataError
from bench.evaluate.tally import UNREAD, UNREADABLE, Tally


def test_counts_are_taken_up_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "tally.json"
    first = Tally("x", 300, path, batch=4)
    first.put(0, [0, 4, UNREADABLE, 5], {2: ("c.png", "torn")})
    first.save()
    again = Tally("x", 300, path, batch=4)
    assert again.ranks == [0, 4, UNREADABLE, 5]
    assert again.unreadable == (("c.png", "torn"),)
    assert (again.num_within(1), again.num_within(5)) == (1, 2)
    assert again.pending()[:2] == [4, 8]
    assert first.resumed_from is None
    assert again.resumed_from == json.loads(path.read_text())["counted"]
    assert [item.name for item in path.parent.iterdir()] == ["tally.json"]


def test_what_was_not_read_is_pending_again(tmp_path: Path) -> None:
    """Its batch alone; what cannot be decoded is kept."""
    path = tmp_path / "tally.json"
    first = Tally("x", 400, path, batch=4)
    first.put(0, [0, UNREADABLE, 1, 2], {1: ("b", "torn")})
    first.put(4, [0, UNREAD, UNREADABLE, 0], {5: ("f", "gone"), 6: ("g", "torn")})
    first.put(8, [3, 3, 3, 3], {})
    assert first.unreadable == (("b", "torn"), ("f", "gone"), ("g", "torn"))
    first.save()
    again = Tally("x", 400, path, batch=4)
    assert again.unreadable == (("b", "torn"), ("g", "torn"))
    assert again.pending()[:3] == [4, 12, 16]
    again.put(4, [0, 7, UNREADABLE, 0], {6: ("g", "torn")})
    assert again.ranks == [0, UNREADABLE, 1, 2, 0, 7, UNREADABLE, 0, 3, 3, 3, 3]
    assert again.unreadable == (("b", "torn"), ("g", "torn"))
    again.save()
    assert Tally("x", 400, path, batch=4).pending()[0] == 12


def test_nothing_is_kept_without_a_path(tmp_path: Path) -> None:
    tally = Tally("x", 2, None, batch=2)
    tally.put(0, [0, 1], {})
    tally.save()
    assert list(tmp_path.iterdir()) == []


def test_too_many_unreadable_pictures_are_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "tally.json"
    tally = Tally("x", 200, path, batch=2)
    tally.put(0, [UNREADABLE, 0], {0: ("a", "torn")})
    tally.put(2, [UNREAD, 0], {2: ("b", "torn")})
    with pytest.raises(DataError, match=r"3 of 200 pictures of x are unreadable, such as a \(torn\); b .*at most 1%"):
        tally.put(4, [UNREADABLE, 0], {4: ("c", "torn")})
    tally.save()
    assert Tally("x", 200, path, batch=2).ranks == [UNREADABLE, 0, UNREAD, 0]


def _kept(**changes: object) -> str:
    return json.dumps({"total": 3, "counted": "x", "ranks": [0, 0], "unreadable": [], **changes})


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        _kept(ranks=[0, 0, 0, 0]),
        _kept(ranks=[0]),
        _kept(total=4),
        _kept(ranks=[-1, 0]),
        _kept(unreadable=[[0, "a", "torn"]]),
        _kept(unreadable=[["a", "torn"]]),
        _kept(ranks=["a", 0]),
    ],
)
def test_a_damaged_file_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "tally.json").write_text(text)
    with pytest.raises(DataError, match=r"tally.json is damaged \(.*\); it keeps what .*; delete it"):
        Tally("x", 3, tmp_path / "tally.json", batch=2)


def test_a_sound_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "tally.json").write_text(_kept())
    assert Tally("x", 3, tmp_path / "tally.json", batch=2).pending() == [2]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    tally = Tally("x", 1, tmp_path / "file" / "tally.json", batch=1)
    tally.put(0, [0], {})
    with pytest.raises(DataError, match=r"cannot keep what was counted in .*; the folder has to be writable"):
        tally.save()
