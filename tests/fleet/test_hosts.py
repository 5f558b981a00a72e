"""Several hosts, each with an address of its own: a hub with TLS and two agents that polled their way to it.

The hosts are network namespaces; the tests say why they skip where there can be none. The certificate is the one that
the hub made, pinned by its fingerprint as `bench runners register` prints it.
"""

from __future__ import annotations

import json
import math
import re
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cli.here import bench_here
from command import LIMIT_S, QUICK, Ended, arguments, environment, write_quick

from bench.networks.export import prepare
from bench.store import open_store
from bench.store.records import MeasurementRecord
from bench.study.models import reference_point

from .hubs import until
from .namespaces import Network, network
from .processes import AgentProcess, HubProcess, agent_process, check_untold, hub_process

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

HUB, RUNNERS, PORT = "hub", ("pi5", "pi6"), 8741
# How far intervals may be apart (logarithms of ratios): of a quick session on a machine that may be busy with other
# things, of a full one, and of what a search that takes the least of timing finds, which has no intervals.
QUICK_MARGIN, FULL_MARGIN, SEARCH_MARGIN = 0.35, 0.05, 0.5
_ESTABLISHED = "01"  # include/net/tcp_states.h


@dataclass(frozen=True)
class Hosts:
    """A hub and two runners under way."""

    net: Network
    hub: HubProcess
    agents: Mapping[str, AgentProcess]

    @property
    def folder(self) -> Path:
        return self.hub.folder

    def bench(self, *words: object, limit_s: float = LIMIT_S) -> Ended:
        """A command on the hub's host."""
        return bench_at(self.net, self.folder, *words, limit_s=limit_s)


