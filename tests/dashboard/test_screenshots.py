"""Every view has a picture in light and dark, and what the README files show is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "dashboards"


def _views() -> list[str]:
    found = re.search(r"export const VIEWS = \[(.*?)\]", (PAGE / "state.js").read_text())
    assert found is not None
    return re.findall(r'"(\w+)"', found[1])


def test_every_view_has_a_picture_light_and_dark() -> None:
    wanted = {f"{view}-{scheme}.png" for view in _views() for scheme in ("light", "dark")}
    assert len(wanted) == 16
    assert {path.name for path in (PAGE / "screenshots").iterdir()} == wanted
    for name in wanted:
        assert (PAGE / "screenshots" / name).read_bytes().startswith(b"\x89PNG")


def test_all_of_them_are_shown() -> None:
    shown = set(re.findall(r"\(screenshots/([\w-]+\.png)\)", (PAGE / "README.md").read_text()))
    assert shown == {path.name for path in (PAGE / "screenshots").iterdir()}


@pytest.mark.parametrize("readme", ["README.md", "dashboards/README.md"])
def test_pictures_of_a_readme_are_there(readme: str) -> None:
    path = ROOT / readme
    pictures = re.findall(r"\]\(([^)\s]+\.(?:png|svg))\)", path.read_text())
    assert pictures
    assert [each for each in pictures if not (path.parent / each).is_file()] == []


def test_every_file_of_the_page_is_described() -> None:
    told = (PAGE / "README.md").read_text().partition("## The files")[2]
    assert [
        path.name for path in PAGE.iterdir() if path.suffix in (".js", ".css") and f"`{path.name}`" not in told
    ] == []
