"""The settings of a study: one tree of frozen dataclasses, from flags or a YAML file, stored whole.

A stored study can be repeated from the database alone, so everything that decides what happens stands here and
nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from bench.errors import ConfigError, nearest
from bench.measure.catalogue import RUNTIMES
from bench.study.halving import rung_images
from bench.study.tree import parse_tree

# As `bench.proxies.zero_cost.NUM_PICTURES`, which needs torch to be imported.
ZERO_COST_IMAGES = 16

# In a database URL.
_PASSWORD = re.compile(r"://[^/@\s]*:[^/@\s]+@")
_RUNNER = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """Which pictures: `fractals`, a folder, `imagenet:DIR`, `parquet:DIR` or `timm:NAME`."""

    source: str = "fractals"
    classes: int | None = None
    per_class: int | None = None
    val_per_class: int | None = None
    seed: int = 0
    download: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConfig:
    """What candidates are scored by, by default the short training: pictures seen at the top rung, the rungs below it,
    and the optimiser's settings.

    Attributes:
        kind: "zero-cost" trains nothing: it looks at generated pictures through fresh networks (README says what such a
            score is worth; it is no accuracy). "supernet" scores by the weights that candidates inherit from one; its
            file then decides the other settings here and the pictures.
        supernet: file of `bench supernet train`.
        images: pictures seen at the top rung.
        rungs: how many rungs; 1 trains every candidate to the top.
        reduction: each rung sees this many times the pictures of the one below, and one in this many goes on.
    """

    kind: Literal["training", "zero-cost", "supernet"] = "training"
    supernet: str | None = None
    images: int = 8000
    rungs: int = 3
    reduction: float = 3.0
    batch_size: int = 32
    learning_rate: float = 5e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    ema_decay: float = 0.98
    augmentation: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainConfig:
    """How the front is trained again when the search is over (bench/study/retraining.py).

    Attributes:
        seeds: fresh ones; 0 leaves the front provisional. None: none below 16 candidates, then one, two from 48 and
            three from 100 on.
        images: pictures seen; None: as many as at the proxy's top rung, and never fewer.
    """

    seeds: int | None = None
    images: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingConfig:
    """Where and how candidates are timed; without a runtime, the usual one of each runner.

    Attributes:
        runner: cpu, cuda or apple of this machine, or the name of a registered one.
        runners: two or more of them in place of `runner`: latency is an objective on each.
        runtime: of all runners; None: each one's usual.
        batch: candidates timed in one session; None: four, or as many as trials run at a time.
        reference_resolution: of the pinned network beside every candidate; None: each candidate's own, or the nearest.
    """

    runner: str = "cpu"
    runners: tuple[str, ...] = ()
    runtime: str | None = None
    threads: int = 1
    restarts: int = 3
    blocks: int = 8
    iterations: int = 2
    deadline_s: float = 120.0
    batch: int | None = None
    reference_resolution: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Of all runners."""
        return self.runners or (self.runner,)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionConfig:
    """How many trials run at a time and with what.

    Attributes:
        concurrency: trials at a time; None: one a CPU core, or one a GPU when training there.
        threads: CPU threads of each training; None: the cores shared out evenly.
        device: where candidates are trained; "auto" takes a GPU if there is one.
        ray_address: of a running Ray cluster; None starts a Ray of its own on this machine.
        folder: for checkpoints, weights and logs; None: `studies/NAME` beside the database.
    """

    concurrency: int | None = None
    threads: int | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    ray_address: str | None = None
    folder: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyConfig:
    """Everything that decides what a study does.

    Attributes:
        space: name or path of the space.
        budget: distinct architectures to try.
        rules: added to the space's own.
        objectives: names; accuracy (which stands for the score, whatever it is) and at least one cost. `latency:NAME`
            is the latency on one runner, which is timed on if `timing` names no other.
        constraints: bounds of figures, such as `latency_ms <= 12` (bench/study/constraints.py).
        warm_start: earlier studies of the same space, `STUDY` or `STUDY@DATABASE`, the one most like this one last.
        max_failures: failed trials in a row that stop the study.
    """

    space: str = "fastvit"
    budget: int = 24
    rules: tuple[str, ...] = ()
    objectives: tuple[str, ...] = ("accuracy", "latency_ms")
    constraints: tuple[str, ...] = ()
    warm_start: tuple[str, ...] = ()
    sampler: Literal["model", "tpe", "nsga2", "random"] = "model"
    seed: int = 0
    try_reference_points: bool = True
    max_failures: int = 10
    data: DataConfig = field(default_factory=DataConfig)
    proxy: ProxyConfig = field(default_factory=ProxyConfig)
    retrain: RetrainConfig = field(default_factory=RetrainConfig)
    timing: TimingConfig = field(default_factory=TimingConfig)
    execution: ExecutionConfig = field(default_factory=ExecutionConfig)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> StudyConfig:
        """The settings of a mapping; what is not named keeps its default.

        Raises:
            ConfigError: an unknown key or a value of the wrong type or range.
        """
        return checked(parse_tree(cls, data))


