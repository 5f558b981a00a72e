"""The command in this process, for what ends before a search starts: a process of its own would only cost time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from command import Ended

from bench.cli.main import main

Here = Callable[..., Ended]


def run_here(capsys: pytest.CaptureFixture[str], *words: object) -> Ended:
    code = 0
    try:
        main([str(word) for word in words])
    except SystemExit as stop:
        code = int(stop.code or 0)
    out, err = capsys.readouterr()
    return Ended(code=code, out=out, err=err)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
