"""What may be imported where, and what a quick command must not pay for."""

from __future__ import annotations

import subprocess
import sys

import pytest
from command import ROOT

HEAVY = ("torch", "timm", "torchvision", "ray", "optuna", "plotly", "pandas", "sqlalchemy", "onnx", "onnxruntime")
# What only the hub itself needs: a machine whose hub runs elsewhere does without.
WEB = ("fastapi", "uvicorn", "starlette", "pydantic", "cryptography")
# Module -> what it must not bring in.
LIGHT = {
    "bench": HEAVY,
    "bench.cli.main": HEAVY,
    "bench.space": HEAVY,
    "bench.pareto": ("torch", "ray", "optuna"),
    "bench.networks.cost": HEAVY,
    "bench.store": ("torch", "ray", "optuna", "plotly", "pandas"),
    "bench.fleet.client": (*HEAVY, *WEB),
    "bench.fleet.measuring": ("torch", "ray", "optuna", "plotly", "sqlalchemy", *WEB),
    "bench.fleet.embedding": ("torch", "ray", "optuna", "plotly", *WEB),
    "bench.study.timers": ("torch", "ray", "plotly", *WEB),
    "bench.evaluate": HEAVY,
    "bench.evaluate.pictures": HEAVY,
    "bench.networks": ("ray", "optuna", "plotly", "sqlalchemy"),
    "bench.measure": ("torch", "ray", "optuna", "plotly", "sqlalchemy"),
    "bench.proxies.datasets": ("ray", "optuna", "plotly", "sqlalchemy"),
    "bench.proxies.zero_cost": ("ray", "optuna", "plotly", "sqlalchemy", "pandas"),
    "bench.proxies.supernet": ("ray", "optuna", "plotly", "sqlalchemy", "pandas"),
    "bench.report.views": ("torch", "ray", "optuna", "plotly"),
    "bench.dashboard.serving": ("torch", "ray", "optuna", "plotly", "pandas", "fastapi", "pydantic"),
    "bench.dashboard.snapshot": ("torch", "ray", "optuna", "plotly", "pandas", *WEB),
    "bench.report.live": ("torch", "ray", "optuna", "plotly"),
    "bench.study.plan": ("torch", "ray", "plotly"),
    # What the workers of a search import: the store and the hub are of the process that drives it.
    "bench.study.jobs": ("ray", "optuna", "plotly", "pandas", "sqlalchemy", *WEB),
}


def imported(code: str) -> set[str]:
    """Top-level packages that a fresh interpreter has after running this."""
    script = f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return set(found.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_stay_light(module: str) -> None:
    assert not imported(f"import {module}") & set(LIGHT[module])


def test_help_imports_nothing_heavy() -> None:
    code = """
from bench.cli.main import main
for words in (["--help"], ["search", "--help"], ["--version"], []):
    try:
        main(words)
    except SystemExit:
        pass
"""
    assert not imported(code) & set(HEAVY)


def test_import_directions_hold() -> None:
    pytest.importorskip("importlinter")
    found = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 0, found.stdout
