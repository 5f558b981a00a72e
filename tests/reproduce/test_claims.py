from __future__ import annotations

import dataclasses

import pytest

from bench.measure import Comparison
from bench.reproduce.claims import pair_of, pairs, sentence
from bench.reproduce.published import Claim, claims
from bench.study.models import reference_points


def claim(name: str) -> Claim:
    return next(found for found in claims() if found.name == name)


def pair(low: float, ratio: float, high: float, verdict: str) -> Comparison:
    return Comparison(ratio=ratio, low=low, high=high, margin=0.01, verdict=verdict)


def test_claims_of_one_pair_are_measured_once_and_each_pair_can_be_built() -> None:
    grouped = pairs()
    assert sum(len(found) for found in grouped.values()) == len(claims())
    assert len(grouped[pair_of(claim("convnext"))]) == 2  # phone and GPU
    assert pair_of(claim("cmt")) == ("fastvit_ma36@256", "cmt_s@224")
    assert pair_of(claim("nfnet")) == ("fastvit_ma36@384", "timm:nfnet_f1@320")
    ours = {name.split("@")[0] for both in grouped for name in both if not name.startswith("timm:")}
    assert ours <= set(reference_points())


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (pair(3.3, 3.5, 3.7, "slower"), "fastvit_ma36 is faster here too, as claimed: 3.50 times"),
        (pair(1.4, 1.5, 1.6, "slower"), "fastvit_ma36 is faster here too, less than the 3.50 claimed: 1.50 times"),
        (pair(4.0, 4.2, 4.4, "slower"), "fastvit_ma36 is faster here too, more than the 3.50 claimed: 4.20 times"),
        (
            pair(0.4, 0.5, 0.6, "faster"),
            "here it is the other way round: fastvit_ma36 takes 2.00 times as long as cmt_s",
        ),
        (
            pair(0.99, 1.0, 1.01, "equal"),
            "here fastvit_ma36 and cmt_s take equally long; the claim is a speedup of 3.50",
        ),
        (pair(0.9, 1.0, 1.1, "undecided"), "here fastvit_ma36 and cmt_s cannot be told apart; the claim is"),
    ],
)
def test_sentences_say_what_was_found(found: Comparison, said: str) -> None:
    assert sentence(claim("cmt"), found).startswith(said)


def test_a_saving_is_told_as_the_speedup_it_is() -> None:
    # 26.3 % less time is a speedup of 1.357.
    assert "less than the 1.36 claimed" in sentence(claim("mobileone_s4"), pair(1.1, 1.2, 1.3, "slower"))
    assert "as claimed" in sentence(claim("mobileone_s4"), pair(1.3, 1.35, 1.4, "slower"))


def test_a_claim_of_equal_speed_is_not_called_a_speedup() -> None:
    equal = dataclasses.replace(claim("mobileone_latency"), published=1.0)
    assert sentence(equal, pair(1.2, 1.3, 1.4, "slower")).startswith(
        "here fastvit_t8 is faster: mobileone_s0 takes 1.30"
    )
