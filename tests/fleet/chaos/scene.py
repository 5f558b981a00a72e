"""A hub and its agents as processes, with links and clocks that can be disturbed: on loopback, or on several hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from command import ROOT

from bench.measure.exclusive import VARIABLE

from ..namespaces import Network, network
from ..processes import AgentProcess, HubProcess, enrolment_line, free_port
from .clock import WallClock
from .ledger import Ledger
from .links import Links, relayed

Found = TypeVar("Found")

HUB = "hub"
_PORT = 8741


@dataclass(frozen=True)
class Scene:
    """What a disorder plays on.

    Attributes:
        hub: a process of its own, as are
        agents: by the names of their runners.
        links: between them.
        clocks: the wall clocks of the hub and of each agent.
        call: asks the hub from where it can be reached.
    """

    hub: HubProcess
    agents: Mapping[str, AgentProcess]
    links: Links
    clocks: Mapping[str, WallClock]
    call: Callable[[Callable[[], Found]], Found]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.agents)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.hub.db)

    def secrets(self) -> tuple[str, ...]:
        """Tokens of the hub and of each agent."""
        return (self.hub.token, *(agent.identity["token"] for agent in self.agents.values()))


@contextmanager
def on_loopback(folder: Path, names: Sequence[str]) -> Iterator[Scene]:
    """Plain HTTP on this machine; each agent comes through a relay."""
    with ExitStack() as stack:
        clocks = _clocks(folder, names)
        hub = _started(stack, HubProcess(folder=folder, port=free_port(), more=clocks[HUB].environment(ROOT)))
        links = stack.enter_context(relayed(hub.port, names))
        agents = {
            name: AgentProcess(name=name, folder=folder / name, more=_device(folder, clocks, name)) for name in names
        }
        scene = Scene(hub=hub, agents=agents, links=links, clocks=clocks, call=lambda ask: ask())
        _enrol(stack, scene)
        yield scene


@contextmanager
def on_hosts(folder: Path, names: Sequence[str]) -> Iterator[Scene]:
    """TLS with a pinned certificate; hub and agents on hosts with addresses of their own."""
    with ExitStack() as stack:
        hosts = stack.enter_context(network(HUB, *names))
        clocks = _clocks(folder, names)
        hub = HubProcess(
            folder=folder,
            port=_PORT,
            words=("--host", hosts.address(HUB)),
            around=hosts.around(HUB),
            more=clocks[HUB].environment(ROOT),
        )
        agents = {
            name: AgentProcess(
                name=name, folder=folder / name, around=hosts.around(name), more=_device(folder, clocks, name)
            )
            for name in names
        }
        _started(stack, hub)
        links = _HostLinks(hosts, hub.address.url)
        scene = Scene(hub=hub, agents=agents, links=links, clocks=clocks, call=partial(hosts.call, HUB))
        _enrol(stack, scene)
        yield scene


class _HostLinks:
    """The cables between hosts."""

    def __init__(self, hosts: Network, url: str) -> None:
        self._hosts, self._url = hosts, url

    def url(self, name: str) -> str:
        return self._url

    def cut(self, name: str) -> None:
        self._hosts.cut(name)

    def slow(self, name: str) -> None:
        self._hosts.slow(name)

    def reset(self, name: str) -> None:
        self._hosts.reset(name)

    def mend(self, name: str) -> None:
        self._hosts.mend(name)


def _clocks(folder: Path, names: Sequence[str]) -> dict[str, WallClock]:
    return {name: WallClock(folder / f"clock-{name}") for name in (HUB, *names)}


def _device(folder: Path, clocks: Mapping[str, WallClock], name: str) -> Mapping[str, str]:
    """The environment of an agent: each is a machine of its own, which waits for no other's CPUs."""
    return {**clocks[name].environment(), VARIABLE: str(folder / f"cpu-{name}")}


def _started(stack: ExitStack, hub: HubProcess) -> HubProcess:
    hub.start()
    stack.callback(hub.end)
    return hub


def _enrol(stack: ExitStack, scene: Scene) -> None:
    lines = scene.call(lambda: _lines(scene))
    for name, agent in scene.agents.items():
        agent.start(enrolment=lines[name])
        stack.callback(agent.end)
    for agent in scene.agents.values():
        agent.wait_enrolled()


def _lines(scene: Scene) -> dict[str, str]:
    with closing(scene.hub.client()) as client:
        return {name: enrolment_line(client, name, url=scene.links.url(name)) for name in scene.names}
