"""Studies over a real store whose workers follow a script: what a network scores and takes follows from its id.

The updates have the shape of those of `bench.study.jobs`; everything between them and the database is real.
"""

from __future__ import annotations

import dataclasses
import hashlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.measure import JobArtifact, Measurement, summarise
from bench.networks.cost import cost_quantities
from bench.space import Architecture, Space, load_space
from bench.store import Store, StudyRecord
from bench.study.config import StudyConfig
from bench.study.constraints import reads_zero_cost, rules_of
from bench.study.evaluation import EvaluationJob
from bench.study.jobs import Job
from bench.study.objectives import is_timed, study_objectives
from bench.study.remote import Remote
from bench.study.session import Session
from bench.study.timer import Timer
from bench.study.timing import References, TimingJob, comparable, label_of
from bench.study.worker import Update

Worker = Callable[[Job], Iterator[tuple[int, Update]]]

# This machine's, as a study with one runner has it.
CPU = Timer(name="cpu", kind="cpu", runtime="onnxruntime", is_remote=False, figure="latency_ms")

CORNER = {
    "accuracy": 0.0,
    "zero_cost": 0.0,
    "supernet": 0.0,
    "latency_ms": 20.0,
    "params_m": 0.1,
    "macs_g": 0.002,
    "artifact_mb": 1.0,
}


def config_of(**settings: Any) -> StudyConfig:
    """A small study of two rungs, with the pictures and costs of nothing; each candidate is timed by itself."""
    base = {
        "space": "smoke",
        "budget": 8,
        "proxy": {"images": 96, "rungs": 2, "batch_size": 16},
        "timing": {"batch": 1},
    }
    return StudyConfig.from_dict({**base, **settings})


def add_study(
    store: Store, config: StudyConfig, *, name: str = "scripted", space: Space | None = None, **fields: Any
) -> StudyRecord:
    space = space or load_space(config.space).with_rules(rules_of(config))
    objectives = study_objectives(config)
    decided = {
        "config": config.to_dict(),
        "space_name": space.name,
        "space_text": space.text,
        "space_hash": space.hash,
        "objectives": {found.name: "maximize" if found.maximise else "minimize" for found in objectives},
        "hypervolume_reference": {found.name: CORNER[found.name.partition(":")[0]] for found in objectives},
        "seed": config.seed,
        "versions": {},
        "git_revision": None,
        "fingerprint": {"machine": {"cpu": "a scripted CPU"}},
    }
    return store.create_study(name, **{**decided, **fields})


def session_of(
    store: Store,
    study: StudyRecord,
    folder: Path,
    *,
    concurrency: int = 1,
    listener: Callable[..., None] = lambda session, kind, data: None,
    timers: tuple[Timer, ...] = (CPU,),
    references: References | None = None,
    remote: Remote | None = None,
) -> Session:
    """The study as its record has it: a new one from its start, an old one from where it was left."""
    config = StudyConfig.from_dict(study.config)
    return Session(
        store,
        study,
        config,
        load_space(config.space).with_rules(rules_of(config)),
        folder,
        concurrency=concurrency,
        threads=1,
        device="cpu",
        timers=timers if is_timed(study_objectives(config)) else (),
        references=references or {"onnx": {side: {} for side in ("64", "128", "256")}},
        data_hashes={},
        listener=listener,
        remote=remote,
        size_standards={} if reads_zero_cost(config.constraints) else None,
    )


def luck(architecture: Architecture) -> float:
    """A number of a network, between 0 and 1, as if it had been found by trying."""
    return random.Random(architecture.id).random()


def accuracy(architecture: Architecture, rung: int) -> float:
    return round(
        0.3 + 0.1 * rung + 0.3 * cost_quantities(architecture)["params_m"] / 0.08 + 0.2 * luck(architecture), 4
    )


def latency_ms(architecture: Architecture) -> float:
    return round(1.0 + 5000.0 * cost_quantities(architecture)["macs_g"] + luck(architecture), 4)


def measurement(architecture: Architecture, *, median_ms: float) -> Measurement:
    """Samples with that median and a reference of 4 ms."""
    middle = round(median_ms * 1e6)
    block = (middle - 1000, middle, middle + 1000)
    reference = (3_999_000, 4_000_000, 4_001_000)
    return Measurement(
        label="trial",
        architecture_id=architecture.id,
        artifact_sha256="ab" * 32,
        runner="cpu",
        runtime="onnxruntime",
        threads=1,
        resolution=64,
        samples=((block, block), (block, block)),
        reference_samples=((reference, reference), (reference, reference)),
        twin_samples=((reference, reference), ()),
        contended=((False, False), (False, False)),
        verdict="valid",
        reason=None,
        fingerprint={"machine": {"cpu": "a scripted CPU"}},
        protocol={"restarts": 2},
        session="scripted",
    )


def prepared(architecture: Architecture) -> Update:
    costs = dict(cost_quantities(architecture))
    return {
        "kind": "prepared",
        "figures": {**costs, "artifact_mb": costs["params_m"] * 4},
        "artifact": {"sha256": "ab" * 32, "format": "onnx", "bytes": round(costs["params_m"] * 4e6), "opset": 20},
        "seconds": {"build": 0.1, "export": 0.2},
    }


def zero_cost(architecture: Architecture) -> float:
    return round(1.0 - luck(architecture), 4)


