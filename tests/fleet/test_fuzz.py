"""Whatever fits the OpenAPI document, or nearly does, the hub answers it without an error of its own (5xx).

schemathesis makes the calls, out of the document of a hub that runs: without a token, and with valid ones. What was
answered is counted in the hub as well, so that nothing depends on what the tool takes for a failure. Long polls are
short here and rates are off, or most of the time would go into waiting.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.fleet.answers import LOG

from .examples import RUNNER
from .hubs import Served, served

pytest.importorskip("schemathesis", reason="schemathesis is not installed")

# The short form makes as many calls on a busy machine as on a quiet one (a quarter of a minute there); the long form
# calls for that many seconds, all parts together.
EXAMPLES, LONG_S = 8, 600
# The short form's whole time, and what schemathesis needs beside its calls.
_SHORT_LIMIT_S, _MARGIN_S = 240.0, 120.0
_NUM_JOBS = 20
# Calls that end the very token that asks; they are tried with tokens of their own.
_DEADLY = ("rotate_token", "revoke_token")


@dataclass(frozen=True)
class Part:
    """Who calls what.

    Attributes:
        share: of the time of the long form.
        least: requests of the short form, and a second of the long one, that are few for any machine.
        good: answers of 200 to 299 that show that calls came through, of the short form and of the long one.
        words: of the command, to choose calls.
    """

    share: float
    least: tuple[int, float]
    good: tuple[int, int]
    words: Sequence[str] = ()


PARTS: Mapping[str, Part] = {
    "nobody": Part(share=0.2, least=(200, 5.0), good=(1, 1)),
    "admin": Part(
        share=0.4, least=(180, 5.0), good=(20, 20), words=[f"--exclude-operation-id={name}" for name in _DEADLY]
    ),
    "agent": Part(
        share=0.3,
        least=(40, 5.0),
        good=(8, 20),
        words=["--include-tag=leases", "--include-operation-id=tell_capabilities"],
    ),
    "tokens": Part(
        share=0.1, least=(8, 2.0), good=(1, 1), words=[f"--include-operation-id={name}" for name in _DEADLY]
    ),
}


class Tally(logging.Handler):
    """Counts what a hub answers, by the lines of its log."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.statuses: Counter[int] = Counter()
        self.wrong: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        status = record.args[2] if isinstance(record.args, tuple) and len(record.args) == 4 else None
        if isinstance(status, int):
            self.statuses[status] += 1
        if record.levelno >= logging.ERROR or (isinstance(status, int) and status >= 500):
            self.wrong.append(self.format(record))


@pytest.fixture
def tally() -> Iterator[Tally]:
    """Of all hubs of this process; their lines go nowhere else, since there are many."""
    found, before = Tally(), (LOG.level, LOG.propagate)
    LOG.addHandler(found)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    try:
        yield found
    finally:
        LOG.removeHandler(found)
        LOG.setLevel(before[0])
        LOG.propagate = before[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", PARTS)
def test_no_call_makes_an_error_in_the_hub(name: str, tmp_path: Path, empty_db: Path, tally: Tally) -> None:
    fuzz(name, tmp_path, empty_db, tally, seconds=None)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", PARTS)
def test_no_call_makes_an_error_in_ten_minutes(name: str, tmp_path: Path, empty_db: Path, tally: Tally) -> None:
    fuzz(name, tmp_path, empty_db, tally, seconds=round(PARTS[name].share * LONG_S))


def fuzz(name: str, folder: Path, empty_db: Path, tally: Tally, *, seconds: int | None) -> None:
    part = PARTS[name]
    # The phase "coverage", which walks along the borders of every field, has no bound: it is left to the long form.
    bound = (
        ["--phases=fuzzing,stateful", f"--max-examples={EXAMPLES}"] if seconds is None else [f"--max-time={seconds}"]
    )
    least = part.least[0] if seconds is None else part.least[1] * seconds
    good = part.good[0] if seconds is None else part.good[1]
    limit_s = _SHORT_LIMIT_S if seconds is None else seconds + _MARGIN_S
    with served(folder, empty_db, limits={"wait_s": 0.02}) as hub:
        token, settings = prepared(name, hub)
        tally.statuses.clear()
        report = schemathesis(hub, folder, settings, [*bound, *part.words], token, limit_s=limit_s)
        assert hub.nobody.get("/v1/health").status == 200
    assert tally.wrong == []
    assert report["failures"] == []
    assert report["errors"] == []
    assert report["stop_reason"] in ("completed", "max_time")
    assert sum(tally.statuses.values()) >= least, tally.statuses
    assert sum(count for status, count in tally.statuses.items() if 200 <= status < 300) >= good, tally.statuses
    if name == "nobody":
        assert set(tally.statuses) <= {200, 400, 401, 404, 405, 411, 413, 422}


def prepared(name: str, hub: Served) -> tuple[str | None, dict[str, Any]]:
    """The token to call with, and values that some of the calls should have: made up, nothing would be found."""
    agent = hub.enrol()
    client = hub.client()
    jobs = [client.submit(key=f"job-{number}") for number in range(_NUM_JOBS)]
    fences = range(agent.lease().json["fence"], _NUM_JOBS)
    values = {
        "path.runner_id": [agent.id],
        "path.fence": fences,
        "path.job_id": jobs,
        "path.name": [RUNNER, agent.id],
    }
    if name == "nobody":
        return None, values
    if name == "agent":
        return agent.api.token, values
    return hub.client(name, kind="admin").token, values


def schemathesis(
    hub: Served,
    folder: Path,
    values: Mapping[str, Sequence[Any]],
    words: Sequence[str],
    token: str | None,
    *,
    limit_s: float,
) -> dict[str, Any]:
    """Its report of a run."""
    config, report = folder / "schemathesis.toml", folder / "report.json"
    config.write_text(settings_of(values, has_token=token is not None))
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"),
        *("--checks=not_a_server_error", "--continue-on-failure", "--suppress-health-check=all", "--no-color"),
        *(f"--report-json-path={report}", *words, f"{hub.url}/v1/openapi.json"),
    ]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SCHEMATHESIS_", "PYTHON"))}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**kept, "HUB_TOKEN": token or ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
    assert report.is_file(), done.stdout[-4000:] + done.stderr[-4000:]
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def settings_of(values: Mapping[str, Sequence[Any]], *, has_token: bool) -> str:
    """Its settings; the token stands in the environment alone."""
    lines = ["seed = 1", "cache.enabled = false", 'generation.database = "none"', "auth.auto-signup = false"]
    if has_token:
        lines.append('headers = { Authorization = "Bearer ${HUB_TOKEN}" }')
    lines.append("[parameters]")
    lines += [f'"{name}" = {{ dictionary = "{_word(name)}", probability = 0.6 }}' for name in values]
    for name, known in values.items():
        lines += [f"[dictionaries.{_word(name)}]", f"values = {json.dumps(list(known))}"]
    return "\n".join(lines) + "\n"


def _word(name: str) -> str:
    return name.rpartition(".")[2]
