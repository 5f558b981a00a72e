from __future__ import annotations

from pathlib import Path

import plotly.graph_objects as go
import pytest

from bench.report.page import Section, Table, write_report, write_whole


def test_a_page_is_whole_and_needs_no_network(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    figure = go.Figure(go.Scatter(x=[1], y=[2]))
    table = Table(heading=("quantity", "verdict"), rows=[("parameters", "reproduced"), ("<b>", "not run: a phone")])
    write_report(
        path,
        "A & B",
        [
            Section(heading="first", sentences=("1 < 2",), tables=(table,), figures=(figure,)),
            Section(heading="second", figures=(figure,)),
        ],
    )
    text = path.read_text(encoding="utf-8")
    assert "<title>A &amp; B</title>" in text
    assert "<p>1 &lt; 2</p>" in text
    assert '<td class="reproduced">reproduced</td>' in text
    assert '<td class="not">not run: a phone</td>' in text
    assert "<td>&lt;b&gt;</td>" in text
    assert text.count('"x":[1],"y":[2]') == 2  # each chart with its own numbers
    assert text.count("plotly.js v") == 1  # the script once, inside
    assert 'src="http' not in text
    assert list(tmp_path.iterdir()) == [path]


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.html"
    write_report(path, "old", [])
    before = path.read_text(encoding="utf-8")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        write_report(path, "new", [])
    assert path.read_text(encoding="utf-8") == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    write_whole(tmp_path / "file.txt", "one")
    write_whole(tmp_path / "file.txt", "two")
    assert (tmp_path / "file.txt").read_text(encoding="utf-8") == "two"
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "absent" / "file.txt", "one")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_whole(tmp_path / "folder", "one")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file.txt", "folder"]
