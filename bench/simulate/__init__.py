"""Searches against tables of trained networks, to judge a sampler without training anything.

A table stands in for the machine; the plan, the halving and the proposer are those of a study (`bench/study`).
"""

from bench.simulate.curves import Curve, Summary, curve_of, summary_of
from bench.simulate.run import Evaluation, Noise, Settings, evaluations, usual_reduction
from bench.simulate.scales import Scale
from bench.simulate.seeds import SeedResult, run_seeds
from bench.simulate.task import Fidelity, Task, make_task

__all__ = [
    "Curve",
    "Evaluation",
    "Fidelity",
    "Noise",
    "Scale",
    "SeedResult",
    "Settings",
    "Summary",
    "Task",
    "curve_of",
    "evaluations",
    "make_task",
    "run_seeds",
    "summary_of",
    "usual_reduction",
]
