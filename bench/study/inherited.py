"""Scores candidates by the weights that they inherit from a supernet (bench/proxies/supernet), without training them.

The file of the supernet says which pictures its scores need and how it was trained; a study takes these settings over,
so that they stand in the store, and keeps to the weights that it began with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import ConfigError, SearchError
from bench.measure.exclusive import cpu_lock_folder, shared
from bench.proxies.cache import PackedData
from bench.space import Architecture, NetworkList, Space
from bench.space.genes import choice_data
from bench.study.config import DataConfig, ProxyConfig, StudyConfig

if TYPE_CHECKING:
    from bench.proxies.supernet import Supernet, SupernetSettings
    from bench.store import Store, StudyRecord

EVENT = "supernet"


def settled(config: StudyConfig, space: Space) -> StudyConfig:
    """The settings with what the study's supernet decides: its pictures, and how it was trained. Others stay.

    Raises:
        NetworkError: there is no such supernet.
        ConfigError: it has networks of another space, or a setting does not agree with it.
    """
    if config.proxy.kind != "supernet":
        return config
    assert config.proxy.supernet is not None
    supernet = opened(config.proxy.supernet)
    check_space(supernet, space, config.proxy.supernet)
    if supernet.training is not None:
        raise ConfigError(
            f"the supernet {config.proxy.supernet} is not trained to its end ({supernet.images_seen:,} pictures so "
            "far), and its weights would change under the study; finish it with bench supernet train --resume"
        )
    proxy, data = _proxy(supernet.settings, config.proxy), _data(supernet.settings)
    data = replace(data, download=config.data.download)
    for section, own, found, usual in (
        ("proxy", config.proxy, proxy, ProxyConfig(rungs=1)),
        ("data", config.data, data, DataConfig()),
    ):
        for item in fields(own):
            value = getattr(own, item.name)
            if value not in (getattr(usual, item.name), getattr(found, item.name)):
                raise ConfigError(
                    f"{section}.{item.name} is {value!r} and {getattr(found, item.name)!r} of the supernet "
                    f"{config.proxy.supernet}; its scores are of its own training; leave the setting out"
                )
    return replace(config, proxy=proxy, data=data)


def check_space(supernet: Supernet, space: Space, path: str) -> None:
    """Refuses a space of which a network may lie outside the supernet's.

    Raises:
        ConfigError: its choices differ, or it lacks a rule of the supernet's.
    """
    own = supernet.space
    if isinstance(space, NetworkList):
        raise ConfigError(
            f"the networks of {space.name!r} are a list and the supernet {path} is of space {own.name!r}; a search of "
            "that space is scored by it; train such networks each on its own"
        )
    if type(space) is not Space or _choices(own) != _choices(space):
        raise ConfigError(
            f"the supernet {path} is of space {own.name!r} and space {space.name!r} has other choices; they have to be "
            "the same; search that space, or train a supernet of this one"
        )
    if missing := [rule for rule in own.rules if rule not in space.rules]:
        raise ConfigError(
            f"the supernet {path} was trained under the rule {missing[0]!r}, which this space does not have; its "
            f'networks have to obey all of them; add --rule "{missing[0]}", or train a supernet without it'
        )


def keep_to(store: Store, study: StudyRecord, config: StudyConfig) -> None:
    """Notes which weights a study's scores are of; a study taken up again has to have the same.

    Raises:
        SearchError: the file holds others now.
    """
    if config.proxy.kind != "supernet":
        return
    assert config.proxy.supernet is not None
    supernet = opened(config.proxy.supernet)
    found = {"digest": supernet.digest, "images_seen": supernet.images_seen, "path": config.proxy.supernet}
    known = [event.data for event in store.events(study.id) if event.kind == EVENT]
    if not known:
        store.record_event(study.id, EVENT, found)
    elif known[0]["digest"] != found["digest"]:
        raise SearchError(
            f"the supernet {config.proxy.supernet} has other weights than when study {study.name!r} began; its scores "
            "and new ones are not comparable; bring the file back, or --repeat the study under a new name"
        )


def supernet_pictures(config: StudyConfig, cache: Path) -> dict[int, str]:
    """Content hash of the supernet's pictures, by their resolution; they are packed where they were not."""
    assert config.proxy.supernet is not None
    supernet = opened(config.proxy.supernet)
    data = supernet.opened(cache, download=config.data.download)
    return {data.resolution: data.hash}


def inherited_score(path: str, architecture: Architecture, *, cache: Path, device: str) -> tuple[dict[str, Any], float]:
    """The score of an architecture, as `Score.to_dict` with its name, and the seconds that were waited for the CPU.

    Raises:
        NetworkError: the architecture is not in the supernet's space, or its pictures have changed.
        TrainingError: the score is not finite.
    """
    from bench.proxies.supernet import supernet_score

    supernet, waited = opened(path), [0.0]

    @contextmanager
    def guard() -> Iterator[None]:
        with shared(cpu_lock_folder()) as seconds:
            waited[0] += seconds
            yield

    data = _pictures(path, supernet.digest, str(cache))
    score = supernet_score(supernet, architecture, data, device=device, step_guard=guard)
    return {"name": "supernet", **score.to_dict()}, waited[0]


def opened(path: str) -> Supernet:
    """The supernet at `path`; read once a process, and again when the file changes."""
    try:
        found = Path(path).stat()
    except OSError:
        return _read(path, 0, 0)  # which says why
    return _read(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=2)
def _read(path: str, _changed: int, _size: int) -> Supernet:
    from bench.proxies.supernet import read_supernet

    return read_supernet(Path(path))


@lru_cache(maxsize=2)
def _pictures(path: str, _digest: str, cache: str) -> PackedData:
    return opened(path).opened(Path(cache))


def _choices(space: Space) -> dict[str, object]:
    return {gene.name: choice_data(gene.choice) for gene in space.genes}


def _proxy(settings: SupernetSettings, given: ProxyConfig) -> ProxyConfig:
    training: Mapping[str, Any] = asdict(settings.training)
    names = {item.name for item in fields(ProxyConfig)}
    return replace(given, rungs=1, **{name: value for name, value in training.items() if name in names})


def _data(settings: SupernetSettings) -> DataConfig:
    return DataConfig(**asdict(settings.pictures))
