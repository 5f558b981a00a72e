"""What a validation asks: which networks, which pictures, how short and how long."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from bench.errors import ConfigError
from bench.proxies.data_spec import absolute_spec
from bench.study.config import DataConfig, ProxyConfig, StudyConfig
from bench.study.halving import rung_images

LEAST_NETWORKS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """A validation's settings; kept with what it finds.

    Attributes:
        space: name or path.
        rules: added to the space's own.
        n: networks.
        seeds: trainings of each network at each fidelity; two or more tell the noise.
        longer: how many times the pictures of the short training the long one sees.
        data: the pictures of the search whose score is judged.
        against: other pictures that it should rank networks as; None: none.
        proxy: the short training; its rungs are the fidelities that are tried.
        resolution: of all trainings; None: as in a search.
        supernet: file of one (bench supernet train), whose scores are judged too; None: none.
        seed: of the draw of networks; the trainings have the seeds from 0.
    """

    space: str = "fastvit"
    rules: tuple[str, ...] = ()
    n: int = 24
    seeds: int = 2
    longer: float = 8.0
    data: DataConfig = field(default_factory=DataConfig)
    against: DataConfig | None = None
    proxy: ProxyConfig = field(default_factory=lambda: ProxyConfig(rungs=4))
    resolution: int | None = None
    supernet: str | None = None
    seed: int = 0

    @property
    def data_sets(self) -> tuple[DataConfig, ...]:
        """All pictures that are trained on."""
        return (self.data,) if self.against is None else (self.data, self.against)

    @property
    def rungs(self) -> tuple[int, ...]:
        """Pictures seen at each fidelity of the short training."""
        proxy = self.proxy
        return rung_images(proxy.images, rungs=proxy.rungs, reduction=proxy.reduction, batch_size=proxy.batch_size)

    @property
    def long_images(self) -> int:
        """Pictures seen by the long training, whole batches."""
        batch = self.proxy.batch_size
        return max(1, round(self.proxy.images * self.longer / batch)) * batch

    def study(self, data: DataConfig, *, seed: int, images: int) -> StudyConfig:
        """The settings of a search that trains as this does."""
        return StudyConfig(data=data, proxy=replace(self.proxy, images=images), seed=seed)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data, the same for the same validation from whichever folder."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return found


def checked(validation: Validation) -> Validation:
    """The same, all in range, and data sets named so that they are found from any folder.

    Raises:
        ConfigError: naming the first setting that is not.
    """
    at_least = {"n": LEAST_NETWORKS, "seeds": 1, "seed": 0}
    for name, least in at_least.items():
        if getattr(validation, name) < least:
            raise ConfigError(f"{name} is {getattr(validation, name)}; it must be {least} or more; change it")
    if validation.longer <= 1.0:
        raise ConfigError(
            f"longer is {validation.longer:g}; the long training sees more pictures than the short one, so it must be "
            "above 1; 8 is usual"
        )
    if validation.resolution is not None and (validation.resolution < 32 or validation.resolution % 32):
        raise ConfigError(f"resolution is {validation.resolution}; multiples of 32 px are allowed; 64 is usual")
    for data in validation.data_sets:  # what a search refuses
        StudyConfig.from_dict(validation.study(data, seed=0, images=validation.proxy.images).to_dict())
    found = replace(validation, data=_absolute(validation.data))
    if found.supernet is not None:
        found = replace(found, supernet=str(Path(found.supernet).expanduser().resolve()))
    if found.against is not None:
        found = replace(found, against=_absolute(found.against))
        if found.against == found.data:
            raise ConfigError(f"--against-data {found.data.source} is the same as --data; name other pictures")
    return found


def label_of(data: DataConfig) -> str:
    """A data set in a heading, without the folders above it."""
    kind, separator, place = data.source.partition(":")
    name = place if separator else kind
    return f"{kind}:{name.rstrip('/').rpartition('/')[2]}" if separator else name.rstrip("/").rpartition("/")[2]


def difference(first: dict[str, Any], second: dict[str, Any]) -> str | None:
    """The first setting in which two validations differ, in words; None: in none.

    One that was written before there was a setting has its usual value.
    """
    usual = Validation().to_dict()
    parts = {**usual, "against": usual["data"]}
    for item in fields(Validation):
        base = parts[item.name]
        own, other = (
            {**base, **found} if isinstance(found, dict) and isinstance(base, dict) else found
            for found in (each.get(item.name, usual[item.name]) for each in (first, second))
        )
        if own != other:
            return f"{item.name}: {own!r} and {other!r}"
    return None


def _absolute(data: DataConfig) -> DataConfig:
    return replace(data, source=absolute_spec(data.source))
