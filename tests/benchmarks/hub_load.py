"""What 200 agents and 2,000 jobs ask of a hub: the time of a lease and the memory of the hub's process.

    python -m tests.benchmarks.hub_load --keep-awake --out results/measured/DEVICE/hub_load.json

What is done is what tests/fleet/load.py does, as `make soak` does it once: all agents wait and are woken by a job, then
2,000 jobs are worked off for a minute by devices that need 10 s for each. Several runs, each with a hub and a database
of its own; the median of their figures counts, and the most of memory. The wanted figures are 250 ms for 99 of 100
leases, apart from their wait, and 300 MiB. Takes about two minutes a run; prints a table for people and, last, one JSON
line. What the hypervisor took is told beside each run: a guest whose cores sleep between calls is woken late by a busy
host, which `--keep-awake` prevents (see awake.py).
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from awake import cores_kept_awake
from fleet.load import put_load

from bench.measure import fingerprint
from bench.store.fleet import open_fleet

_PACKAGES = ("fastapi", "uvicorn", "h11", "pydantic", "sqlalchemy")


def main() -> None:
    arguments = _arguments()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    runs = []
    for number in range(arguments.runs):
        with cores_kept_awake(arguments.keep_awake):
            found = _run()
        runs.append(found)
        print(
            f"{number + 1}/{arguments.runs}  woken {_told(found['woken_ms'])}  lease {_told(found['lease_ms'])}  "
            f"report {_told(found['report_ms'])}  {found['leases']} leases  {found['memory_mib']} MiB  "
            f"stolen {100 * found['stolen']:.1f} %",
            flush=True,
        )
    result = {
        "woken_p99_ms": statistics.median(found["woken_ms"][1] for found in runs),
        "lease_p99_ms": statistics.median(found["lease_ms"][1] for found in runs),
        "memory_mib": max(found["memory_mib"] for found in runs),
        "kept_awake": arguments.keep_awake,
        "runs": runs,
        "versions": {name: version(name) for name in _PACKAGES},
        "fingerprint": fingerprint(),
    }
    arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({name: value for name, value in result.items() if name not in ("runs", "fingerprint")}))


def _run() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-load-") as folder:
        db = Path(folder) / "bench.db"
        open_fleet(db).close()
        before = psutil.cpu_times()
        found = asdict(put_load(Path(folder) / "fleet", db))
        after = psutil.cpu_times()
    # Share of all cores' time; only Linux tells it.
    stolen_s = getattr(after, "steal", 0.0) - getattr(before, "steal", 0.0)
    return found | {"stolen": round(stolen_s / (sum(after) - sum(before)), 4)}


def _told(spread: tuple[float, float, float]) -> str:
    """Median, 99 of 100 and most."""
    return "/".join(f"{value:g}" for value in spread) + " ms"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--keep-awake", action="store_true", help="loops of the idle class keep the cores (Linux)")
    parser.add_argument("--out", type=Path, default=Path("results/hub_load.json"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
