"""The files that start an agent with its machine: are they what systemd and launchd read, and do they fit the agent?"""

from __future__ import annotations

import plistlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command import ROOT

from bench.agent.main import REFUSED
from bench.agent.settings import DEFAULT_FOLDER, parser

UNIT = ROOT / "runners" / "systemd" / "bench-agent.service"
PLIST = ROOT / "runners" / "launchd" / "bench.agent.plist"

# Of launchd.plist(5), those that are used, with their types.
KEYS = {
    "Label": str,
    "ProgramArguments": list,
    "RunAtLoad": bool,
    "KeepAlive": dict,
    "ThrottleInterval": int,
    "ExitTimeOut": int,
    "ProcessType": str,
    "Umask": int,
    "StandardErrorPath": str,
    "HardResourceLimits": dict,
}


def settings(text: str) -> dict[str, str]:
    """Of a unit whose keys are all different."""
    lines = [line for line in text.splitlines() if line and not line.startswith(("#", "["))]
    found = dict(line.split("=", 1) for line in lines)
    assert len(found) == len(lines)
    return found


@pytest.fixture(scope="module")
def unit() -> dict[str, str]:
    return settings(UNIT.read_text(encoding="ascii"))


@pytest.fixture(scope="module")
def plist() -> dict[str, Any]:
    with PLIST.open("rb") as file:
        found: dict[str, Any] = plistlib.load(file)
    return found


def test_systemd_takes_every_line_of_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (Debian: apt-get install systemd)")
    # What it starts has to be there: this machine's Python.
    text = UNIT.read_text(encoding="ascii")
    assert text.count("ExecStart=/usr/bin/python3 ") == 1
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace("ExecStart=/usr/bin/python3 ", f"ExecStart={sys.executable} "), encoding="ascii")
    command = ["systemd-analyze", "verify", "--man=no", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    # It ends with 0 over a line that it does not know; other lines are of this machine's own units.
    assert done.returncode == 0, done.stderr
    assert UNIT.name not in done.stdout + done.stderr


def test_unit_starts_an_enrolled_agent_and_knows_its_status(unit: dict[str, str]) -> None:
    python, file, *words = unit["ExecStart"].split()
    assert (python, Path(file).name) == ("/usr/bin/python3", "agent.py")
    assert parser().parse_args(words).name == "pi"
    assert (unit["Restart"], unit["RestartPreventExitStatus"]) == ("on-failure", str(REFUSED))


def test_unit_lets_the_agent_write_where_it_has_to(unit: dict[str, str]) -> None:
    folder = str(DEFAULT_FOLDER).replace("~", f"/home/{unit['User']}")
    assert unit["ReadWritePaths"].split() == [folder, "/tmp"]  # its own, and that of the lock on the CPUs
    assert (unit["ProtectSystem"], unit["ProtectHome"]) == ("strict", "read-only")
    assert int(unit["UMask"], 8) == 0o077


def test_unit_has_none_of_the_options_that_would_be_measured(unit: dict[str, str]) -> None:
    comment = " ".join(line.lstrip("# ") for line in UNIT.read_text(encoding="ascii").splitlines() if line[:1] == "#")
    listed = re.search(r"\((SystemCallFilter, .*?)\)", comment)
    assert listed
    others = ("PrivateTmp", "ProtectProc", "CPUQuota", "MemoryHigh")
    assert all(f"{name} " in comment for name in others)
    assert not {*listed[1].split(", "), *others} & set(unit)


def test_property_list_holds_known_keys_of_the_right_types(plist: dict[str, Any]) -> None:
    assert {key: type(value) for key, value in plist.items()} == KEYS
    assert plist["Label"] == PLIST.stem
    assert plist["HardResourceLimits"] == {"Core": 0, "NumberOfFiles": 4096}


def test_property_list_starts_an_enrolled_agent_that_is_not_slowed_down(plist: dict[str, Any]) -> None:
    python, file, *words = plist["ProgramArguments"]
    assert (python, Path(file).name) == ("/usr/bin/python3", "agent.py")
    assert parser().parse_args(words).name == "mac"
    assert Path(file).is_absolute()
    assert Path(plist["StandardErrorPath"]).is_absolute()
    assert plist["KeepAlive"] == {"SuccessfulExit": False}  # ended with 0 it was asked to
    assert plist["ProcessType"] == "Interactive"
    assert plist["Umask"] == 0o077


def test_readme_links_lead_somewhere() -> None:
    for page in (ROOT / "runners").rglob("*.md"):
        links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="ascii"))
        assert all((page.parent / link).exists() for link in links), page
    text = (ROOT / "runners" / "README.md").read_text(encoding="ascii")
    assert {"(android.md)", "(ios/README.md)"} <= set(re.findall(r"\([a-z/A-Z.]+\)", text))
