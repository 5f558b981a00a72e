"""Latency models: what an architecture would take on a runner, from what others took there. For screening only.

    samples = usable(records, fingerprint)     what a store holds of one runner
    found = calibrate(samples)                 a model and its error on architectures that it has not seen
    found.model.predict(architectures)         milliseconds with 90 % intervals; never reported as measured
    choose(space, 60)                          what to measure first

Imports neither torch nor scikit-learn until a model is fitted.
"""

from bench.predict.evaluation import Validation, cross_validate, hold_out
from bench.predict.model import LatencyModel, Prediction
from bench.predict.observations import Observations, observations
from bench.predict.selection import choose
from bench.predict.stored import Calibration, Sample, calibrate, comparable_ms, fit_from_store, usable

__all__ = [
    "Calibration",
    "LatencyModel",
    "Observations",
    "Prediction",
    "Sample",
    "Validation",
    "calibrate",
    "choose",
    "comparable_ms",
    "cross_validate",
    "fit_from_store",
    "hold_out",
    "observations",
    "usable",
]
