"""An adb server on loopback with one phone behind it whose shell and files are scripted.

The real `adb` client talks to it. Spoken is what the client asks a server for (SERVICES.TXT and SYNC.TXT of AOSP's adb,
and client/adb_client.cpp, commandline.cpp, file_sync_client.cpp): a request is four hexadecimal digits of length and
its text, the answer OKAY or FAIL; a shell is packets of one byte of kind, four of length and the data; files go as
STAT, SEND, RECV, DATA, DONE, QUIT. Features that are not told (stat_v2, sendrecv_v2, ...) are not used by any client.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

SERIAL = "SCRIPTED01"
ROOT = "/data/local/tmp/bench"
END = " ; echo bench-exit:$?"

_STDOUT, _STDERR, _EXIT = 1, 2, 3
_FILE_MODE = 0o100644

GETPROP = """\
[ro.product.manufacturer]: [Scripted]
[ro.product.model]: [Phone 1]
[ro.soc.manufacturer]: [Maker]
[ro.soc.model]: [SoC 9]
[ro.product.cpu.abi]: [arm64-v8a]
[ro.build.version.release]: [15]
[ro.build.version.sdk]: [35]
[ro.build.id]: [AP1A]
[ro.serialno]: [SCRIPTED01]
[ro.build.user]: [somebody]
"""
BATTERY = """\
Current Battery Service state:
  AC powered: false
  USB powered: true
  Wireless powered: false
  status: 2
  health: 2
  present: true
  level: 40
  scale: 50
  voltage: 4200
  temperature: 285
  technology: Li-ion
"""
POWER = """\
POWER MANAGER (dumpsys power)
Power Manager State:
  mWakefulness=Asleep
  mWakefulnessChanging=false
"""
THERMAL = """\
IsStatusOverride: false
ThermalStatusListeners:
	callbacks: 4
Thermal Status: {status}
Cached temperatures:
	Temperature{{mValue=99.0, mType=0, mName=CPU0, mStatus=0}}
HAL Ready: true
Current temperatures from HAL:
	Temperature{{mValue={celsius}, mType=3, mName=VIRTUAL-SKIN, mStatus=0}}
	Temperature{{mValue=0.0, mType=2, mName=SUBBAT, mStatus=0}}
	Temperature{{mValue=4200.0, mType=6, mName=vbat, mStatus=0}}
Current cooling devices from HAL:
	CoolingDevice{{mValue=77, mType=2, mName=thermal-cpufreq-0}}
