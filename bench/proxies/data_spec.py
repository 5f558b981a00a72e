"""What `--data` says: the kind of a data set and where it is.

fractals generated; fractals:classes=50,per_class=200,val_per_class=20 sizes it imagenet:DIR official
ImageNet layouts, and the Kaggle one folder:DIR a folder per class, under train/ and val/ or flat
parquet:DIR Parquet or Arrow files in the Hugging Face image layout timm:NAME what timm's create_dataset
knows; timm:torch/cifar10,root=DIR says where it is DIR looked at: whichever of imagenet, parquet and folder
it is
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import ConfigError, nearest

KINDS = ("fractals", "imagenet", "folder", "parquet", "timm", "path")
COUNTS = ("classes", "per_class", "val_per_class")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSpec:
    """A parsed `--data`.

    Attributes:
        kind: one of `KINDS`; "path" is a folder whose layout has to be found out.
        location: folder, or name within timm; empty for fractals.
        counts: `classes`, `per_class` and `val_per_class` where the text has them; flags override them.
        root: folder of a timm data set, "" for one inside the cache.
    """

    kind: str
    location: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    root: str = ""

    @property
    def label(self) -> str:
        """The spec in one piece, as it is stored with a score."""
        return self.kind if not self.location else f"{self.kind}:{self.location}"


def parse_data_spec(text: str) -> DataSpec:
    """Reads one `--data`.

    Raises:
        ConfigError: the kind, a setting or its value is unknown, or a place is missing.
    """
    kind, separator, rest = text.partition(":")
    if kind not in KINDS[:-1]:
        if separator and not Path(text).expanduser().exists() and "/" not in kind:
            raise ConfigError(
                f"unknown kind of data {kind!r} in {text!r}; known: {', '.join(KINDS[:-1])}, or the path "
                "of a folder"
                f"{nearest(kind, KINDS[:-1])}"
            )
        kind, rest = "path", text
    if kind == "fractals":
        return DataSpec(kind=kind, counts=_counts(text, _settings(text, rest)))
    location, settings = rest, {}
    if kind == "timm":
        location, _, tail = rest.partition(",")
        settings = _settings(text, tail)
    if not location:
        raise ConfigError(f"{text!r} does not say where the data is; known: {kind}:PLACE; add the place")
    root = settings.pop("root", "")
    if settings:
        raise ConfigError(f"unknown setting {min(settings)!r} in {text!r}; known: root; remove it, or use the flags")
    return DataSpec(kind=kind, location=location, root=root)


def absolute_spec(text: str) -> str:
    """The same data named so that it is found from any folder."""
    spec = parse_data_spec(text)
    if spec.kind in ("folder", "imagenet", "parquet"):
        return f"{spec.kind}:{Path(spec.location).expanduser().resolve()}"
    if spec.kind == "path":
        return str(Path(spec.location).expanduser().resolve())
    if spec.root:
        return f"{spec.label},root={Path(spec.root).expanduser().resolve()}"
    return text


def _settings(text: str, tail: str) -> dict[str, str]:
    settings: dict[str, str] = {}
    for item in filter(None, tail.split(",")):
        name, separator, value = item.partition("=")
        if not separator or not value:
            raise ConfigError(
                f"{item!r} in {text!r} is no setting; allowed: name=value, separated by commas; correct it"
            )
        settings[name] = value
    return settings


def _counts(text: str, settings: Mapping[str, str]) -> dict[str, int]:
    for name, value in settings.items():
        if name not in COUNTS:
            raise ConfigError(
                f"unknown setting {name!r} in {text!r}; known: "
                f"{', '.join(COUNTS)}{nearest(name, COUNTS) or '; remove it'}"
            )
        if not value.isascii() or not value.isdigit() or int(value) < 1:
            raise ConfigError(f"{name}={value} in {text!r}; a whole number from 1 is allowed; correct it")
    return {name: int(value) for name, value in settings.items()}
