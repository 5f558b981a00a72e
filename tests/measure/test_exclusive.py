from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bench.errors import MeasureError
from bench.measure import exclusive, shared
from bench.measure.exclusive import cpu_lock_folder, is_held

MOMENT_S = 0.02


def is_free_for_trainers(folder: Path) -> bool:
    try:
        with shared(folder, timeout_s=0):
            return True
    except MeasureError:
        return False


def test_trainers_share(tmp_path: Path) -> None:
    with shared(tmp_path), shared(tmp_path, timeout_s=0) as waited_s:
        assert waited_s < 1


def test_timer_waits_for_trainers_and_for_timers(tmp_path: Path) -> None:
    message = r"waited 0.02 s for the CPU; another process .*; wait longer or stop it"
    for held in (shared, exclusive):
        with held(tmp_path), pytest.raises(MeasureError, match=message), exclusive(tmp_path, timeout_s=MOMENT_S):
            pass
    with exclusive(tmp_path, timeout_s=0):
        pass


def test_looking_tells_whether_it_is_held_and_leaves_no_trace(tmp_path: Path) -> None:
    assert is_held(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    with exclusive(tmp_path):
        assert is_held(tmp_path) is True
    assert is_held(tmp_path) is False
    with shared(tmp_path):
        assert is_held(tmp_path) is False
    with exclusive(tmp_path, timeout_s=0):
        pass


def test_trainer_waits_for_a_timer(tmp_path: Path) -> None:
    with exclusive(tmp_path):
        assert not is_free_for_trainers(tmp_path)
    assert is_free_for_trainers(tmp_path)


@pytest.mark.parametrize("timeout_s", [None, 60])
def test_waiting_timer_goes_before_new_trainers(tmp_path: Path, timeout_s: float | None) -> None:
    order = []

    def time_something() -> None:
        with exclusive(tmp_path, timeout_s=timeout_s):
            order.append("timer")

    timer = threading.Thread(target=time_something)
    with shared(tmp_path):
        timer.start()
        while is_free_for_trainers(tmp_path):
            pass  # until the timer stands in the turnstile
        assert order == []
    with shared(tmp_path):
        order.append("trainer")
    timer.join()
    assert order == ["timer", "trainer"]


def test_alternating_trainers_do_not_starve_a_timer(tmp_path: Path) -> None:
    first, second = threading.Event(), threading.Event()
    is_timed = threading.Event()
    first.set()

    def train(mine: threading.Event, other: threading.Event) -> None:
        # Each holds on until the other holds too, so the lock is never free between their steps.
        while not is_timed.is_set():
            with shared(tmp_path):
                other.set()
                mine.wait(MOMENT_S)
                mine.clear()

    trainers = [threading.Thread(target=train, args=pair) for pair in ((first, second), (second, first))]
    for trainer in trainers:
        trainer.start()
    with exclusive(tmp_path, timeout_s=30):
        is_timed.set()
    for trainer in trainers:
        trainer.join()


def run_holder(folder: Path, body: str) -> subprocess.Popen[str]:
    """A process that holds the lock and says so."""
    script = (
        f"from pathlib import Path\nfrom bench.measure import exclusive, shared\nfolder = Path({str(folder)!r})\n{body}"
    )
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("kind", ["shared", "exclusive"])
def test_killed_process_leaves_nothing_locked(tmp_path: Path, kind: str) -> None:
    with run_holder(tmp_path, f"with {kind}(folder):\n    print('held', flush=True)\n    input()") as holder:
        with pytest.raises(MeasureError, match="waited 0 s for the CPU"), exclusive(tmp_path, timeout_s=0):
            pass
        holder.kill()
        with exclusive(tmp_path, timeout_s=30):
            pass


def test_lock_is_free_though_a_forked_process_lives_on(tmp_path: Path) -> None:
    body = """
import os
with exclusive(folder):
    child = os.fork()
    if child == 0:
        os.read(0, 1)
        os._exit(0)
print('held', flush=True)
os.waitpid(child, 0)
"""
    with run_holder(tmp_path, body) as holder:
        with exclusive(tmp_path, timeout_s=30):
            pass
        holder.communicate("x")


def test_folder_is_made(tmp_path: Path) -> None:
    with shared(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()


def test_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    message = r"cannot open the lock .*; a writable local folder is needed; choose another"
    with pytest.raises(MeasureError, match=message), shared(tmp_path / "file" / "locks"):
        pass


def test_containers_can_name_one_folder_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CPU_LOCK", str(tmp_path / "all"))
    assert cpu_lock_folder() == tmp_path / "all"
    monkeypatch.delenv("BENCH_CPU_LOCK")
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # which can differ between two terminals
    assert tmp_path not in cpu_lock_folder().parents
