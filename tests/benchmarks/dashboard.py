"""The dashboard at its largest: 10,000 and 100,000 trials of three objectives, against the times that are aimed at.

    python -m tests.benchmarks.dashboard --out results/measured/DEVICE/dashboard.json

Synthetic studies are written straight through the store. Of the command in a process of its own: the first answer (the
database is read and the front computed), the check whether something is new, the answer to 100 new trials, memory, and
the CPU that an open page costs while nothing happens. Of the front alone: all trials at once, and a new one. Of a real
Chromium, where Playwright and it are installed, what `dashboard_page` times. Of a writer: trials a second with and
without a page that polls, in turns, and whether a lock reached it. Takes some twenty minutes on two cores, most of them
for writing; prints a table for people and, last, one JSON line.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import tempfile
import threading
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from planned_studies import add_study, tell_trial, write_study
from plans import Plan

from bench.dashboard.snapshot import write_snapshot
from bench.dashboard.source import Source
from bench.errors import StoreError
from bench.measure import fingerprint
from bench.report.history import FrontHistory
from bench.report.points import StudyPoints
from bench.store import open_store

from .dashboard_server import Server, serving

_PACKAGES = ("starlette", "uvicorn", "plotly", "sqlalchemy", "numpy", "moocore")
_OBJECTIVES = ("accuracy", "latency_ms", "params_m")
_NEW = 100
_REPEATS = 30
_IDLE_S = 20.0
_TURN_S, _TURNS = 15.0, 4  # a minute with the page
# Aimed at; sizes in bytes, the rest by name.
_AIMS: dict[str, tuple[float, float]] = {
    "first_answer_s": (1.0, 3.0),
    "idle_check_ms": (5.0, 5.0),
    "delta_ms": (250.0, 250.0),
    "delta_bytes": (20_000, 20_000),
    "memory_mib": (150, 150),
    "idle_cpu_share": (0.01, 0.01),
    "table_s": (2.0, 4.0),
    "chart_s": (3.5, 5.5),
    "commit_to_page_p95_s": (2.0, 2.0),
    "block_ms": (250, 250),
    "lines_2000_ms": (50, 50),
    "lines_10000_ms": (200, 200),
    "page_idle_cpu_share": (0.01, 0.01),
    "front_whole_s": (1.5, 1.5),
    "front_one_ms": (0.1, 0.1),
}


def main() -> None:
    arguments = _arguments()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-dashboard-") as folder:
        sizes = {str(num): _at_size(Path(folder), num) for num in arguments.trials}
        export = _export(Path(folder) / f"{arguments.trials[0]}.db")
        writer = _writer(Path(folder))
    result = {
        "sizes": sizes,
        "export": export,
        "writer": writer,
        "versions": {name: version(name) for name in _PACKAGES},
        "fingerprint": fingerprint(),
    }
    arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    _print(sizes, export, writer)
    print(json.dumps({name: value for name, value in result.items() if name != "fingerprint"}))


def _at_size(folder: Path, num: int) -> dict[str, Any]:
    db = folder / f"{num}.db"
    plan = Plan(name="large", num_trials=num, objectives=_OBJECTIVES, status=None, failed=0.02, top=0.9)
    write_study(db, plan)
    with serving(db) as server:
        found = _answers(server, db, plan)
    with suppress(ImportError), serving(db) as server:
        from .dashboard_page import timed_page

        found |= timed_page(server.url, db, plan, begin=num + _NEW)
    return found | _front(db)


def _front(db: Path) -> dict[str, Any]:
    """The front and its hypervolume over time of all trials at once, and of the last ones added to the others."""
    with open_store(db, read_only=True) as store:
        record = store.study("large")
        points = StudyPoints(record)
        with store.changes(record.id) as changes:
            points.apply(changes)
    columns, corner = points.columns, points.corner
    values = columns.points()
    known = np.flatnonzero(~np.isnan(values).any(axis=1))
    whole, begin = FrontHistory(columns.maximise, corner), time.perf_counter()
    whole.add(known, values[known])
    whole_s = time.perf_counter() - begin
    grown = FrontHistory(columns.maximise, corner)
    grown.add(known[:-_NEW], values[known[:-_NEW]])
    begin = time.perf_counter()
    grown.add(known[-_NEW:], values[known[-_NEW:]])
    one_ms = 1e3 * (time.perf_counter() - begin) / _NEW
    assert sorted(grown.rows) == sorted(whole.rows)
    return {"front_whole_s": whole_s, "front_one_ms": one_ms}


def _answers(server: Server, db: Path, plan: Plan) -> dict[str, Any]:
    first_s, _, body = server.ask("/api/studies/1/points")
    whole = json.loads(body)
    cursor = whole["cursor"]
    checks = [server.ask(f"/api/studies/1/points?after={cursor}") for _ in range(_REPEATS)]
    assert {status for _, status, _ in checks} == {204}
    with open_store(db) as store:
        study = store.study("large")
        for number in range(plan.num_trials, plan.num_trials + _NEW):
            tell_trial(store, study, plan, number)
    delta_s, _, body = server.ask(f"/api/studies/1/points?after={cursor}")
    delta = json.loads(body)
    assert len(delta["rows"]["number"]) >= _NEW
    return {
        "first_answer_s": first_s,
        "first_answer_bytes": len(json.dumps(whole)),
        "front": len(whole["front"]),
        "idle_check_ms": 1e3 * statistics.median(seconds for seconds, _, _ in checks),
        "delta_ms": 1e3 * delta_s,
        "delta_bytes": len(gzip.compress(body, 4)),
        "delta_bytes_plain": len(body),
        "memory_mib": server.process.memory_info().rss >> 20,
        "idle_cpu_share": _idle_share(server, delta["cursor"]),
    }


def _idle_share(server: Server, cursor: str) -> float:
    """CPU seconds a second of the server while one page polls and nothing happens."""
    before, begin = server.process.cpu_times(), time.monotonic()
    while time.monotonic() - begin < _IDLE_S:
        server.ask(f"/api/studies/1/points?after={cursor}")
        time.sleep(1.0)
    after = server.process.cpu_times()
    return (after.user + after.system - before.user - before.system) / (time.monotonic() - begin)


def _export(db: Path) -> dict[str, Any]:
    file = db.with_suffix(".html")
    with Source(db) as source:
        begin = time.perf_counter()
        write_snapshot(source, 1, file)
        seconds = time.perf_counter() - begin
    found = {"seconds": seconds, "bytes": file.stat().st_size}
    with suppress(ImportError):
        from .dashboard_page import timed_export

        found |= timed_export(file)
    return found


def _writer(folder: Path) -> dict[str, Any]:
    """Trials a second that a writer tells of, with and without a page that polls once a second, in turns."""
    db = folder / "writer.db"
    plan = Plan(name="written", num_trials=0, objectives=_OBJECTIVES, status=None)
    rates: dict[bool, list[float]] = {True: [], False: []}
    number = faults = 0
    with open_store(db) as store:
        study = add_study(store, plan)
        with serving(db) as server:
            for turn in range(2 * _TURNS):
                is_polled = turn % 2 == 1
                is_over = threading.Event()
                page = threading.Thread(target=_poll, args=(server, is_over))
                if is_polled:
                    page.start()
                begin, first = time.monotonic(), number
                while time.monotonic() - begin < _TURN_S:
                    try:
                        tell_trial(store, study, plan, number)
                    except StoreError:
                        faults += 1
                    number += 1
                rates[is_polled].append((number - first) / (time.monotonic() - begin))
                is_over.set()
                if is_polled:
                    page.join()
    alone, polled = (statistics.median(rates[key]) for key in (False, True))
    return {"trials_per_s": alone, "trials_per_s_polled": polled, "slower": 1 - polled / alone, "faults": faults}


def _poll(server: Server, is_over: threading.Event) -> None:
    cursor = ""
    while not is_over.is_set():
        _, status, body = server.ask(f"/api/studies/1/points{f'?after={cursor}' if cursor else ''}")
        if status == 200:
            cursor = json.loads(body)["cursor"]
        is_over.wait(1.0)


def _print(sizes: dict[str, dict[str, Any]], export: dict[str, Any], writer: dict[str, Any]) -> None:
    for place, (num, found) in enumerate(sizes.items()):
        print(f"\n{int(num):,} trials, {found['front']} on the front")
        for name, value in found.items():
            aim = _AIMS[name][min(place, 1)] if name in _AIMS else None
            print(f"  {name:26} {value:12.4g}" + ("" if aim is None else f"   aimed at {aim:g}"))
    print(f"\nexport: {export['bytes']:,} bytes (aimed at 5,500,000) in {export['seconds']:.1f} s")
    for name in ("table_s", "lines_10000_ms"):
        if name in export:
            print(f"  {name:26} {export[name]:12.4g}   aimed at {_AIMS[name][0]:g}")
    print(
        f"writer: {writer['trials_per_s']:.1f} trials/s alone, {writer['trials_per_s_polled']:.1f} with a page that "
        f"polls ({100 * writer['slower']:.1f} % slower, aimed at 10 %), {writer['faults']} faults"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--out", type=Path, default=Path("results/dashboard.json"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
