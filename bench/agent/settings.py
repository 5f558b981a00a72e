"""How an agent was started: which device, which driver; kept beside its token for the next start."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.agent.drivers import Driver
from bench.errors import MeasureError, nearest

DEFAULT_FOLDER = Path("~/.local/share/bench-agent")

# What is kept; everything else is of one start.
_KEPT = (
    *("driver", "kind", "require_check", "keep_mib"),
    *("serial", "binary", "binary_sha256", "cores", "tool", "adb"),
    *("device", "team"),
)
_PHONE = ("serial", "binary", "binary_sha256")


def parser() -> argparse.ArgumentParser:
    """The command line; what is not given is None."""
    found = argparse.ArgumentParser(
        prog="agent.py",
        description="Times networks on this device for a hub: polls out, listens on nothing.",
        epilog="The first start takes the line that `bench runners register NAME` prints, in the variable BENCH_ENROL; "
        "later ones take the runner's name. What is given once is kept for later starts.",
    )
    found.add_argument("name", nargs="?", help="of the runner, as it was enrolled")
    found.add_argument("--folder", type=Path, help=f"for tokens and files of leases ({DEFAULT_FOLDER})")
    found.add_argument("--driver", choices=sorted(DRIVERS), help="what is driven (local)")
    found.add_argument("--kind", choices=("cpu", "cuda", "apple"), help="driver local: what is timed on (cpu)")
    found.add_argument(
        "--require-check",
        action=argparse.BooleanOptionalAction,
        help="whether to refuse files that this device cannot look into itself (no)",
    )
    found.add_argument("--keep-mib", type=int, metavar="N", help="of files that may stay between leases (0)")
    found.add_argument("--serial", help="driver adb: of the phone, as `adb devices` tells it")
    found.add_argument("--binary", type=Path, help="driver adb: the benchmark program")
    found.add_argument("--binary-sha256", metavar="HEX", help="driver adb: that it has")
    found.add_argument("--tool", help="driver adb: litert or onnxruntime (litert)")
    found.add_argument("--cores", metavar="MASK", help="driver adb: CPUs in hexadecimal digits, as taskset takes them")
    found.add_argument("--adb", help="driver adb: the client (adb)")
    found.add_argument("--device", help="driver devicectl: name or UDID of the iPhone or iPad")
    found.add_argument("--team", help="driver devicectl: of the Apple developer account")
    found.add_argument("--leases", type=int, metavar="N", help="end after so many")
    found.add_argument("--doctor", action="store_true", help="tell what this device can do, and end")
    found.add_argument("--version", action="store_true", help="tell the version, and end")
    return found


def settings_of(options: argparse.Namespace, kept: Mapping[str, Any]) -> dict[str, Any]:
    """What was kept, with what is given now over it.

    Raises:
        MeasureError: a driver that is unknown, or lacks something.
    """
    given = {name: getattr(options, name) for name in _KEPT if getattr(options, name) is not None}
    if "binary" in given:
        given["binary"] = str(given["binary"].expanduser().absolute())
    found = {name: value for name, value in kept.items() if name in _KEPT} | given
    driver = found.setdefault("driver", "local")
    if driver not in DRIVERS:
        raise MeasureError(f"unknown driver {driver!r}; known: {', '.join(DRIVERS)}{nearest(driver, DRIVERS)}")
    for name in _NEEDED[driver]:
        if not found.get(name):
            raise MeasureError(f"driver {driver} without --{name.replace('_', '-')}; it is needed; give it")
    if found.get("keep_mib", 0) < 0:
        raise MeasureError(f"--keep-mib {found['keep_mib']}; 0 or more are allowed; give another number")
    return found


def make_driver(settings: Mapping[str, Any], folder: Path) -> Driver:
    """The driver that `settings` name; `folder` is the agent's own.

    Raises:
        MeasureError: it cannot be had with these settings.
    """
    return DRIVERS[settings["driver"]](settings, folder)


def _local(settings: Mapping[str, Any], folder: Path) -> Driver:
    from bench.agent.drivers.local import LocalDriver

    return LocalDriver(settings.get("kind", "cpu"), requires_check=bool(settings.get("require_check")), folder=folder)


def _adb(settings: Mapping[str, Any], folder: Path) -> Driver:
    from bench.agent.drivers.adb import AdbDriver

    return AdbDriver(
        settings["serial"],
        binary=Path(settings["binary"]),
        binary_sha256=settings["binary_sha256"],
        folder=folder,
        adb=settings.get("adb", "adb"),
        tool=settings.get("tool", "litert"),
        cores=settings.get("cores"),
    )


def _devicectl(settings: Mapping[str, Any], folder: Path) -> Driver:
    from bench.agent.drivers.devicectl import DevicectlDriver

    del folder
    return DevicectlDriver(settings["device"], team=settings.get("team", ""))


DRIVERS: Mapping[str, Callable[[Mapping[str, Any], Path], Driver]] = {
    "local": _local,
    "adb": _adb,
    "devicectl": _devicectl,
}
_NEEDED: Mapping[str, tuple[str, ...]] = {"local": (), "adb": _PHONE, "devicectl": ("device",)}
