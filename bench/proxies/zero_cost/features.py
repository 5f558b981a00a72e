"""What is known of an architecture before it is trained, as numbers by name: for models, searches and tables.

About a second an architecture on one core the first time, and nothing afterwards: the numbers follow from the
architecture, the seed and the release of the proxies alone, so they are kept by its id, in memory and, where a folder
is given, as a small file that all processes share. Another number of threads changes the last digits.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from bench.errors import ConfigError, nearest
from bench.networks.families import build
from bench.proxies.zero_cost.gradient_norm import gradient_norm
from bench.proxies.zero_cost.jacobian import jacobian_covariance
from bench.proxies.zero_cost.naswot import naswot
from bench.proxies.zero_cost.probe import NUM_CLASSES, RESOLUTION, Probe, make_probe
from bench.proxies.zero_cost.sizes import SIZES, sizes
from bench.proxies.zero_cost.synflow import synflow
from bench.proxies.zero_cost.zico import zico

if TYPE_CHECKING:
    from bench.space import Architecture

# Each takes a network in train form of `NUM_CLASSES` at `RESOLUTION` and leaves it as it was; larger is better.
PROXIES: Mapping[str, Callable[[nn.Module, Probe], float]] = {
    "naswot": naswot,
    "synflow": synflow,
    "zico": zico,
    "gradient_norm": gradient_norm,
    "jacobian_covariance": jacobian_covariance,
}
FEATURES = (*PROXIES, *SIZES)

# Raised when a proxy, the probe or the lens gives other numbers.
VERSION = 1

_known: dict[tuple[str, int], dict[str, float]] = {}


def zero_cost_features(
    architecture: Architecture, *, names: Sequence[str] = FEATURES, seed: int = 0, cache_dir: Path | None = None
) -> dict[str, float]:
    """The numbers of `names` for an architecture of any family, in that order.

    Args:
        names: of `FEATURES`; only what is asked for is computed.
        seed: of weights and pictures.
        cache_dir: where numbers are kept beyond this process; None: nowhere.

    Raises:
        ConfigError: a name that is none.
        NetworkError: it cannot be built.
    """
    for name in names:
        if name not in FEATURES:
            known = ", ".join(FEATURES)
            raise ConfigError(f"unknown zero-cost proxy {name!r}; known: {known}{nearest(name, FEATURES)}")
    found = _known.setdefault((architecture.id, seed), {})
    file = None if cache_dir is None else cache_dir / "zero_cost" / f"v{VERSION}-{seed}" / f"{architecture.id}.json"
    if file is not None and not set(names) <= set(found):
        found.update(_read(file))
    missing = [name for name in PROXIES if name in names and name not in found]
    found.update(sizes(architecture))
    if missing:
        network = build(architecture, num_classes=NUM_CLASSES, seed=seed, resolution=RESOLUTION)
        found.update((name, PROXIES[name](network, make_probe(seed))) for name in missing)
        if file is not None:
            _write(file, found)
    return {name: found[name] for name in names}


def _read(file: Path) -> dict[str, float]:
    try:
        stored = json.loads(file.read_text())
    except (OSError, ValueError):  # not there yet, or damaged: it is made again
        return {}
    return {name: float(value) for name, value in stored.items() if name in PROXIES}


def _write(file: Path, found: Mapping[str, float]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=file.parent, prefix=".", suffix=".partial")
    with os.fdopen(handle, "w") as stream:
        json.dump({name: found[name] for name in PROXIES if name in found}, stream)
    Path(partial).replace(file)
