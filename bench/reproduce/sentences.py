"""What came of a claim in plain words, beside what was claimed.

A published number is a rounding: 2.7 is said of anything from 2.65 to 2.75. "More" or "less" than it is said only where
the whole interval, widened by what the session cannot tell apart, lies outside of that.
"""

from __future__ import annotations

from bench.measure import Comparison
from bench.reproduce.published import Claim
from bench.reproduce.sessions import LEAST_RESTARTS, counted

# Every number of claims.csv is printed with one decimal.
_HALF_UNIT = 0.05


def published_text(claim: Claim) -> str:
    """What was claimed, with device and batch; of equal speed the two latencies, since nobody published a ratio."""
    if claim.comparison == "points":
        values = f"{claim.model_value:g} - {claim.opponent_value:g} = {claim.arithmetic:g}"
        return f"{claim.published:.1f} points ({values})"
    batch = "" if claim.batch is None else f", batch {claim.batch}"
    return f"{_published(claim)} on {claim.device or 'a device that the source does not name'}{batch}"


def is_equality(claim: Claim) -> bool:
    """Whether it claims that two networks take about as long."""
    return claim.comparison == "speedup" and claim.published == 1.0


def published_speedups(claim: Claim) -> tuple[float, float]:
    """The least and the largest speedup that the published number stands for."""
    low, high = claim.published - _HALF_UNIT, claim.published + _HALF_UNIT
    return (low, high) if claim.comparison == "speedup" else (1 / (1 - low / 100), 1 / (1 - high / 100))


def widened(pair: Comparison) -> tuple[float, float]:
    """The interval of a ratio with what its session cannot tell apart on either side."""
    return pair.low * (1 - pair.margin), pair.high * (1 + pair.margin)


def in_terms(claim: Claim, speedup: float) -> float:
    """A speedup as the claim counts: times, or per cent of the opponent's time that are saved."""
    return 100 * (1 - 1 / speedup) if claim.comparison == "saving" else speedup


def sentence(claim: Claim, pair: Comparison) -> str:
    """What was found, in plain words.

    Args:
        pair: the opponent's latency over the model's.
    """
    model, opponent = claim.model, claim.opponent
    if pair.num_restarts < LEAST_RESTARTS:
        return (
            f"in {counted(pair.num_restarts)}, too few for an interval, {opponent} took {pair.ratio:.2f} times as long "
            f"as {model}; {_claimed(claim)}"
        )
    if pair.verdict == "undecided":
        return f"here {model} and {opponent} cannot be told apart; {_claimed(claim)}"
    if pair.verdict == "equal":
        return f"here {model} and {opponent} take equally long" + (
            ", as claimed" if is_equality(claim) else f"; {_claimed(claim)}"
        )
    if is_equality(claim):
        longer, shorter, ratio = (opponent, model, pair.ratio) if pair.low > 1 else (model, opponent, 1 / pair.ratio)
        return f"here {longer} takes {ratio:.2f} times as long as {shorter}; {_claimed(claim)}"
    if pair.low > 1:
        return f"{model} is faster here too, {_beside(claim, pair)}: {_told(claim, pair.ratio)}"
    return f"here it is the other way round: {model} takes {1 / pair.ratio:.2f} times as long as {opponent}"


def _beside(claim: Claim, pair: Comparison) -> str:
    (low, high), (least, largest) = widened(pair), published_speedups(claim)
    if low > largest:
        return f"more than the {_published(claim)} claimed"
    return f"less than the {_published(claim)} claimed" if high < least else "as claimed"


def _told(claim: Claim, speedup: float) -> str:
    unit = " % less time" if claim.comparison == "saving" else " times"
    return f"{in_terms(claim, speedup):.{1 if claim.comparison == 'saving' else 2}f}{unit}"


def _published(claim: Claim) -> str:
    if is_equality(claim):
        return f"similar ({claim.model_value:g} and {claim.opponent_value:g} ms)"
    return f"{claim.published:.1f}" + (" % less time" if claim.comparison == "saving" else " times")


def _claimed(claim: Claim) -> str:
    if is_equality(claim):
        return "claimed is that they take about as long"
    return f"claimed is {_published(claim)}" + ("" if claim.comparison == "saving" else " faster")
