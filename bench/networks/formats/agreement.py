"""Whether a file computes what torch computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from bench.errors import ExportError
from bench.networks.export import LARGEST_ERROR

if TYPE_CHECKING:
    from torch import Tensor

    from bench.networks.formats.exported import Source

# Of float16 logits, whose relative error is some 1e-3: the direction has to hold, and the answer.
LEAST_COSINE = 0.999


def agreement(found: Tensor, source: Source) -> tuple[float, float]:
    """Relative error and cosine of `found`, the file's logits for `source.picture`.

    Raises:
        ExportError: they are not those of torch.
    """
    expected = source.expected.flatten()
    found = found.detach().float().flatten()
    if found.shape != expected.shape:
        raise ExportError(
            f"the artifact gives {found.numel()} numbers, torch gives {expected.numel()}; "
            "they have to agree; export the network again"
        )
    error = float((found - expected).norm() / expected.norm())
    cosine = float(torch.nn.functional.cosine_similarity(found.double(), expected.double(), dim=0))
    if source.precision == "fp32" and not error <= LARGEST_ERROR:  # also refuses NaN
        raise ExportError(
            f"the artifact differs from torch by {error:.1e} (relative, float32); "
            f"at most {LARGEST_ERROR:.0e} is allowed; export the network again or in another format"
        )
    is_same = bool(found.argmax() == expected.argmax())
    if source.precision != "fp32" and not (is_same and cosine >= LEAST_COSINE):
        raise ExportError(
            f"the artifact's {source.precision} logits have cosine {cosine:.6f} to torch's and "
            f"{'the same' if is_same else 'another'} top class; at least {LEAST_COSINE} and the same are needed; "
            "export the network again with precision fp32"
        )
    return error, cosine
