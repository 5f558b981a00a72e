"""A client that submits jobs while everything around it fails: each under its key, and some of them twice.

The last ones are held back until they are asked for, so that there is work for as long as there is disorder.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from bench.fleet.client import HubClient
from bench.fleet.following import follow, persistently
from bench.fleet.shipping import Package, pack, ship
from bench.measure.job import Job, JobArtifact

from ..networks import job_of, tiny
from .scene import Scene

_NUM_NETWORKS = 6
# Every so many jobs one is sent again, as after an answer that was lost, and one asks the hub what is enough.
_TWICE_EVERY, _LOOK_EVERY = 4, 5


class Submitter(threading.Thread):
    """Submits small jobs for the runners in turn, for as long as that takes.

    Attributes:
        labels: of the artifact of each job, by its id, as far as they are submitted.
        runners: the same of their runners.
        may_end: set when the last jobs, one for each runner, may be submitted.
        error: what ended it before its time.
    """

    def __init__(self, scene: Scene, folder: Path, count: int) -> None:
        super().__init__(name="submitter", daemon=True)
        self.labels: dict[str, str] = {}
        self.runners: dict[str, str] = {}
        self.may_end = threading.Event()
        self.error: BaseException | None = None
        self._over = threading.Event()
        self._scene, self._packages = scene, _packages(folder, scene.names, count)

    def run(self) -> None:
        try:
            self._scene.call(self._submit)
        except BaseException as error:
            self.error = error

    def end(self) -> None:
        """Submits nothing more, whatever is left."""
        self._over.set()
        self.may_end.set()

    def follow_all(self) -> Mapping[str, tuple[str, ...]]:
        """The labels of what each job gave, as a client is told; every job has ended."""
        return self._scene.call(self._follow)

    def _submit(self) -> None:
        num_first = len(self._packages) - len(self._scene.names)
        with closing(self._scene.hub.client()) as client:
            for number, (label, package) in enumerate(self._packages.items()):
                if number == num_first:
                    self.may_end.wait()
                if self._over.is_set():
                    break
                job_id = self._shipped(package, client, key=label)
                if number % _TWICE_EVERY == 0:
                    assert self._shipped(package, client, key=label) == job_id
                self.labels[job_id] = label
                self.runners[job_id] = str(package.body["runner"])

    def _shipped(self, package: Package, client: HubClient, *, key: str) -> str:
        return persistently(lambda: ship(package, client, key=key), told=lambda sign: None, over=self._over)

    def _follow(self) -> Mapping[str, tuple[str, ...]]:
        found = {}
        with closing(self._scene.hub.client()) as client:
            for job_id, runner in self.runners.items():
                ended = follow(client, job_id, runner, told=lambda sign: None, over=threading.Event())
                assert ended is not None
                assert ended.status == "done", ended
                found[job_id] = tuple(measurement.label for measurement in ended.measurements)
        return found


def _packages(folder: Path, names: Sequence[str], count: int) -> dict[str, Package]:
    """Jobs by the label of their one artifact, which names the job."""
    folder.mkdir()
    reference = tiny(folder / "reference.onnx")
    networks = [tiny(folder / f"{index}.onnx", layers=1 + index % 2, weight=0.02 * index) for index in range(1, 7)]
    assert len(networks) == _NUM_NETWORKS
    return {
        (label := f"job-{number}"): pack(
            _job(networks[number % _NUM_NETWORKS], reference, label, asks=number % _LOOK_EVERY == 0),
            runner=names[number % len(names)],
        )
        for number in range(count)
    }


def _job(network: JobArtifact, reference: JobArtifact, label: str, *, asks: bool) -> Job:
    # One that may have two restarts asks after the first whether that was enough.
    return job_of(replace(network, label=label), reference=reference, most_restarts=2 if asks else 1)
