from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bench.proxies.datasets import open_data
from bench.proxies.fractals import NUM_CATEGORIES, FractalSource, render


def test_same_name_same_bytes() -> None:
    first, second = (render(7, (0, 3), resolution=64) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.dtype == np.uint8


def test_bytes_are_pinned() -> None:
    # A change here is a change of every score on fractals: raise VERSION in bench/proxies/fractals.py with it.
    pictures = b"".join(render(c, (s, 0), resolution=64).tobytes() for c in range(5) for s in range(2))
    assert hashlib.sha256(pictures).hexdigest()[:16] == "0d8e7c8207f2aa1f"


@pytest.mark.parametrize("resolution", [8, 33, 64, 128])
def test_any_resolution(resolution: int) -> None:
    assert render(1, (0, 0), resolution=resolution).shape == (resolution, resolution, 3)


def test_pictures_categories_and_splits_differ() -> None:
    pictures = [render(c, (s, n), resolution=32).tobytes() for c in range(3) for s in range(2) for n in range(3)]
    assert len(set(pictures)) == len(pictures)


def test_every_category_has_a_shape() -> None:
    for category in range(0, NUM_CATEGORIES, 25):
        assert render(category, (0, 0), resolution=32).std() > 1.0


def test_default_is_twenty_balanced_classes(tmp_path: Path) -> None:
    data = open_data("fractals:per_class=6,val_per_class=2", resolution=16, seed=0, cache_dir=tmp_path, processes=0)
    assert len(data.classes) == 20
    assert data.name == "fractals"
    assert Counter(data.train.labels.tolist()) == dict.fromkeys(range(20), 6)
    assert Counter(data.val.labels.tolist()) == dict.fromkeys(range(20), 2)


def test_flags_override_the_text(tmp_path: Path) -> None:
    data = open_data(
        "fractals:classes=9,per_class=6",
        resolution=16,
        seed=0,
        cache_dir=tmp_path,
        classes=3,
        train_per_class=2,
        val_per_class=1,
        processes=0,
    )
    assert (len(data.classes), len(data.train.labels), len(data.val.labels)) == (3, 6, 3)


def test_names_say_what_is_drawn() -> None:
    source = FractalSource(num_train=2, num_val=1)
    picture = next(iter(source.pictures("val", [12])))
    np.testing.assert_array_equal(next(source.read([picture.name], 32)), render(12, (1, 0), resolution=32))
