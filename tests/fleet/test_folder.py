from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from command import ROOT

from bench.errors import FleetError
from bench.fleet.folder import HubFolder, RunningHub, database_name, fleet_folder

HUB = RunningHub(
    host="127.0.0.1",
    port=8741,
    url="http://127.0.0.1:8741",
    fingerprint=None,
    pid=os.getpid(),
    database="/results/bench.db",
)


@pytest.fixture
def folder(tmp_path: Path) -> HubFolder:
    made = HubFolder(tmp_path / "results" / "fleet")
    made.make()
    return made


def test_the_folder_lies_beside_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fleet_folder(tmp_path / "mine.db") == tmp_path / "fleet"
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_DB", raising=False)
    assert fleet_folder() == tmp_path / "results" / "fleet"
    assert fleet_folder("sqlite:///:memory:") == tmp_path / "results" / "fleet"


def test_a_database_behind_a_link_has_one_folder(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "mine.db").touch()
    (tmp_path / "link.db").symlink_to(tmp_path / "kept" / "mine.db")
    assert fleet_folder(tmp_path / "link.db") == tmp_path / "kept" / "fleet"
    assert database_name(tmp_path / "link.db") == str(tmp_path / "kept" / "mine.db")


def test_the_folder_is_its_owner_s_alone(folder: HubFolder) -> None:
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_one_hub_runs_at_a_time(folder: HubFolder) -> None:
    with folder.locked():
        with (
            pytest.raises(FleetError, match="a hub runs for this database already; one at a time does"),
            HubFolder(folder.path).locked(),
        ):
            pass
        folder.tell(HUB)
        with (
            pytest.raises(FleetError, match=rf"already \(process {os.getpid()}, http://127.0.0.1:8741\)"),
            HubFolder(folder.path).locked(),
        ):
            pass
    with HubFolder(folder.path).locked():
        pass


def test_the_lock_ends_with_a_process_that_is_killed(folder: HubFolder) -> None:
    script = (
        "import sys, pathlib\nfrom bench.fleet.folder import HubFolder\n"
        "with HubFolder(pathlib.Path(sys.argv[1])).locked():\n    print(flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(FleetError, match="a hub runs"), folder.locked():
            pass
        process.kill()
        process.wait()
    with folder.locked():
        pass


def test_where_a_hub_answers_is_told_while_it_runs(folder: HubFolder) -> None:
    assert folder.running() is None
    with folder.locked():
        assert folder.running() is None
        folder.tell(HUB)
        found = folder.running()
        assert found == HUB
        assert str(HUB.address) == "http://127.0.0.1:8741"
        assert (folder.path / "hub.json").stat().st_mode & 0o777 == 0o600
    assert folder.running() is None


def test_a_hub_that_was_killed_is_not_told_of(folder: HubFolder) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    folder.tell(replace(HUB, fingerprint="a" * 64, pid=process.pid))
    assert folder.running() is None
    with folder.locked():
        assert not (folder.path / "hub.json").exists()


def test_a_hub_whose_number_is_another_process_s_now_is_not_told_of(folder: HubFolder) -> None:
    folder.tell(HUB)  # of this very process, which is no hub
    assert folder.running() is None


def test_asking_whether_a_hub_runs_keeps_none_from_starting(folder: HubFolder) -> None:
    folder.tell(HUB)
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            folder.running()

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        for _ in range(20):
            with folder.locked():
                folder.tell(HUB)
                assert folder.running() == HUB
            folder.tell(HUB)
    finally:
        over.set()
        asker.join()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"host": 1}', "nonsense", "null"])
def test_a_broken_hub_json_tells_of_nothing(folder: HubFolder, text: str) -> None:
    path = folder.path / "hub.json"
    path.write_text(text)
    path.chmod(0o600)
    assert folder.running() is None


def test_the_token_of_this_machine_is_its_owner_s_alone(folder: HubFolder) -> None:
    assert folder.client_token() is None
    folder.keep_client_token("secret")
    assert folder.client_token() == "secret"
    path = folder.path / "client.token"
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(FleetError, match="mode 600 is needed"):
        folder.client_token()


def test_a_token_behind_a_link_is_not_read(folder: HubFolder, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("x")
    other.chmod(0o600)
    (folder.path / "client.token").symlink_to(other)
    with pytest.raises(FleetError):
        folder.client_token()
