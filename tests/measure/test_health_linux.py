"""Against made-up trees: the machines that tests run on have no frequencies, limits or thermal zones."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from bench.measure.health_linux import TICK_S, Linux

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

STAT = """cpu  11 0 0 0 0 0 0 11 0 0
cpu0 100 20 30 4000 500 6 7 8 9 10
cpu10 1 0 0 0 0 0 0 3 0 0
intr 1 2 3
cpufreq 1 2 3
"""


def write(root: Path, files: dict[str, str]) -> Linux:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Linux(root)


def test_busy_is_what_is_neither_idle_nor_waiting_nor_stolen(tmp_path: Path) -> None:
    before_s = time.monotonic()
    busy_s, steal_s = write(tmp_path, {"proc/stat": STAT}).cpus()
    assert before_s <= busy_s[0] + 4508 * TICK_S <= time.monotonic()
    assert busy_s[1] - busy_s[0] == pytest.approx((4508 - 3) * TICK_S)
    assert steal_s == pytest.approx(11 * TICK_S)


def test_pressure(tmp_path: Path) -> None:
    text = "some avg10=8.51 avg60=6.48 avg300=3.39 total=2573458167\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=5\n"
    assert write(tmp_path, {"proc/pressure/cpu": text}).pressure_s() == 2573.458167


@pytest.mark.parametrize(
    ("files", "throttled", "cores"),
    [
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.stat": "usage_usec 5\n"}, None, None),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/cpu.stat": "usage_usec 5\n",
                "sys/fs/cgroup/a/cpu.stat": "nr_periods 9\nnr_throttled 2\n",
                "sys/fs/cgroup/a/cpu.max": "150000 100000\n",
                "sys/fs/cgroup/a/b/cpu.stat": "nr_periods 9\nnr_throttled 3\n",
                "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
            },
            5,
            1.5,
        ),
        (
            # In a container: the path is the host's, the files are its own group's.
            {
                "proc/self/cgroup": "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n0::/\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.stat": "nr_periods 9\nnr_throttled 7\nthrottled_time 1\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            7,
            0.5,
        ),
        (
            {
                "proc/self/cgroup": "1:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.stat": "nr_throttled 0\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            0,
            None,
        ),
    ],
    ids=["no limit", "version 2", "version 1 in a container", "version 1 without a limit"],
)
def test_cpu_limits(tmp_path: Path, files: dict[str, str], throttled: int | None, cores: float | None) -> None:
    found = write(tmp_path, files)
    assert found.throttled() == throttled
    assert found.limit_cores() == cores


def test_frequencies_are_in_the_order_of_cpus(tmp_path: Path) -> None:
    cpus = {f"sys/devices/system/cpu/cpu{n}/cpufreq/scaling_cur_freq": f"{n}000\n" for n in (10, 2, 0)}
    limits = {"scaling_max_freq": "2000000\n", "cpuinfo_max_freq": "3500000\n"}
    found = write(tmp_path, cpus | {f"sys/devices/system/cpu/cpu0/cpufreq/{n}": text for n, text in limits.items()})
    assert found.mhz() == (0.0, 2.0, 10.0)
    assert found.highest_mhz() == (2000.0, 3500.0)


def test_hottest_zone_of_each_type(tmp_path: Path) -> None:
    zones = {0: ("x86_pkg_temp", "51000"), 1: ("x86_pkg_temp", "64500"), 2: ("acpitz", "-3000"), 3: ("wifi", "")}
    files = {}
    for number, (kind, text) in zones.items():
        files |= {
            f"sys/class/thermal/thermal_zone{number}/type": kind,
            f"sys/class/thermal/thermal_zone{number}/temp": text,
        }
    assert write(tmp_path, files).celsius() == {"x86_pkg_temp": 64.5, "acpitz": -3.0}


def test_free_memory(tmp_path: Path) -> None:
    found = write(tmp_path, {"proc/meminfo": "MemTotal: 9 kB\nMemFree: 1 kB\nMemAvailable:   2097152 kB\n"})
    assert found.memory_free_mib() == 2048


def test_machine_that_tells_nothing(tmp_path: Path) -> None:
    found = Linux(tmp_path)
    assert found.cpus() == ((), 0.0)
    assert found.used(os.getpid()) is None
    assert found.family([7]) == {7}
    assert found.processes() == {}
    assert found.name(7) == ""
    assert (found.pressure_s(), found.throttled(), found.limit_cores(), found.mhz()) == (None, None, None, None)
    assert (found.highest_mhz(), found.memory_free_mib()) == (None, None)
    assert found.celsius() == {}


def test_name_of_a_process_cannot_disturb_a_terminal(tmp_path: Path) -> None:
    found = write(tmp_path, {"proc/7/comm": "a) \x1b[31mb\u00e9\n"})
    assert found.name(7) == "a) ?[31mb?"


def test_time_of_a_process_falls_back_to_ticks(tmp_path: Path) -> None:
    # An id that no process has, so no clock either; the name holds what separates fields.
    pid = 2**22 + 1
    fields = ["S", *map(str, range(4, 53))]
    found = write(tmp_path, {f"proc/{pid}/stat": f"{pid} (a) b ({' '.join(fields)}".replace("b (", "b) ")})
    assert found.used(pid) == (22, pytest.approx((14 + 15 + 16 + 17) * TICK_S))


def test_children_are_found_where_the_kernel_does_not_list_them(tmp_path: Path) -> None:
    parents = {7: 1, 8: 7, 9: 8, 10: 1}
    tree = {f"proc/{pid}/stat": f"{pid} (a b) S {parent} {'0 ' * 48}" for pid, parent in parents.items()}
    without = write(tmp_path / "without", {**tree, "proc/thread-self/stat": ""})
    assert without.family([7]) == {7, 8, 9}
    lists = {"proc/7/task/7/children": "8 ", "proc/8/task/8/children": "9 ", "proc/thread-self/children": ""}
    assert write(tmp_path / "with", {**tree, **lists}).family([7]) == {7, 8, 9}


def test_real_machine() -> None:
    found = Linux()
    busy_s, _ = found.cpus()
    assert len(busy_s) >= 1
    used = found.used(os.getpid())
    assert used is not None
    assert used[1] >= time.process_time() - 1
    assert os.getpid() in found.processes()
    assert os.getpid() in found.family([os.getppid()])
    assert found.name(os.getpid())
