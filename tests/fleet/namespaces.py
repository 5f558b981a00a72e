"""Several hosts on this machine: network namespaces with an address each, on a switch that is theirs alone.

Nothing of this machine's own network is seen or touched: the switch is a bridge in a namespace of its own, and no host
has a way out. Making them takes root and a kernel that has them; `why_not` says what is missing.
"""

from __future__ import annotations

import ctypes
import functools
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pytest

Found = TypeVar("Found")

_CLONE_NEWNET = 0x4000_0000  # linux/sched.h
_SWITCH = "switch"
# netem is the better one, and not in every kernel; the other is.
_SLOWNESS = (
    ("netem", "delay", "150ms", "50ms", "loss", "2%", "rate", "2mbit"),
    ("tbf", "rate", "256kbit", "burst", "8kb", "latency", "500ms"),
)


class Network:
    """Hosts by name; `network` makes them."""

    def __init__(self, names: Sequence[str]) -> None:
        self._id = f"bench-{secrets.token_hex(3)}"
        self._names = tuple(names)

    def address(self, name: str) -> str:
        return f"10.77.0.{self._names.index(name) + 1}"

    def around(self, name: str) -> tuple[str, ...]:
        """What a command of that host begins with."""
        return ("ip", "netns", "exec", self._space(name))

    def call(self, name: str, ask: Callable[[], Found]) -> Found:
        """What `ask` gives on that host: in a thread that lives there, with connections of its own."""
        with ThreadPoolExecutor(1, initializer=_enter, initargs=(self._space(name),)) as there:
            return there.submit(ask).result()

    def cut(self, name: str) -> None:
        """Pulls the plug."""
        _run("ip", "-n", self._space(_SWITCH), "link", "set", self._port(name), "down")

    def slow(self, name: str) -> str:
        """Little passes, and late, in both directions; gives the kind of queue that does it."""
        for words in _SLOWNESS:
            with suppress(subprocess.CalledProcessError):
                self._queue(name, "replace", *words)
                return words[0]
        return "nothing"

    def mend(self, name: str) -> None:
        """As it was."""
        _run("ip", "-n", self._space(_SWITCH), "link", "set", self._port(name), "up")
        with suppress(subprocess.CalledProcessError):  # it was not slow
            self._queue(name, "del")

    def reset(self, name: str) -> None:
        """Ends the connections of that host, where the kernel can (INET_DIAG_DESTROY)."""
        with suppress(subprocess.CalledProcessError, FileNotFoundError):
            _run(*self.around(name), "ss", "-K", "-t", "state", "established")

    def build(self) -> None:
        for name in (_SWITCH, *self._names):
            _run("ip", "netns", "add", self._space(name))
        switch = ("ip", "-n", self._space(_SWITCH))
        _run(*switch, "link", "add", "br0", "type", "bridge")
        _run(*switch, "link", "set", "br0", "up")
        for name in self._names:
            port, space = self._port(name), self._space(name)
            _run(*switch, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space)
            _run(*switch, "link", "set", port, "master", "br0", "up")
            _run("ip", "-n", space, "addr", "add", f"{self.address(name)}/24", "dev", "eth0")
            _run("ip", "-n", space, "link", "set", "lo", "up")
            _run("ip", "-n", space, "link", "set", "eth0", "up")

    def remove(self) -> None:
        for name in (*self._names, _SWITCH):
            with suppress(subprocess.CalledProcessError):
                _run("ip", "netns", "del", self._space(name))

    def _queue(self, name: str, action: str, *words: str) -> None:
        for space, device in ((self._space(name), "eth0"), (self._space(_SWITCH), self._port(name))):
            _run("tc", "-n", space, "qdisc", action, "dev", device, "root", *words)

    def _space(self, name: str) -> str:
        return f"{self._id}-{name}"

    def _port(self, name: str) -> str:
        return f"port{self._names.index(name)}"


@contextmanager
def network(*names: str) -> Iterator[Network]:
    """Hosts of these names for as long as they are needed; the test is skipped where there can be none."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    made = Network(names)
    try:
        made.build()
        yield made
    finally:
        made.remove()


@functools.lru_cache(maxsize=1)
def why_not() -> str | None:
    """Why there can be no hosts here, in words; None: there can."""
    if sys.platform != "linux":
        return "network namespaces are of Linux alone"
    if os.geteuid() != 0:
        return "network namespaces take root"
    if shutil.which("ip") is None or shutil.which("tc") is None:
        return "ip and tc (iproute2) are not installed"
    probe = Network(("probe",))
    try:
        probe.build()
    except subprocess.CalledProcessError as error:
        return f"this system lets nobody make network namespaces: {error.stderr.strip()}"
    finally:
        probe.remove()
    return None


def _enter(space: str) -> None:
    """Moves the calling thread alone into a namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with (Path("/var/run/netns") / space).open("rb") as opened:
        if libc.setns(opened.fileno(), _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
