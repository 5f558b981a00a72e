"""bench: hardware-aware architecture search and benchmarking around FastViT.

import bench
study = bench.search("smoke", budget=6)
bench.load_study(study.name).front()   # a pandas frame
bench.plots.pareto(study)              # a Plotly figure
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench import plots
    from bench.api import Study, load_study, repeat, resume, search

from bench.version import __version__

__all__ = ["Study", "__version__", "load_study", "plots", "repeat", "resume", "search"]


def __getattr__(name: str) -> Any:
    """Imports the API when it is used: `bench --help` must not pay for pandas."""
    if name == "plots":
        from importlib import import_module

        return import_module("bench.plots")
    if name in __all__:
        from bench import api

        return getattr(api, name)
    raise AttributeError(f"module 'bench' has no attribute {name!r}")
