"""Whether an artifact computes what its network computes; the standard library only, as all that runs on a device."""

from __future__ import annotations

import math
from collections.abc import Sequence

# Relative difference of logits that rounding explains: float32 in another order of summation is some 1e-6.
LARGEST_ERROR = 1e-3
# Half precision: the same class, and logits that point the same way.
LEAST_COSINE = 0.99


def check_output(found: Sequence[float], expected: Sequence[float], *, precision: str) -> tuple[float, str | None]:
    """The difference of an output from what it should be, and why that is too much (None: it is not).

    Args:
        found: what the runtime computed, flat.
        expected: the reference logits of the same picture.
        precision: "fp32" is held to `LARGEST_ERROR` (relative), others to top-1 and `LEAST_COSINE`.
    """
    if len(found) != len(expected):
        return math.inf, f"its output has {len(found)} numbers, the network's has {len(expected)}"
    scale = _length(expected)
    distance = _length([one - other for one, other in zip(found, expected)])  # of one length
    error = distance / scale if scale else _length(found)
    if precision == "fp32":
        reason = (
            f"its output differs from the network's by {error:.1e} (relative); at most {LARGEST_ERROR:.0e} is right; "
            "export it again, or try another runtime"
        )
        return error, None if error <= LARGEST_ERROR else reason
    lengths = _length(found) * scale
    product = math.fsum(one * other for one, other in zip(found, expected))
    cosine = product / lengths if lengths else 0.0
    first, second = _largest(found), _largest(expected)
    if first != second:
        return error, f"in {precision} it names class {first}, the network class {second}"
    if not cosine >= LEAST_COSINE:
        return (
            error,
            f"in {precision} the cosine of its logits with the network's is {cosine:.3f}; {LEAST_COSINE} is right",
        )
    return error, None


def _length(values: Sequence[float]) -> float:
    return math.sqrt(math.fsum(value * value for value in values))


def _largest(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__)
