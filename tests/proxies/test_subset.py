from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bench.errors import DataError
from bench.proxies.folders import find_folders
from bench.proxies.subset import Subset, draw_subset

from .made import write_folder


def _draw(root: Path, **changes: int | None) -> Subset:
    options: dict[str, int | None] = {"num_classes": None, "train_per_class": None, "val_per_class": None, **changes}
    seed = options.pop("seed", 0)
    assert seed is not None
    return draw_subset(find_folders(root, label="folder:x"), seed=seed, **options)


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "flat", {f"c{index:02d}": 20 for index in range(12)})


def test_draw_is_balanced_and_labels_index_the_drawn_classes(flat: Path) -> None:
    subset = _draw(flat, num_classes=5, train_per_class=7, val_per_class=2)
    assert len(subset.classes) == 5
    assert list(subset.classes) == sorted(subset.classes)
    assert Counter(p.label for p in subset.train) == dict.fromkeys(range(5), 7)
    assert Counter(p.label for p in subset.val) == dict.fromkeys(range(5), 2)
    assert all(p.name.startswith(subset.classes[p.label] + "/") for p in (*subset.train, *subset.val))


def test_same_seed_same_list_and_hash(flat: Path) -> None:
    first, second = (_draw(flat, num_classes=5, train_per_class=7) for _ in range(2))
    assert first == second
    assert first.hash(64) == second.hash(64)
    assert first.hash(64) != first.hash(96)
    other = _draw(flat, num_classes=5, train_per_class=7, seed=1)
    assert other.classes != first.classes
    assert other.hash(64) != first.hash(64)


def test_draw_is_the_same_on_every_machine(flat: Path) -> None:
    # Written down once: a change of this line changes every study's data.
    assert _draw(flat, num_classes=3).classes == ("c05", "c10", "c11")


def test_smaller_draw_is_part_of_a_larger_one(flat: Path) -> None:
    small = _draw(flat, num_classes=3, train_per_class=4)
    large = _draw(flat, num_classes=6, train_per_class=9)
    assert {p.name for p in small.train} <= {p.name for p in large.train}


def test_validation_part_is_split_off_with_the_seed(flat: Path) -> None:
    subset = _draw(flat)
    train, val = ({p.name for p in part} for part in (subset.train, subset.val))
    assert not train & val
    assert len(train) == 12 * 18
    assert len(val) == 12 * 2
    assert {p.name for p in _draw(flat, seed=1).val} != val


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 13}, r"13 classes asked of folder:x; it has 12; ask for 2 to 12"),
        ({"num_classes": 1}, r"1 classes asked of folder:x"),
        ({"train_per_class": 19}, r"19 train pictures a class asked of folder:x; class 'c00' has 18; ask for 18"),
        ({"val_per_class": 0}, r"0 val pictures a class asked for; at least 1"),
    ],
)
def test_asking_for_more_than_there_is(flat: Path, changes: dict[str, int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _draw(flat, **changes)


def test_class_without_pictures_is_named(tmp_path: Path) -> None:
    write_folder(tmp_path, {"cat": 4, "dog": 4, "emu": 0})
    with pytest.raises(DataError, match=r"class 'emu' of folder:x has no train pictures"):
        _draw(tmp_path)
