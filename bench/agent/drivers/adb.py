"""Android phones that are attached to this host: `--driver adb --serial S --binary FILE --binary-sha256 HEX`.

The benchmark program is the user's: nothing is downloaded, and a file with another hash than was given is refused.
What is changed on a phone (fixed-performance mode, files under /data/local/tmp/bench) is noted on the disk before and
undone afterwards, by the next start of the agent if need be. runners/android.md tells how to set a phone up, and what
of this was never tried on one.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.agent import PROTOCOL, VERSION
from bench.agent.capabilities import checked_formats
from bench.agent.drivers import DriverError, Enough, Progress
from bench.agent.drivers.adb_benchmark import Program, Told
from bench.agent.drivers.adb_device import AdbDevice, CommandError, DeviceLostError, hash_file
from bench.agent.drivers.adb_entry import Entry, Setting
from bench.agent.drivers.adb_files import compare_output, look_into, write_pictures
from bench.agent.drivers.adb_litert import LiteRt
from bench.agent.drivers.adb_note import Note
from bench.agent.drivers.adb_onnx import OnnxRuntime
from bench.agent.drivers.adb_phone import health_of, processor, properties, surroundings, temperature
from bench.agent.drivers.adb_session import PhoneSession
from bench.agent.drivers.local import ended_when
from bench.errors import MeasureError, nearest
from bench.measure.child import ISOLATED_WORKER
from bench.measure.inspection import Inspection
from bench.measure.job import Job, JobArtifact
from bench.measure.measurement import Measurement

_PROGRAMS: tuple[Program, ...] = (LiteRt(), OnnxRuntime())
PROGRAMS: Mapping[str, Program] = {program.name: program for program in _PROGRAMS}

_MASK = re.compile(r"[0-9a-fA-F]{1,16}")
_FIXED = ("cmd", "power", "set-fixed-performance-mode-enabled")


class AdbDriver:
    """One phone."""

    name = "adb"

    def __init__(
        self,
        serial: str,
        *,
        binary: Path,
        binary_sha256: str,
        folder: Path,
        adb: str = "adb",
        tool: str = "litert",
        cores: str | None = None,
        command: Sequence[str] = ISOLATED_WORKER,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Looks at the settings, and undoes what an agent before has left on the phone, if it is there.

        Args:
            serial: as `adb devices` tells it.
            binary: the benchmark program, on this host.
            binary_sha256: that it has.
            folder: of the agent, where a note about the phone may lie.
            adb: the client.
            tool: a name of `PROGRAMS`.
            cores: mask of CPUs in hexadecimal digits, as taskset takes it; None leaves it to the phone.
            command: of the child process that looks into files.
            sleep: waits so many seconds.

        Raises:
            MeasureError: a setting that is not allowed, or another program than the hash says.
        """
        if tool not in PROGRAMS:
            known = ", ".join(PROGRAMS)
            hint = nearest(tool, PROGRAMS) or "; choose one of them"
            raise MeasureError(f"unknown tool {tool!r} for a phone; known: {known}{hint}")
        if cores is not None and not (_MASK.fullmatch(cores) and int(cores, 16)):
            raise MeasureError(
                f"cores {cores!r}; a mask of CPUs in hexadecimal digits is needed; f0 stands for the CPUs 4 to 7"
            )
        self._device = AdbDevice(serial, adb=adb)
        self._program = PROGRAMS[tool]
        self._binary = binary
        self._binary_sha256 = _pinned(binary, binary_sha256)
        self._cores = cores
        self._note = Note(folder, serial)
        self._command = tuple(command)
        self._sleep = sleep
        self._facts: dict[str, Any] | None = None
        # Nobody else asks the phone anything while something is timed: the answer would take its time.
        self._lock = threading.Lock()
        self._health: dict[str, Any] = {}
        with contextlib.suppress(DeviceLostError, CommandError):
            self.restore()

    def capabilities(self) -> dict[str, Any]:
        """The phone, and what it can time.

        Raises:
            DriverError: it is not there.
        """
        with self._lock, _failures():
            self._device.require()
            facts = self._phone_facts()
        program = self._program
        runtime = {"versions": facts["software"], "formats": [program.format], "precisions": ["fp32"]}
        return {
            "driver": self.name,
            "kind": "cpu",
            "device": facts["machine"],
            "runtimes": {program.runtime: runtime},
            "checks": [found for found in checked_formats() if found == program.format],
            "python": platform.python_version(),
            "agent": VERSION,
            "protocol": PROTOCOL,
        }

    def health(self) -> dict[str, Any]:
        """Highest temperature and thermal status now; while something is timed, those before its last block."""
        if not self._lock.acquire(blocking=False):
            return dict(self._health)
        try:
            self._health = health_of(*temperature(self._device))
        except MeasureError as error:
            self._health = {"state": str(error)}
        finally:
            self._lock.release()
        return dict(self._health)

    def run(
        self, job: Job, *, is_enough: Enough, progress: Progress, is_cancelled: Callable[[], bool]
    ) -> tuple[Measurement, ...]:
        """Times every artifact of `job`; one measurement each, in the job's order, not judged.

        Raises:
            DriverError: nothing could be timed, or it was cancelled.
        """
        self._check(job)
        # What this host cannot look into, the sender of the job has; the record says who it was.
        is_looker = self._program.format in checked_formats()
        entries = []
        with ended_when(is_cancelled), Inspection(job, self._command) as inspection:
            for artifact in (job.reference, *job.artifacts):
                _go_on(is_cancelled)
                looker = inspection if is_looker else None
                entries.append(look_into(artifact, looker, resolution=job.resolution))
        with self._lock, _failures(), tempfile.TemporaryDirectory(prefix="bench-adb-") as folder:
            self.restore()
            self._device.require()
            with self._changed(entries, Path(folder), is_cancelled) as is_fixed:
                session = PhoneSession(
                    self._setting(job, is_fixed=is_fixed),
                    reference=entries[0],
                    twin=replace(entries[0], artifact=_again(job), logs={}),
                    entries=entries[1:],
                    check_output=self._compare,
                    progress=progress,
                    is_cancelled=is_cancelled,
                    sleep=self._sleep,
                    tell_health=self._keep_health,
                )
                session.run(is_enough)
        reference = entries[0]
        if reference.reason is not None:  # nothing of the session counts, but it tells something of this phone
            kind = "worker_crash" if reference.model else "artifact_invalid"
            raise DriverError(kind, f"the reference {job.reference.label!r} failed: {reference.reason}")
        checked_by = "device" if is_looker else "hub"
        return tuple(
            replace(found, protocol={**found.protocol, "checked_by": checked_by}) for found in session.measurements()
        )

    def restore(self) -> None:
        """Undoes what the note says is still to be undone on the phone.

        Raises:
            DeviceLostError: the phone is not there; the note stays.
            CommandError: the phone does not do it; the note stays.
        """
        changes = self._note.read()
        if changes is None:
            return
        self._device.require()
        is_undone = not changes.is_fixed or self._device.shell(*_FIXED, "false").code == 0
        self._device.remove(changes.files)
        if is_undone:
            self._note.clear()

    def _check(self, job: Job) -> None:
        program = self._program
        for artifact in (job.reference, *job.artifacts):
            setup = job.setup_of(artifact)
            if (setup.runtime, artifact.format) != (program.runtime, program.format):
                found = f"format {artifact.format!r} for {setup.runtime!r}"
                wanted = f"{program.format!r} for {program.runtime!r}"
            elif setup.precision != "fp32" or setup.channels_last or setup.options:
                found, wanted = f"the setup {setup.name!r}", f"plain {program.runtime} in fp32"
            elif job.runner != "cpu":
                found, wanted = f"the kind {job.runner!r}", "on a CPU"
            else:
                continue
            raise DriverError(
                "unsupported", f"{found} ({artifact.label!r}); this phone times {wanted}; send the job elsewhere"
            )

    @contextlib.contextmanager
    def _changed(self, entries: Sequence[Entry], folder: Path, is_cancelled: Callable[[], bool]) -> Iterator[bool]:
        """Files on the phone, and fixed-performance mode (whether it has one), for as long as they are needed."""
        wanted = [entry.layout for entry in entries if entry.layout and self._program.takes_picture]
        pictures = write_pictures(wanted, folder)
        files = sorted({entry.artifact.sha256 for entry in entries} | {sha256 for sha256, _ in pictures.values()})
        self._note.write(is_fixed=True, files=files)
        try:
            is_fixed = self._device.shell(*_FIXED, "true").code == 0
            if not is_fixed:
                self._note.write(is_fixed=False, files=files)
            self._device.remove(files)  # what an earlier job computed is not what this one computes
            for entry in entries:
                _go_on(is_cancelled)
                if entry.reason is None:
                    path, sha256 = Path(entry.artifact.path), entry.artifact.sha256
                    entry.model = self._device.push(path, sha256, self._program.file, is_cancelled=is_cancelled)
                if entry.reason is None and entry.layout in pictures:
                    sha256, path = pictures[entry.layout]
                    entry.picture = self._device.push(path, sha256, "picture.f32")
            yield is_fixed
        finally:
            # A lost phone is tidied up when it is back.
            with contextlib.suppress(DeviceLostError, CommandError):
                self.restore()

    def _setting(self, job: Job, *, is_fixed: bool) -> Setting:
        device, sha256 = self._device, self._binary_sha256
        binary = device.push(self._binary, sha256, "program")
        device.read("chmod", "755", binary)
        return Setting(
            job=job,
            device=device,
            program=self._program,
            binary=binary,
            binary_sha256=sha256,
            mask=self._cores,
            facts={**self._phone_facts(), "governor": "fixed-performance" if is_fixed else None},
            surroundings=surroundings(device),
        )

    def _compare(self, entry: Entry, told: Told, output: str) -> None:
        compare_output(self._device, entry, told, output)

    def _keep_health(self, found: dict[str, Any]) -> None:
        self._health = found

    def _phone_facts(self) -> dict[str, Any]:
        """Phone and program, as a fingerprint names them; asked once."""
        if self._facts is None:
            told = properties(self._device)
            machine = {
                "system": "Android",
                "release": told.pop("kernel"),
                "distribution": f"Android {told.get('android', '?')}",
                "architecture": told.pop("abi", None),
                "cpu": told.get("soc") or told.get("board"),
                **processor(self._device),
                **told,
                # Two phones of one model differ; this tells them apart and does not tell the serial number.
                "unit": hashlib.sha256(f"bench {self._device.serial}".encode()).hexdigest()[:12],
            }
            self._facts = {"machine": machine, "software": {self._program.name: self._binary_sha256}}
        return self._facts


def _go_on(is_cancelled: Callable[[], bool]) -> None:
    if is_cancelled():
        raise DriverError("unhealthy", "cancelled")


def _again(job: Job) -> JobArtifact:
    return replace(job.reference, label=f"{job.reference.label} (again)")


def _pinned(binary: Path, sha256: str) -> str:
    """The hash, once it is that of the file."""
    try:
        found = hash_file(binary)
    except OSError as error:
        raise MeasureError(
            f"the program {str(binary)!r} cannot be read ({error.strerror}); a benchmark program for the phone is "
            "needed; runners/android.md tells where to get one"
        ) from error
    if found != sha256.lower():
        raise MeasureError(
            f"the program {binary.name!r} has sha256 {found}, and {sha256!r} was given; the hash of the file that is "
            "meant is needed; look at both again"
        )
    return found


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """What goes wrong with a phone, in the kinds that a hub knows."""
    try:
        yield
    except DriverError:
        raise
    except DeviceLostError as error:
        raise DriverError("device_lost", str(error)) from error
    except MeasureError as error:
        raise DriverError("unhealthy", str(error)) from error
