from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.agent import PROTOCOL, VERSION
from bench.agent.enrolment import (
    Identity,
    enrol,
    enrolled,
    load_identity,
    parse_enrolment,
    runner_folder,
    save_identity,
)
from bench.agent.transport import Hub, HubError
from bench.errors import MeasureError
from bench.version import __version__

from .scripted_hub import Answer, Asked, scripted_hub

CODE = "c0de-of_this-test-only"
HEX = "ab" * 32
GIVEN = {"runner_id": "a1b2", "name": "pi", "token": "t" * 43, "heartbeat_s": 15.0, "wait_s": 25.0}


def identity(**changes: Any) -> Identity:
    found: dict[str, Any] = {"url": "http://127.0.0.1:1", "fingerprint": None, "runner_id": "a1", "name": "pi"}
    return Identity(**{**found, "token": "t" * 43, **changes})


def test_version_is_that_of_the_package() -> None:
    assert __version__ == VERSION


def test_line_of_the_hub_is_taken_apart() -> None:
    found = parse_enrolment(f" https://192.168.1.5:8741#{CODE}#sha256:{HEX}\n")
    assert (found.url, found.code, found.fingerprint) == ("https://192.168.1.5:8741", CODE, f"sha256:{HEX}")
    plain = parse_enrolment(f"http://127.0.0.1:8741#{CODE}")
    assert plain.fingerprint is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        CODE,
        "https://hub:1",
        f"ftp://hub#{CODE}",
        f"https://hub#{CODE}#sha256:12",
        f"https://hub#{CODE}#{HEX}",
        f"https://hub#{CODE} rm",
        "https://hub#short",
    ],
)
def test_other_lines_are_refused_and_not_repeated(line: str) -> None:
    with pytest.raises(MeasureError, match="BENCH_ENROL holds no enrolment") as caught:
        parse_enrolment(line)
    assert CODE not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    assert CODE not in repr(parse_enrolment(f"http://127.0.0.1:1#{CODE}"))
    assert "tttt" not in repr(identity())


def test_code_buys_a_token() -> None:
    with scripted_hub(lambda asked: Answer(body=GIVEN)) as server:
        hub = Hub(server.url)
        found = enrol(
            parse_enrolment(f"{server.url}#{CODE}"), hub, capabilities={"kind": "cpu"}, settings={"driver": "local"}
        )
        hub.close()
        (asked,) = server.asked
    assert asked.path == "/v1/enroll"
    assert asked.json() == {
        "code": CODE,
        "agent_version": VERSION,
        "protocol": PROTOCOL,
        "capabilities": {"kind": "cpu"},
    }
    assert CODE not in asked.path
    assert (found.name, found.runner_id, found.token, found.wait_s) == ("pi", "a1b2", GIVEN["token"], 25.0)
    assert found.settings == {"driver": "local"}


@pytest.mark.parametrize("status", [401, 403, 404])
def test_used_code_is_told_in_words(status: int) -> None:
    told = r"does not take the code .*the code was used.* runners register"
    with (
        scripted_hub(lambda asked: Answer(status, {"error": "the code was used"})) as server,
        pytest.raises(MeasureError, match=told) as caught,
    ):
        enrol(parse_enrolment(f"{server.url}#{CODE}"), Hub(server.url), capabilities={}, settings={})
    assert CODE not in str(caught.value)


def test_code_is_not_offered_twice() -> None:
    with scripted_hub(lambda asked: Answer(503)) as server:
        with pytest.raises(HubError):
            enrol(parse_enrolment(f"{server.url}#{CODE}"), Hub(server.url), capabilities={}, settings={})
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../.ssh"},
        {"name": "/etc"},
        {"name": ".."},
        {"name": ""},
        {"name": 5},
        {"name": "x" * 41},
        {"runner_id": "a/b"},
        {"runner_id": None},
        {"token": "short"},
        {"token": "with\r\nHeader: injection"},
        {"token": None},
        {"wait_s": -1},
        {"wait_s": 1e9},
        {"wait_s": "25"},
    ],
)
def test_hub_that_gives_nonsense_gives_no_identity(change: dict[str, Any]) -> None:
    def answer(asked: Asked) -> Answer:
        return Answer(body={**GIVEN, **change})

    with scripted_hub(answer) as server:
        hub = Hub(server.url)
        with pytest.raises(MeasureError, match="no identity of a runner"):
            enrol(parse_enrolment(f"{server.url}#{CODE}"), hub, capabilities={}, settings={})
        hub.close()


def test_identity_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    folder = runner_folder(tmp_path / "agents", "pi")
    known = identity(settings={"driver": "local", "keep_mib": 5})
    save_identity(known, folder)
    assert load_identity(folder) == known
    assert (folder / "agent.json").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o077 == 0
    assert enrolled(tmp_path / "agents") == ("pi",)
    (folder / "agent.json").chmod(0o644)
    with pytest.raises(MeasureError, match="chmod 600"):
        load_identity(folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"url": 1}', "x" * 70_000])
def test_damaged_identity_is_refused(tmp_path: Path, content: str) -> None:
    folder = runner_folder(tmp_path, "pi")
    (folder / "agent.json").write_text(content)
    (folder / "agent.json").chmod(0o600)
    with pytest.raises(MeasureError):
        load_identity(folder)


def test_unknown_name_is_told_how_to_enrol(tmp_path: Path) -> None:
    with pytest.raises(MeasureError, match=r"'pi' is not enrolled here .* runners register pi"):
        load_identity(runner_folder(tmp_path, "pi"))
    assert enrolled(tmp_path / "missing") == ()


@pytest.mark.parametrize("name", ["..", "../x", "/x", "", "A", "x" * 41, ".x"])
def test_names_stay_inside_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(MeasureError, match="no name of a runner"):
        runner_folder(tmp_path, name)


def test_old_settings_without_some_keys_are_read(tmp_path: Path) -> None:
    folder = runner_folder(tmp_path, "pi")
    save_identity(identity(), folder)
    data = json.loads((folder / "agent.json").read_text())
    for key in ("wait_s", "settings"):
        del data[key]
    (folder / "agent.json").write_text(json.dumps(data))
    assert load_identity(folder).wait_s == 25.0
