from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from bench.measure.child import Child, LostError, RefusedError, end_children

LIMIT_S = 30.0


def ask(child: Child, label: str, *, limit_s: float = LIMIT_S) -> dict[str, object]:
    return child.ask("time", {"label": label, "iterations": 3}, limit_s=limit_s)


def has_ended(pid: int) -> bool:
    """Whether the process ends in time; a signal to what is not our own child takes a moment."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
    return False


def test_sound_child_answers(scripted: tuple[str, ...]) -> None:
    with Child(scripted) as child:
        assert ask(child, "sound")["samples"] == [20_000] * 3


def test_error_in_the_answer_leaves_the_child_alive(scripted: tuple[str, ...]) -> None:
    with Child(scripted) as child:
        with pytest.raises(RefusedError, match="no such operator"):
            ask(child, "refuse")
        assert ask(child, "sound")["samples"]


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("crash", r"its process was ended by SIGSEGV \(Segmentation fault\)"),
        ("exit", "its process ended with status 3: out of luck"),
        ("flood", r"it flooded its output \(over 4 MiB in one answer\)"),
        ("garbage", "its answer is no JSON object"),
        ("list", "its answer is no JSON object"),
        ("nan", r"its answer is no JSON object \(or has NaN in it\)"),
    ],
)
def test_lost_child_has_a_reason(scripted: tuple[str, ...], label: str, reason: str) -> None:
    with Child(scripted) as child, pytest.raises(LostError, match=reason):
        ask(child, label)


def test_hang_ends_with_the_deadline_and_the_process(scripted: tuple[str, ...]) -> None:
    with Child(scripted) as child:
        with pytest.raises(LostError, match=r"no answer within its deadline \(0.2 s were left\)"):
            ask(child, "hang", limit_s=0.2)
        assert has_ended(child.pid)


def test_closed_output_is_not_waited_for_for_ever(scripted: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.measure.child._END_S", 0.1)
    with Child(scripted) as child, pytest.raises(LostError, match="it closed its output and went on running"):
        ask(child, "silent")


def test_request_to_a_dead_child_says_of_what_it_died(scripted: tuple[str, ...]) -> None:
    with Child(scripted) as child:
        os.kill(child.pid, signal.SIGBUS)
        with pytest.raises(LostError, match=r"its process was ended by SIGBUS \(Bus error\)"):
            ask(child, "sound")


def test_whole_process_group_ends(scripted: tuple[str, ...]) -> None:
    with Child(scripted) as child:
        grandchild = int(str(ask(child, "family")["pid"]))
        assert psutil.pid_exists(grandchild)
    assert has_ended(grandchild)


def test_child_sees_an_empty_folder_and_a_small_environment(
    scripted: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    with Child(scripted, threads=3) as child:
        reply = ask(child, "surroundings")
    environment = reply["environment"]
    assert isinstance(environment, dict)
    assert environment["OMP_NUM_THREADS"] == "3"
    assert not {"SECRET_TOKEN", "PYTHONPATH", "USER", "LOGNAME"} & environment.keys()
    assert (reply["files"], reply["flags"]) == ([], 1)
    assert not Path(environment["HOME"]).exists()


def test_command_that_cannot_be_started_is_a_lost_child() -> None:
    with (
        pytest.raises(LostError, match=r"a child process cannot be started \(.*No such file"),
        Child(["/no/such/python"]),
    ):
        pass


def test_worker_imports_no_torch() -> None:
    settings = {"runtime": "onnxruntime", "runner": "cpu", "threads": 1, "memory_mib": 16384, "paths": []}
    with Child() as child:
        assert child.ask("start", settings, limit_s=LIMIT_S)["details"]["onnxruntime"]
        libraries = Path(f"/proc/{child.pid}/maps")
        if not libraries.exists():
            pytest.skip("no /proc on this system")
        loaded = libraries.read_text()
    assert "onnxruntime" in loaded
    assert "libtorch" not in loaded


def test_child_of_a_killed_supervisor_ends() -> None:
    script = (
        "from bench.measure.child import Child\nwith Child() as child:\n    print(child.pid, flush=True)\n    input()"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        orphan = int(supervisor.stdout.readline())
        supervisor.kill()
    assert has_ended(orphan)


def test_busy_orphan_is_ended_by_its_own_alarm() -> None:
    # A limit that lies in the past stands for a supervisor that is gone: 10 ms are not enough to import numpy.
    settings = {"runtime": "onnxruntime", "runner": "cpu", "threads": 1, "memory_mib": 16384, "paths": []}
    with Child() as child, pytest.raises(LostError, match="its process was ended by SIGALRM"):
        child.ask("start", {**settings, "limit_s": -4.99}, limit_s=LIMIT_S)


def test_children_can_be_ended_by_another_thread(scripted: tuple[str, ...]) -> None:
    with Child(scripted) as child, Child(scripted) as other:
        ask(other, "sound")
        timer = threading.Timer(0.2, end_children)
        timer.start()
        with pytest.raises(LostError, match="its process was ended by SIGKILL"):
            ask(child, "hang")
        timer.join()
        with pytest.raises(LostError):
            ask(other, "sound")
    end_children()  # none is left


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with the one that started it")
def test_busy_child_of_a_killed_supervisor_ends() -> None:
    script = """
import sys
from bench.measure.child import Child
with Child() as child:
    settings = {"runtime": "onnxruntime", "runner": "cpu", "threads": 1, "memory_mib": 16384, "paths": sys.path}
    child.ask("start", settings, limit_s=100.0)
    print(child.pid, flush=True)
    input()
"""
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        orphan = int(supervisor.stdout.readline())
        os.kill(orphan, signal.SIGSTOP)  # like a busy one, it does not see the end of its input
        supervisor.kill()
    assert has_ended(orphan)
