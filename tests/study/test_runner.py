"""What Ray does on our behalf, in one process: a Ray is started once for all of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# A study all of whose candidates are measured elsewhere has nothing to start, perhaps to its end. While it waits, its
# Ray listens.
SCRIPT = """
import os
from pathlib import Path
from types import SimpleNamespace
os.environ.update({"RAY_USAGE_STATS_ENABLED": "0"})
from bench.study import runner

def family(root):
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found

def listening(pids):
    inodes = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                inodes.add(os.readlink(link))
            except OSError:
                continue
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                yield fields[1].split(":")[0]

class Waiting:
    asked = 0
    addresses = ()

    @property
    def is_done(self):
        return self.asked >= 3

    def next_job(self):
        self.asked += 1
        if Path("/proc/net/tcp").exists():
            self.addresses = sorted({*self.addresses, *listening(family(os.getpid()))})

session = Waiting()
runner.run(session, concurrency=1, ray_address=None, uses_gpu=False)
print("addresses", *session.addresses)
print("asked", session.asked)
"""
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


@pytest.fixture(scope="module")
def told():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(line.partition(" ")[::2] for line in done.stdout.splitlines())


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads sockets from Linux's /proc")
def test_a_local_ray_listens_on_loopback_only(told):
    addresses = told["addresses"].split()
    assert addresses
    assert set(addresses) <= LOOPBACK


def test_a_study_that_only_waits_is_asked_again_and_ends_without_a_job(told):
    assert told["asked"] == "3"
