"""One Android phone on the other side of the `adb` client: commands, files, and whether it is still there.

The client (of Debian's package `adb`, or of Google's platform-tools) is started with a list of arguments and never
through a shell of this host. On the phone a shell reads the words, so every word is held to a plain alphabet, and none
is made of a name that came with a job: files are named by their sha256. The end of each command is told by a marker of
our own, because a client whose connection broke may end with status 0 (seen in its source, read_and_dump).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import selectors
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench.errors import MeasureError

# Where every user of adb may write and start programs (SELinux lets a shell do so here and hardly anywhere else).
ROOT = "/data/local/tmp/bench"

_SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_WORD = re.compile(r"[A-Za-z0-9_./:=,@%+-]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# What the client says of itself: a starting server, and lines of its log with time and process.
_OF_CLIENT = re.compile(r"\*|adb [A-Z] \d\d-\d\d ")
_MARKER = re.compile(r"bench-exit:(\d{1,3})\r?\n?\Z")
# The client finds its server and its keys by these; nothing else of this process's environment is its business.
_PASSED_ON = (
    *("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "ADB_VENDOR_KEYS", "ANDROID_USER_HOME"),
    *("ADB_SERVER_SOCKET", "ANDROID_ADB_SERVER_ADDRESS", "ANDROID_ADB_SERVER_PORT"),
)
# dumpsys of a phone with many apps is some 100 KiB.
_MOST_OUTPUT = 4 << 20
_SHORT_S = 30.0
# USB 2 moves 20 MiB/s and more; Wi-Fi a tenth of it.
_LEAST_BYTES_PER_S = 1 << 20
# Between two looks at whether a command is still wanted.
_LOOK_S = 0.25


class DeviceLostError(MeasureError):
    """The phone is offline, unauthorized or gone."""


class CommandError(MeasureError):
    """A command on the phone failed, was late or said something else than it should; the phone is still there."""


@dataclass(frozen=True)
class Output:
    """What a command on the phone said (both its streams) and how it ended."""

    code: int
    text: str


class AdbDevice:
    """One phone, by its serial number."""

    def __init__(self, serial: str, *, adb: str = "adb") -> None:
        if not _SERIAL.fullmatch(serial):
            raise MeasureError(
                f"serial {serial!r}; letters, digits, dots, colons, hyphens and underscores are allowed; "
                "take it from `adb devices`"
            )
        self.serial = serial
        self._adb = adb

    def state(self) -> str:
        """ "device" when it can be used, else what adb says: "offline", "device unauthorized.", "device not found"."""
        code, out, err = self._client(("get-state",), _SHORT_S)
        if code == 0:
            return out.strip()
        lines = [line.strip() for line in (err + out).splitlines()]
        told = [line for line in lines if line and not _OF_CLIENT.match(line)]
        found = told[0] if told else "no answer from adb"
        for prefix in ("error: ", "adb: "):
            found = found[len(prefix) :] if found.startswith(prefix) else found
        return found

    def require(self) -> None:
        """Does nothing while the phone is there.

        Raises:
            DeviceLostError: it is not; the message is what adb says.
        """
        try:
            state = self.state()
        except CommandError:
            state = "adb does not answer"
        if state != "device":
            raise DeviceLostError(
                f"the phone is lost ({state}); an attached phone that trusts this host is needed; "
                "plug it in and allow USB debugging"
            )

    def shell(self, *words: str, limit_s: float = _SHORT_S, is_cancelled: Callable[[], bool] = lambda: False) -> Output:
        """Runs words as one command on the phone, to its end.

        Raises:
            CommandError: a word of other letters than allowed, no end within `limit_s`, or it was cancelled.
            DeviceLostError: the phone was lost meanwhile.
        """
        for word in words:
            if not _WORD.fullmatch(word):
                raise CommandError(f"word {word!r} for the phone's shell; plain words are allowed; rename the file")
        # Constants that adb joins with the words above by spaces; what follows the semicolon always runs.
        command = ("shell", *words, ";", "echo", "bench-exit:$?")
        try:
            _, out, err = self._client(command, limit_s, is_cancelled)
        except CommandError:
            self.require()
            raise
        end = _MARKER.search(out)
        if end is None:
            self.require()
            raise DeviceLostError("the connection to the phone broke in the middle of a command; try again")
        return Output(code=int(end[1]), text=out[: end.start()] + err)

    def read(self, *words: str, limit_s: float = _SHORT_S) -> str:
        """What a command says.

        Raises:
            CommandError: it ended with another status than 0.
        """
        output = self.shell(*words, limit_s=limit_s)
        if output.code != 0:
            raise CommandError(f"`{words[0]}` ended with status {output.code} on the phone: {last_line(output.text)}")
        return output.text

    def push(self, path: Path, sha256: str, name: str, *, is_cancelled: Callable[[], bool] = lambda: False) -> str:
        """Copies a file to the phone, and has the phone hash it; where it lies there.

        A file that is there already, with this hash, is not sent again.

        Args:
            path: on this host.
            sha256: that its content has.
            name: of its last part on the phone; ours, never a job's.
            is_cancelled: whether it is not wanted any more.

        Raises:
            CommandError: the file here or its copy there has another hash, adb cannot copy it, or it was cancelled.
        """
        if hash_file(path) != sha256:
            raise CommandError(f"{path.name} has another sha256 than {sha256}; fetch it again")
        remote = f"{folder_of(sha256)}/{name}"
        if self._remote_hash(remote) == sha256:
            return remote
        self.read("mkdir", "-p", folder_of(sha256))
        limit_s = _SHORT_S + path.stat().st_size / _LEAST_BYTES_PER_S
        code, out, err = self._client(("push", str(path.absolute()), remote), limit_s, is_cancelled)
        if code != 0:
            self.require()
            raise CommandError(f"adb cannot push a file to the phone: {last_line(err + out)}")
        found = self._remote_hash(remote)
        if found != sha256:
            raise CommandError(f"the copy on the phone has sha256 {found}, {sha256} was sent; check cable and storage")
        return remote

    def pull(self, remote: str, *, most_bytes: int) -> bytes:
        """The content of a file on the phone.

        Raises:
            CommandError: it is not there, or larger than `most_bytes`.
        """
        size = self.read("stat", "-c", "%s", remote).strip()
        if not size.isdigit() or int(size) > most_bytes:
            raise CommandError(f"a file of {size[:40]} bytes on the phone; at most {most_bytes} are read")
        with tempfile.TemporaryDirectory(prefix="bench-adb-") as folder:
            local = Path(folder) / "pulled"
            code, out, err = self._client(("pull", remote, str(local)), _SHORT_S + most_bytes / _LEAST_BYTES_PER_S)
            if code != 0 or not local.is_file():
                self.require()
                raise CommandError(f"adb cannot pull a file from the phone: {last_line(err + out)}")
            content = local.read_bytes()
        if len(content) != int(size):
            raise CommandError(f"{len(content)} of {size} bytes came from the phone; try again")
        return content

    def remove(self, sha256s: Iterable[str]) -> None:
        """Deletes the folders of these files on the phone, where they are there."""
        folders = [folder_of(sha256) for sha256 in sha256s]
        if folders:
            self.read("rm", "-rf", *folders)

    def end_processes(self, sha256: str) -> None:
        """Ends what still runs from the folder of this file on the phone."""
        # The shell that runs this has the pattern in its own command line, which must not match: no "+" is in there.
        pattern = folder_of(sha256).replace(f"{ROOT}/", f"{ROOT}/+")
        self.shell("pkill", "-9", "-f", pattern)  # status 1: nothing ran

    def _remote_hash(self, remote: str) -> str | None:
        output = self.shell("sha256sum", remote, limit_s=4 * _SHORT_S)
        word = (output.text.split() or [""])[0]
        return word if output.code == 0 and _SHA256.fullmatch(word) else None

    def _client(
        self, words: Sequence[str], limit_s: float, is_cancelled: Callable[[], bool] = lambda: False
    ) -> tuple[int, str, str]:
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        command = (self._adb, "-s", self.serial, *words)
        try:
            return _run(command, environment, limit_s, is_cancelled)
        except FileNotFoundError as error:
            raise MeasureError(
                f"there is no {self._adb!r} here; the client of Android's debug bridge is needed; "
                "install the package `adb`, or name it with --adb"
            ) from error
        except OSError as error:
            raise MeasureError(
                f"{self._adb!r} cannot be started ({error.strerror}); adb is needed; name it with --adb"
            ) from error


def folder_of(sha256: str) -> str:
    """Where a file of this hash lies on the phone."""
    if not _SHA256.fullmatch(sha256):
        raise CommandError(f"sha256 {sha256!r}; 64 hex digits are needed; hash the file again")
    return f"{ROOT}/{sha256}"


def hash_file(path: Path) -> str:
    """The sha256 of a file on this host."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def last_line(text: str) -> str:
    """The last line with anything in it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def _run(
    command: Sequence[str], environment: dict[str, str], limit_s: float, is_cancelled: Callable[[], bool]
) -> tuple[int, str, str]:
    """Status and both streams of a process of this host, bounded in time and size."""
    end = time.monotonic() + limit_s
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None  # made with PIPE
        assert process.stderr is not None
        try:
            out, err = _drain((process.stdout, process.stderr), end, is_cancelled)
            code = process.wait(max(end - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            raise CommandError(f"no answer from the phone within {limit_s:.3g} s") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    return code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


def _drain(streams: Sequence[IO[bytes]], end: float, is_cancelled: Callable[[], bool]) -> tuple[bytes, ...]:
    found = dict.fromkeys(streams, b"")
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            left_s = end - time.monotonic()
            if left_s <= 0:  # also of one that says a little all the time
                raise subprocess.TimeoutExpired("adb", 0.0)
            if is_cancelled():
                raise CommandError("a command on the phone was cancelled")
            for key, _ in selector.select(min(left_s, _LOOK_S)):
                stream = next(stream for stream in streams if stream is key.fileobj)
                chunk = os.read(key.fd, 1 << 16)
                if not chunk:
                    selector.unregister(stream)
                found[stream] += chunk
                if len(found[stream]) > _MOST_OUTPUT:
                    raise CommandError(f"over {_MOST_OUTPUT >> 20} MiB of output from one command on the phone")
    return tuple(found[stream] for stream in streams)
