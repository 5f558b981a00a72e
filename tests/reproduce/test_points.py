"""Claims in points: what the evaluation gives is made up, what is made of it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import NetworkError
from bench.evaluate import Accuracy
from bench.networks.models import Model
from bench.reproduce import points
from bench.reproduce.points import points_finding
from bench.reproduce.published import claims
from bench.reproduce.work import Work

CLAIM = next(claim for claim in claims() if claim.name == "mobileone")
WORK = Work(places=(), keep=lambda measurement: None, imagenet=Path("val"), download=True)


def counted(top1: float, *, pictures: int = 50_000) -> Accuracy:
    right = round(top1 / 100 * pictures)
    return Accuracy(
        data="imagenet",
        fingerprint="0" * 32,
        num_classes=1000,
        num_pictures=pictures,
        num_top1=right,
        num_top5=right,
        unreadable=(),
    )


def evaluated(monkeypatch: pytest.MonkeyPatch, t8: float, s0: float, *, pictures: int = 50_000) -> None:
    def evaluate(model: Model, work: Work) -> Accuracy:
        assert work.weights is None
        assert (model.name, model.resolution) in (("fastvit_t8", 256), ("mobileone_s0", 224))
        return counted({"fastvit_t8": t8, "mobileone_s0": s0}[model.name], pictures=pictures)

    monkeypatch.setattr(points, "evaluate_published", evaluate)


def test_both_sides_are_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated(monkeypatch, 75.62, 71.38)
    found = points_finding(CLAIM, WORK)
    assert found.measured == "4.24 points (fastvit_t8 75.620 % - mobileone_s0 71.380 %, released weights)"
    assert found.verdict == "reproduced"
    assert found.values == pytest.approx({"points": 4.24, "fastvit_t8": 75.62, "mobileone_s0": 71.38})


def test_other_weights_than_the_claims_do_not_judge_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The released FastViT-T8 has 76.2 %, the paper's had 75.6 %."""
    evaluated(monkeypatch, 76.17, 71.42)
    found = points_finding(CLAIM, WORK)
    assert found.values["points"] == pytest.approx(4.75)
    assert found.verdict == (
        "not run: the weights that the claim was made with: fastvit_t8 with 75.6 % (its released weights have 76.17 %)"
    )


def test_an_accuracy_that_nobody_published_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated(monkeypatch, 60.0, 71.4)
    assert points_finding(CLAIM, WORK).verdict == "differs"


def test_a_part_of_the_pictures_judges_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated(monkeypatch, 75.6, 71.4, pictures=1000)
    assert points_finding(CLAIM, WORK).verdict == "not run: the whole benchmark (1,000 of 50,000 pictures)"


@pytest.mark.parametrize(
    ("work", "missing"),
    [
        (
            Work(places=(), keep=lambda measurement: None),
            "ImageNet (--imagenet DIR) and both weights (--download)",
        ),
        (Work(places=(), keep=lambda measurement: None, imagenet=Path("val")), "both weights (--download)"),
        (Work(places=(), keep=lambda measurement: None, download=True), "ImageNet (--imagenet DIR)"),
    ],
)
def test_what_is_missing_is_named(work: Work, missing: str) -> None:
    found = points_finding(CLAIM, work)
    assert (found.verdict, found.measured) == (f"not run: {missing}", "")
    assert found.published == "4.2 points (75.6 - 71.4 = 4.2)"


def test_weights_that_cannot_be_fetched_are_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(model: Model, work: Work) -> Accuracy:
        raise NetworkError("the hub is\nout of reach")

    monkeypatch.setattr(points, "evaluate_published", refuse)
    assert points_finding(CLAIM, WORK).verdict == "not run: the hub is out of reach"
