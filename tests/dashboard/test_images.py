"""Images of figures, drawn by the Chromium that is installed; without one a line says what to do."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import plotly.graph_objects as go
import pytest

from bench.dashboard.images import write_image
from bench.errors import ConfigError, MissingExtra

FIGURE = go.Figure(go.Scatter(x=[1, 2], y=[3, 4]), layout={"title": "a <made> title"})


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_images_of_every_kind_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("kaleido")
    begins = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF"}
    for kind, begin in begins.items():
        path = tmp_path / f"front.{kind}"
        write_image(FIGURE, path)
        assert path.read_bytes().startswith(begin)
    ElementTree.parse(tmp_path / "front.svg")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["front.pdf", "front.png", "front.svg"]


def test_without_a_browser_a_line_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("kaleido")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "none"))
    with pytest.raises((MissingExtra, ConfigError), match=r"; .*; ") as caught:
        write_image(FIGURE, tmp_path / "front.svg")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "front.svg").exists()


def test_without_kaleido_a_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kaleido", None)
    monkeypatch.setitem(sys.modules, "kaleido.errors", None)
    with pytest.raises(MissingExtra, match=r"an image needs the extra `images`; kaleido is not installed; run pip"):
        write_image(FIGURE, tmp_path / "front.svg")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("front.gif", r"--out .*front\.gif; allowed: \.html, \.svg, \.png, \.pdf; give the file one of these endings"),
        ("front", r"--out .*; allowed: "),
        ("none/front.svg", r"--out .*: there is no folder .*; a file needs one; make it"),
    ],
)
def test_files_that_cannot_be_are_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        write_image(FIGURE, tmp_path / name)
