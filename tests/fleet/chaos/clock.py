"""A wall clock of one process that can be set, without any right and without touching that of the machine.

What moves is what Python tells of the time of day: `time.time` and its like, and `datetime.now`, `utcnow` and `today`,
from the start of the process on. `time.monotonic` and `perf_counter` do not move, as they do not where an
administrator or NTP sets a clock. The kernel's own stamps of files, and OpenSSL's idea of the date, stay right.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

# Python imports a module of this name when it starts.
_SITE = """
import datetime, os, time

_PATH = os.environ["SHIFTED_CLOCK"]
_time_ns, _gmtime, _localtime, _strftime, _ctime = time.time_ns, time.gmtime, time.localtime, time.strftime, time.ctime


def _now_ns():
    with open(_PATH) as file:
        return _time_ns() + int(file.read()) * 10**9


def _given(seconds):
    return time.time() if seconds is None else seconds


time.time_ns = _now_ns
time.time = lambda: _now_ns() / 1e9
time.gmtime = lambda seconds=None: _gmtime(_given(seconds))
time.localtime = lambda seconds=None: _localtime(_given(seconds))
time.ctime = lambda seconds=None: _ctime(_given(seconds))
time.strftime = lambda form, moment=None: _strftime(form, time.localtime() if moment is None else moment)

_datetime = datetime.datetime


class _Kind(type):
    def __instancecheck__(cls, found):
        return isinstance(found, _datetime)

    def __subclasscheck__(cls, found):
        return issubclass(found, _datetime)


class _Shifted(_datetime, metaclass=_Kind):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls):
        return cls.now(datetime.timezone.utc).replace(tzinfo=None)

    @classmethod
    def today(cls):
        return cls.now()


_Shifted.__module__, _Shifted.__name__, _Shifted.__qualname__ = "datetime", "datetime", "datetime"
datetime.datetime = _Shifted
"""


class WallClock:
    """The clock of whatever is started with its `environment`."""

    def __init__(self, folder: Path) -> None:
        """It begins right; `folder` is its own."""
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(_SITE)
        self._folder, self._shift = folder, folder / "shift"
        self.seconds = 0
        self.jump(0)

    def environment(self, *paths: Path) -> Mapping[str, str]:
        """For a process; `paths`: further ones that it imports from."""
        return {
            "PYTHONPATH": os.pathsep.join(str(path) for path in (self._folder, *paths)),
            "SHIFTED_CLOCK": str(self._shift),
        }

    def jump(self, seconds: int) -> None:
        """So far, forward or back."""
        self.seconds += seconds
        partial = self._folder / "partial"
        partial.write_text(str(self.seconds))
        partial.replace(self._shift)
