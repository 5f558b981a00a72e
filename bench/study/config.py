"""The settings of a study: one tree of frozen dataclasses, from flags or a YAML file, stored whole.

A stored study can be repeated from the database alone, so everything that decides what happens stands here and
nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from bench.errors import ConfigError
from bench.study.tree import parse_tree

# As `bench.proxies.zero_cost.NUM_PICTURES`, which needs torch to be imported.
ZERO_COST_IMAGES = 16


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
        threads: CPU threads of each training; None: the cores shared out evenly, no more than OMP_NUM_THREADS.
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
        # Not above: the checks know the settings.
        from bench.study.config_checks import checked

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
