"""How wrong a latency model is on architectures that it has not seen, beside what multiply-adds alone would tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from bench.errors import MeasureError
from bench.networks import costs
from bench.predict.features import Floats
from bench.predict.model import LatencyModel
from bench.predict.observations import Observations, observations, random_parts
from bench.space import Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """Errors on held-out architectures; an error is |predicted / measured - 1|, so it holds their noise too.

    Attributes:
        num_learned: architectures that a model had learned from, on average.
        num_held_out: architectures that the figures are about.
        median_error: of the model.
        p90_error: nine in ten errors are smaller.
        coverage: the share that fell into their 90 % interval.
        median_error_of_macs: of the best of three fits on multiply-adds alone, chosen with hindsight.
    """

    num_learned: int
    num_held_out: int
    median_error: float
    p90_error: float
    coverage: float
    median_error_of_macs: float

    def to_dict(self) -> dict[str, float]:
        """Plain JSON-able data."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"median error {self.median_error:.1%} on {self.num_held_out} held-out architectures, 9 in 10 below "
            f"{self.p90_error:.1%} ({self.median_error_of_macs:.1%} by multiply-adds alone); "
            f"{self.coverage:.0%} fell into their 90 % interval"
        )


def cross_validate(
    architectures: Sequence[Architecture],
    latencies_ms: Sequence[float] | Floats,
    *,
    noise: Sequence[float] | Floats | None = None,
    folds: int = 10,
    seed: int = 0,
) -> Validation:
    """The errors of models that were each fitted without one of the `folds` parts, on that part.

    All measurements of an architecture are in the same part.

    Raises:
        MeasureError: as `LatencyModel.fit`, for what a part leaves; or fewer than 2 parts.
    """
    if folds < 2:
        raise MeasureError(f"{folds} folds; at least 2 are needed; give how many parts to cut the measurements into")
    known = observations(architectures, latencies_ms, noise)
    return _judged([_Held.of(learned, unseen, seed) for learned, unseen in _parts(known, folds, seed)])


def hold_out(learned: Observations, unseen: Observations, *, seed: int = 0) -> Validation:
    """The errors on `unseen` of a model of `learned`."""
    return _judged([_Held.of(learned, unseen, seed)])


def _parts(known: Observations, number: int, seed: int) -> Iterator[tuple[Observations, Observations]]:
    for held in random_parts(len(known), number, seed=seed):
        rest = sorted(set(range(len(known))) - set(held))
        yield known.part(rest), known.part(held)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """Errors on some architectures of models that were fitted without them."""

    num_learned: int
    errors: Floats
    is_covered: npt.NDArray[np.bool_]
    errors_of_macs: Floats  # shape (fits, n)

    @classmethod
    def of(cls, learned: Observations, unseen: Observations, seed: int) -> _Held:
        found = LatencyModel.of(learned, seed=seed).predict(unseen.architectures)
        measured = unseen.latencies_ms
        return cls(
            num_learned=len(learned),
            errors=np.abs(found.ms / measured - 1),
            is_covered=(found.low_ms <= measured) & (measured <= found.high_ms),
            errors_of_macs=np.abs(_by_macs(learned, unseen.architectures) / measured - 1),
        )


def _judged(held: list[_Held]) -> Validation:
    errors = np.concatenate([part.errors for part in held])
    by_macs = np.concatenate([part.errors_of_macs for part in held], axis=1)
    return Validation(
        num_learned=round(sum(part.num_learned for part in held) / len(held)),
        num_held_out=len(errors),
        median_error=float(np.median(errors)),
        p90_error=float(np.quantile(errors, 0.9)),
        coverage=float(np.concatenate([part.is_covered for part in held]).mean()),
        median_error_of_macs=float(np.median(by_macs, axis=1).min()),
    )


def _by_macs(learned: Observations, unseen: Sequence[Architecture]) -> Floats:
    """What fits on multiply-adds predict: straight lines by absolute and by relative error, and a power law."""
    known, asked = _macs(learned.architectures), _macs(unseen)
    values = learned.latencies_ms
    lines = [np.polyval(np.polyfit(known, values, 1, w=w), asked) for w in (np.ones_like(values), 1 / values)]
    power = np.exp(np.polyval(np.polyfit(np.log(known), np.log(values), 1), np.log(asked)))
    return np.stack([*lines, power])


def _macs(architectures: Sequence[Architecture]) -> Floats:
    return np.array([costs(architecture).macs / 1e9 for architecture in architectures])
