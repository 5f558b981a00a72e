"""Networks: an architecture becomes a module in train form, its deploy form, its costs and its artifact.

Nothing here imports torch until a network is built: `costs` and `cost_quantities` run where torch is absent.
"""

from bench.networks.cost import Costs, cost_quantities, costs
from bench.networks.families import build

__all__ = ["Costs", "build", "cost_quantities", "costs"]
