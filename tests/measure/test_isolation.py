"""A runtime that tries to get out: what it leaves behind, whom it can reach, how much it can take."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from command import ROOT

from bench.measure import isolation, worker
from bench.measure.child import Child, LostError, RefusedError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the process group is all there is elsewhere")

LIMIT_S = 60.0
# A system that lets nobody make a namespace: one of its own in which none can be made.
FORBIDS = ("unshare", "--user", "--map-root-user", "sh", "-c")
FORBID = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'

# Stands where the worker looks for ONNX Runtime; the content of the "model" is Python.
RUNTIME = """
import os, signal, subprocess, sys, time

NAME = {name!r}

def escape():
    '''As daemons do: twice forked, of a session of its own, deaf to what can be ignored; says when it is there.'''
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGALRM):
                signal.signal(number, signal.SIG_IGN)
            os.write(writer, b"x")
            os.execv(sys.executable, [sys.executable, "-I", "-c", "import time\\nwhile True: time.sleep(1)", NAME])
        os._exit(0)
    os.wait()
    os.read(reader, 1)

class Model:
    details = {{}}

    def time(self, iterations):
        return [1] * iterations

    def is_finite(self):
        return True

    def output(self):
        return [1.0]

def start(settings):
    return {{}}

def load(task):
    exec(task["content"].decode(), globals())
    return Model()
"""


@dataclass
class Place:
    """A device whose runtime does as it is told.

    Attributes:
        folder: of its files.
        command: of a child there.
        name: an argument of what escapes.
        is_alone: whether the system lets it have namespaces.
    """

    folder: Path
    command: tuple[str, ...]
    name: str
    is_alone: bool

    def left(self) -> list[psutil.Process]:
        """What has escaped and lives."""
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            if process.info["status"] != psutil.STATUS_ZOMBIE and self.name in (process.info["cmdline"] or ()):
                found.append(process)
        return found

    def start(self, child: Child, **more: object) -> dict[str, object]:
        settings = {"runtime": "onnxruntime", "runner": "cpu", "memory_mib": 4096, "paths": [], **more}
        limits = child.ask("start", settings, limit_s=LIMIT_S)["limits"]
        assert isinstance(limits, dict)
        return limits

    def load(self, child: Child, code: str, *, limit_s: float = LIMIT_S) -> None:
        child.ask("load", {"artifact": self.artifact(code)}, limit_s=limit_s)

    def artifact(self, code: str) -> dict[str, str]:
        path = self.folder / "model"
        path.write_text(code)
        digest = hashlib.sha256(code.encode()).hexdigest()
        return {"label": "a", "format": "onnx", "path": str(path), "sha256": digest}


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(params=[True, False], ids=["namespaces", "no namespaces"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    folder = tmp_path / "device"
    (folder / "runtimes").mkdir(parents=True)
    for module in (worker, isolation):
        shutil.copy(str(module.__file__), folder)
    name = f"escaped-{os.getpid()}-{time.monotonic_ns()}"
    (folder / "runtimes" / "onnx_runtime.py").write_text(RUNTIME.format(name=name))
    command: tuple[str, ...] = (sys.executable, "-I", str(folder / "worker.py"), "--isolated")
    if not request.param:
        command = (*FORBIDS, FORBID, "sh", *command)
    found = Place(folder=tmp_path, command=command, name=name, is_alone=request.param)
    with Child(command) as child:
        try:
            limits = found.start(child)
        except LostError as error:
            pytest.skip(f"no system without namespaces can be made here: {error}")
    if request.param and limits["has_network"]:
        pytest.skip("this system lets nobody make a namespace")
    assert limits["has_network"] is limits["reaches_processes"] is not request.param
    yield found
    for process in found.left():  # or it outlives the tests
        process.kill()


ENDS = {
    "well": ("", None),
    "refuses": ("raise ValueError('no such operator')", "ValueError: no such operator"),
    "crashes": ("import ctypes; ctypes.string_at(0)", r"its process was ended by SIGSEGV \(Segmentation fault\)"),
    "aborts": ("os.abort()", r"its process was ended by SIGABRT \(Aborted\)"),
    "is killed": ("os.kill(os.getpid(), signal.SIGKILL)", "its process was ended by SIGKILL"),
    "exits": ("sys.stderr.write('out of luck\\n'); sys.exit(3)", "its process ended with status 3: out of luck"),
    "closes": ("os.closerange(3, 100); time.sleep(1000)", "it closed its output and went on running"),
}


@pytest.mark.parametrize("how", ENDS)
def test_what_leaves_session_group_and_parents_ends_with_its_worker(
    place: Place, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    then, reason = ENDS[how]
    if how == "closes":
        monkeypatch.setattr("bench.measure.child._END_S", 0.1)
    with Child(place.command) as child:
        place.start(child)
        if reason is None:
            place.load(child, "escape()")
            assert len(place.left()) == 1
        else:
            with pytest.raises((RefusedError, LostError), match=reason):
                place.load(child, f"escape(); {then}")
    until(lambda: not place.left())


@pytest.mark.parametrize("then", ["time.sleep(1000)", "os.kill(os.getpid(), signal.SIGSTOP)"])
def test_what_escapes_a_worker_that_hangs_ends_with_its_deadline(place: Place, then: str) -> None:
    ready = place.folder / "ready"
    for limit_s in (0.5, 5.0, LIMIT_S):  # on a busy machine it takes longer to escape
        with Child(place.command) as child:
            place.start(child)
            with pytest.raises(LostError, match="no answer within its deadline"):
                place.load(child, f"escape(); open({str(ready)!r}, 'w').close(); {then}", limit_s=limit_s)
        until(lambda: not place.left())
        if ready.exists():
            return
    raise AssertionError("nothing escaped")


@pytest.mark.parametrize("place", [True], indirect=True, ids=["namespaces"])
def test_a_worker_that_ends_its_keeper_ends_everything(place: Place) -> None:
    with Child(place.command) as child:
        place.start(child)
        with pytest.raises(LostError, match="its process was ended by SIGKILL"):
            place.load(child, "escape(); os.kill(0, signal.SIGKILL)")
    until(lambda: not place.left())


# Never there any more when it is found: each process leaves its place to its child, and the lock too.
HOP = """
import fcntl
lock = open({path!r}, "w")
fcntl.flock(lock, fcntl.LOCK_EX)
if os.fork() == 0:
    os.setsid()
    for count in range({most}):
        os.pwrite(lock.fileno(), b"%06d" % count, 0)
        if os.fork():
            os._exit(0)
    os._exit(0)
