"""What can be seen of a hub, an agent and its worker that run: no secret, no open door, and a worker that has little.

All three are the processes that users have; the worker is looked at while it times.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from command import bench

from bench.fleet.shipping import pack, ship

from .hubs import until
from .networks import job_of, tiny
from .processes import AgentProcess, HubProcess, agent_process, check_untold, enrolment_line, hub_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

NAME = "pi5"
# Worked on for as long as it is looked at.
ENDLESS = {"warmup_ms": 60_000.0, "warmup_least_ms": 60_000.0}
# Of a worker (bench/measure/child.py); everything else of the agent's environment is nobody's business there.
ALLOWED = {
    *("PATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_HOME"),
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "HOME", "TMPDIR", "LC_ALL"),
}


@dataclass(frozen=True)
class Seen:
    """Processes under way, and what must not be seen of them.

    Attributes:
        hub, agent: that run.
        worker: the agent's child, which is timing.
        code: that the agent enrolled with.
        tokens: of the machine's commands, of the agent, and of a client.
    """

    hub: HubProcess
    agent: AgentProcess
    worker: psutil.Process
    code: str
    tokens: tuple[str, ...]

    @property
    def pids(self) -> tuple[int, ...]:
        return self.hub.pid, self.agent.pid, self.worker.pid


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    folder = tmp_path_factory.mktemp("seen")
    with ExitStack() as stack:
        hub = stack.enter_context(hub_process(folder))
        client = stack.enter_context(closing(hub.client()))
        line = enrolment_line(client, NAME)
        # In the environment that the agent is started in, as an administrator's own variables may be.
        more = {"AWS_SECRET_ACCESS_KEY": "of-the-agents-user"}
        agent = stack.enter_context(agent_process(NAME, folder / NAME, line, more=more))
        _, token = client.add_token("client", "laptop")
        # Large enough to keep a CPU busy between two requests.
        network, reference = (tiny(folder / f"{layers}.onnx", layers=layers) for layers in (40, 41))
        job_id = ship(pack(job_of(network, reference=reference, **ENDLESS), runner=NAME), client, key=uuid.uuid4().hex)
        worker = until(lambda: timing(agent), limit_s=120.0)
        tokens = (hub.token, agent.identity["token"], token)
        yield Seen(hub=hub, agent=agent, worker=worker, code=line.split("#")[1], tokens=tokens)
        client.cancel(job_id)


def timing(agent: AgentProcess) -> psutil.Process | None:
    """The child that has loaded its runtime; others look into files, or wait for it."""
    for child in psutil.Process(agent.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess, OSError):
            if "onnxruntime_pybind11_state" in Path(f"/proc/{child.pid}/maps").read_text():
                return child
    return None


def test_no_secret_is_among_arguments(seen: Seen) -> None:
    for pid in seen.pids:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
        for secret in (*seen.tokens, seen.code):
            assert secret.encode() not in line


def test_no_token_is_in_an_environment(seen: Seen) -> None:
    """The code is, in that of the agent's first start: it is good for nothing any more by then."""
    for pid in seen.pids:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert not any(token.encode() in environment for token in seen.tokens)


def test_a_worker_knows_nothing_of_its_agents_surroundings(seen: Seen) -> None:
    environment = seen.worker.environ()
    assert set(environment) <= ALLOWED
    assert seen.code not in " ".join(environment.values())
    folder = Path(f"/proc/{seen.worker.pid}/cwd").readlink()
    assert environment["HOME"] == environment["TMPDIR"] == str(folder)
    assert folder.stat().st_mode & 0o077 == 0
    assert not str(folder).startswith(str(seen.agent.folder))


def test_a_worker_has_no_file_and_no_connection_of_its_agent(seen: Seen) -> None:
    found = []
    for entry in Path(f"/proc/{seen.worker.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(str(entry.readlink()))
    assert len(found) >= 3
    assert not [name for name in found if name.startswith(("socket:", str(seen.agent.folder), str(seen.hub.folder)))]


def test_a_worker_is_held_to_its_limits(seen: Seen) -> None:
    rows = Path(f"/proc/{seen.worker.pid}/limits").read_text().splitlines()[1:]
    hard = {row[:26].strip(): row[26:].split()[1] for row in rows}
    assert hard["Max core file size"] == "0"
    assert int(hard["Max open files"]) <= 1024
    assert int(hard["Max file size"]) <= 64 << 20
    assert int(hard["Max address space"]) <= 16384 << 20
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{seen.worker.pid}/status").read_text().splitlines() if ":" in line
    )
    assert status["NoNewPrivs"].strip() == "1"


def test_a_worker_reaches_no_network(seen: Seen) -> None:
    own, agents = (Path(f"/proc/{pid}/ns/net").readlink() for pid in (seen.worker.pid, seen.agent.pid))
    if own == agents:
        pytest.skip("this system lets nobody make a network namespace")
    listed = Path(f"/proc/{seen.worker.pid}/net/dev").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in listed] in ([], ["lo"])


def test_an_agent_listens_on_nothing_and_a_hub_on_this_machine_alone(seen: Seen) -> None:
    agent = psutil.Process(seen.agent.pid)
    for process in (agent, *agent.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            assert not listening(process)
    assert listening(psutil.Process(seen.hub.pid)) == {("127.0.0.1", seen.hub.port)}


def listening(process: psutil.Process) -> set[tuple[str, int]]:
    found = process.net_connections(kind="inet")
    return {(each.laddr.ip, each.laddr.port) for each in found if each.status == psutil.CONN_LISTEN}


def test_secrets_are_in_files_of_their_owner_alone_and_in_no_log(seen: Seen) -> None:
    check_untold((*seen.tokens, seen.code), seen.hub.log, seen.agent.log)
    for folder, secret in ((seen.hub.files, seen.hub.token), (seen.agent.own, seen.agent.identity["token"])):
        holders = [path for path in folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
        assert len(holders) == 1
        assert holders[0].stat().st_mode & 0o777 == 0o600
        assert folder.stat().st_mode & 0o077 == 0
    for path in seen.hub.db.parent.glob("bench.db*"):
        check_untold((*seen.tokens, seen.code), path)
    stored = b"".join(path.read_bytes() for path in seen.hub.db.parent.glob("bench.db*"))
    for token in seen.tokens:
        assert hashlib.sha256(token.encode()).hexdigest().encode() in stored


def test_a_second_device_cannot_use_the_same_code(seen: Seen, tmp_path: Path) -> None:
    thief = AgentProcess(name=NAME, folder=tmp_path / "thief")
    thief.start("--leases", "0", enrolment=f"{seen.hub.address.url}#{seen.code}")
    assert thief.wait() == 1
    assert not thief.is_enrolled
    assert "the hub does not take the code" in thief.log.read_text()
    check_untold((seen.code,), thief.log)


def test_the_commands_show_no_token_but_the_one_that_they_make(seen: Seen) -> None:
    folder = seen.hub.folder
    shown = [
        bench(*words, cwd=folder)
        for words in (("runners", "list"), ("runners", "show", NAME), ("hub", "token", "list", "--json"))
    ]
    for ended in shown:
        assert ended.code == 0, ended.err
        for secret in (*seen.tokens, seen.code, *(hashlib.sha256(each.encode()).hexdigest() for each in seen.tokens)):
            assert secret not in ended.out + ended.err
