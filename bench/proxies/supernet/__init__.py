"""Weight sharing: one set of weights for all FastViTs of a space, trained once, by which any of them is scored.

`layout.py` says which part of the shared weights a network uses, `weights.py` holds them, `extremes.py` finds the ends
of a space, `sandwich.py` is a step of the training and `training.py` all of it, `file.py` keeps what was trained, and
`scoring.py` takes a network out and scores it. References: Cai et al. 2020, "Once-for-All"; Yu et al. 2020, "BigNAS".
"""

from bench.proxies.supernet.file import Supernet, read_supernet
from bench.proxies.supernet.scoring import subnet, supernet_score
from bench.proxies.supernet.settings import Pictures, SupernetSettings
from bench.proxies.supernet.training import train_supernet

__all__ = [
    "Pictures",
    "Supernet",
    "SupernetSettings",
    "read_supernet",
    "subnet",
    "supernet_score",
    "train_supernet",
]
