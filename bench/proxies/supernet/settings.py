"""What decides what a supernet is: its space, its pictures and its training. All of it stands in its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from bench.errors import ConfigError
from bench.proxies.cache import PackedData
from bench.proxies.data_spec import absolute_spec
from bench.proxies.datasets import open_data
from bench.proxies.packing import Progress
from bench.proxies.supernet.layout import shareable
from bench.proxies.training import TrainingConfig
from bench.space import Space, parse_space

LEAST_NETWORKS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """A data set and how much of it, as `bench.proxies.datasets.open_data` takes it."""

    source: str = "fractals"
    classes: int | None = None
    per_class: int | None = None
    val_per_class: int | None = None
    seed: int = 0

    def open(
        self, *, resolution: int, cache: Path, download: bool = False, progress: Progress | None = None
    ) -> PackedData:
        """The packed pictures; errors as for `open_data`."""
        return open_data(
            self.source,
            resolution=resolution,
            seed=self.seed,
            cache_dir=cache,
            classes=self.classes,
            train_per_class=self.per_class,
            val_per_class=self.val_per_class,
            download=download,
            progress=progress,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SupernetSettings:
    """Of a supernet.

    Attributes:
        space_text: of the space, with all rules; parsing it gives the space.
        pictures: that it is trained on.
        resolution: of all its networks, pixels.
        networks: trained in each step: the largest, the smallest, and drawn ones.
        training: how; `images` are the pictures that each step's networks see together.
    """

    space_text: str
    pictures: Pictures
    resolution: int
    networks: int
    training: TrainingConfig

    @property
    def space(self) -> Space:
        """The space, parsed.

        Raises:
            NetworkError: weights cannot be shared over it.
        """
        return shareable(parse_space(self.space_text, source="the space of a supernet"))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SupernetSettings:
        """What `to_dict` gave."""
        return cls(
            **{
                **data,
                "pictures": Pictures(**data["pictures"]),
                "training": TrainingConfig(**data["training"]),
            }
        )


def checked(settings: SupernetSettings) -> SupernetSettings:
    """The same, all in range, with a data set that is found from any folder.

    Raises:
        ConfigError: naming the first setting that is not.
        NetworkError: weights cannot be shared over the space.
    """
    shareable(settings.space)
    training = settings.training
    at_least = {
        "networks": (settings.networks, LEAST_NETWORKS),
        "batch_size": (training.batch_size, 2),
        "images": (training.images, training.batch_size),
        "seed": (training.seed, 0),
    }
    for name, (value, least) in at_least.items():
        if value < least:
            raise ConfigError(f"{name} is {value}; it must be {least} or more; change it")
    if settings.resolution < 32 or settings.resolution % 32:
        raise ConfigError(f"resolution is {settings.resolution}; multiples of 32 px are allowed; 64 is usual")
    if not 0 < training.learning_rate < 1:
        raise ConfigError(f"learning_rate is {training.learning_rate}; it must lie between 0 and 1; 0.005 is usual")
    pictures = settings.pictures
    data = {**asdict(pictures), "source": absolute_spec(pictures.source)}
    return SupernetSettings.from_dict({**settings.to_dict(), "pictures": data})


def difference(first: SupernetSettings, second: SupernetSettings) -> str | None:
    """The first setting in which two supernets differ, in words; None: in none."""
    if first.space != second.space:
        return f"the space is {first.space.name!r} with other choices or rules"
    for own, other in ((first, second), (first.pictures, second.pictures), (first.training, second.training)):
        for item in fields(own):
            if item.name in ("space_text", "pictures", "training"):
                continue
            if getattr(own, item.name) != getattr(other, item.name):
                return f"{item.name} is {getattr(own, item.name)!r}, not {getattr(other, item.name)!r}"
    return None
