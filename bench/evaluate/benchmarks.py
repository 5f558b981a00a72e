"""What each benchmark officially is: how many pictures of which classes. A part of one is another benchmark.

Numbers of pictures are those of the publications: ILSVRC 2012 validation (Russakovsky et al. 2015), ImageNet-A
(Hendrycks et al. 2021, "Natural Adversarial Examples"), ImageNet-R (Hendrycks et al. 2021, "The Many Faces of
Robustness"), ImageNet-Sketch (Wang et al. 2019); a set of ImageNet-C is the validation set once more. The 200 classes
of A and R in `subsets.csv` are those of eval.py in hendrycks/natural-adv-examples and hendrycks/imagenet-r (timm has
them too, in data/_info).
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from bench.evaluate.pictures import Pictures

if TYPE_CHECKING:
    from bench.evaluate.accuracy import Accuracy

_NUM_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """Official sizes; `has_subset` where `subsets.csv` says which classes of ImageNet take part."""

    num_classes: int
    num_pictures: int
    has_subset: bool = False


BENCHMARKS = {
    "imagenet": Benchmark(num_classes=1000, num_pictures=50_000),
    "imagenet-a": Benchmark(num_classes=200, num_pictures=7_500, has_subset=True),
    "imagenet-r": Benchmark(num_classes=200, num_pictures=30_000, has_subset=True),
    "imagenet-sketch": Benchmark(num_classes=1000, num_pictures=50_889),
    "imagenet-c": Benchmark(num_classes=1000, num_pictures=50_000),  # of one corruption at one severity
}

# Those of class folders that have one accuracy.
SHIFTED = ("imagenet-a", "imagenet-r", "imagenet-sketch")


def why_partial(benchmark: str, found: Accuracy) -> str | None:
    """What keeps an accuracy from being the benchmark's, in words; `None` where every picture was counted."""
    return "; ".join(_lacks(BENCHMARKS[benchmark], found)) or None


def class_differences(benchmark: str, pictures: Pictures, classes: Sequence[str]) -> str | None:
    """How the classes among which answers are taken differ from the official ones; `None` where they do not.

    Args:
        classes: what the outputs of the network are called, in their order.
    """
    if not BENCHMARKS[benchmark].has_subset:
        return None
    found, wanted = {classes[output] for output in pictures.outputs}, set(official_classes(benchmark))
    parts = (_named("missing classes", wanted - found), _named("classes that are none of its", found - wanted))
    return "; ".join(part for part in parts if part) or None


@functools.cache
def official_classes(benchmark: str) -> tuple[str, ...]:
    """The WNIDs of a benchmark of a part of ImageNet's classes, sorted."""
    lines = files("bench.evaluate").joinpath("subsets.csv").read_text(encoding="utf-8").splitlines()
    return tuple(row["wnid"] for row in csv.DictReader(lines) if row["benchmark"] == benchmark)


def _lacks(official: Benchmark, found: Accuracy) -> Iterator[str]:
    if found.num_pictures != official.num_pictures:
        yield f"{found.num_pictures:,} of {official.num_pictures:,} pictures"
    if found.num_classes != official.num_classes:
        yield f"{found.num_classes:,} of {official.num_classes:,} classes"
    if found.unreadable:
        name, reason = found.unreadable[0]
        yield f"{len(found.unreadable)} unreadable, such as {name}: {reason}"


def _named(what: str, names: set[str]) -> str:
    if not names:
        return ""
    more = ", ..." if len(names) > _NUM_NAMED else ""
    return f"{what} ({len(names)}): {', '.join(sorted(names)[:_NUM_NAMED])}{more}"
