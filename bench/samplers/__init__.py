"""Who is tried next, by a model of what was found: a sampler of Optuna's kind.

Knows spaces, Pareto fronts and arrays, and nothing of studies, stores or networks.
"""

from bench.samplers.sampler import NUM_STARTS, ModelSampler
from bench.samplers.source import SpaceSource

__all__ = ["NUM_STARTS", "ModelSampler", "SpaceSource"]