def bench_at(net: Network, folder: Path, *words: object, limit_s: float = LIMIT_S) -> Ended:
    done = subprocess.run(
        [*net.around(HUB), *arguments(*words)],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
    return Ended(code=done.returncode, out=done.stdout, err=done.stderr)


def line_of(net: Network, folder: Path, name: str) -> str:
    """What `bench runners register` prints for a device, without what a shell would take away."""
    ended = bench_at(net, folder, "runners", "register", name, "--json")
    assert ended.code == 0, ended.err
    found = re.fullmatch(r"BENCH_ENROL='?([^' ]+)'? python3 agent.py", json.loads(ended.out)["start"])
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    folder = tmp_path_factory.mktemp("hosts")
    with ExitStack() as stack:
        net = stack.enter_context(network(HUB, *RUNNERS))
        words = ("--host", net.address(HUB))
        hub = stack.enter_context(hub_process(folder, port=PORT, words=words, around=net.around(HUB)))
        agents = {
            name: stack.enter_context(
                agent_process(name, folder / name, line_of(net, folder, name), around=net.around(name))
            )
            for name in RUNNERS
        }
        prepare(reference_point("smoke_repmixer"), folder / "net.onnx", seed=0, resolution=64)
        yield Hosts(net, hub, agents)


def test_two_hosts_are_enrolled_with_the_certificate_of_the_hub(hosts: Hosts) -> None:
    address = hosts.hub.address
    assert address.url == f"https://{hosts.net.address(HUB)}:{PORT}"
    assert address.fingerprint is not None
    for agent in hosts.agents.values():
        assert agent.identity["url"] == address.url
        assert agent.identity["fingerprint"] == f"sha256:{address.fingerprint}"
    listed = {found["name"]: found["status"] for found in json.loads(hosts.bench("runners", "list", "--json").out)}
    assert {name: listed[name] for name in RUNNERS} == dict.fromkeys(RUNNERS, "ready")
    until(lambda: peers(hosts.hub.pid) >= {hosts.net.address(name) for name in RUNNERS})


def test_another_certificate_is_told_nothing_and_the_code_stays_good(hosts: Hosts, tmp_path: Path) -> None:
    line = line_of(hosts.net, hosts.folder, "pi7")
    wrong = line[:-8] + ("0" * 8 if line[-8:] != "0" * 8 else "1" * 8)
    device = AgentProcess(name="pi7", folder=tmp_path / "device", around=hosts.net.around("pi6"))
    for other in (wrong, line.partition("#sha256:")[0]):
        device.start("--leases", "0", enrolment=other)
        assert device.wait() == 1
        assert not device.is_enrolled
    told = device.log.read_text()
    assert "shows the certificate sha256:" in told
    assert "is not trusted" in told
    device.start("--leases", "0", enrolment=line)
    assert device.wait() == 0, device.tail()
    assert device.is_enrolled
    check_untold([line.split("#")[1], device.identity["token"], hosts.hub.token], device.log, hosts.hub.log)


def test_what_is_measured_there_is_what_is_measured_here(hosts: Hosts) -> None:
    """On one of them; the long form measures on both."""
    words = ("measure", "net.onnx", "--resolution", 64, "--quick", "--limit", 1, "--json")
    found = {
        "cpu": told(bench_here(*words, "--runner", "cpu", cwd=hosts.folder)),
        RUNNERS[0]: told(hosts.bench(*words, "--runner", RUNNERS[0])),
    }
    check_equal(found, margin=QUICK_MARGIN)


@pytest.mark.soak
@pytest.mark.alone
def test_full_sessions_agree_within_their_noise(hosts: Hosts) -> None:
    words = ("measure", "net.onnx", "--resolution", 64, "--json")
    found = {runner: told(hosts.bench(*words, "--runner", runner, limit_s=600.0)) for runner in ("cpu", *RUNNERS)}
    check_equal(found, margin=FULL_MARGIN)


@pytest.mark.soak
@pytest.mark.alone
@pytest.mark.timeout(1800)
def test_a_search_times_on_both_hosts(hosts: Hosts) -> None:
    config = write_quick(hosts.folder, QUICK + "execution: {concurrency: 1}\n")
    runners = [word for name in RUNNERS for word in ("--runner", name)]
    words = ("search", "--config", config, "--budget", 4, "--name", "far", *runners, "--json")
    ended = hosts.bench(*words, limit_s=1200.0)
    # Both measure on one machine's cores: where one disturbs the other so much that it is quarantined, somebody looks
    # after it, and the search goes on.
    for _ in range(3):
        if ended.code == 0:
            break
        assert "quarantined" in ended.lines[-1]["reason"], ended.err
        for name in RUNNERS:
            assert hosts.bench("runners", "resume", name).code == 0
        ended = hosts.bench("search", "--resume", "far", "--json", limit_s=1200.0)
    assert ended.code == 0, ended.err
    found = ended.lines[-1]
    assert found["objectives"] == ["accuracy", *(f"latency_ms:{name}" for name in RUNNERS)]
    for trial in found["trials"]:
        assert set(trial["latencies"]) == {f"latency_ms:{name}" for name in RUNNERS}
    with open_store(hosts.hub.db, read_only=True) as store:
        timed = {name: store.all_measurements(runner=name) for name in RUNNERS}
    # Both runners are this machine, so that what they found of one file is one figure.
    for first in timed["pi5"]:
        for second in timed["pi6"]:
            if first.artifact_sha256 == second.artifact_sha256 and first.trial_id == second.trial_id:
                apart = abs(math.log(ratio(first) / ratio(second)))
                assert apart <= SEARCH_MARGIN, (first.summary, second.summary)


def peers(pid: int) -> set[str]:
    """Addresses that a process's host has connections to."""
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    remote = (row[2].partition(":")[0] for row in rows if row[3] == _ESTABLISHED)
    return {socket.inet_ntoa(bytes.fromhex(digits)[::-1]) for digits in remote}  # as a little-endian machine has it


def told(ended: Ended) -> dict[str, Any]:
    """The one measurement of a command."""
    assert ended.code == 0, ended.err
    (found,) = json.loads(ended.out)
    assert isinstance(found, dict)
    return found


def ratio(found: MeasurementRecord) -> float:
    return float(found.summary["ratio_to_reference"])


def check_equal(found: Mapping[str, Mapping[str, Any]], *, margin: float) -> None:
    """What was measured on each runner is the same but for its noise, and what does not depend on time exactly so."""
    here = found["cpu"]
    exact: tuple[Callable[[Mapping[str, Any]], Any], ...] = (
        lambda one: one["artifact_sha256"],
        lambda one: one["protocol"]["operators"],
        lambda one: one["protocol"]["placement"],
        lambda one: one["protocol"]["reference"],
        lambda one: set(one["protocol"]["output"]["errors"]),
        lambda one: one["fingerprint"]["machine"]["cpu"],
        lambda one: one["fingerprint"]["loaded"]["onnxruntime"],
    )
    for name in found.keys() - {"cpu"}:
        there = found[name]
        assert (there["runner"], there["label"]) == (name, here["label"])
        for part in exact:
            assert part(there) == part(here)
        # How far the intervals are apart, which overlap where noise is all that there is.
        low = max(there["summary"]["ratio_low"], here["summary"]["ratio_low"])
        high = min(there["summary"]["ratio_high"], here["summary"]["ratio_high"])
        assert math.log(low / high) <= margin, (there["summary"], here["summary"])
