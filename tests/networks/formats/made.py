"""One small network in every format, each written once for all tests that look at it."""

from __future__ import annotations

import atexit
import functools
import importlib.util
import shutil
import tempfile
from pathlib import Path

import pytest
from torch import nn

from bench.networks import build
from bench.networks.fold import randomise
from bench.networks.formats import FORMATS, Exported, export_as
from bench.space import Architecture, load_space

RESOLUTION = 64


def architecture() -> Architecture:
    """Attention, RepMixer and squeeze-and-excitation, in 60,000 parameters."""
    return load_space("smoke").reference_points["smoke_attention"]


def network(seed: int = 0) -> nn.Module:
    """Its train form with the statistics of a trained network, so that comparisons say something."""
    made = build(architecture(), seed=seed)
    randomise(made, seed=seed)
    return made.eval()


@functools.cache
def exported(kind: str, precision: str | None = None) -> Exported:
    """The network as `kind`; the test is skipped where the format's packages are missing."""
    needs(kind)
    path = _folder() / f"{precision or 'usual'}{FORMATS[kind].suffix}"
    return export_as(
        network(), path, kind=kind, resolution=RESOLUTION, precision=precision, architecture=architecture()
    )


def needs(kind: str) -> None:
    missing = [name for name in FORMATS[kind].packages if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed; add with: {FORMATS[kind].command}")


@functools.cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="bench-formats-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
