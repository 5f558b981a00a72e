from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.measure.child import WORKER, LostError, RefusedError
from bench.measure.inspection import Inspection
from bench.measure.job import JobArtifact

from .conftest import MakeJob, MakeOnnx

# Answers by label; what a child has seen before decides over "stained" and "unsettled", as a leak would.
MOODY = """
import json, os, signal, sys

seen = 0
for line in sys.stdin:
    request = json.loads(line)
    reply = {"details": {"seen": seen}}
    if request["ask"] == "start":
        print(json.dumps(reply), flush=True)
        continue
    label = request["artifact"]["label"]
    if label == "hangs":
        signal.pause()
    if label == "dies" or (label == "unsettled" and seen):
        os.abort()
    if label == "refused" or (label == "stained" and seen):
        reply = {"error": "ValueError: not this one"}
    seen += 1
    print(json.dumps(reply), flush=True)
"""


def counted(command: Sequence[str], log: Path) -> tuple[str, ...]:
    """The same child, with a line in `log` for each that is started."""
    return ("sh", "-c", f"echo started >> {shlex.quote(str(log))}; exec {shlex.join(command)}")


def num_started(log: Path) -> int:
    return len(log.read_text().splitlines()) if log.exists() else 0


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "starts.log"


def unknown(*artifacts: JobArtifact) -> tuple[JobArtifact, ...]:
    """Of unknown origin, and nothing told of what they compute."""
    return tuple(replace(artifact, is_checked=False, logits=None) for artifact in artifacts)


def test_files_share_a_child_for_checking_and_one_for_computing(job: MakeJob, convolution: MakeOnnx, log: Path) -> None:
    files = unknown(convolution("a"), convolution("b", layers=2), convolution("c", layers=3))
    with Inspection(job(*files), counted(WORKER, log)) as inspection:
        found = [inspection.look_into(artifact) for artifact in files]
        assert num_started(log) == 2
        assert inspection.num_lost == 0
    outputs = [tuple(values or ()) for values in found]
    assert all(outputs)
    assert len(set(outputs)) == 3


def test_a_check_describes_what_the_file_asks_for(job: MakeJob, convolution: MakeOnnx) -> None:
    (artifact,) = unknown(convolution("a", layers=2))
    with Inspection(job(artifact)) as inspection:
        found = inspection.check(artifact)
    assert found["operators"]["Conv"] == 2


def test_nothing_is_started_until_a_file_needs_it(job: MakeJob, convolution: MakeOnnx, log: Path) -> None:
    with Inspection(job(convolution("a")), counted(WORKER, log)):
        pass
    assert num_started(log) == 0


def test_a_file_that_is_refused_is_refused_by_a_fresh_child_too(job: MakeJob, convolution: MakeOnnx, log: Path) -> None:
    good, bad, after = unknown(convolution("good"), convolution("refused"), convolution("after"))
    with Inspection(job(good, bad, after), counted((sys.executable, "-c", MOODY), log)) as inspection:
        inspection.check(good)
        assert num_started(log) == 1
        with pytest.raises(RefusedError, match="not this one"):
            inspection.check(bad)
        assert num_started(log) == 2
        inspection.check(after)
        assert num_started(log) == 2


@pytest.mark.parametrize(("label", "lost"), [("stained", 0), ("unsettled", 1)])
def test_what_a_file_leaves_behind_does_not_decide_over_the_next(
    job: MakeJob, convolution: MakeOnnx, log: Path, label: str, lost: int
) -> None:
    good, next_one = unknown(convolution("good"), convolution(label))
    with Inspection(job(good, next_one), counted((sys.executable, "-c", MOODY), log)) as inspection:
        inspection.check(good)
        assert inspection.check(next_one) == {"seen": 0}
        assert inspection.num_lost == lost
    assert num_started(log) == 2


def test_a_child_that_is_lost_is_not_asked_again(job: MakeJob, convolution: MakeOnnx, log: Path) -> None:
    bad, good = unknown(convolution("dies"), convolution("good"))
    with Inspection(job(bad, good), counted((sys.executable, "-c", MOODY), log)) as inspection:
        with pytest.raises(LostError, match="SIGABRT"):
            inspection.check(bad)
        assert num_started(log) == 1
        assert inspection.check(good) == {"seen": 0}
        assert num_started(log) == 2
        assert inspection.num_lost == 1


# Refuses to start the first time.
SHY = """
import json, pathlib, sys

mark = pathlib.Path(sys.argv[1])
for line in sys.stdin:
    request = json.loads(line)
    reply = {"details": {}, "output": [1.0, 2.0]}
    if request["ask"] == "start" and not mark.exists():
        mark.touch()
        reply = {"error": "OSError: not now"}
    print(json.dumps(reply), flush=True)
"""


def test_a_child_that_could_not_start_is_not_asked_about_the_next_file(
    job: MakeJob, convolution: MakeOnnx, tmp_path: Path, log: Path
) -> None:
    one, other = unknown(convolution("one"), convolution("other"))
    command = counted((sys.executable, "-c", SHY, str(tmp_path / "mark")), log)
    with Inspection(job(one, other), command) as inspection:
        with pytest.raises(RefusedError, match="not now"):
            inspection.look_into(one)
        assert inspection.look_into(other) == (1.0, 2.0)
        assert num_started(log) == 3  # one that checks, two that compute


def test_a_file_that_hangs_costs_its_deadline_once(job: MakeJob, convolution: MakeOnnx, log: Path) -> None:
    good, bad = unknown(convolution("good"), convolution("hangs"))
    with Inspection(job(good, bad, deadline_s=1.5), counted((sys.executable, "-c", MOODY), log)) as inspection:
        inspection.check(good)
        with pytest.raises(LostError, match="deadline"):
            inspection.check(bad)
        assert inspection.num_lost == 1
    assert num_started(log) == 1
