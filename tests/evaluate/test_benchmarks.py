from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import timm.data

from bench.evaluate.accuracy import Accuracy
from bench.evaluate.benchmarks import BENCHMARKS, class_differences, official_classes, why_partial
from bench.evaluate.pictures import imagenet_classes
from bench.evaluate.robustness import find_shifted

from .made import png

INFO = Path(timm.data.__file__).parent / "_info"
WHOLE = Accuracy(
    data="x",
    fingerprint="x",
    num_classes=1000,
    num_pictures=50_000,
    num_top1=40_000,
    num_top5=45_000,
    unreadable=(),
)


def _write(root: Path, names: list[str]) -> Path:
    for name in names:
        (root / name).mkdir(parents=True)
        (root / name / "0.png").write_bytes(png(0))
    return root


def test_all_pictures_are_the_benchmark() -> None:
    assert why_partial("imagenet", WHOLE) is None
    for name, official in BENCHMARKS.items():
        found = replace(WHOLE, num_classes=official.num_classes, num_pictures=official.num_pictures)
        assert why_partial(name, found) is None


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ({"num_pictures": 49_999}, "49,999 of 50,000 pictures"),
        ({"num_classes": 999}, "999 of 1,000 classes"),
        (
            {"num_pictures": 49_998, "unreadable": (("a.JPEG", "torn"), ("b.JPEG", "torn"))},
            "49,998 of 50,000 pictures; 2 unreadable, such as a.JPEG: torn",
        ),
    ],
)
def test_a_part_says_what_is_missing(missing: dict[str, object], told: str) -> None:
    assert why_partial("imagenet", replace(WHOLE, **missing)) == told  # type: ignore[arg-type]


@pytest.mark.parametrize("benchmark", ["imagenet-a", "imagenet-r"])
def test_official_classes_are_those_of_timm(benchmark: str) -> None:
    listed = (INFO / f"{benchmark.replace('-', '_')}_synsets.txt").read_text().split()
    assert list(official_classes(benchmark)) == listed
    assert len(listed) == BENCHMARKS[benchmark].num_classes


def test_classes_are_held_to_the_official_ones(tmp_path: Path) -> None:
    classes = imagenet_classes()
    names = list(official_classes("imagenet-a"))
    whole = find_shifted("imagenet-a", _write(tmp_path / "whole", names), classes)
    assert class_differences("imagenet-a", whole, classes) is None
    stranger = next(name for name in classes if name not in names)
    other = find_shifted("imagenet-a", _write(tmp_path / "other", [*names[:3], *names[7:], stranger]), classes)
    assert class_differences("imagenet-a", other, classes) == (
        f"missing classes (4): {', '.join(names[3:6])}, ...; classes that are none of its (1): {stranger}"
    )
    assert class_differences("imagenet-sketch", other, classes) is None
