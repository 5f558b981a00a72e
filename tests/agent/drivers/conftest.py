"""The real `adb` client of this machine, pointed at a scripted phone; tests that need it skip where it is missing."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest

from .scripted_phone import ScriptedPhone, served

Attach = Callable[[ScriptedPhone], ScriptedPhone]


@pytest.fixture(scope="session")
def adb_version() -> int:
    """The number of the client's protocol: it ends a server that has another one."""
    if shutil.which("adb") is None:
        pytest.skip("the adb client is not installed (Debian: apt-get install adb)")
    told = subprocess.run(["adb", "version"], capture_output=True, text=True, timeout=30, check=True).stdout
    found = re.search(r"^Android Debug Bridge version 1\.0\.(\d+)", told, re.MULTILINE)
    assert found, told
    return int(found[1])


@pytest.fixture
def attach(adb_version: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Attach]:
    """Attaches a phone for the rest of the test: any `adb` that is started now talks to it."""
    with contextlib.ExitStack() as stack:

        def attached(phone: ScriptedPhone) -> ScriptedPhone:
            found = stack.enter_context(served(phone, version=adb_version))
            monkeypatch.setenv("ADB_SERVER_SOCKET", found.address)
            return found

        yield attached
