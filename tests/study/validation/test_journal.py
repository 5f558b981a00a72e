from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.errors import ConfigError
from bench.study.validation.journal import opened

from .made import quick

SETTINGS = {"validation": quick().to_dict(), "space_hash": "abc"}


def test_rows_are_there_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.jsonl"
    with opened(path, SETTINGS) as journal:
        assert journal.rows == []
        journal.add({"kind": "training", "id": "1"})
    with opened(path, SETTINGS) as journal:
        assert journal.rows == [{"kind": "training", "id": "1"}]
        journal.add({"kind": "training", "id": "2"})
    with opened(path, SETTINGS) as journal:
        assert [row["id"] for row in journal.rows] == ["1", "2"]


@pytest.mark.parametrize("torn", ['{"kind": "trai', '{"kind": "training", "id": "9"}'])
def test_a_line_that_was_cut_off_is_left_out_and_written_over(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "rows.jsonl"
    with opened(path, SETTINGS) as journal:
        journal.add({"id": "1"})
    with path.open("a") as file:
        file.write(torn)
    with opened(path, SETTINGS) as journal:
        assert [row["id"] for row in journal.rows] == ["1"]
        journal.add({"id": "2"})
    assert [json.loads(line).get("id") for line in path.read_text().splitlines()] == [None, "1", "2"]


def test_a_row_is_on_the_disk_when_it_was_added(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with opened(path, SETTINGS) as journal:
        journal.add({"id": "1"})
        assert path.read_text().endswith('{"id": "1"}\n')


def test_other_settings_another_space_or_another_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with opened(path, SETTINGS):
        pass
    other = {**SETTINGS, "validation": quick(seeds=5).to_dict()}
    with pytest.raises(ConfigError, match=r"other settings \(seeds: 2 and 5\)"), opened(path, other):
        pass
    with pytest.raises(ConfigError, match="the space has changed"), opened(path, {**SETTINGS, "space_hash": "d"}):
        pass
    path.write_text('{"kind": "something"}\n')
    with pytest.raises(ConfigError, match="is no journal of a validation"), opened(path, SETTINGS):
        pass


def test_two_at_a_time_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with (
        opened(path, SETTINGS),
        pytest.raises(ConfigError, match="is being written by another process"),
        opened(path, SETTINGS),
    ):
        pass