"""


@dataclass
class Shell:
    """What a command on the phone comes to; `hangs`: it never ends; `breaks`: the connection does before its end."""

    code: int = 0
    out: str = ""
    err: str = ""
    hangs: bool = False
    breaks: bool = False


# Called with the words of the program's command, after `taskset`.
ProgramScript = Callable[["ScriptedPhone", list[str]], Shell]


@dataclass
class ScriptedPhone:
    """The phone. Tests write what they need before, and read what was asked afterwards.

    Attributes:
        state: "device", "offline", "unauthorized", or "" when it is not there.
        program: the benchmark program.
        files: on the phone, by path.
        commands: each that its shell was asked for, without our marker.
        sent: paths that were pushed.
        fixed: whether fixed-performance mode is on; None: this phone has none.
        thermal: the thermal status by the time it was asked; the last one stays.
        others_s: CPU seconds that others use during each process of the program.
        limits_khz: highest allowed frequency of CPU 7 by the time it was asked; the last one stays.
        tells_cpu: whether its `time` tells CPU seconds.
        before: is called with each command before it is done.
    """

    program: ProgramScript
    state: str = "device"
    files: dict[str, bytes] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    fixed: bool | None = False
    thermal: list[int] = field(default_factory=lambda: [0])
    others_s: float = 0.0
    limits_khz: list[int] = field(default_factory=lambda: [2_800_000])
    tells_cpu: bool = True
    corrupts: bool = False
    killed: int = 0
    before: Callable[[str], None] = lambda command: None
    address: str = ""
    _uptime_s: float = 1000.0
    _busy_s: float = 0.0

    def run(self, command: str) -> Shell:
        """One command of its shell."""
        ours, _, _ = command.partition(END)
        self.commands.append(ours)
        self.before(ours)
        words = ours.split()
        found = self._run(words)
        found.out += f"bench-exit:{found.code}\n"
        return found

    def asked(self, start: str) -> list[str]:
        """The commands that begin so."""
        return [command for command in self.commands if command.startswith(start)]

    def _run(self, words: list[str]) -> Shell:
        by_text: Mapping[str, Callable[[], str]] = {
            "getprop": lambda: GETPROP,
            "uname -r": lambda: "6.1.75-android14\n",
            "cat /proc/meminfo": lambda: "MemTotal:       11534336 kB\nMemFree: 1 kB\n",
            "cat /proc/stat": self._stat,
            "cat /proc/uptime /proc/stat": lambda: f"{self._uptime_s:.2f} 5000.00\n{self._stat()}",
            "dumpsys battery": lambda: BATTERY,
            "dumpsys power": lambda: POWER,
            "dumpsys thermalservice": self._thermal,
            "settings get global airplane_mode_on": lambda: "1\n",
            "settings get global low_power": lambda: "null\n",
        }
        text = " ".join(words)
        if text in by_text:
            return Shell(out=by_text[text]())
        done = getattr(self, f"_do_{words[0]}", None)
        return done(words) if done else Shell(code=127, err=f"/system/bin/sh: {words[0]}: inaccessible or not found\n")

    def _do_time(self, words: list[str]) -> Shell:
        rest = words[2:]
        if rest[0] == "taskset":
            rest = rest[2:]
        if rest[0] not in self.files:
            return Shell(code=127, err=f"/system/bin/sh: {rest[0]}: not found\n")
        found = self.program(self, rest)
        self._uptime_s += 1.0
        self._busy_s += 0.9 + self.others_s
        if self.tells_cpu:
            found.err += "real     1.00\nuser     0.85\nsys      0.05\n"
        return found

    def _do_cmd(self, words: list[str]) -> Shell:
        assert words[1:3] == ["power", "set-fixed-performance-mode-enabled"]
        if self.fixed is None:
            return Shell(code=255, err="Failed to set FIXED_PERFORMANCE mode\n")
        self.fixed = words[3] == "true"
        return Shell()

    def _do_grep(self, words: list[str]) -> Shell:
        asked = [path for path in words[3:] if path.startswith("/sys/devices/system/cpu/cpu7/")]
        khz = self.limits_khz[0] if "scaling" in "".join(asked) else 3_000_000
        if len(self.limits_khz) > 1 and "scaling" in "".join(asked):
            self.limits_khz.pop(0)
        return Shell(code=2, out="".join(f"{path}:{khz}\n" for path in asked), err="grep: some: Permission denied\n")

    def _do_mkdir(self, words: list[str]) -> Shell:
        return Shell()

    def _do_chmod(self, words: list[str]) -> Shell:
        return Shell() if words[2] in self.files else Shell(code=1, err="chmod: No such file or directory\n")

    def _do_rm(self, words: list[str]) -> Shell:
        for folder in words[2:]:
            for path in [path for path in self.files if path.startswith(f"{folder}/")]:
                del self.files[path]
        return Shell()

    def _do_sha256sum(self, words: list[str]) -> Shell:
        if words[1] not in self.files:
            return Shell(code=1, err=f"sha256sum: {words[1]}: No such file or directory\n")
        return Shell(out=f"{hashlib.sha256(self.files[words[1]]).hexdigest()}  {words[1]}\n")

    def _do_stat(self, words: list[str]) -> Shell:
        content = self.files.get(words[3])
        return Shell(code=1, err="stat: No such file\n") if content is None else Shell(out=f"{len(content)}\n")

    def _do_test(self, words: list[str]) -> Shell:
        return Shell(code=0 if words[2] in self.files else 1)

    def _do_cat(self, words: list[str]) -> Shell:
        content = self.files.get(words[1])
        return Shell(code=1, err="cat: No such file\n") if content is None else Shell(out=content.decode("ascii"))

    def _do_pkill(self, words: list[str]) -> Shell:
        assert words[1:3] == ["-9", "-f"]
        if re.search(words[3], " ".join(words)):  # the shell that runs it; pkill spares itself alone
            return Shell(breaks=True)
        self.killed += any(re.search(words[3], path) for path in self.files)
        return Shell()

    def _do_echo(self, words: list[str]) -> Shell:
        return Shell(out=" ".join(words[1:]) + "\n")

    def _thermal(self) -> str:
        status = self.thermal[0]
        if len(self.thermal) > 1:
            self.thermal.pop(0)
        return THERMAL.format(status=status, celsius=31.5 + status)

    def _stat(self) -> str:
        ticks = round(self._uptime_s * 100)
        lines = [f"cpu{cpu} 1 0 1 {ticks} 0 0 0 0 0 0" for cpu in range(7)]
        lines.append(f"cpu7 1 0 1 {round((self._uptime_s - self._busy_s) * 100)} 0 0 0 0 0 0")
        return "cpu  9 9 9 9 9 9 9 0 0 0\n" + "\n".join(lines) + "\nintr 5 1 2\nctxt 7\n"


@contextlib.contextmanager
def served(phone: ScriptedPhone, *, version: int) -> Iterator[ScriptedPhone]:
    """The phone behind an adb server; `version` is the server's, which must be that of the client."""

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):
                _serve(self.request, phone, version)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Connection) as server:
        phone.address = f"tcp:127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield phone
        finally:
            server.shutdown()
            thread.join()


