"""Published figures and claims, each with its source, from `results/reference/`.

Figures that disagree stay side by side: whoever reads them says which form, statistic and device a comparison is
about. Nothing is averaged or rounded here.
"""

from bench.reproduce.published.claims import CLAIMS_FILE, COMPARISONS, Claim, claims, compare
from bench.reproduce.published.figures import (
    FIGURE_FILES,
    FORMS,
    QUANTITIES,
    STATISTICS,
    TRAININGS,
    Figure,
    all_figures,
    figures,
    models,
)

__all__ = [
    "CLAIMS_FILE",
    "COMPARISONS",
    "FIGURE_FILES",
    "FORMS",
    "QUANTITIES",
    "STATISTICS",
    "TRAININGS",
    "Claim",
    "Figure",
    "all_figures",
    "claims",
    "compare",
    "figures",
    "models",
]
