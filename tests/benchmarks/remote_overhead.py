"""What a registered runner costs beside one of this machine: the same jobs directly, and through hub and agent.

    python -m tests.benchmarks.remote_overhead --keep-awake --out results/measured/DEVICE/remote_overhead.json

Hub and agent are processes on this machine, started as users start them; the agent is the packed file. Each job is done
directly (`bench.measure.measure`) and right after it remotely (`measure_remotely`), with the least of timing that there
is, so that little else is in the difference. Its files are new to the hub each time, but for the reference: what is
counted is looking for them there, uploading, submitting, leasing, fetching, hashing and following, until the judged
measurements are there.

An agent looks into every file that it is sent before a runtime loads it. The direct session does the same here, so that
the difference is that of the way alone; what looking costs, which a search of this machine's own networks does without,
is told apart, by a third session that trusts its files.

    tiny    a few KiB a file, 1, 4 and 8 artifacts a job
    t8      FastViT-T8 (16 MB a file), 1 and 4

The wanted figure is 150 ms an artifact. `--keep-awake` keeps the cores of a virtual machine from being given back to
their host between two steps (see awake.py), for all three sessions alike. Needs a machine without other work; takes
about five minutes. Prints a table for people and, last, one JSON line.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
from awake import cores_kept_awake
from fleet.networks import LEAST, tiny
from fleet.processes import agent_process, enrolment_line, hub_process

from bench.fleet.client import HubClient
from bench.fleet.measuring import measure_remotely
from bench.measure import Job, JobArtifact, Measurement, fingerprint, make_artifact, measure
from bench.measure.artifacts import reference_architecture
from bench.measure.exclusive import cpu_lock_folder, exclusive

_RUNNER = "here"
_COUNTS = {"tiny": (1, 4, 8), "t8": (1, 4)}
_RESOLUTION = 256


def main() -> None:
    arguments = _arguments()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-overhead-") as name:
        folder = Path(name)
        with hub_process(folder) as hub, closing(hub.client()) as client:
            line = enrolment_line(client, _RUNNER)
            with agent_process(_RUNNER, folder / _RUNNER, line):
                rows = []
                with cores_kept_awake(arguments.keep_awake):
                    for kind in arguments.kinds or _COUNTS:
                        rows += _rows(kind, folder, client, arguments.repeats)
    result = {
        "kept_awake": arguments.keep_awake,
        "rows": rows,
        "fingerprint": fingerprint(runtime="onnxruntime", threads=1),
    }
    arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    _print(rows)
    print(json.dumps({f"{row['kind']} x{row['artifacts']}": row["overhead_ms"] for row in rows}))


def _rows(kind: str, folder: Path, client: HubClient, repeats: int) -> Iterator[dict[str, Any]]:
    files = _Files(kind, folder / kind)
    # Not counted: the hub gets the reference, everybody gets warm.
    _remotely(files.job(1), client)
    for count in _COUNTS[kind]:
        sessions = []
        for _ in range(repeats):
            job = files.job(count)
            sessions.append(
                {
                    "trusted_s": _timed(lambda job=job: _directly(job, is_trusted=True)),
                    "direct_s": _timed(lambda job=job: _directly(job, is_trusted=False)),
                    "remote_s": _timed(lambda job=job: _remotely(job, client)),
                }
            )
        row = _row(kind, count, sessions)
        print(f"{kind} x{count}: {row['overhead_ms']:.0f} ms an artifact ({row['overhead_ms_all']})", flush=True)
        yield row


def _row(kind: str, count: int, sessions: Sequence[dict[str, float]]) -> dict[str, Any]:
    overheads = [1e3 * (found["remote_s"] - found["direct_s"]) / count for found in sessions]
    looks = [1e3 * (found["direct_s"] - found["trusted_s"]) / count for found in sessions]
    return {
        "kind": kind,
        "artifacts": count,
        "overhead_ms": statistics.median(overheads),
        "overhead_ms_all": [round(value, 1) for value in overheads],
        "looking_ms": statistics.median(looks),
        "direct_s": statistics.median(found["direct_s"] for found in sessions),
        "sessions": list(sessions),
    }


class _Files:
    """Networks of one kind, each in as many different files as are asked for."""

    def __init__(self, kind: str, folder: Path) -> None:
        folder.mkdir()
        self._folder, self._number = folder, 0
        if kind == "tiny":
            self._reference, self._resolution = tiny(folder / "reference.onnx"), int(LEAST["resolution"])
        else:
            architecture = reference_architecture(_RESOLUTION)
            self._reference, _ = make_artifact(architecture, folder, "reference", runtime="onnxruntime")
            self._resolution = _RESOLUTION
        self._model = onnx.load(self._reference.path)

    def job(self, count: int) -> Job:
        """The least of timing; every file has been looked into, as those have that a search makes."""
        artifacts = tuple(self._next() for _ in range(count))
        settings = {**LEAST, "resolution": self._resolution}
        return Job(artifacts=artifacts, reference=self._reference, **settings)

    def _next(self) -> JobArtifact:
        """The same network in a file of its own: a comment makes it one."""
        self._number += 1
        self._model.doc_string = f"file {self._number}"
        content = self._model.SerializeToString()
        path = self._folder / f"{self._number}.onnx"
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        return replace(self._reference, label=f"network-{self._number}", path=str(path), sha256=digest)


def _directly(job: Job, *, is_trusted: bool) -> tuple[Measurement, ...]:
    def known(artifact: JobArtifact) -> JobArtifact:
        return replace(artifact, is_checked=is_trusted)

    with exclusive(cpu_lock_folder()):
        return measure(
            replace(job, reference=known(job.reference), artifacts=tuple(known(found) for found in job.artifacts))
        )


def _remotely(job: Job, client: HubClient) -> tuple[Measurement, ...]:
    return measure_remotely(job, _RUNNER, client)


def _timed(session: Callable[[], tuple[Measurement, ...]]) -> float:
    begin = time.perf_counter()
    found = session()
    seconds = time.perf_counter() - begin
    for measurement in found:
        if not measurement.has_figures:
            raise SystemExit(f"{measurement.label}: {measurement.reason}")
    return seconds


def _print(rows: Sequence[dict[str, Any]]) -> None:
    print(f"{'files':>6} {'artifacts':>9} {'direct s':>9} {'overhead ms/artifact':>21} {'looking ms/artifact':>20}")
    for row in rows:
        print(
            f"{row['kind']:>6} {row['artifacts']:>9} {row['direct_s']:>9.2f} {row['overhead_ms']:>21.0f} "
            f"{row['looking_ms']:>20.0f}"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", choices=[*_COUNTS, []], help="which; all by default")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--keep-awake", action="store_true", help="loops of the idle class keep the cores (Linux)")
    parser.add_argument("--out", type=Path, default=Path("results/remote_overhead.json"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
