"""Who is tried next, by a model of what was found: a sampler of Optuna's kind.

Knows spaces, Pareto fronts and arrays, and nothing of studies, stores or networks.
"""

from bench.search.sampler import NUM_STARTS, ModelSampler
from bench.search.source import SpaceSource

__all__ = ["NUM_STARTS", "ModelSampler", "SpaceSource"]
