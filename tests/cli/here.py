"""The command in this process: for what ends before a search starts, where a process of its own would only cost time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from command import Ended

from bench.cli.main import main

Here = Callable[..., Ended]


def run_here(capsys: pytest.CaptureFixture[str], *words: object) -> Ended:
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
        raise SystemExit(0)
    out, err = capsys.readouterr()
    return Ended(code=int(stop.value.code or 0), out=out, err=err)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
