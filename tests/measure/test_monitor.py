from __future__ import annotations

import os
import statistics
import sys
import time

import pytest

from bench.measure.health import Monitor, between, foreign_processes
from bench.measure.health_linux import TICK_S

from .processes import NAME, busy

pytestmark = pytest.mark.alone

SPIN_S = 0.4
MOST_TRIES = 20
# Both ends of a window are rounded to ticks, user and system time each.
ROUNDING_S = 4 * TICK_S

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@on_linux
def test_busy_process_is_another_until_it_is_given() -> None:
    without, given = Monitor(uses_gpu=False), Monitor(uses_gpu=False)
    windows = []
    with busy() as spinner:
        # As many as a hypervisor that takes much makes necessary; on a quiet machine one.
        while len(windows) < MOST_TRIES and all(pair[0].steal * pair[0].seconds > ROUNDING_S for pair in windows):
            first = without.read([]), given.read([spinner.pid])
            spinner.do(f"spin({SPIN_S})")
            second = without.read([]), given.read([spinner.pid])
            windows.append([between(*pair) for pair in zip(first, second, strict=True)])
    other, own = min(windows, key=lambda pair: pair[0].steal * pair[0].seconds)
    assert other.others is not None
    assert own.others is not None
    # What a hypervisor takes meanwhile is in the process's own clock, and in no CPU's busy time.
    # So the calmest window is judged, and less than half of it may be missing.
    assert other.steal * other.seconds < SPIN_S / 2
    least_s = SPIN_S - ROUNDING_S - other.steal * other.seconds
    assert other.others * other.seconds > least_s
    assert other.others * other.seconds - own.others * own.seconds > least_s


@on_linux
@pytest.mark.parametrize(
    "line",
    [
        f"spin({SPIN_S})",
        f"thread = threading.Thread(target=spin, args=({SPIN_S},)); thread.start(); thread.join()",
        f"import subprocess; subprocess.run([sys.executable, '-c', sys.orig_argv[2].split('for line')[0] + "
        f"'spin({SPIN_S})'])",
    ],
    ids=["itself", "a thread that has ended", "a child that has ended"],
)
def test_all_of_a_given_process_counts(line: str) -> None:
    monitor = Monitor(uses_gpu=False)
    with busy() as spinner:
        before = monitor.read([spinner.pid])
        spinner.do(line)
        after = monitor.read([spinner.pid])
        assert after.own_s - before.own_s > SPIN_S - ROUNDING_S
        spinner.end()
        assert monitor.read([spinner.pid]).own_s >= after.own_s  # dead, and its time not forgotten
        assert monitor.read([]).own_s >= after.own_s


@on_linux
def test_living_child_of_a_given_process_counts() -> None:
    monitor = Monitor(uses_gpu=False)
    with busy() as spinner:
        before = monitor.read([spinner.pid])
        spinner.do(
            "import subprocess; child = subprocess.Popen([sys.executable, '-c', sys.orig_argv[2].split('for line')[0] "
            f"+ 'spin({SPIN_S}); print(1, flush=True); time.sleep(1000)'], stdout=subprocess.PIPE); "
            "child.stdout.readline()"
        )
        after = monitor.read([spinner.pid])
        spinner.do("child.kill(); child.wait()")
        assert after.own_s - before.own_s > SPIN_S - ROUNDING_S
        assert monitor.read([spinner.pid]).own_s >= after.own_s


def test_own_time_never_falls() -> None:
    monitor = Monitor(uses_gpu=False)
    seen = []
    for _ in range(5):
        with busy() as spinner:
            seen += [monitor.read([spinner.pid]).own_s, monitor.read([]).own_s]
            spinner.end()
            seen.append(monitor.read([spinner.pid]).own_s)
    assert seen == sorted(seen)


def test_reading_costs_little() -> None:
    monitor = Monitor(uses_gpu=False)
    costs_s = []
    for _ in range(50):
        begin = time.process_time()
        monitor.read([os.getpid()])
        costs_s.append(time.process_time() - begin)
    assert statistics.median(costs_s) < 0.002


def test_gpu_is_asked_only_when_it_is_used() -> None:
    assert Monitor(uses_gpu=False).read([]).gpus == ()
    Monitor(uses_gpu=True).read([])  # whatever this machine has


def test_process_that_never_was_is_no_error() -> None:
    monitor = Monitor(uses_gpu=False)
    assert monitor.read([2**22 + 1]).own_s < monitor.read([2**22 + 1]).own_s + 1e-9


@on_linux
def test_foreign_processes_are_named_unless_excluded() -> None:
    with busy() as spinner:
        spinner.begin("spin(1000)")
        # A niced test on a busy machine may hardly let it run: look again.
        looks = (dict(foreign_processes(0.2)) for _ in range(50))
        share = next(look[NAME] for look in looks if NAME in look)
        assert 0 < share < 1.5
        assert NAME not in dict(foreign_processes(0.2, [spinner.pid]))
        assert NAME not in dict(foreign_processes(0.2, exclude=[os.getpid()]))  # it is our child
