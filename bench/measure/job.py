"""What is to be timed and how: plain data, the same for this machine and for a remote runner."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from bench.errors import MeasureError, nearest
from bench.measure.catalogue import RUNNERS, RUNTIMES

FORMS = ("deploy", "train", "timm")
FORMATS = tuple(sorted({kind for runtime in RUNTIMES.values() for kind in runtime.formats}))

# What `bench measure` asks for (Job's own defaults are the quick form): six processes are the fewest whose smallest
# and largest median hold the true one with 95 %; three runs in each of 72 visits make 216 an artifact, and 28 ms a
# visit make 2 s (MLPerf's LoadGen asks for a number and a duration too); half a second of warm-up is LiteRT's rule.
# Many short visits and not few long ones: where the host's speed changes within a tenth of a second, the medians of
# processes of T8 against its copy lay within 0.7 % with 12 visits of 3 runs, and up to 14 % apart with 4 of 9.
FULL: Mapping[str, Any] = {
    "restarts": 6,
    "most_restarts": 24,
    "blocks": 12,
    "iterations": 3,
    "visit_ms": 28.0,
    "warmup_window": 10,
    "warmup_least_ms": 500.0,
    "warmup_ms": 5000.0,
    "target": 0.01,
    "limit_s": 120.0,
    "twin": "always",
}

_FRACTIONS = ("warmup_ms", "deadline_s", "target", "limit_s")
_AMOUNTS = ("visit_ms", "warmup_least_ms")
_NUMBERS = (
    *("threads", "resolution", "restarts", "most_restarts", "blocks", "iterations", "warmup_window", "memory_mib"),
    *_FRACTIONS,
)


@dataclass(frozen=True)
class Setup:
    """How a runtime runs an artifact; artifacts of one setup share a child process.

    Attributes:
        runtime: a name of `catalogue.RUNTIMES`.
        threads: intra-op threads.
        precision: "fp32", "fp16" or "bf16".
        channels_last: memory format of torch.
        options: of the runtime's own, such as Core ML's compute units.
    """

    runtime: str
    threads: int = 1
    precision: str = "fp32"
    channels_last: bool = False
    options: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.runtime not in RUNTIMES:
            raise MeasureError(unknown("runtime", self.runtime, RUNTIMES))
        known = RUNTIMES[self.runtime].precisions
        if self.precision not in known:
            raise MeasureError(unknown(f"precision of {self.runtime}", self.precision, known))
        if self.channels_last and not self.runtime.startswith("torch"):
            raise MeasureError(f"channels_last for {self.runtime}; torch's runtimes know it; leave it out")
        if not isinstance(self.threads, int) or self.threads < 1:
            raise MeasureError(f"threads {self.threads!r}; a whole number above 0 is needed; change it in the job")

    @property
    def name(self) -> str:
        """Short, for tables: `torch-compile fp16 channels-last, 2 threads`."""
        parts = [self.runtime]
        parts += [self.precision] if self.precision != "fp32" else []
        parts += ["channels-last"] if self.channels_last else []
        parts += [f"{key}={value}" for key, value in self.options]
        return " ".join(parts) + (f", {self.threads} threads" if self.threads > 1 else "")


@dataclass(frozen=True)
class JobArtifact:
    """One file to be timed.

    Attributes:
        label: its name in the job and in the result; unique in a job.
        path: where the file (or the folder of an .mlpackage) lies.
        format: "onnx", "tflite", ...; "safetensors" are the weights of a network in train form, rebuilt from
            `architecture` in the child process (weights, never code).
        sha256: of the file; the child process refuses another content.
        architecture_id: where it is known.
        architecture: `Architecture.to_dict()`, or `{"timm": NAME}`; needed by "safetensors".
        resolution: of its own; None: the job's.
        form: of a network in "safetensors": "deploy" folds it, "train" leaves it, "timm" folds as timm does.
        setup: how it is run; None: as the job says.
        logits: what it has to compute from the job's picture; None: not known.
        is_checked: made and checked by this process; any other file is looked into before a runtime may load it.
        export: how it was made (exporter, its version, opset): part of what has to agree in a comparison.
    """

    label: str
    path: str
    format: str
    sha256: str
    architecture_id: str | None = None
    architecture: Mapping[str, Any] | None = None
    resolution: int | None = None
    form: str = "deploy"
    setup: Setup | None = None
    logits: tuple[float, ...] | None = None
    is_checked: bool = False
    export: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not self.label:
            raise MeasureError("an artifact without a label; a job names each artifact; give it a label")
        if self.format not in FORMATS:
            raise MeasureError(unknown(f"artifact format of {self.label!r}", self.format, FORMATS))
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise MeasureError(
                f"sha256 {self.sha256!r} of {self.label!r}; 64 hex digits are needed; hash the file again"
            )
        if self.format == "safetensors" and self.architecture is None:
            raise MeasureError(f"{self.label!r} has weights and no architecture; give both, or an ONNX file")
        if self.form not in FORMS:
            raise MeasureError(unknown(f"form of {self.label!r}", self.form, FORMS))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> JobArtifact:
        """The artifact that `asdict` gave, before or after a turn as JSON; a file of unknown origin from now on."""
        setup, logits = data.get("setup"), data.get("logits")
        if setup is not None:
            options = tuple((str(key), str(value)) for key, value in setup.get("options", ()))
            setup = Setup(**{**setup, "options": options})
        found = {**data, "setup": setup, "logits": None if logits is None else tuple(logits), "is_checked": False}
        return cls(**found)


@dataclass(frozen=True)
class Job:
    """One measuring session: artifacts and a pinned reference, interleaved in fresh child processes.

    The defaults are the quick form that a search uses; `FULL` holds the settings of the full one. The reference is
    timed in every block, so that every result has a ratio to it that other work on the machine disturbs far less
    than it disturbs milliseconds. The twin is the reference once more, loaded a second time: what the two differ by
    is what the session cannot tell apart.

    Attributes:
        artifacts: what is to be timed.
        reference: the pinned network (FastViT-T8 at the same resolution, or the nearest that it can take).
        resolution: height and width of the one input picture (batch 1), of whatever has none of its own.
        runner: "cpu", "cuda" or "apple".
        runtime, threads, precision, channels_last: the `Setup` of what has none of its own.
        cpus: the child processes are pinned to; None leaves them where this process may run.
        restarts: fresh child processes, at least.
        most_restarts: at most, while the target is missed.
        blocks: blocks in each process; each visits every artifact once in random order.
        iterations: timed runs back to back in one visit, at least.
        visit_ms: a visit is made as long as this by further iterations.
        warmup_window: runs whose median is compared with that of as many runs before.
        warmup_least_ms: of warm-up, for one artifact in one process.
        warmup_ms: most of it; it ends sooner when the windows agree.
        target: half width of the ratio's 95 % interval that is aimed at, 0.01 is one percent.
        limit_s: no further restart begins after so many seconds.
        repeats: whether a restart makes up once for blocks during which others used the CPU.
        twin: "always", "first" (in the first process only) or "never".
        deadline_s: seconds that all work on one artifact may take; a hang costs this much and fails that
            artifact alone.
        memory_mib: address space of a child process on the CPU.
        seed: of the visiting order.
    """

    artifacts: tuple[JobArtifact, ...]
    reference: JobArtifact
    resolution: int
    runner: str = "cpu"
    runtime: str = "onnxruntime"
    threads: int = 1
    precision: str = "fp32"
    channels_last: bool = False
    cpus: tuple[int, ...] | None = None
    restarts: int = 3
    most_restarts: int = 3
    blocks: int = 8
    iterations: int = 2
    visit_ms: float = 0.0
    warmup_window: int = 3
    warmup_least_ms: float = 0.0
    warmup_ms: float = 300.0
    target: float = 0.03
    limit_s: float = 120.0
    repeats: bool = True
    twin: str = "first"
    deadline_s: float = 120.0
    memory_mib: int = 16384
    seed: int = 0

    def __post_init__(self) -> None:
        default = self.default_setup
        if self.runner not in RUNNERS:
            raise MeasureError(unknown("runner", self.runner, RUNNERS))
        self._check_artifacts()
        for setup in {default, *(self.setup_of(artifact) for artifact in self.artifacts)}:
            if self.runner not in RUNTIMES[setup.runtime].runners:
                raise MeasureError(unknown(f"runner of {setup.runtime}", self.runner, RUNTIMES[setup.runtime].runners))
        for name in (*_NUMBERS, *_AMOUNTS):
            value = getattr(self, name)
            is_fraction = name in _FRACTIONS or name in _AMOUNTS
            least_ok = name in _AMOUNTS and value == 0
            if not (isinstance(value, int) or is_fraction) or not (0 < value < float("inf") or least_ok):
                kind = "number" if is_fraction else "whole number"
                raise MeasureError(f"{name} {value!r}; a {kind} above 0 is needed; change it in the job")
        if not isinstance(self.seed, int) or self.seed < 0:
            raise MeasureError(f"seed {self.seed!r}; a whole number of 0 or more is needed; change it in the job")
        if self.twin not in ("always", "first", "never"):
            raise MeasureError(unknown("twin", self.twin, ("always", "first", "never")))

    @property
    def default_setup(self) -> Setup:
        """Of what has none of its own."""
        return Setup(
            runtime=self.runtime, threads=self.threads, precision=self.precision, channels_last=self.channels_last
        )

    def setup_of(self, artifact: JobArtifact) -> Setup:
        """How `artifact` is run."""
        return artifact.setup or self.default_setup

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Job:
        """The job that `to_dict` gave.

        Raises:
            MeasureError: an unknown or missing key, or a value that is not allowed.
        """
        known = {field.name for field in fields(cls)}
        for key in data:
            if key not in known:
                raise MeasureError(unknown("job key", key, sorted(known)))
        try:
            artifacts = tuple(JobArtifact.from_dict(item) for item in data["artifacts"])
            rest = {key: value for key, value in data.items() if key not in ("artifacts", "reference", "cpus")}
            cpus = data.get("cpus")
            return cls(
                artifacts=artifacts,
                reference=JobArtifact.from_dict(data["reference"]),
                cpus=None if cpus is None else tuple(cpus),
                **rest,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise MeasureError(
                f"malformed job ({error}); known keys: {', '.join(sorted(known))}; write it again"
            ) from error

    def _check_artifacts(self) -> None:
        if not self.artifacts:
            raise MeasureError("a job without artifacts; one or more are needed; add what is to be timed")
        everything = (self.reference, *self.artifacts)
        labels = [artifact.label for artifact in everything]
        for artifact in everything:
            if labels.count(artifact.label) > 1:
                raise MeasureError(f"label {artifact.label!r} occurs twice; labels in a job are unique; rename one")
            runtime = RUNTIMES[self.setup_of(artifact).runtime]
            if artifact.format not in runtime.formats:
                what = f"format of {artifact.label!r} for {runtime.name}"
                raise MeasureError(unknown(what, artifact.format, runtime.formats))


def unknown(what: str, found: str, known: Iterable[str]) -> str:
    """One line: what was found, what is known, and the nearest word."""
    known = list(known)
    hint = nearest(found, known) or "; choose one of them"
    return f"unknown {what} {found!r}; known: {', '.join(known)}{hint}"