def looked_at(job: TimingJob, update: Update, architecture: Architecture) -> Update:
    """The update with a zero-cost score, where the study asks for one."""
    if job.standards is None:
        return update
    return update | {
        "figures": {**update["figures"], "zero_cost_at_size": zero_cost(architecture)},
        "seconds": {**update["seconds"], "zero-cost score": 0.25},
    }


def file_of(folder: Path, label: str, architecture: Architecture) -> JobArtifact:
    """A file that stands for an exported network."""
    path = folder / "artifacts" / f"{label}.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"the network {architecture.id}")
    return JobArtifact(
        label=label,
        path=str(path),
        format="onnx",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        architecture_id=architecture.id,
        architecture=architecture.to_dict(),
        resolution=64,
        logits=(0.5, 0.25),
    )


def sent(job: TimingJob, number: int, architecture: Architecture) -> Update:
    """What `prepared` tells beside costs where registered runners time: the files."""
    files = {
        timer["name"]: dataclasses.asdict(file_of(Path(job.folder), label_of(number), architecture))
        for timer in job.timers
        if timer["is_remote"]
    }
    return {"files": files, "beside": "64"}


def measured(architecture: Architecture) -> Update:
    found = measurement(architecture, median_ms=latency_ms(architecture))
    summary = summarise(found)
    return {
        "kind": "measured",
        "figures": {"latency_ms": summary.median_ms},
        "measurement": found.to_dict(),
        "summary": comparable(summary, None),
        "seconds": {"time": 0.5},
    }


def scored(job: EvaluationJob, value: float) -> Update:
    images = job.rungs[job.rung]
    return {
        "kind": "scored",
        "rung": job.rung,
        "score": {
            "accuracy": value,
            "loss": 1.0,
            "curve": [(images, 1.0)],
            "fidelity": {
                "data": "scripted",
                "classes": 2,
                "resolution": 64,
                "images_seen": images,
                "training": {"seed": 0},
            },
            "seconds": 1.0,
            "waiting_share": 0.0,
        },
        "weights_path": None,
        "images": images - (job.rungs[job.rung - 1] if job.rung else 0),
        "seconds": {"train": 1.0},
    }


def works(job: Job) -> Iterator[tuple[int, Update]]:
    """A job that goes well."""
    if isinstance(job, TimingJob):
        networks = {number: Architecture.from_dict(found) for number, found in job.candidates}
        for number, network in networks.items():
            yield number, looked_at(job, prepared(network), network) | sent(job, number, network)
        if any(not timer["is_remote"] for timer in job.timers):
            yield from ((number, measured(network)) for number, network in networks.items())
        return
    architecture = Architecture.from_dict(job.architecture)
    if not job.is_prepared:
        yield job.number, prepared(architecture)
    yield job.number, {"kind": "training", "images_seen": 0, "seconds": {"build to train": 0.1}}
    yield job.number, scored(job, accuracy(architecture, job.rung))


def fails_where(is_failing: Callable[[Job, int], str | None], job: Job) -> Iterator[tuple[int, Update]]:
    """Candidates fail at once where there is a reason; the others go well."""
    reasons = {number: is_failing(job, number) for number in job.numbers}
    for number, reason in reasons.items():
        if reason is not None:
            yield number, {"kind": "failed", "reason": reason}
    yield from ((number, update) for number, update in works(job) if reasons[number] is None)


def fails_sometimes(job: Job) -> Iterator[tuple[int, Update]]:
    """Some networks fail, each always at the same place: before it is timed, or at the top rung."""

    def reason(job: Job, number: int) -> str | None:
        network = dict(job.candidates)[number] if isinstance(job, TimingJob) else job.architecture
        chance = luck(Architecture.from_dict(network))
        is_failing = chance < 0.2 or (chance < 0.5 and isinstance(job, EvaluationJob) and job.rung > 0)
        return f"scripted failure ({chance:.3f})" if is_failing else None

    return fails_where(reason, job)


def fails(job: Job) -> Iterator[tuple[int, Update]]:
    return fails_where(lambda job, number: f"trial {number} is scripted to fail", job)


def do(session: Session, worker: Worker = works) -> Job:
    """The next job from its start to its end."""
    job = session.next_job()
    assert job is not None
    for number, update in worker(job):
        session.update(number, update)
    session.ended(job, has_died=False)
    return job


def drive(session: Session, worker: Worker = works, *, seed: int = 0) -> Session:
    """Runs a session to its end; with several jobs in flight a seeded die says whose update comes next."""
    die = random.Random(seed)
    jobs: dict[tuple[int, ...], tuple[Job, Iterator[tuple[int, Update]]]] = {}
    idle = 0
    while not session.plan.is_done:
        while (job := session.next_job()) is not None:
            jobs[job.numbers] = (job, worker(job))
            idle = 0
        # A plan that has nothing to start and waits for nothing may find once that its space is used up.
        idle = 0 if jobs else idle + 1
        assert idle < 3, "the plan neither works nor ends"
        if jobs:
            numbers = die.choice(list(jobs))
            job, updates = jobs[numbers]
            if (found := next(updates, None)) is None:
                session.ended(job, has_died=False)
                del jobs[numbers]
            else:
                session.update(*found)
    return session


def run_study(
    store: Store, folder: Path, worker: Worker = works, *, concurrency: int = 1, seed: int = 0, **settings: Any
) -> Session:
    """A whole study from its start to its end."""
    session = session_of(store, add_study(store, config_of(**settings)), folder, concurrency=concurrency)
    drive(session, worker, seed=seed).finish()
    return session