while not os.path.getsize({path!r}):
    time.sleep(0.001)
"""


@pytest.mark.parametrize("place", [True], indirect=True, ids=["namespaces"])
def test_the_kernel_ends_what_is_faster_than_any_look(place: Place) -> None:
    path, most = place.folder / "lock", 20_000
    with Child(place.command) as child:
        place.start(child)
        place.load(child, HOP.format(path=str(path), most=most))
    with path.open() as lock:
        until(lambda: is_locked(lock.fileno()))
    assert int(path.read_text()) < most - 1


def is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def test_what_escapes_ends_with_a_supervisor_that_is_killed(place: Place) -> None:
    script = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from bench.measure.child import Child
with Child({place.command!r}) as child:
    child.ask("start", {{"runtime": "onnxruntime", "runner": "cpu", "memory_mib": 4096, "paths": []}}, limit_s=60.0)
    child.ask("load", {{"artifact": {place.artifact("escape()")!r}}}, limit_s=60.0)
    print("ready", flush=True)
    input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == "ready\n"
        assert len(place.left()) == 1
        supervisor.kill()
    until(lambda: not place.left())


@pytest.mark.parametrize("place", [True], indirect=True, ids=["namespaces"])
def test_a_worker_reaches_no_process_but_its_own(place: Place) -> None:
    code = """
found = [name for name in os.listdir("/proc") if name.isdigit() and int(name) not in (1, os.getpid())]
for pid in ({pids}):
    try:
        os.kill(pid, 0)
        found.append(pid)
    except ProcessLookupError:
        pass
os.kill(1, signal.SIGKILL)  # its own first one does not heed it
raise ValueError(f"reached: {{found}}, parent {{os.getppid()}}")
"""
    with Child(place.command) as child:
        place.start(child)
        with pytest.raises(RefusedError, match=r"reached: \[\], parent 0$"):
            place.load(child, code.format(pids=f"{os.getpid()}, {child.pid}"))


@pytest.mark.parametrize("place", [True], indirect=True, ids=["namespaces"])
def test_the_time_of_a_worker_is_bounded_and_so_is_that_of_what_it_starts(place: Place) -> None:
    command = "[sys.executable, '-I', '-c', 'while True: pass']"
    second = 1.0 / (os.cpu_count() or 1) - worker._ALARM_MARGIN_S
    with Child(place.command) as child:
        assert place.start(child, work_s=second)["RLIMIT_CPU"] == 1
        with pytest.raises(RefusedError, match=f"ValueError: -{int(signal.SIGXCPU)}$"):
            place.load(child, f"raise ValueError(subprocess.call({command}, start_new_session=True))")


# As an ordinary user: isolates itself, and starts processes for as long as it may.
BOMB = """
import ctypes, encodings.ascii, importlib.util, json, os, resource, sys, time
spec = importlib.util.spec_from_file_location("isolation", sys.argv[1])
isolation = importlib.util.module_from_spec(spec)
spec.loader.exec_module(isolation)
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, which a change of user takes away
for _ in range(20):  # of the same user
    if os.fork() == 0:
        isolation.end_with_supervisor()
        time.sleep(1000)
found = isolation.isolate(keeps_rights=False)
found["most"] = resource.getrlimit(resource.RLIMIT_NPROC)[1]
resource.setrlimit(resource.RLIMIT_NPROC, (10, 10))
count = 0
try:
    while count < 50:
        if os.fork() == 0:
            time.sleep(1000)
        count += 1
except BlockingIOError:
    pass
print(json.dumps({**found, "count": count}), flush=True)
"""


def test_the_processes_of_an_ordinary_users_worker_are_bounded() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BOMB, str(isolation.__file__)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    if found["has_network"] or found["most"] != isolation._MOST_TASKS:
        pytest.skip("this system lets no ordinary user make a namespace, or counts its processes together")
    assert 0 < found["count"] < 10
