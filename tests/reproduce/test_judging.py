from __future__ import annotations

from dataclasses import replace

import pytest

from bench.evaluate import published_preprocessing
from bench.reproduce.judging import Circumstances, recognised, verdicts
from bench.reproduce.published import Figure, figures


def figure(value: float, **changes: object) -> Figure:
    """A published top-1 of SA36 at 256 px, plainly trained, of which the source says no more."""
    found = next(one for one in figures("fastvit_sa36") if one.quantity == "top1" and one.training == "plain")
    told = {"value": value, "decimals": 1, "note": "", "resolution": 256, "weights": None, "crop": None}
    return replace(found, **{**told, **changes})  # type: ignore[arg-type]


def circumstances(model: str = "fastvit_sa36", **changes: object) -> Circumstances:
    """Those of a file, shown pictures as its authors do; SA36 has crop 0.95 there."""
    published = published_preprocessing(model)
    told = {"weights": None, "training": None, "is_tensorflow": False, "preprocessing": published}
    return Circumstances(published=published, **{**told, **changes})  # type: ignore[arg-type]


HUB = circumstances(weights="fastvit_sa36.apple_in1k", training="plain")


@pytest.mark.parametrize(
    ("published", "found", "verdict"),
    [
        (figure(83.6), 83.55, "reproduced"),
        (figure(83.6), 83.8, "differs"),
        (figure(83.6, crop=0.95), 83.6, "reproduced"),
        (figure(83.502, crop=0.9), 83.502, "not run: crop 0.9 (bench evaluate --crop 0.9)"),
        (figure(84.5, resolution=384), 83.6, "not run: 384 px (--resolution 384)"),
        (figure(83.6, resolution=None), 83.6, "reproduced"),
        (figure(83.6, weights="fastvit_sa36.apple_in1k"), 83.6, "reproduced"),
        (
            figure(83.6, weights="fastvit_sa36.apple_dist_in1k"),
            83.6,
            "not run: weights fastvit_sa36.apple_dist_in1k",
        ),
        (figure(84.2, training="distilled"), 83.6, "not run: distilled weights"),
        (figure(84.2, training="unstated"), 83.6, "differs"),
    ],
)
def test_like_is_compared_with_like(published: Figure, found: float, verdict: str) -> None:
    assert verdicts([published], found, HUB) == [verdict]


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"crop": 0.9}, "not run: crop 0.95 (bench evaluate --crop 0.95)"),
        ({"interpolation": "bilinear"}, "not run: bicubic interpolation (bench evaluate --interpolation bicubic)"),
        ({"resolution": 224}, "not run: 256 px (--resolution 256)"),
    ],
)
def test_pictures_that_are_shown_otherwise_are_another_task(changes: dict[str, object], verdict: str) -> None:
    shown = replace(HUB.preprocessing, **changes)  # type: ignore[arg-type]
    assert verdicts([figure(83.6)], 83.6, replace(HUB, preprocessing=shown)) == [verdict]


def test_a_part_of_the_pictures_has_no_verdict() -> None:
    found = verdicts([figure(83.6), figure(84.2)], 83.6, HUB, partial="3 of 50,000 pictures")
    assert found == ["not run: the whole benchmark (3 of 50,000 pictures)"] * 2


PLAIN, DISTILLED = figure(83.6), figure(84.2, training="distilled")
NAMED = figure(83.602, decimals=3, weights="fastvit_sa36.apple_in1k")
OTHER = figure(83.4, weights="fastvit_sa36.other_in1k")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (83.62, ["reproduced", "not run: distilled weights", "reproduced", "not run: weights fastvit_sa36.other_in1k"]),
        (84.18, ["not run: plain weights", "reproduced", "not run: plain weights", "not run: plain weights"]),
        (81.0, ["differs", "differs", "differs", "differs"]),
    ],
)
def test_a_file_is_known_by_the_figure_that_it_reproduces(found: float, expected: list[str]) -> None:
    assert verdicts([PLAIN, DISTILLED, NAMED, OTHER], found, circumstances()) == expected


def test_what_an_accuracy_gives_away_is_kept_for_other_figures() -> None:
    known = recognised([PLAIN, DISTILLED, NAMED], 83.62, circumstances())
    assert (known.training, known.weights) == ("plain", "fastvit_sa36.apple_in1k")
    assert verdicts([replace(DISTILLED, value=35.0)], 35.0, known) == ["not run: distilled weights"]


def test_an_accuracy_that_fits_both_trainings_gives_nothing_away() -> None:
    near = figure(83.7, training="distilled")
    assert recognised([PLAIN, near], 83.65, circumstances()).training is None
    assert verdicts([PLAIN, near], 83.65, circumstances()) == ["reproduced", "reproduced"]


def test_a_figure_that_another_crop_keeps_from_being_judged_gives_nothing_away() -> None:
    assert recognised([figure(83.6, crop=0.9)], 83.6, circumstances()).training is None


@pytest.mark.parametrize("is_tensorflow", [True, False])
def test_weights_from_tensorflow_are_not_judged_with_another_padding(is_tensorflow: bool) -> None:
    known = circumstances("efficientnet_b0", is_tensorflow=is_tensorflow)
    tensorflow = [
        one for one in figures("efficientnet_b0") if one.quantity == "top1" and (one.weights or "").endswith(".aa_in1k")
    ]
    assert [one.value for one in tensorflow] == [76.882]
    torch = replace(tensorflow[0], weights="efficientnet_b0.ra_in1k", value=77.7)
    expected = ["reproduced", "not run: weights efficientnet_b0.ra_in1k, PyTorch's padding"]
    if not is_tensorflow:
        expected = ["not run: weights tf_efficientnet_b0.aa_in1k, TensorFlow's padding", "differs"]
    assert verdicts([*tensorflow, torch], 76.882, known) == expected
