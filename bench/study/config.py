"""The settings of a study: one tree of frozen dataclasses, from flags or a YAML file, stored whole.

A stored study can be repeated from the database alone, so everything that decides what happens stands here and
nowhere else.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from bench.errors import ConfigError, nearest
from bench.study.halving import rung_images

Tree = TypeVar("Tree")


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
    """The short training: pictures seen at the top rung, the rungs below it, and the optimiser's settings.

    Attributes:
        images: pictures seen at the top rung.
        rungs: how many rungs; 1 trains every candidate to the top.
        reduction: each rung sees this many times the pictures of the one below, and one in this many goes on.
    """

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
class TimingConfig:
    """Where and how candidates are timed; without a runtime, ONNX Runtime on the CPU and torch on a GPU.

    Attributes:
        batch: candidates timed in one session; None: four, or as many as trials run at a time.
        reference_resolution: of the pinned network beside every candidate; None: each candidate's own, or the nearest.
    """

    runner: Literal["cpu", "cuda"] = "cpu"
    runtime: Literal["onnxruntime", "torch"] | None = None
    threads: int = 1
    restarts: int = 3
    blocks: int = 8
    iterations: int = 2
    deadline_s: float = 120.0
    batch: int | None = None
    reference_resolution: int | None = None


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
        objectives: names; accuracy and at least one cost.
        max_failures: failed trials in a row that stop the study.
    """

    space: str = "fastvit"
    budget: int = 24
    rules: tuple[str, ...] = ()
    objectives: tuple[str, ...] = ("accuracy", "latency_ms")
    sampler: Literal["tpe", "nsga2", "random"] = "tpe"
    seed: int = 0
    try_reference_points: bool = True
    max_failures: int = 10
    data: DataConfig = field(default_factory=DataConfig)
    proxy: ProxyConfig = field(default_factory=ProxyConfig)
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
        return checked(_parse(cls, data, ""))


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
        raise ConfigError(f"{path} holds {type(data).__name__}; settings are `key: value` lines; see README")
    return StudyConfig.from_dict(data)


def override(config: StudyConfig, flags: Mapping[str, Any]) -> StudyConfig:
    """The settings with those of `flags` (dotted names, such as `proxy.images`) in their place, rules added to theirs.

    Raises:
        ConfigError: as for a file with these settings.
    """
    tree = config.to_dict()
    for name, value in flags.items():
        section, _, key = name.rpartition(".")
        if key == "rules":
            value = (*config.rules, *value)
        (tree[section] if section else tree)[key] = value
    return StudyConfig.from_dict(tree)


def checked(config: StudyConfig) -> StudyConfig:
    """The same settings, all in range.

    Raises:
        ConfigError: naming the first that is not.
    """
    at_least: dict[str, tuple[float | None, float]] = {
        "budget": (config.budget, 1),
        "max_failures": (config.max_failures, 1),
        "data.classes": (config.data.classes, 2),
        "data.per_class": (config.data.per_class, 1),
        "data.val_per_class": (config.data.val_per_class, 1),
        "proxy.images": (config.proxy.images, config.proxy.batch_size),
        "proxy.rungs": (config.proxy.rungs, 1),
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
    return replace(config, proxy=replace(config.proxy, rungs=_num_rungs(config.proxy)))


def _num_rungs(proxy: ProxyConfig) -> int:
    """Rungs that differ by a batch at least: 64 pictures in batches of 32 make two, whatever was asked for."""
    rungs = proxy.rungs
    while rungs > (made := len(_rung_images(proxy, rungs))):
        rungs = made
    return rungs


def _rung_images(proxy: ProxyConfig, rungs: int) -> tuple[int, ...]:
    return rung_images(proxy.images, rungs=rungs, reduction=proxy.reduction, batch_size=proxy.batch_size)


def _parse(kind: type[Tree], data: Mapping[str, Any], path: str) -> Tree:
    hints = get_type_hints(kind)
    names = [item.name for item in fields(kind)]  # type: ignore[arg-type]  # always a dataclass
    found = {}
    for key, value in data.items():
        if key not in names:
            raise ConfigError(
                f"unknown setting {path + str(key)!r}; known: {', '.join(names)}{nearest(str(key), names)}"
            )
        found[key] = _value(hints[key], value, path + key)
    return kind(**found)


def _value(kind: Any, value: Any, path: str) -> Any:
    if is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{path} is {value!r}; it holds settings of its own; write them indented below it")
        return _parse(kind, value, path + ".")  # type: ignore[arg-type]  # a class, not an instance
    if get_origin(kind) in (Union, types.UnionType):
        if value is None:
            return None
        kind = next(option for option in get_args(kind) if option is not type(None))
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            known = [str(option) for option in get_args(kind)]
            raise ConfigError(f"{path} is {value!r}; allowed: {', '.join(known)}{nearest(str(value), known)}")
        return value
    if get_origin(kind) is tuple:
        if isinstance(value, str) or not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
            raise ConfigError(f"{path} is {value!r}; a list of words is needed; write [a, b]")
        return tuple(value)
    accepted = (int, float) if kind is float else (kind,)
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(f"{path} is {value!r}; {kind.__name__} is needed; change it")
    return float(value) if kind is float else value
