"""What the settings of a study may be: each in its range, and none that would be ignored beside another."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path

from bench.errors import ConfigError, nearest
from bench.measure.catalogue import RUNTIMES
from bench.study.config import ZERO_COST_IMAGES, DataConfig, ProxyConfig, StudyConfig, TimingConfig
from bench.study.halving import rung_images

# In a database URL.
_PASSWORD = re.compile(r"://[^/@\s]*:[^/@\s]+@")
_RUNNER = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


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
