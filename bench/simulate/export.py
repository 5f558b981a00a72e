"""A stored study as a table and the space that reads it, so that samplers can be judged on one's own results."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.errors import ConfigError
from bench.networks.cost import cost_quantities
from bench.report.views import StudyView, TrialView
from bench.space import Architecture, Scalar
from bench.space.genes import values_of
from bench.study.halving import rung_images

# What stands for a word that does not apply to a network.
_ABSENT = "-"
_IDENTITY = "architecture_id"
_KNOWN = ("params_m", "macs_g", "peak_memory_mb")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyTable:
    """A study as a table.

    Attributes:
        heading: names of the columns.
        rows: cells by column, one row a trial.
        space_text: the space file of family table that reads them.
        accuracies: columns of accuracy, the lowest rung first, with how many rows have one.
        rung_costs: of a training up to each rung, in full trainings; the last is 1.
        costs: the study's other objectives, columns too.
    """

    heading: tuple[str, ...]
    rows: tuple[Mapping[str, Scalar | None], ...]
    space_text: str
    accuracies: Mapping[str, int]
    rung_costs: tuple[float, ...]
    costs: tuple[str, ...]


def study_table(view: StudyView) -> StudyTable:
    """The trials of a study that were scored or failed, as rows.

    Choices are the words in which they differ, with the values that occur: what the space would allow beyond them has
    no row. A trial has its accuracy at each rung that it reached, so that of those stopped early `accuracy` is empty.

    Raises:
        ConfigError: fewer than two such trials.
    """
    trials = [trial for trial in view.trials if trial.accuracy or trial.status == "failed"]
    if len(trials) < 2:
        raise ConfigError(
            f"study {view.study.name!r} has {len(trials)} trials that were scored or failed; a table needs two or "
            "more; let it go on first"
        )
    images = _rung_images(view)
    names = [*(f"accuracy_at_{seen}" for seen in images[:-1]), "accuracy"]
    architectures = [Architecture.from_dict(trial.architecture) for trial in trials]
    words, ordered = _choices(architectures)
    figures = tuple(dict.fromkeys(name for trial in trials for name in trial.figures if name not in _KNOWN))
    heading = ("number", _IDENTITY, "source", "status", *words, *names, *_KNOWN, *figures)
    rows = tuple(
        _row(trial, architecture, words, names, figures)
        for trial, architecture in zip(trials, architectures, strict=True)
    )
    return StudyTable(
        heading=heading,
        rows=rows,
        space_text=_space_text(view, words, ordered),
        accuracies={name: sum(row[name] is not None for row in rows) for name in names},
        rung_costs=tuple(seen / images[-1] for seen in images),
        costs=tuple(name for name in view.objectives if name != "accuracy"),
    )


def write_study_table(found: StudyTable, path: Path) -> Path:
    """Writes the table, gzipped where `path` ends in .gz, and the space beside it; gives the path of the space.

    Raises:
        ConfigError: another ending, or no such folder.
        OSError: it cannot be written.
    """
    name = path.name.removesuffix(".gz")
    if not name.endswith(".csv"):
        raise ConfigError(f"--out {path}; a table ends in .csv or .csv.gz, its space in .yaml; rename it")
    if not path.parent.is_dir():
        raise ConfigError(f"--out {path}: there is no folder {path.parent}; make it first")
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(found.heading)
    writer.writerows([_cell(row.get(column)) for column in found.heading] for row in found.rows)
    content = text.getvalue().encode()
    space = path.with_name(name.removesuffix(".csv") + ".yaml")
    # Without a time in it, so that the same study gives the same bytes.
    packed = gzip.compress(content, mtime=0) if path.suffix == ".gz" else content
    for place, data in ((path, packed), (space, found.space_text.encode())):
        _write_whole(place, data)
    return space


def _rung_images(view: StudyView) -> tuple[int, ...]:
    proxy = view.study.config["proxy"]
    return rung_images(
        int(proxy["images"]),
        rungs=int(proxy["rungs"]),
        reduction=float(proxy["reduction"]),
        batch_size=int(proxy["batch_size"]),
    )


def _choices(architectures: Sequence[Architecture]) -> tuple[dict[str, tuple[Scalar, ...]], list[str]]:
    """The words in which networks differ, as columns with the values that occur, and which have an order."""
    described = [_described(architecture) for architecture in architectures]
    columns: dict[str, tuple[Scalar, ...]] = {}
    ordered: list[str] = []
    for word in dict.fromkeys(word for found in described for word in found):
        values = dict.fromkeys(found.get(word, _ABSENT) for found in described)
        if len(values) < 2:
            continue
        numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
        if len(numbers) == len(values):
            ordered.append(word)
            columns[word] = tuple(sorted(numbers))
        elif all(isinstance(value, bool) for value in values):
            columns[word] = (False, True)
        else:
            columns[word] = tuple(sorted(map(_cell, values)))
    return columns, ordered


def _described(architecture: Architecture) -> dict[str, Scalar]:
    """All words of a network by names that rules can read: `stage1_width`."""
    words = {"family": architecture.family, **values_of(architecture)}
    return {name.replace(".", "_"): value for name, value in words.items()}


def _row(
    trial: TrialView,
    architecture: Architecture,
    words: Mapping[str, object],
    names: Sequence[str],
    figures: Sequence[str],
) -> dict[str, Scalar | None]:
    described = _described(architecture)
    is_failed = trial.status == "failed"
    return {
        "number": trial.number,
        _IDENTITY: architecture.id,
        "source": trial.source,
        "status": trial.status,
        **{word: described.get(word, _ABSENT) for word in words},
        **{name: None if is_failed else trial.accuracy.get(rung) for rung, name in enumerate(names)},
        **{name: None if is_failed else trial.figures.get(name) for name in figures},
        **cost_quantities(architecture),
    }


def _space_text(view: StudyView, words: Mapping[str, tuple[Scalar, ...]], ordered: Sequence[str]) -> str:
    data: dict[str, Any] = {
        "name": view.study.name,
        "family": "table",
        "description": f"the networks that study {view.study.name} tried in space {view.study.space_name}",
        "columns": {word: list(values) for word, values in words.items()},
    }
    if ordered:
        data["ordered"] = list(ordered)
    data |= {"identity": _IDENTITY, "known": list(_KNOWN)}
    return yaml.safe_dump(data, sort_keys=False, default_flow_style=None, width=100)


def _write_whole(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _cell(value: Scalar | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)
