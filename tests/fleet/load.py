"""Many agents at a hub that runs as a process of its own: how long a lease takes, and what memory the hub has.

First all agents wait, with nothing to do, and a job comes for each: what counts is the time from a job's submission to
the lease in the agent's hands. Then a long queue is worked off: what counts is the time of the call, since there is
always a job. Agents are coroutines here that do what an agent does, on a connection of its own for each call, which is
harder on a hub than agents are.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from command import ROOT

from bench.measure.job import Job

from .examples import body_of, encode, make_job, measured
from .hubs import Api, enrolment

AGENTS, JOBS = 200, 2000
_WAIT_S, _SAMPLE_S = 25.0, 0.25

# Rates are those of one token; here one client submits for 200 runners, and 200 agents enrol at once.
_SERVE = """
import sys
from pathlib import Path
from bench.fleet.limits import Limits
from bench.fleet.server import HubServer

folder, db = map(Path, sys.argv[1:])
limits = Limits(anonymous_per_s=1e4, anonymous_burst=10000, requests_per_s=1e4, request_burst=10000)
HubServer(folder, db, port=0, limits=limits).serve_forever(told=lambda hub: print(hub.url, flush=True))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was found; milliseconds as the caller sees them.

    Attributes:
        agents, jobs: how many.
        woken_ms: from the submission of a job to its lease, where the agent waited: median, 99 of 100, most.
        lease_ms: of a call for a lease where there is a job, likewise.
        report_ms: of a heartbeat or a result, likewise.
        leases: that were given while the queue was worked off.
        memory_mib: resident, of the hub, at most.
        database_mib: in the end.
    """

    agents: int
    jobs: int
    woken_ms: tuple[float, float, float]
    lease_ms: tuple[float, float, float]
    report_ms: tuple[float, float, float]
    leases: int
    memory_mib: float
    database_mib: float


@dataclass
class _Seen:
    """What the agents saw, in seconds."""

    woken_s: list[float] = field(default_factory=list)
    lease_s: list[float] = field(default_factory=list)
    report_s: list[float] = field(default_factory=list)
    memory_bytes: int = 0
    is_over: bool = False


@dataclass(frozen=True)
class _Load:
    """Agents as their hub knows them, and the job that they are given again and again."""

    url: str
    admin: Api
    process: psutil.Process
    agents: Sequence[Mapping[str, Any]]
    job: Job
    result: Sequence[Mapping[str, Any]]
    work_s: float
    seen: _Seen = field(default_factory=_Seen)

    async def wait_all(self) -> None:
        """Everyone waits, and gets one job."""
        submitted: dict[int, float] = {}

        async def one(index: int) -> None:
            lease = await self._lease(index)
            self.seen.woken_s.append(time.perf_counter() - submitted[index])
            await self._end(index, lease)

        waiting = [asyncio.ensure_future(one(index)) for index in range(len(self.agents))]
        await asyncio.sleep(3.0)
        for index in range(len(self.agents)):
            submitted[index] = time.perf_counter()
            await asyncio.to_thread(self.submit, index, f"first-{index}")
        await asyncio.gather(*waiting)

    async def work_all(self, *, for_s: float) -> None:
        """Everyone works for so long, and asks for the next job as soon as one is done."""
        end_s = time.perf_counter() + for_s

        async def one(index: int) -> None:
            # Agents do not start in step.
            await asyncio.sleep(index / len(self.agents) * self.work_s)
            while time.perf_counter() < end_s:
                begin_s = time.perf_counter()
                lease = await self._lease(index)
                self.seen.lease_s.append(time.perf_counter() - begin_s)
                await self._report(index, "POST", lease, "heartbeat", {"phase": "timing", "done": 0, "total": 1})
                await asyncio.sleep(self.work_s)
                await self._end(index, lease)

        await asyncio.gather(*(one(index) for index in range(len(self.agents))))

    async def sample(self) -> None:
        while not self.seen.is_over:
            self.seen.memory_bytes = max(self.seen.memory_bytes, self.process.memory_info().rss)
            await asyncio.sleep(_SAMPLE_S)

    def submit(self, index: int, key: str) -> None:
        body = body_of(self.job, runner=_name(index % len(self.agents)))
        found = self.admin.post("/v1/jobs", body, headers={"Idempotency-Key": key})
        assert found.status == 202, found.body

    async def _lease(self, index: int) -> Mapping[str, Any]:
        agent, status = self.agents[index], 204
        path = f"/v1/runners/{agent['runner_id']}/lease?wait={_WAIT_S:g}"
        while status == 204:  # nothing came while it waited, and it asks again
            status, lease = await _call(self.url, "POST", path, agent)
        assert status == 200, (status, lease)
        found: Mapping[str, Any] = lease
        return found

    async def _end(self, index: int, lease: Mapping[str, Any]) -> None:
        await self._report(index, "PUT", lease, "result", {"measurements": self.result})

    async def _report(self, index: int, method: str, lease: Mapping[str, Any], what: str, body: Any) -> None:
        begin_s = time.perf_counter()
        status, answer = await _call(self.url, method, f"/v1/leases/{lease['fence']}/{what}", self.agents[index], body)
        self.seen.report_s.append(time.perf_counter() - begin_s)
        assert status == 200, (status, answer)


def put_load(
    folder: Path, db: Path, *, agents: int = AGENTS, jobs: int = JOBS, work_s: float = 10.0, for_s: float = 60.0
) -> Figures:
    """Has so many agents enrol, wait, and work off a queue; gives what they and their hub went through.

    Args:
        folder: of the hub.
        db: with a schema already.
        agents, jobs: how many.
        work_s: that a device needs for a job.
        for_s: that the queue is worked off; too short to empty it.
    """
    with _hub(folder, db) as (url, process):
        admin = Api(url=url, token=(folder / "client.token").read_text().strip())
        enrolled = [_enrolled(admin, index) for index in range(agents)]
        admin.upload(b"reference", b"network")
        job = make_job(b"network")
        load = _Load(
            url=url, admin=admin, process=process, agents=enrolled, job=job, result=measured(job), work_s=work_s
        )
        asyncio.run(_everything(load, jobs=jobs, for_s=for_s))
    seen = load.seen
    return Figures(
        agents=agents,
        jobs=jobs,
        woken_ms=_spread(seen.woken_s),
        lease_ms=_spread(seen.lease_s),
        report_ms=_spread(seen.report_s),
        leases=len(seen.lease_s),
        memory_mib=round(seen.memory_bytes / 2**20, 1),
        database_mib=round(sum(path.stat().st_size for path in db.parent.glob(f"{db.name}*")) / 2**20, 1),
    )


async def _everything(load: _Load, *, jobs: int, for_s: float) -> None:
    sampling = asyncio.ensure_future(load.sample())
    await load.wait_all()
    for index in range(jobs):
        await asyncio.to_thread(load.submit, index, f"queued-{index}")
    await load.work_all(for_s=for_s)
    load.seen.is_over = True
    await sampling


@contextmanager
def _hub(folder: Path, db: Path) -> Iterator[tuple[str, psutil.Process]]:
    command = [sys.executable, "-c", _SERVE, str(folder), str(db)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip(), psutil.Process(process.pid)
        finally:
            process.terminate()


def _enrolled(admin: Api, index: int) -> Mapping[str, Any]:
    code = admin.post("/v1/enrolments", {"name": _name(index)}).json["code"]
    found: Mapping[str, Any] = Api(url=admin.url).post("/v1/enroll", enrolment(code)).json
    return found


def _name(index: int) -> str:
    return f"runner-{index}"


async def _call(url: str, method: str, path: str, agent: Mapping[str, Any], body: Any = None) -> tuple[int, Any]:
    """One call on a connection of its own, without a thread for it."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        content = b"" if body is None else encode(body)
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {agent['token']}\r\nConnection: close\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        writer.write(head.encode() + content)
        answer = await reader.read()
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    told, _, rest = answer.partition(b"\r\n\r\n")
    return int(told.split(b" ", 2)[1]), json.loads(rest) if rest else None


def _spread(seconds: Sequence[float]) -> tuple[float, float, float]:
    """Median, 99 of 100, most; in milliseconds."""
    ordered = sorted(seconds)
    picked = ordered[len(ordered) // 2], ordered[int(0.99 * (len(ordered) - 1))], ordered[-1]
    middle, high, most = (round(1e3 * value, 1) for value in picked)
    return middle, high, most