def _serve(connection: socket.socket, phone: ScriptedPhone, version: int) -> None:
    """One connection of a client."""
    request = _request(connection)
    if request == "host:version":
        _okay(connection, f"{version:04x}")
        return
    assert request != "host:kill", "the client takes this server for one of another version"
    if request == "host:host-features":
        _okay(connection, "shell_v2,cmd")
        return
    if request.startswith("host-serial:"):
        _, _, question = request.partition(f"host-serial:{SERIAL}:")
        answers = {"features": "shell_v2,cmd", "get-state": "device"}
        if reason := _why_not(phone, request):
            _fail(connection, reason)
        else:
            _okay(connection, answers[question])
        return
    assert request in (f"host:tport:serial:{SERIAL}", f"host:transport:{SERIAL}") or SERIAL not in request, request
    if reason := _why_not(phone, request):
        _fail(connection, reason)
        return
    connection.sendall(b"OKAY" + (struct.pack("<Q", 1) if request.startswith("host:tport:") else b""))
    service = _request(connection)
    connection.sendall(b"OKAY")
    if service == "sync:":
        _sync(connection, phone)
    else:
        kind, _, command = service.partition(":")
        assert kind.split(",")[:2] == ["shell", "v2"], service
        _shell(connection, phone.run(command))


def _why_not(phone: ScriptedPhone, request: str) -> str | None:
    if SERIAL not in request or not phone.state:
        # The serial number is last, but for a question about a phone, which names it first.
        asked = request.rpartition(":")[0] if request.startswith("host-serial:") else request
        return f"device '{asked.split(':')[-1]}' not found"
    trust = "device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set\nCheck for a dialog on your device."
    return {"device": None, "offline": "device offline", "unauthorized": trust}[phone.state]


def _shell(connection: socket.socket, found: Shell) -> None:
    if found.hangs:
        connection.recv(1 << 16)  # the client closes its side of stdin at once
        with contextlib.suppress(OSError):
            while connection.recv(1 << 16):
                pass
        return
    half = len(found.out) // 2
    for kind, data in ((_STDOUT, found.out[:half]), (_STDERR, found.err), (_STDOUT, found.out[half:])):
        if found.breaks and data == found.out[half:]:
            return
        if data:
            connection.sendall(struct.pack("<BI", kind, len(data.encode())) + data.encode())
    connection.sendall(struct.pack("<BIB", _EXIT, 1, found.code & 0xFF))
    # Until the client goes: closed with unread bytes in it (its end of stdin), a socket resets and data may be lost.
    connection.shutdown(socket.SHUT_WR)
    with contextlib.suppress(OSError):
        while connection.recv(1 << 16):
            pass


def _sync(connection: socket.socket, phone: ScriptedPhone) -> None:
    while True:
        kind, size = struct.unpack("<4sI", _exactly(connection, 8))
        path = _exactly(connection, size).decode()
        if kind == b"QUIT":
            return
        if kind == b"STAT":
            content = phone.files.get(path)
            told = (0, 0, 0) if content is None else (_FILE_MODE, len(content), 1)
            connection.sendall(struct.pack("<4sIII", b"STAT", *told))
        elif kind == b"SEND":
            name, _, _ = path.rpartition(",")
            phone.files[name] = _received(connection) + (b"!" if phone.corrupts else b"")
            phone.sent.append(name)
            connection.sendall(struct.pack("<4sI", b"OKAY", 0))
        elif kind == b"RECV":
            content = phone.files[path]
            for begin in range(0, len(content), 60_000):
                part = content[begin : begin + 60_000]
                connection.sendall(struct.pack("<4sI", b"DATA", len(part)) + part)
            connection.sendall(struct.pack("<4sI", b"DONE", 0))
        else:
            raise AssertionError(f"the client asked for {kind!r}, which was not offered")


def _received(connection: socket.socket) -> bytes:
    content = b""
    while True:
        kind, size = struct.unpack("<4sI", _exactly(connection, 8))
        if kind == b"DONE":  # the number is a time then
            return content
        assert kind == b"DATA", kind
        content += _exactly(connection, size)


def _request(connection: socket.socket) -> str:
    return _exactly(connection, int(_exactly(connection, 4), 16)).decode()


def _okay(connection: socket.socket, text: str) -> None:
    connection.sendall(b"OKAY" + f"{len(text):04x}{text}".encode())


def _fail(connection: socket.socket, reason: str) -> None:
    connection.sendall(b"FAIL" + f"{len(reason):04x}{reason}".encode())


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        chunk: Any = connection.recv(size - len(found))
        if not chunk:
            raise ConnectionError("the client has gone")
        found += chunk
    return found
