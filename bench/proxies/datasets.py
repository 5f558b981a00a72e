"""Opens a data set by its spec: finds the layout, draws the subset, packs it once, maps it into memory.

Opening again costs milliseconds: the answer to a request is kept beside the packs, and holds as long as the
folders of the data set have not changed.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.errors import DataError
from bench.proxies.cache import PackedData, check_space, open_pack, pack
from bench.proxies.data_spec import DataSpec, parse_data_spec
from bench.proxies.decoding import decode_all
from bench.proxies.folders import SUFFIXES, TRAIN_NAMES, find_folders, first_folder, found
from bench.proxies.fractals import FractalSource
from bench.proxies.imagenet import find_imagenet, looks_like_imagenet
from bench.proxies.packing import Progress
from bench.proxies.parquet import find_parquet, list_tables
from bench.proxies.subset import PACKING_VERSION, Source, Subset, draw_subset
from bench.proxies.timm_data import find_timm

_FRACTALS = {"classes": 20, "per_class": 400, "val_per_class": 50}
_NUM_PROBED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class DataCheck:
    """What `check_data` found: enough to tell a user what will be packed."""

    name: str
    hash: str
    classes: int
    train_pictures: int
    val_pictures: int
    is_packed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """A data set and how much of it."""

    source: Source
    seed: int
    resolution: int
    num_classes: int | None
    train_per_class: int | None
    val_per_class: int | None

    def draw(self) -> Subset:
        return draw_subset(
            self.source,
            seed=self.seed,
            num_classes=self.num_classes,
            train_per_class=self.train_per_class,
            val_per_class=self.val_per_class,
        )

    def key(self) -> str:
        """Equal for equal requests to an unchanged data set."""
        counts = (self.num_classes, self.train_per_class, self.val_per_class)
        parts = (PACKING_VERSION, self.source.label, self.source.stamp(), self.seed, self.resolution, counts)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def open_data(
    spec: str | DataSpec,
    *,
    resolution: int,
    seed: int,
    cache_dir: Path,
    classes: int | None = None,
    train_per_class: int | None = None,
    val_per_class: int | None = None,
    download: bool = False,
    progress: Progress | None = None,
    processes: int | None = None,
) -> PackedData:
    """The pictures of a data set at `resolution`, packed on the first call and shared afterwards.

    Args:
        spec: as in `bench.proxies.data_spec`.
        seed: draws classes and pictures, and splits off a validation part where there is none.
        cache_dir: where packs are kept; made if need be.
        classes: how many to draw; `None` takes all (20 of the fractals).
        train_per_class: how many pictures of each to train on; `None` takes `subset.ENOUGH` (400 of the fractals).
        val_per_class: how many to validate on; `None` takes `subset.ENOUGH` (50 of the fractals).
        download: whether a data set that is not there may be fetched.
        progress: called with (pictures decoded, pictures in all) while packing.
        processes: that decode; `None` takes all cores.

    Raises:
        ConfigError: the spec is malformed.
        DataError: the data set is missing, laid out in an unknown way, too small, or too broken.
    """
    request = _request(spec, resolution, seed, cache_dir, classes, train_per_class, val_per_class, download)
    answer = cache_dir / "requests" / request.key()
    digest = answer.read_text() if answer.is_file() else ""
    if not digest or not (cache_dir / digest).is_dir():
        digest = pack(
            request.source,
            request.draw(),
            resolution=resolution,
            cache_dir=cache_dir,
            progress=progress,
            processes=processes,
        )
        # Asked again: fetching a data set changes its stamp.
        _write(cache_dir / "requests" / request.key(), digest)
    return open_pack(cache_dir, digest, name=_short(request.source.label), seed=seed)


def check_data(
    spec: str | DataSpec,
    *,
    resolution: int,
    seed: int,
    cache_dir: Path,
    classes: int | None = None,
    train_per_class: int | None = None,
    val_per_class: int | None = None,
    download: bool = False,
) -> DataCheck:
    """Refuses early what `open_data` could not do: lists, draws, checks the disk, decodes a few pictures.

    Raises:
        ConfigError, DataError: as `open_data`.
    """
    request = _request(spec, resolution, seed, cache_dir, classes, train_per_class, val_per_class, download)
    subset = request.draw()
    digest = subset.hash(resolution)
    is_packed = (cache_dir / digest).is_dir()
    if not is_packed:
        check_space(subset, resolution=resolution, cache_dir=cache_dir)
        _probe(request.source, subset, resolution)
    return DataCheck(
        name=request.source.label,
        hash=digest,
        classes=len(subset.classes),
        train_pictures=len(subset.train),
        val_pictures=len(subset.val),
        is_packed=is_packed,
    )


def find_source(spec: DataSpec, *, cache_dir: Path, download: bool = False) -> Source:
    """The data set of a spec (fractals are made by size and not found).

    Raises:
        DataError: it is not there or laid out in an unknown way.
    """
    if spec.kind == "timm":
        root = Path(spec.root).expanduser() if spec.root else cache_dir / "timm"
        return find_timm(spec.location, root.absolute(), label=spec.label, download=download)
    root = Path(spec.location).expanduser().resolve()
    if not root.is_dir():
        raise DataError(
            f"{spec.location!r} is {'a file' if root.exists() else 'not there'}; --data takes a folder of "
            "pictures, or "
            "'fractals'; correct the path"
        )
    kind = detect(root) if spec.kind == "path" else spec.kind
    label = f"{kind}:{root}"
    match kind:
        case "imagenet" if not looks_like_imagenet(root) and list_tables(root):
            return find_parquet(root, label=label)
        case "imagenet":
            return find_imagenet(root, label=label)
        case "parquet":
            return find_parquet(root, label=label)
        case _:
            return find_folders(root, label=label)


def detect(root: Path) -> str:
    """The layout of a folder: "imagenet", "parquet" or "folder".

    Raises:
        DataError: none of them; the message says what was found.
    """
    if looks_like_imagenet(root):
        return "imagenet"
    place = root / (first_folder(root, TRAIN_NAMES) or ".")
    # Pictures first: looking for tables reads every folder, which in a large folder of pictures takes seconds.
    with_pictures = (path for path in place.iterdir() if path.is_dir() and _has_picture(path))
    if len(tuple(itertools.islice(with_pictures, 2))) == 2:
        return "folder"
    if list_tables(root):
        return "parquet"
    raise DataError(
        f"{root} holds no pictures in classes: {found(root)}; a folder per class (under train/ and val/ or "
        "directly), the "
        "ImageNet layout or Hugging Face Parquet files are known; name another folder"
    )


def _has_picture(folder: Path) -> bool:
    names = (name for _, _, files in os.walk(folder) for name in files)
    return any(Path(name).suffix.lower() in SUFFIXES for name in names)


def _request(
    spec: str | DataSpec,
    resolution: int,
    seed: int,
    cache_dir: Path,
    classes: int | None,
    train_per_class: int | None,
    val_per_class: int | None,
    download: bool,
) -> _Request:
    if isinstance(spec, str):
        spec = parse_data_spec(spec)
    if resolution < 8:
        raise DataError(f"resolution {resolution}; at least 8 px are needed; raise it")
    if spec.kind == "fractals":
        counts = {**_FRACTALS, **spec.counts}
        classes = counts["classes"] if classes is None else classes
        train_per_class = counts["per_class"] if train_per_class is None else train_per_class
        val_per_class = counts["val_per_class"] if val_per_class is None else val_per_class
        source: Source = FractalSource(num_train=train_per_class, num_val=val_per_class)
    else:
        source = find_source(spec, cache_dir=cache_dir, download=download)
    return _Request(
        source=source,
        seed=seed,
        resolution=resolution,
        num_classes=classes,
        train_per_class=train_per_class,
        val_per_class=val_per_class,
    )


def _probe(source: Source, subset: Subset, resolution: int) -> None:
    """Decodes a few pictures; if every one of them fails, so would the packing."""
    step = max(1, len(subset.train) // _NUM_PROBED)
    names = [picture.name for picture in subset.train[::step]][:_NUM_PROBED]
    batch = decode_all(source, names, resolution)
    if len(batch.unreadable) == len(names):
        raise DataError(
            f"none of {len(names)} pictures tried in {source.label} is readable, such as {names[0]} "
            f"({batch.unreadable[0][1]}); nearly all have to be; check the files"
        )


def _short(label: str) -> str:
    """The label without the folders above: it is stored with results, which do not depend on them."""
    kind, _, place = label.partition(":")
    return f"{kind}:{Path(place).name}" if Path(place).is_absolute() else label


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".", delete=False) as file:
        file.write(text)
    Path(file.name).replace(path)
