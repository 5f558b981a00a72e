"""Claims in points of accuracy: both networks evaluated with their released weights on ImageNet.

A claim was made with the weights of its day. Where the released ones have another published accuracy, the difference
is told and the claim as such is not run: like is compared with like.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bench.errors import BenchError
from bench.evaluate import why_partial
from bench.networks.models import Model
from bench.reproduce.accuracy import evaluate_published
from bench.reproduce.findings import DIFFERS, REPRODUCED, Finding, failed, not_run
from bench.reproduce.judging import TOLERANCE
from bench.reproduce.names import is_at
from bench.reproduce.published import Claim, figures
from bench.reproduce.sentences import published_text
from bench.reproduce.work import Work
from bench.study.models import find_model

if TYPE_CHECKING:
    from bench.evaluate import Accuracy


def points_finding(claim: Claim, work: Work) -> Finding:
    """The difference of the two accuracies, or what is missing for it."""
    common = Finding(quantity=claim.text, published=published_text(claim), note=claim.note, source=claim.source)
    lacking = [
        what
        for what, is_there in (
            ("ImageNet (--imagenet DIR)", work.imagenet is not None),
            ("both weights (--download)", work.download),
        )
        if not is_there
    ]
    if lacking:
        return replace(common, verdict=not_run(" and ".join(lacking)))
    try:
        model, opponent = (_evaluated(name, side, work) for name, side in _sides(claim))
    except BenchError as error:
        return replace(common, verdict=failed(error))
    return replace(
        common,
        measured=f"{model.top1 - opponent.top1:.2f} points ({claim.model} {model.top1:.3f} % - {claim.opponent} "
        f"{opponent.top1:.3f} %, released weights)",
        verdict=_verdict(claim, model, opponent),
        values={"points": model.top1 - opponent.top1, claim.model: model.top1, claim.opponent: opponent.top1},
    )


def _sides(claim: Claim) -> tuple[tuple[str, int], tuple[str, int]]:
    return (claim.model, claim.model_resolution), (claim.opponent, claim.opponent_resolution)


def _evaluated(name: str, resolution: int, work: Work) -> Accuracy:
    model = find_model(f"{name}@{resolution}")
    assert isinstance(model, Model)  # claims in points are about reference points
    return evaluate_published(model, replace(work, weights=None))


def _verdict(claim: Claim, model: Accuracy, opponent: Accuracy) -> str:
    partial = why_partial("imagenet", model) or why_partial("imagenet", opponent)
    if partial is not None:
        return not_run(f"the whole benchmark ({partial})")
    values = (claim.model_value, claim.opponent_value)
    others: list[str] = []
    for (name, resolution), value, found in zip(_sides(claim), values, (model, opponent), strict=True):
        if _is_near(found.top1, value):
            continue
        if not any(_is_near(found.top1, known) for known in _published(name, resolution)):
            return DIFFERS
        others.append(f"{name} with {value:g} % (its released weights have {found.top1:.2f} %)")
    return not_run(f"the weights that the claim was made with: {', '.join(others)}") if others else REPRODUCED


def _published(name: str, resolution: int) -> list[float]:
    return [
        figure.value
        for figure in figures(name)
        if figure.quantity == "top1" and figure.value is not None and is_at(figure, resolution)
    ]


def _is_near(found: float, published: float) -> bool:
    return abs(found - published) <= TOLERANCE
