"""psutil answers the same questions on Linux, so what serves macOS is tried here too."""

from __future__ import annotations

import os
import sys
import time

import pytest

from bench.measure.health_macos import MacOS

from .processes import busy


@pytest.fixture
def macos() -> MacOS:
    pytest.importorskip("psutil")
    return MacOS()


def test_cpus_and_processes(macos: MacOS) -> None:
    busy_s, steal_s = macos.cpus()
    assert len(busy_s) == os.cpu_count()
    assert steal_s == 0
    assert macos.processes()[os.getpid()] > 0
    assert macos.name(os.getpid())
    assert macos.memory_free_mib() > 0  # type: ignore[operator]


def test_time_of_a_process_and_its_children(macos: MacOS) -> None:
    with busy() as spinner:
        before = macos.used(spinner.pid)
        spinner.do("spin(0.2)")
        after = macos.used(spinner.pid)
        assert before is not None
        assert after is not None
        assert after[0] == before[0]
        assert after[1] - before[1] > 0.15
        assert macos.used(os.getpid())[1] > time.process_time() + 0.1  # type: ignore[index]
        assert spinner.pid in macos.family([os.getpid()])
    assert macos.used(spinner.pid) is None
    assert macos.name(spinner.pid) == ""
    assert macos.family([spinner.pid]) == {spinner.pid}


def test_without_psutil_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    found = MacOS()
    assert found.cpus() == ((), 0.0)
    assert found.used(os.getpid()) is None
    assert found.family([3]) == {3}
    assert found.processes() == {}
    assert found.name(os.getpid()) == ""
    assert found.memory_free_mib() is None


def test_what_macos_does_not_tell(macos: MacOS) -> None:
    assert (macos.pressure_s(), macos.throttled(), macos.limit_cores()) == (None, None, None)
    assert (macos.mhz(), macos.highest_mhz()) == (None, None)
    assert macos.celsius() == {}
