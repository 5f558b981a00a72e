"""What all work of a worker has in common: how it reports, how many threads it uses, and its last words."""

from __future__ import annotations

import contextlib
import faulthandler
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.errors import BenchError

# While someone else is timed, or before it can be timed itself.
WAIT = "wait for the CPU"

Update = dict[str, Any]


def use_threads(threads: int) -> None:
    """CPU threads of torch in this process."""
    import torch

    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


def failure(error: Exception) -> Update:
    """The update of a candidate that failed: the message of our own errors, the type as well for others."""
    text = " ".join(str(error).split())
    return {
        "kind": "failed",
        "reason": text if isinstance(error, BenchError) else f"{type(error).__name__}: {text}"[:500],
    }


@contextlib.contextmanager
def crash_log(folder: Path, number: int) -> Iterator[None]:
    """A segmentation fault leaves no exception; Python's fault handler writes it here on the way down."""
    path = _log_path(folder, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        faulthandler.enable(file=file)
        try:
            yield
        finally:
            faulthandler.disable()
    if not path.stat().st_size:
        path.unlink()


def crash_report(folder: Path, number: int) -> str | None:
    """What the worker's last words were if it died of a signal, such as `Segmentation fault`."""
    path = _log_path(folder, number)
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    fatal = [line.removeprefix("Fatal Python error: ") for line in lines if line.startswith("Fatal Python error")]
    return fatal[-1] if fatal else None


def _log_path(folder: Path, number: int) -> Path:
    return folder / "logs" / f"{number:05d}.log"
