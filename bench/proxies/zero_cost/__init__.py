"""Zero-cost proxies: what a network that was never trained tells about how well it would learn.

Five of the literature, each in a file of its own, and two sizes that need no network at all and that every proxy has to
beat (`sizes.py`). All look at the same few generated pictures (`probe.py`) through a network in train form with layer
scales of one (`lens.py`), take well under a second a network on one core, and are larger for what they think better.
None is an accuracy: README says what each was found to be worth.
"""

from bench.proxies.zero_cost.combination import PARTS, Standards, combine, standards_of
from bench.proxies.zero_cost.features import FEATURES, PROXIES, zero_cost_features
from bench.proxies.zero_cost.probe import NUM_PICTURES, RESOLUTION, Probe, make_probe

__all__ = [
    "FEATURES",
    "NUM_PICTURES",
    "PARTS",
    "PROXIES",
    "RESOLUTION",
    "Probe",
    "Standards",
    "combine",
    "make_probe",
    "standards_of",
    "zero_cost_features",
]
