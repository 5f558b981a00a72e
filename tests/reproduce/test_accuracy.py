from __future__ import annotations

from dataclasses import replace

import pytest

from bench.evaluate import published_preprocessing
from bench.reproduce.accuracy import judged
from bench.reproduce.published import Figure, figures

OURS = published_preprocessing("fastvit_sa36")  # crop 0.95, as its authors have it


def figure(value: float, note: str = "", resolution: int | None = 256) -> Figure:
    found = next(one for one in figures("fastvit_sa36") if one.quantity == "top1")
    return replace(found, value=value, decimals=1, note=note, resolution=resolution)


@pytest.mark.parametrize(
    ("published", "found", "verdict"),
    [
        (figure(83.6), 83.55, "reproduced"),
        (figure(83.6), 83.8, "differs"),
        (figure(83.502, note="weights x; crop 0.900"), 83.502, "not run: crop 0.9 (--crop)"),
        (figure(83.6, note="weights x; crop 0.950"), 83.6, "reproduced"),
        (figure(84.5, resolution=384), 83.6, "not run: 384 px (--resolution)"),
    ],
)
def test_like_is_compared_with_like(published: Figure, found: float, verdict: str) -> None:
    assert judged(published, found, OURS) == verdict
