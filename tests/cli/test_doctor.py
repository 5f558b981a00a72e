from __future__ import annotations

import json
import subprocess
import sys

from command import ROOT

from bench.measure.catalogue import RUNTIMES

from .here import Here


def test_text_ends_with_the_answer(here: Here) -> None:
    ended = here("doctor", "--seconds", 0.1)
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert lines[-1] in [f"fit to measure: {fit}" for fit in ("yes", "yes, with care", "no")]
    assert ended.out.isascii()
    for word in (*RUNTIMES, "runtimes", "devices", "other work", "governor", "memory"):
        assert word in ended.out
    # The second columns stand below each other.
    table = lines[1 : 1 + len(RUNTIMES)]
    assert len({line.index(line.split()[1], len(line.split()[0]) + 2) for line in table}) == 1


def test_json(here: Here) -> None:
    ended = here("doctor", "--json", "--seconds", 0.1)
    assert ended.code == 0
    data = json.loads(ended.out)
    assert set(data) == {"runtimes", "devices", "window", "checks", "fit", "runners"}
    assert data["runners"] == []
    assert {check["status"] for check in data["checks"]} <= {"ok", "warn", "bad"}


def test_look_must_take_time(here: Here) -> None:
    ended = here("doctor", "--seconds", 0)
    assert ended.code == 2
    assert "--seconds" in ended.err


def test_nothing_heavy_is_loaded() -> None:
    code = "from bench.cli.main import main\nmain(['doctor', '--seconds', '0.1'])"
    script = f"import sys\ntry:\n    {code.splitlines()[0]}\n    {code.splitlines()[1]}\nexcept SystemExit:\n    pass\n"
    script += "print(*{name.partition('.')[0] for name in sys.modules})"
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(found.stdout.splitlines()[-1].split())
    assert not loaded & {
        "torch",
        "onnxruntime",
        "openvino",
        "coremltools",
        "ray",
        "optuna",
        "plotly",
        "sqlalchemy",
        "onnx",
    }
