from __future__ import annotations

import csv

import pytest

from bench.content import folder
from bench.measure import Comparison
from bench.reproduce.published import Claim, claims
from bench.reproduce.sentences import published_speedups, published_text, sentence, widened


def claim(name: str) -> Claim:
    return next(found for found in claims() if found.name == name)


def pair(
    low: float, ratio: float, high: float, verdict: str = "slower", *, restarts: int = 6, margin: float = 0.01
) -> Comparison:
    return Comparison(ratio=ratio, low=low, high=high, margin=margin, verdict=verdict, num_restarts=restarts)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (pair(3.3, 3.5, 3.7), "fastvit_ma36 is faster here too, as claimed: 3.50 times"),
        (pair(1.4, 1.5, 1.6), "fastvit_ma36 is faster here too, less than the 3.5 times claimed: 1.50 times"),
        (pair(4.0, 4.2, 4.4), "fastvit_ma36 is faster here too, more than the 3.5 times claimed: 4.20 times"),
        (
            pair(0.4, 0.5, 0.6, "faster"),
            "here it is the other way round: fastvit_ma36 takes 2.00 times as long as cmt_s",
        ),
        (
            pair(0.99, 1.0, 1.01, "equal"),
            "here fastvit_ma36 and cmt_s take equally long; claimed is 3.5 times faster",
        ),
        (
            pair(0.9, 1.0, 1.1, "undecided"),
            "here fastvit_ma36 and cmt_s cannot be told apart; claimed is 3.5 times faster",
        ),
        (
            pair(1.4, 1.5, 1.6, restarts=2),
            "in 2 restarts, too few for an interval, cmt_s took 1.50 times as long as fastvit_ma36; claimed is 3.5 "
            "times faster",
        ),
    ],
)
def test_sentences_say_what_was_found(found: Comparison, said: str) -> None:
    assert sentence(claim("cmt"), found) == said


def test_a_published_number_is_a_rounding() -> None:
    """2.7 stands for 2.65 to 2.75, and what the session cannot tell apart widens the interval."""
    told = claim("efficientformer")
    assert published_speedups(told) == pytest.approx((2.65, 2.75))
    assert "as claimed" in sentence(told, pair(2.59, 2.64, 2.68))
    assert "as claimed" in sentence(told, pair(2.60, 2.62, 2.64))  # 2.64 widened by 1 % reaches 2.65
    assert "less than the 2.7 times claimed" in sentence(told, pair(2.55, 2.58, 2.62))
    assert "as claimed" in sentence(told, pair(2.55, 2.58, 2.62, margin=0.03))
    assert "as claimed" in sentence(told, pair(2.77, 2.78, 2.79))
    assert "more than the 2.7 times claimed" in sentence(told, pair(2.79, 2.80, 2.81))
    assert widened(pair(2.0, 2.1, 2.2, margin=0.1)) == pytest.approx((1.8, 2.42))


def test_a_saving_is_told_as_one() -> None:
    # 26.3 % less time is a speedup of 1.357.
    told = claim("mobileone_s4")
    assert published_speedups(told) == pytest.approx((1 / 0.7375, 1 / 0.7365))
    said = "fastvit_s12 is faster here too, less than the 26.3 % less time claimed: 16.7 % less time"
    assert sentence(told, pair(1.1, 1.2, 1.3)) == said
    assert "as claimed: 25.9 % less time" in sentence(told, pair(1.3, 1.35, 1.4))
    few = sentence(told, pair(1.1, 1.2, 1.3, restarts=1))
    assert few.startswith("in 1 restart, too few for an interval, mobileone_s4 took 1.20 times as long as fastvit_s12")
    assert few.endswith("claimed is 26.3 % less time")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (pair(0.995, 1.0, 1.005, "equal"), "here fastvit_t8 and mobileone_s0 take equally long, as claimed"),
        (
            pair(0.9, 1.0, 1.1, "undecided"),
            "here fastvit_t8 and mobileone_s0 cannot be told apart; claimed is that they take about as long",
        ),
        (
            pair(1.2, 1.3, 1.4),
            "here mobileone_s0 takes 1.30 times as long as fastvit_t8; claimed is that they take about as long",
        ),
        (
            pair(0.30, 0.3048, 0.31, "faster"),
            "here fastvit_t8 takes 3.28 times as long as mobileone_s0; claimed is that they take about as long",
        ),
    ],
)
def test_a_claim_of_equal_speed_is_no_speedup(found: Comparison, said: str) -> None:
    assert sentence(claim("mobileone_latency"), found) == said


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cmt", "3.5 times on iPhone 12 Pro Max, batch 1"),
        ("convnext_gpu", "2.0 times on RTX 2080 Ti, batch 8"),
        ("mobileone", "4.2 points (75.6 - 71.4 = 4.2)"),
        ("mobileone_latency", "similar (0.8 and 0.79 ms) on iPhone 12 Pro Max, batch 1"),
        ("nfnet_gpu", "similar (16.5 and 16.9 ms) on RTX 2080 Ti, batch 8"),
        ("mobileone_s4", "26.3 % less time on iPhone 12 Pro Max, batch 1"),
    ],
)
def test_what_was_published_is_told_as_it_was(name: str, text: str) -> None:
    assert published_text(claim(name)) == text


def test_every_claimed_number_has_the_one_decimal_that_its_rounding_is_taken_from() -> None:
    with (folder("results") / "reference" / "claims.csv").open(newline="", encoding="utf-8") as file:
        printed = [row["published"] for row in csv.DictReader(file)]
    assert {len(text.partition(".")[2]) for text in printed} == {1}
