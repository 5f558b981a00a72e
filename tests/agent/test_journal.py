from __future__ import annotations

from pathlib import Path

import pytest

from bench.agent.journal import Journal, Left


def test_lease_that_ended_leaves_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    assert journal.left() is None
    journal.begin(7)
    journal.keep(b'{"measurements":[]}')
    journal.end()
    assert journal.left() is None
    assert list(tmp_path.iterdir()) == []
    journal.end()  # twice does no harm


def test_next_agent_finds_the_lease_and_its_result(tmp_path: Path) -> None:
    Journal(tmp_path).begin(7)
    assert Journal(tmp_path).left() == Left(fence=7, result=None)
    Journal(tmp_path).keep(b'{"measurements":[1]}')
    assert Journal(tmp_path).left() == Left(fence=7, result=b'{"measurements":[1]}')
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_result_belongs_to_its_own_lease(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.begin(7)
    journal.keep(b'{"measurements":[1]}')
    journal.begin(8)
    assert journal.left() == Left(fence=8, result=None)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"fence": "7"}', '{"fence": -1}', '{"fence": true}', "null"])
def test_damaged_lease_is_no_lease(tmp_path: Path, content: str) -> None:
    (tmp_path / "lease.json").write_text(content)
    (tmp_path / "lease.json").chmod(0o600)
    assert Journal(tmp_path).left() is None


@pytest.mark.parametrize("content", ["", '{"measurements":[1', "\0" * 100])
def test_half_a_result_is_no_result(tmp_path: Path, content: str) -> None:
    journal = Journal(tmp_path)
    journal.begin(7)
    (tmp_path / "result.json").write_text(content)
    (tmp_path / "result.json").chmod(0o600)
    assert journal.left() == Left(fence=7, result=None)
