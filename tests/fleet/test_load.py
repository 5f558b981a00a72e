"""Two hundred agents that poll and two thousand jobs that wait: leases are given at once, and memory is modest.

pytest -m soak tests/fleet/test_load.py -s       # prints what it found
python -m tests.benchmarks.hub_load              # keeps it
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from awake import cores_kept_awake

from .load import AGENTS, JOBS, Figures, put_load

LONGEST_MS, MOST_MIB = 250.0, 300.0


def loaded(folder: Path, empty_db: Path, **settings: Any) -> Figures:
    db = folder / "bench.db"
    db.write_bytes(empty_db.read_bytes())
    figures = put_load(folder / "fleet", db, **settings)
    print(figures)
    return figures


def test_a_few_agents_are_served_beside_each_other(tmp_path: Path, empty_db: Path) -> None:
    figures = loaded(tmp_path, empty_db, agents=10, jobs=60, work_s=0.2, for_s=1.0)
    assert figures.leases >= 10
    assert figures.memory_mib < MOST_MIB


@pytest.mark.soak
@pytest.mark.alone
@pytest.mark.timeout(900)
def test_a_lease_is_given_at_once_and_memory_is_modest(tmp_path: Path, empty_db: Path) -> None:
    with cores_kept_awake(hasattr(os, "SCHED_IDLE")):
        figures = loaded(tmp_path, empty_db)
    assert (figures.agents, figures.jobs) == (AGENTS, JOBS) == (200, 2000)
    assert figures.leases > AGENTS
    assert figures.woken_ms[1] < LONGEST_MS
    assert figures.lease_ms[1] < LONGEST_MS
    assert figures.memory_mib < MOST_MIB