def load_config(path: Path) -> StudyConfig:
    """Settings from a YAML file.

    Raises:
        ConfigError: the file is missing, is no YAML, or holds what is not a setting.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {str(path)!r} ({error.strerror}); give a YAML file of settings") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML ({' '.join(str(error).split())}); mend that line") from error
    if not isinstance(data, dict):
        found = "nothing" if data is None else f"a {type(data).__name__}"
        raise ConfigError(f"{path} holds {found}; settings are `key: value` lines; see README")
    return StudyConfig.from_dict(data)


def override(config: StudyConfig, flags: Mapping[str, Any]) -> StudyConfig:
    """The settings with those of `flags` (dotted names, such as `proxy.images`) in their place, what may repeat added.

    Raises:
        ConfigError: as for a file with these settings.
    """
    tree = config.to_dict()
    for name, value in flags.items():
        section, _, key = name.rpartition(".")
        if key in ("rules", "constraints", "warm_start"):
            value = (*getattr(config, key), *value)
        (tree[section] if section else tree)[key] = value
    return StudyConfig.from_dict(tree)


def checked(config: StudyConfig) -> StudyConfig:
    """The same settings, all in range.

    Raises:
        ConfigError: naming the first that is not.
    """
    if config.proxy.kind == "zero-cost":
        config = _untrained(config)
    config = replace(config, proxy=_with_supernet(config.proxy))
    if config.retrain.seeds and config.proxy.kind != "training":
        raise ConfigError(
            f"retrain.seeds is {config.retrain.seeds} and scores are of kind {config.proxy.kind}, the same each time; "
            "only trainings are repeated with fresh seeds; leave it out"
        )
    at_least: dict[str, tuple[float | None, float]] = {
        "budget": (config.budget, 1),
        "max_failures": (config.max_failures, 1),
        "data.classes": (config.data.classes, 2),
        "data.per_class": (config.data.per_class, 1),
        "data.val_per_class": (config.data.val_per_class, 1),
        "proxy.images": (config.proxy.images, config.proxy.batch_size),
        "proxy.rungs": (config.proxy.rungs, 1),
        "retrain.seeds": (config.retrain.seeds, 0),
        "retrain.images": (config.retrain.images, config.proxy.images),
        "proxy.batch_size": (config.proxy.batch_size, 2),
        "timing.threads": (config.timing.threads, 1),
        "timing.restarts": (config.timing.restarts, 1),
        "timing.blocks": (config.timing.blocks, 1),
        "timing.iterations": (config.timing.iterations, 1),
        "timing.batch": (config.timing.batch, 1),
        "timing.reference_resolution": (config.timing.reference_resolution, 32),
        "execution.concurrency": (config.execution.concurrency, 1),
        "execution.threads": (config.execution.threads, 1),
        "seed": (config.seed, 0),
        "data.seed": (config.data.seed, 0),
        "proxy.weight_decay": (config.proxy.weight_decay, 0),
    }
    for name, (value, least) in at_least.items():
        if value is not None and value < least:
            raise ConfigError(f"{name} is {value}; it must be {least:g} or more; change it")
    if config.proxy.reduction <= 1.0:
        raise ConfigError(f"proxy.reduction is {config.proxy.reduction}; it must be above 1; 3 is usual")
    between: dict[str, tuple[float, float, float, float]] = {
        # value, lowest, below, usual
        "proxy.augmentation": (config.proxy.augmentation, 0.0, 1.0 + 1e-9, 0.2),
        "proxy.learning_rate": (config.proxy.learning_rate, 1e-9, 1.0, 0.005),
        "proxy.label_smoothing": (config.proxy.label_smoothing, 0.0, 1.0, 0.1),
        "proxy.ema_decay": (config.proxy.ema_decay, 0.0, 1.0, 0.98),
        "timing.deadline_s": (config.timing.deadline_s, 1e-9, 86_400.0, 120.0),
    }
    for name, (found, least, below, usual) in between.items():
        if not least <= found < below:
            raise ConfigError(f"{name} is {found}; it must lie between {least:.0f} and {below:.0f}; {usual:g} is usual")
    timing = _checked_timing(_with_named(config.timing, _named_runners(config.objectives)))
    config = replace(config, proxy=replace(config.proxy, rungs=_num_rungs(config.proxy)), timing=timing)
    return _constrained(config)


def _constrained(config: StudyConfig) -> StudyConfig:
    """The same with its constraints by their full names."""
    if any(_PASSWORD.search(text) for text in config.warm_start):
        raise ConfigError(
            "warm_start holds a password, and settings are stored and shown; leave it out of the URL and give it as "
            "PGPASSWORD in the environment, or in ~/.pgpass"
        )
    if config.warm_start and config.sampler != "model":
        raise ConfigError(
            f"warm_start beside sampler {config.sampler!r}; only 'model' learns from earlier studies; leave one out"
        )
    if not config.constraints:
        return config
    # Not above: workers read settings too, and import no database for them.
    from bench.study.constraints import checked_constraints
    from bench.study.objectives import study_objectives

    found = checked_constraints(config.constraints, objectives=study_objectives(config), runners=config.timing.names)
    return replace(config, constraints=found)


def _with_supernet(proxy: ProxyConfig) -> ProxyConfig:
    """The same with the file of its supernet named so that it is found from any folder, and its one rung.

    Raises:
        ConfigError: a supernet without its file, or the file of one that nothing asks for.
    """
    if proxy.kind != "supernet":
        if proxy.supernet is not None:
            raise ConfigError(
                f"proxy.supernet is {proxy.supernet!r} beside proxy.kind {proxy.kind}; only --proxy supernet scores by "
                "it; add that, or leave the file out"
            )
        return proxy
    if proxy.supernet is None:
        raise ConfigError(
            "proxy.kind supernet without its file; bench supernet train writes one; name it with --supernet FILE"
        )
    if proxy.rungs not in (1, ProxyConfig().rungs):
        raise ConfigError(f"proxy.rungs is {proxy.rungs} beside proxy.kind supernet, which has one; leave it out")
    return replace(proxy, supernet=str(Path(proxy.supernet).expanduser().resolve()), rungs=1)


def _untrained(config: StudyConfig) -> StudyConfig:
    """The same with the one rung that a score without training has.

    Raises:
        ConfigError: settings of a training, which would be ignored.
    """
    proxy, usual = config.proxy, ProxyConfig()
    fixed = replace(usual, kind="zero-cost", images=ZERO_COST_IMAGES, rungs=1, batch_size=ZERO_COST_IMAGES)
    changed = [
        f"{section}.{item.name}"
        for section, own, allowed in (
            ("data", config.data, (DataConfig(),)),
            ("proxy", proxy, (usual, fixed)),
        )
        for item in fields(own)
        if item.name != "kind" and getattr(own, item.name) not in [getattr(found, item.name) for found in allowed]
    ]
    if changed:
        raise ConfigError(
            f"{', '.join(changed)} beside proxy.kind zero-cost; such a score trains nothing and looks at "
            f"{ZERO_COST_IMAGES} generated pictures; leave it out, or train"
        )
    return replace(config, proxy=fixed)


def _named_runners(objectives: tuple[str, ...]) -> tuple[str, ...]:
    """The runners that objectives name, as `latency:pixel8` does."""
    parts = (name.partition(":") for name in objectives)
    return tuple(dict.fromkeys(runner for word, _, runner in parts if runner and word in ("latency", "latency_ms")))


def _with_named(timing: TimingConfig, named: tuple[str, ...]) -> TimingConfig:
    """The same on the runners that objectives name, where the settings name no other than the usual one."""
    return replace(timing, runners=named) if named and timing.names == (TimingConfig().runner,) else timing


def _checked_timing(timing: TimingConfig) -> TimingConfig:
    """The same with a list of one runner as that runner; whether there are such runners shows where they are used."""
    for name in timing.names:
        if not _RUNNER.fullmatch(name):
            raise ConfigError(
                f"timing.runner is {name!r}; cpu, cuda, apple or a registered name (lower-case letters, digits, '.', "
                "'_', '-') is needed; `bench runners list` names them"
            )
        if timing.names.count(name) > 1:
            raise ConfigError(f"timing.runners names {name!r} twice; each stands once; remove the second")
    if timing.runtime is not None and timing.runtime not in RUNTIMES:
        known = ", ".join(RUNTIMES)
        raise ConfigError(f"timing.runtime is {timing.runtime!r}; allowed: {known}{nearest(timing.runtime, RUNTIMES)}")
    return replace(timing, runner=timing.runners[0], runners=()) if len(timing.runners) == 1 else timing


def _num_rungs(proxy: ProxyConfig) -> int:
    """Rungs that differ by a batch at least: 64 pictures in batches of 32 make two, whatever was asked for."""
    rungs = proxy.rungs
    while rungs > (made := len(_rung_images(proxy, rungs))):
        rungs = made
    return rungs


def _rung_images(proxy: ProxyConfig, rungs: int) -> tuple[int, ...]:
    return rung_images(proxy.images, rungs=rungs, reduction=proxy.reduction, batch_size=proxy.batch_size)
