from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command import ROOT

from bench.errors import MeasureError
from bench.study.worker import crash_report, failure

DIES = """
import os, signal, sys
from pathlib import Path
from bench.study.worker import crash_log
with crash_log(Path(sys.argv[1]), 7):
    os.kill(os.getpid(), int(sys.argv[2]))
"""


@pytest.mark.parametrize(
    ("number", "words"),
    [(signal.SIGSEGV, "Segmentation fault"), (signal.SIGKILL, None)],
)
def test_the_last_words_of_a_worker_are_kept(tmp_path: Path, number: int, words: str | None) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", DIES, str(tmp_path), str(int(number))],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == -number
    assert crash_report(tmp_path, 7) == words
    assert crash_report(tmp_path, 8) is None


def test_a_failure_tells_the_type_of_errors_that_are_not_ours() -> None:
    assert failure(MeasureError("no such runner;\n take cpu")) == {
        "kind": "failed",
        "reason": "no such runner; take cpu",
    }
    assert failure(ZeroDivisionError("division by zero"))["reason"] == "ZeroDivisionError: division by zero"
