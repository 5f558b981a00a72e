from __future__ import annotations

import subprocess
import sys

import pytest
from command import ROOT

import bench.evaluate


def test_every_name_is_found() -> None:
    for name in bench.evaluate.__all__:
        assert getattr(bench.evaluate, name) is not None
    with pytest.raises(AttributeError, match=r"module 'bench\.evaluate' has no attribute 'nothing'"):
        _ = bench.evaluate.nothing


def test_decoding_processes_do_without_torch() -> None:
    code = "import sys, bench.evaluate.pictures; print('torch' in sys.modules, 'timm' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]
