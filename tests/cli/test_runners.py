"""`bench runners` and `bench hub` as users run them: beside a hub that runs, with devices by hand and a real agent."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from command import QUICK, ROOT, bench, environment, started, write_quick
from fleet.devices import device
from fleet.examples import measured
from fleet.hubs import Served, enrolment, served

from bench.agent.enrolment import parse_enrolment
from bench.cli.runner_words import register_lines
from bench.fleet.folder import HubFolder
from bench.fleet.settings import HubSettings, keep_settings
from bench.measure.job import Job
from bench.networks.export import prepare
from bench.store import open_store
from bench.store.fleet import open_fleet
from bench.study.models import reference_point

from .here import Here, files


@pytest.fixture(autouse=True)
def no_given_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BENCH_HUB", "BENCH_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def make_db(folder: Path) -> Path:
    """The usual database of a folder, with its schema."""
    path = folder / "results" / "bench.db"
    path.parent.mkdir(exist_ok=True)
    open_fleet(path).close()
    return path


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Served]:
    """The hub of the database that a command uses here unless it is told another."""
    db = make_db(tmp_path)
    with served(db.parent, db) as running:
        yield running


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def own_port(tmp_path: Path) -> int:
    """Where a hub inside a command listens."""
    folder = HubFolder(make_db(tmp_path).parent / "fleet")
    folder.make()
    keep_settings(folder.path, HubSettings(port=(port := free_port())))
    return port


def test_a_registration_is_lines_to_be_copied(here: Here, hub: Served) -> None:
    ended = here("runners", "register", "pi5")
    assert ended.code == 0, ended.err
    assert "this hub answers on this machine only" in ended.out
    assert "start the agent within 10 minutes (the code is good once):" in ended.out
    assert "start the hub first" not in ended.out
    # No other device reaches this hub: the line is whole for this machine, with the interpreter that has the runtimes.
    agent = f"{sys.executable} {ROOT / 'runners' / 'agent.py'}"
    assert f"later starts:  {agent} pi5" in ended.out
    (line,) = re.findall(rf"^  BENCH_ENROL=(\S+) {re.escape(agent)}$", ended.out, re.MULTILINE)
    found = parse_enrolment(line.strip("'"))
    assert (found.url, found.fingerprint) == (hub.url, None)
    assert hub.nobody.post("/v1/enroll", enrolment(found.code)).json["name"] == "pi5"
    assert hub.nobody.post("/v1/enroll", enrolment(found.code)).status == 401
    assert "pi5 is registered already" in here("runners", "register", "pi5").out


def test_a_device_elsewhere_is_sent_the_agent() -> None:
    lines = list(register_lines("pi5", "BENCH_ENROL='https://10.0.0.2:8741#c'", 600, is_here=False, where=""))
    assert lines == [
        f"copy the agent to the device:  scp {ROOT / 'runners' / 'agent.py'} DEVICE:",
        "start it there within 10 minutes (the code is good once):",
        "  BENCH_ENROL='https://10.0.0.2:8741#c' python3 agent.py",
        "later starts:  python3 agent.py pi5",
    ]


def test_without_a_hub_it_says_to_start_one(here: Here, own_port: int) -> None:
    ended = here("runners", "register", "pi5", "--json")
    told = json.loads(ended.out)
    assert (told["name"], told["is_hub_running"], told["is_known"]) == ("pi5", False, False)
    assert told["hub"] == f"http://127.0.0.1:{own_port}"
    assert told["start"].startswith("BENCH_ENROL=")
    assert Path(told["agent"]).is_file()
    assert "start the hub first, in another terminal:  bench hub serve" in here("runners", "register", "pi6").out


def test_asking_for_runners_makes_nothing(here: Here, tmp_path: Path) -> None:
    ended = here("runners", "list")
    assert ended.out.strip() == "no runners yet; register one:  bench runners register NAME"
    assert json.loads(here("runners", "list", "--json").out) == []
    assert files(tmp_path) <= {"results"}


def test_what_became_of_the_last_jobs_of_a_runner_is_shown(here: Here, hub: Served) -> None:
    agent, client = hub.enrol("pi5"), hub.client()
    assert "it was given no job yet" in here("runners", "show", "pi5").out
    failed = client.submit(b"one", key="one", runner="pi5")
    fence = agent.lease().json["fence"]
    evil = "adb:\x1b[2J device\noffline"
    agent.api.post(f"/v1/leases/{fence}/fail", {"kind": "unsupported", "reason": evil})
    live = client.submit(b"two", key="two", runner="pi5", is_test=True)
    agent.lease()
    told = json.loads(here("runners", "show", "pi5", "--json").out)["attempts"]
    assert [(found["job_id"], found["status"], found["kind"]) for found in told] == [
        (live, "leased", None),
        (failed, "failed", "unsupported"),
    ]
    lines = here("runners", "show", "pi5").out.splitlines()
    (heading,) = [index for index, line in enumerate(lines) if line.startswith("started (UTC)")]
    rows = [line for line in lines[heading:] if failed[:8] in line or live[:8] in line]
    assert len(rows) == 2
    assert f"{live[:8]} (test)" in rows[0]
    assert "leased" in rows[0]
    assert "failed (unsupported)" in rows[1]
    assert "device offline" in rows[1]
    assert all(line.isprintable() for line in lines)


def test_runners_are_listed_and_shown(here: Here, hub: Served) -> None:
    hub.enrol("pi5")
    lines = here("runners", "list").out.splitlines()
    assert re.split(r"  +", lines[0]) == (
        ["runner", "status", "device", "OS", "runtimes", "last seen", "queue", "A/A noise", "temperature"]
    )
    assert re.split(r"  +", lines[2])[:5] == ["pi5", "ready", "Cortex-X3", "-", "onnxruntime"]
    (told,) = json.loads(here("runners", "list", "--json").out)
    assert (told["name"], told["status"], told["queue"]) == ("pi5", "ready", 0)
    text = here("runners", "show", "pi5").out
    for words in ("runner pi5", "kind", "cpu", "runtime onnxruntime", "onnxruntime 1.23.2", "agent", "0.1.0"):
        assert words in text
    ended = here("runners", "show", "pi6")
    assert ended.code == 1
    assert re.search(r"unknown runner 'pi6'.*did you mean 'pi5'\?", ended.err)


def test_a_runner_is_drained_resumed_and_removed(here: Here, hub: Served) -> None:
    hub.enrol("pi5")
    assert here("runners", "drain", "pi5", "--reason", "new battery").out.startswith("pi5 ends what it measures")
    assert "new battery" in here("runners", "show", "pi5").out
    assert here("runners", "resume", "pi5").out.strip() == "pi5 gets jobs again"
    assert json.loads(here("runners", "show", "pi5", "--json").out)["status"] == "ready"
    assert here("runners", "remove", "pi5").out.startswith("pi5 is removed")
    assert here("runners", "list").out.startswith("no runners yet")
    assert here("runners", "resume", "pi5").code == 1


def answering(**fields: Any) -> Any:
    """A device whose output is checked."""

    def answer(job: Job) -> list[dict[str, Any]]:
        own = [measured(job, restarts=job.restarts, ns=1_000_000, twin_ns=(1_000_000,) * job.blocks)[0]]
        for found in own:
            found["protocol"] |= {"output": {"is_checked": True, "errors": [3e-7] * job.restarts}, "processes": []}
        return [found | fields for found in own]

    return answer


def test_a_test_says_whether_a_runner_can_be_measured_on(here: Here, hub: Served) -> None:
    with device(hub, "pi5", answering()) as runner:
        ended = here("runners", "test", "pi5")
        assert ended.code == 0, ended.err
        assert ended.out.splitlines() == [
            "output: right (relative error 3.0e-07)",
            "A/A noise: 0.0 % (FastViT-T8 against itself; 5 % at most)",
            "FastViT-T8 at 256 px: 1.00 ms [1.00, 1.00] with onnxruntime",
            "verdict: valid",
        ]
        (job,) = runner.jobs
        assert (job.twin, job.resolution, len(job.artifacts)) == ("always", 256, 1)
        assert job.artifacts[0].sha256 == job.reference.sha256
        runner.answer = answering(verdict="wrong_output", reason="its output is off by 0.4")
        ended = here("runners", "test", "pi5", "--json")
        assert ended.code == 1
        told = json.loads(ended.out)
        assert (told["is_output_right"], told["is_sound"], told["verdict"]) == (False, False, "wrong_output")


def test_the_agent_is_one_file(here: Here, tmp_path: Path) -> None:
    ended = here("runners", "agent", "--out", "copy.py")
    assert ended.code == 0, ended.err
    assert (tmp_path / "copy.py").read_bytes() == (ROOT / "runners" / "agent.py").read_bytes()
    assert here("runners", "agent", "--out", "results/agent.py").code == 1


def test_tokens_are_made_listed_and_revoked(here: Here, hub: Served) -> None:
    told = json.loads(here("hub", "token", "create", "laptop", "--json").out)
    assert (told["kind"], told["name"], told["hub"]) == ("client", "laptop", hub.url)
    assert "it is shown this once" in here("hub", "token", "create", "desk", "--kind", "admin").out
    text = here("hub", "token", "list").out
    assert re.search(r"^laptop +\d+  client  \d{4}-\d\d-\d\d \d\d:\d\d +-$", text, re.MULTILINE)
    assert told["token"] not in text
    assert here("hub", "token", "revoke", told["id"]).out.strip() == f"token {told['id']} is revoked"
    (laptop,) = (found for found in json.loads(here("hub", "token", "list", "--json").out) if found["name"] == "laptop")
    assert laptop["revoked_at"] is not None
    refused = here("hub", "token", "create", "local", "--kind", "admin")
    assert (refused.code, refused.out) == (1, "")
    assert "token name 'local' is that of the hub's own machine" in refused.err


def test_a_hub_is_used_by_its_address_and_a_token(
    here: Here, hub: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.enrol("pi5")
    token = json.loads(here("hub", "token", "create", "laptop", "--json").out)["token"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("BENCH_HUB", hub.url)
    monkeypatch.setenv("BENCH_HUB_TOKEN", token)
    assert "pi5" in here("runners", "list").out
    ended = here("runners", "drain", "pi5")
    assert ended.code == 1
    assert "admin" in ended.err
    assert files(elsewhere) <= {"results"}


def test_the_doctor_names_registered_runners(here: Here, hub: Served) -> None:
    hub.enrol("pi5")
    text = here("doctor", "--seconds", 0.1).out
    assert re.search(r"^  pi5 +ready +Cortex-X3; onnxruntime; last seen .* UTC$", text, re.MULTILINE)
    (told,) = json.loads(here("doctor", "--seconds", 0.1, "--json").out)["runners"]
    assert (told["name"], told["status"]) == ("pi5", "ready")


def test_a_hub_serves_until_it_is_asked_to_end(tmp_path: Path) -> None:
    port = free_port()
    with started("hub", "serve", "--port", port, "--json", cwd=tmp_path) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert (told["url"], told["pid"], told["fingerprint"]) == (f"http://127.0.0.1:{port}", process.pid, None)
        second = bench("hub", "serve", "--port", free_port(), cwd=tmp_path)
        assert second.code == 1
        assert re.search(r"a hub runs for this database already \(process \d+, http://127", second.err)
        assert "no runners yet" in bench("runners", "list", cwd=tmp_path).out
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert HubFolder(tmp_path / "results" / "fleet").running() is None


@contextmanager
def real_agent(folder: Path, name: str) -> Iterator[None]:
    """The agent as it is on a device, registered by the command that a user gives."""
    told = json.loads(bench("runners", "register", name, "--json", cwd=folder).out)
    line = told["start"].removeprefix("BENCH_ENROL=").removesuffix(" python3 agent.py").strip("'")
    words = [sys.executable, told["agent"], "--folder", str(folder / "agents")]
    kept = {key: value for key, value in environment(folder).items() if key != "PYTHONPATH"}
    with (
        (folder / f"{name}.log").open("w") as log,
        subprocess.Popen(words, cwd=folder, env={**kept, "BENCH_ENROL": line}, stdout=log, stderr=log) as process,
    ):
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def hub_process(folder: Path) -> Iterator[None]:
    with started("hub", "serve", "--port", free_port(), "--json", cwd=folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield


@pytest.mark.slow
def test_a_file_is_measured_on_a_registered_runner(tmp_path: Path) -> None:
    prepare(reference_point("smoke_repmixer"), tmp_path / "net.onnx", seed=0, resolution=64)
    with hub_process(tmp_path), real_agent(tmp_path, "pi5"):
        words = ("net.onnx", "--resolution", 64, "--quick", "--limit", 1, "--runner", "pi5", "--json")
        ended = bench("measure", *words, cwd=tmp_path)
    assert ended.code == 0, ended.err
    (found,) = json.loads(ended.out)
    assert (found["label"], found["runner"]) == ("net.onnx", "pi5")
    assert found["summary"]["median_ms"] > 0
    assert found["fingerprint"]["runner"] == "cpu"
    with open_store(tmp_path / "results" / "bench.db", read_only=True) as store:
        (kept,) = store.all_measurements(runner="pi5")
    assert kept.label == "net.onnx"


@pytest.mark.soak
def test_a_search_uses_two_registered_runners(tmp_path: Path) -> None:
    config = write_quick(tmp_path, QUICK + "execution: {concurrency: 1}\n")
    runners = ("--runner", "pi5", "--runner", "pi6")
    words = ("search", "--config", config, "--budget", 4, "--name", "far", *runners, "--json")
    with hub_process(tmp_path), real_agent(tmp_path, "pi5"), real_agent(tmp_path, "pi6"):
        ended = bench(*words, cwd=tmp_path)
    assert ended.code == 0, ended.err
    found = ended.lines[-1]
    assert found["objectives"] == ["accuracy", "latency_ms:pi5", "latency_ms:pi6"]
    assert found["front"]
    for trial in found["trials"]:
        assert set(trial["latencies"]) == {"latency_ms:pi5", "latency_ms:pi6"}
    with open_store(tmp_path / "results" / "bench.db", read_only=True) as store:
        study = store.study("far")
        assert set(study.reference_ms) == {"64:pi5", "64:pi6"}
