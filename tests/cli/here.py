"""The command in this process, for what a process of its own, or Ray, would only cost time."""

from __future__ import annotations

import contextlib
import io
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from command import Ended

from bench.cli.main import main
from bench.study import runner
from bench.study.jobs import job_from_dict, job_to_dict, work
from bench.study.session import Session

Here = Callable[..., Ended]


def run_here(capsys: pytest.CaptureFixture[str], *words: object) -> Ended:
    code = _run(*words)
    out, err = capsys.readouterr()
    return Ended(code=code, out=out, err=err)


def bench_here(*words: object, cwd: Path) -> Ended:
    """As `command.bench`, whose searches do their jobs in this process, one after the other, where Ray hands them out.

    What Ray does is asked of searches that have it: in test_search.py, test_killing.py and tests/test_api.py.
    """
    out, err = io.StringIO(), io.StringIO()
    with _undone(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = _run(*words)
    return Ended(code=code, out=out.getvalue(), err=err.getvalue())


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _run(*words: object) -> int:
    try:
        main([str(word) for word in words])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def _work_off(session: Session, **_: Any) -> None:
    """In the place of `runner.run`: jobs and updates are as plain as on their way to workers and back."""
    while not session.plan.is_done:
        job = session.next_job()
        assert job is not None, "nothing else is under way that could be waited for"
        for found in work(job_from_dict(json.loads(json.dumps(job_to_dict(job))))):
            session.update(*json.loads(json.dumps(found)))
        session.ended(job, has_died=False)


@contextlib.contextmanager
def _undone(cwd: Path) -> Iterator[None]:
    """What a command does to this process is undone."""
    handler, threads = signal.getsignal(signal.SIGTERM), torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(cwd):
        patch.delenv("BENCH_DB", raising=False)
        patch.setenv("BENCH_CACHE", str(cwd / "cache"))
        patch.setattr(runner, "run", _work_off)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, handler)
            torch.set_num_threads(threads)
