from __future__ import annotations

from pathlib import Path

import pytest

from bench.content import find, folder
from bench.errors import ContentError


def test_a_bare_name_is_a_shipped_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find("search_spaces", "smoke", suffix=".yaml") == folder("search_spaces") / "smoke.yaml"


@pytest.mark.parametrize("place", [".", "search_spaces"])
def test_the_current_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / place).mkdir(exist_ok=True)
    own = tmp_path / place / "smoke.yaml"
    own.touch()
    assert find("search_spaces", "smoke", suffix=".yaml") == own


def test_a_path_is_that_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").touch()
    assert find("search_spaces", "./mine.yaml", suffix=".yaml") == Path("mine.yaml")
    assert find("search_spaces", "mine.yaml", suffix=".yaml") == Path("mine.yaml")
    with pytest.raises(ContentError, match=r"no file 'smoke.yaml'; give the path of a \.yaml file, or a bare name"):
        find("search_spaces", "smoke.yaml", suffix=".yaml")


def test_an_unknown_name_is_an_error_with_the_known_ones() -> None:
    with pytest.raises(ContentError, match=r"named 'smke'; known: .*smoke.*; did you mean 'smoke'\?"):
        find("search_spaces", "smke", suffix=".yaml")


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ContentError, match="content folder 'spaces' is not installed; known: search_spaces"):
        folder("spaces")
