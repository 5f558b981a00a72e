"""The hub and the agent as processes of their own, as users start them: each can be killed and started again."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from command import ROOT, arguments, environment, surroundings

from bench.fleet.address import HubAddress
from bench.fleet.client import HubClient

from .hubs import until

# For a process to end by itself, and to enrol, on a machine that may be busy.
END_S, ENROL_S = 60.0, 120.0
_TAIL = 4000


@dataclass
class HubProcess:
    """`bench hub serve`.

    Attributes:
        folder: where it is run, so that its database is results/bench.db in there.
        port: that it listens on, the same after each start.
        words: further ones of the command.
        around: in front of the command, such as `ip netns exec NAME`.
        more: of its environment.
        told: what it said of itself when it had started.
    """

    folder: Path
    port: int
    words: tuple[str, ...] = ()
    around: tuple[str, ...] = ()
    more: Mapping[str, str] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)
    _process: subprocess.Popen[str] | None = None

    @property
    def db(self) -> Path:
        return self.folder / "results" / "bench.db"

    @property
    def files(self) -> Path:
        """The hub's own folder."""
        return self.folder / "results" / "fleet"

    @property
    def log(self) -> Path:
        return self.folder / "hub.log"

    @property
    def pid(self) -> int:
        assert self._process is not None, "not running"
        return self._process.pid

    @property
    def address(self) -> HubAddress:
        return HubAddress(url=self.told["url"], fingerprint=self.told["fingerprint"])

    @property
    def token(self) -> str:
        """Of this machine's commands."""
        return (self.files / "client.token").read_text(encoding="ascii").strip()

    def client(self) -> HubClient:
        return HubClient(self.address, self.token)

    def start(self) -> None:
        """Returns when it answers."""
        assert self._process is None, "running already"
        command = [*self.around, *arguments("hub", "serve", "--port", self.port, "--json", *self.words)]
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment(self.folder) | self.more,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self._process.stdout is not None  # made with PIPE
        line = self._process.stdout.readline()
        assert line, f"the hub did not start: {self.log.read_text()[-_TAIL:]}"
        self.told = json.loads(line)

    def kill(self) -> None:
        """As a loss of power does it, for this process."""
        assert self._process is not None, "not running"
        self._process.kill()
        self._reap()

    def end(self) -> None:
        """As Ctrl-C does it."""
        if self._process is not None:
            self._process.terminate()
            self._reap()

    def _reap(self) -> None:
        process, self._process = self._process, None
        assert process is not None
        _wait(process)


@dataclass
class AgentProcess:
    """The packed agent, alone in the folder of its device.

    Attributes:
        name: of the runner.
        folder: of the device.
        around: in front of the command.
        more: of its environment.
    """

    name: str
    folder: Path
    around: tuple[str, ...] = ()
    more: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        shutil.copy(ROOT / "runners" / "agent.py", self.folder / "agent.py")

    @property
    def own(self) -> Path:
        """What it keeps of its runner."""
        return self.folder / "agents" / self.name

    @property
    def log(self) -> Path:
        return self.folder / "agent.log"

    @property
    def pid(self) -> int:
        assert self._process is not None, "not running"
        return self._process.pid

    @property
    def identity(self) -> dict[str, Any]:
        """Runner, hub and token, as it keeps them."""
        found: dict[str, Any] = json.loads((self.own / "agent.json").read_text(encoding="ascii"))
        return found

    @property
    def is_enrolled(self) -> bool:
        return (self.own / "agent.json").exists()

    def start(self, *words: str, enrolment: str | None = None) -> None:
        """For the first time with the line of the hub, later by its name."""
        assert self._process is None, "running already"
        secret = {} if enrolment is None else {"BENCH_ENROL": enrolment}
        named = () if enrolment is not None else (self.name,)
        command = [sys.executable, "agent.py", "--folder", str(self.folder / "agents"), *named, *words]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.around, *command],
                cwd=self.folder,
                env={**surroundings(), "OMP_NUM_THREADS": "1", **self.more, **secret},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> int:
        """The status that it ends with by itself."""
        assert self._process is not None, "not running"
        process, self._process = self._process, None
        return process.wait(END_S)

    def wait_enrolled(self) -> None:
        """Returns when it has its token."""
        process = self._process
        assert process is not None, "not running"
        until(lambda: self.is_enrolled or process.poll() is not None, limit_s=ENROL_S)
        assert self.is_enrolled, self.tail()

    def kill(self) -> None:
        assert self._process is not None, "not running"
        self._process.kill()
        self._reap()

    def end(self) -> None:
        """As a service manager does it."""
        if self._process is not None:
            self._process.terminate()
            self._reap()

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-_TAIL:]

    def _reap(self) -> None:
        process, self._process = self._process, None
        assert process is not None
        _wait(process)


@contextmanager
def hub_process(folder: Path, **settings: Any) -> Iterator[HubProcess]:
    """A hub that runs; `settings` are those of `HubProcess`."""
    hub = HubProcess(folder=folder, **{"port": free_port(), **settings})
    hub.start()
    try:
        yield hub
    finally:
        hub.end()


@contextmanager
def agent_process(name: str, folder: Path, enrolment: str, **settings: Any) -> Iterator[AgentProcess]:
    """An agent that is enrolled and polls."""
    agent = AgentProcess(name=name, folder=folder, **settings)
    agent.start(enrolment=enrolment)
    try:
        agent.wait_enrolled()
        yield agent
    finally:
        agent.end()


def enrolment_line(client: HubClient, name: str, *, url: str | None = None) -> str:
    """What a device is started with for the first time; `url`: the hub as that device reaches it."""
    code, _ = client.add_enrolment(name)
    pin = client.address.fingerprint
    return f"{url or client.address.url}#{code}" + (f"#sha256:{pin}" if pin is not None else "")


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_untold(secrets: Iterable[str], *places: Path) -> None:
    """None of these stands in any of the files, nor in a file of a folder among them."""
    for place in places:
        for path in (place, *place.rglob("*")) if place.is_dir() else (place,):
            content = path.read_bytes() if path.is_file() else b""
            for secret in secrets:
                assert secret.encode() not in content, f"a secret stands in {path}"


def _wait(process: subprocess.Popen[Any]) -> None:
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(END_S)
        raise
    finally:
        if process.stdout is not None:
            process.stdout.close()
