"""The sizes that every proxy has to beat: parameters and multiply-adds, known without building anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.networks.cost import cost_quantities

if TYPE_CHECKING:
    from bench.space import Architecture

SIZES = ("params_m", "macs_g")


def sizes(architecture: Architecture) -> dict[str, float]:
    """Parameters in millions and multiply-adds in billions of the deploy form at its own resolution."""
    quantities = cost_quantities(architecture)
    return {name: quantities[name] for name in SIZES}
