"""Commands and files through the real client, and what is told when the phone is not there."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from bench.agent.drivers.adb_device import AdbDevice, CommandError, DeviceLostError, folder_of, hash_file
from bench.errors import MeasureError

from .conftest import Attach
from .scripted_phone import ROOT, SERIAL, ScriptedPhone, Shell


def idle(phone: ScriptedPhone, words: list[str]) -> Shell:
    return Shell()


@pytest.fixture
def phone(attach: Attach) -> ScriptedPhone:
    return attach(ScriptedPhone(idle))


@pytest.fixture
def device(phone: ScriptedPhone) -> AdbDevice:
    return AdbDevice(SERIAL)


def test_command_gives_its_status_and_both_streams(device: AdbDevice, phone: ScriptedPhone) -> None:
    good, bad = device.shell("uname", "-r"), device.shell("stat", "-c", "%s", "/none")
    assert (good.code, good.text) == (0, "6.1.75-android14\n")
    assert (bad.code, bad.text) == (1, "stat: No such file\n")
    assert phone.commands == ["uname -r", "stat -c %s /none"]
    with pytest.raises(CommandError, match=r"^`stat` ended with status 1 on the phone: stat: No such file$"):
        device.read("stat", "-c", "%s", "/none")


@pytest.mark.parametrize("word", ["", "a b", "$(reboot)", "`x`", "a;b", "a|b", "a&", "'", '"', "a\nb", "*", "~", "\\"])
def test_words_that_a_shell_would_read_are_refused(word: str) -> None:
    # Before any client is started: none is needed.
    with pytest.raises(CommandError, match=r"for the phone's shell; plain words are allowed; rename the file$"):
        AdbDevice(SERIAL, adb="/nowhere").shell("echo", word)


@pytest.mark.parametrize("serial", ["", "-s", "a b", "a;b", "x" * 200, "a\n"])
def test_serial_numbers_that_cannot_be_are_refused(serial: str) -> None:
    with pytest.raises(MeasureError, match=r"^serial .* are allowed; take it from `adb devices`$"):
        AdbDevice(serial)


def test_file_is_pushed_once_and_hashed_by_the_phone(device: AdbDevice, phone: ScriptedPhone, tmp_path: Path) -> None:
    for size in (5, 200_000):  # in one packet, and in several
        path = tmp_path / f"file{size}"
        path.write_bytes(os.urandom(size))
        digest = hash_file(path)
        remote = device.push(path, digest, "model.tflite")
        assert remote == f"{ROOT}/{digest}/model.tflite"
        assert phone.files[remote] == path.read_bytes()
        assert device.push(path, digest, "model.tflite") == remote
        assert phone.sent.count(remote) == 1
        assert device.pull(remote, most_bytes=size) == path.read_bytes()
        device.remove([digest])
        assert phone.files == {}


def test_file_that_changed_here_or_on_the_way_is_refused(
    device: AdbDevice, phone: ScriptedPhone, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    digest = hashlib.sha256(b"one").hexdigest()
    phone.corrupts = True
    with pytest.raises(CommandError, match=rf"^the copy on the phone has sha256 .*, {digest} was sent; check cable"):
        device.push(path, digest, "model.tflite")
    path.write_bytes(b"two")
    with pytest.raises(CommandError, match=rf"^file has another sha256 than {digest}; fetch it again$"):
        device.push(path, digest, "model.tflite")


def test_large_and_missing_files_are_not_pulled(device: AdbDevice, phone: ScriptedPhone) -> None:
    phone.files["/data/x"] = b"12345"
    with pytest.raises(CommandError, match=r"^a file of 5 bytes on the phone; at most 4 are read$"):
        device.pull("/data/x", most_bytes=4)
    with pytest.raises(CommandError, match=r"^`stat` ended with status 1 on the phone: stat: No such file$"):
        device.pull("/data/y", most_bytes=4)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("offline", "device offline"),
        ("unauthorized", r"device unauthorized\."),
        ("", f"device '{SERIAL}' not found"),
    ],
)
def test_lost_phone_is_told_with_what_adb_says(
    device: AdbDevice, phone: ScriptedPhone, state: str, reason: str
) -> None:
    device.require()
    phone.state = state
    with pytest.raises(DeviceLostError, match=rf"^the phone is lost \({reason}\); .* plug it in and allow USB debug"):
        device.require()
    with pytest.raises(DeviceLostError, match=reason):
        device.shell("uname", "-r")


def test_real_server_says_the_same_of_a_phone_that_is_not_there(
    adb_version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert adb_version
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.delenv("ADB_SERVER_SOCKET", raising=False)
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(port))
    monkeypatch.setenv("HOME", str(tmp_path))
    try:  # the client starts it
        with pytest.raises(DeviceLostError, match=rf"^the phone is lost \(device '{SERIAL}' not found\); "):
            AdbDevice(SERIAL).require()
    finally:
        subprocess.run(["adb", "kill-server"], capture_output=True, timeout=30, check=True)


def test_server_that_cannot_be_reached_is_told_without_the_clients_log(
    adb_version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert adb_version
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"tcp:127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("ADB_SERVER_SOCKET", address)  # with it the client starts none
    with pytest.raises(DeviceLostError, match=rf"^the phone is lost \(cannot connect to daemon at {address}: "):
        AdbDevice(SERIAL).require()


def test_connection_that_breaks_in_a_command_is_a_lost_phone(
    device: AdbDevice, phone: ScriptedPhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The client ends with status 0 or not, by its version: our marker is missing either way.
    monkeypatch.setattr(phone, "_do_echo", lambda words: Shell(out="half of it", breaks=True), raising=False)
    with pytest.raises(DeviceLostError, match=r"^the connection to the phone broke in the middle of a command"):
        device.shell("echo", "all")


def test_command_without_an_end_is_given_up(
    device: AdbDevice, phone: ScriptedPhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone, "_do_echo", lambda words: Shell(hangs=True), raising=False)
    with pytest.raises(CommandError, match=r"^no answer from the phone within 0\.5 s$"):
        device.shell("echo", limit_s=0.5)


def test_command_that_says_a_little_all_the_time_is_given_up(tmp_path: Path) -> None:
    trickle = tmp_path / "adb"
    trickle.write_text('#!/bin/sh\n[ "$3" = get-state ] && echo device && exit\nwhile :; do echo .; sleep 0.01; done\n')
    trickle.chmod(0o755)
    with pytest.raises(CommandError, match=r"^no answer from the phone within 0\.5 s$"):
        AdbDevice(SERIAL, adb=str(trickle)).shell("echo", limit_s=0.5)


def test_command_that_is_not_wanted_any_more_ends(
    device: AdbDevice, phone: ScriptedPhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone, "_do_echo", lambda words: Shell(hangs=True), raising=False)
    with pytest.raises(CommandError, match=r"^a command on the phone was cancelled$"):
        device.shell("echo", limit_s=3600.0, is_cancelled=lambda: bool(phone.commands))


def test_flood_is_given_up(device: AdbDevice, phone: ScriptedPhone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phone, "_do_echo", lambda words: Shell(out="x" * (5 << 20)), raising=False)
    with pytest.raises(CommandError, match=r"^over 4 MiB of output from one command on the phone$"):
        device.shell("echo")


def test_client_that_is_not_there_is_named() -> None:
    with pytest.raises(MeasureError, match=r"^there is no '/nowhere/adb' here; .*; install the package `adb`, or name"):
        AdbDevice(SERIAL, adb="/nowhere/adb").require()


def test_client_sees_nothing_of_this_process_but_its_own_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = tmp_path / "adb"
    spy.write_text('#!/bin/sh\nenv > "$TMPDIR/seen"\necho device\n')
    spy.chmod(spy.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("BENCH_ENROL", "secret")
    monkeypatch.setenv("BENCH_HUB_TOKEN", "secret")
    AdbDevice(SERIAL, adb=str(spy)).require()
    seen = (tmp_path / "seen").read_text()
    assert "TMPDIR" in seen
    assert "secret" not in seen


@pytest.mark.parametrize("sha256", ["", "../../etc", "A" * 64, "a" * 63])
def test_folders_are_named_by_hashes_alone(sha256: str) -> None:
    with pytest.raises(CommandError, match=r"; 64 hex digits are needed; "):
        folder_of(sha256)
