"""A study as one file: the page with its data inside, to be mailed around and opened without a server or a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.dashboard.assets import Assets
from bench.dashboard.bundle import one_page, packed
from bench.dashboard.question import Question
from bench.dashboard.source import Source
from bench.dashboard.telling import FORMAT
from bench.errors import ConfigError
from bench.report.page import write_whole
from bench.version import __version__

# Above so many trials dominated ones are thinned, to keep the file below what mail takes.
_MOST_ROWS = 20_000
_MOST_DOMINATED = 10_000
# Trials with their samples; a front of more is not read one by one.
_MOST_DETAILED = 300


def snapshot_page(source: Source, study_id: int, *, assets: Assets | None = None) -> str:
    """The page of one study as the text of an HTML file; the same data at the same time gives the same text.

    Raises:
        StoreError: the study is not there, or the database cannot be read.
        ContentError: the page cannot be put into one file.
    """
    files = Assets() if assets is None else assets
    document = snapshot(source, study_id)
    held = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=dict)
    data = json.dumps({"format": FORMAT, **packed(held)})
    html = files.page().content.decode("utf-8")
    return one_page(html, files.texts(), plotly=files.plotly(), snapshot=data)


def write_snapshot(source: Source, study_id: int, path: Path) -> None:
    """Writes the page, whole or not at all.

    Raises:
        ConfigError: the folder is not there.
        OSError: it cannot be written.
    """
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"--export {path}: there is no folder {path.absolute().parent}; a file needs one; make it")
    write_whole(path, snapshot_page(source, study_id))


def snapshot(source: Source, study_id: int) -> dict[str, Any]:
    """The data of an exported page."""
    points = source.points(study_id, Question(dominated=None))
    assert points is not None, "a question without a cursor always has an answer"
    if len(points["rows"]["number"]) > _MOST_ROWS:
        points = source.points(study_id, Question(dominated=_MOST_DOMINATED))
        assert points is not None
    points["cursor"] = "file"  # nothing comes after it, and a random one would make two equal exports differ
    trials = _trials(source, points)
    num_others = len(points["rows"]["trial"]) - sum(number in trials for number in map(str, points["rows"]["trial"]))
    return {
        "format": FORMAT,
        "version": __version__,
        "made_at": points["time"],
        "studies": source.snapshot_studies(study_id),
        "study": source.study(study_id),
        "points": points,
        "progress": source.strategies(study_id),
        "compare": source.compare(study_id, None),
        "published": source.published(),
        "runners": source.runners(),
        "trials": trials,
        "notes": _notes(points, num_others),
    }


def _notes(points: dict[str, Any], num_others: int) -> list[str]:
    """What the file has, and what it has not."""
    rows, tried, front = points["rows"]["number"], points["counts"]["tried"], len(points["front"])
    of_front = "the front" if front <= _MOST_DETAILED else f"the first {_MOST_DETAILED:,} of {front:,} on the front"
    notes = [
        f"details and raw samples of {of_front}; details of reference points and baselines; of {num_others:,} further "
        "trials the figures alone"
    ]
    if len(rows) < tried:
        held, dominated = points["thinning"]["held"], points["thinning"]["dominated"]
        notes.insert(
            0,
            f"{len(rows):,} of {tried:,} trials are in this file: the front whole, and {held:,} of {dominated:,} "
            "dominated ones, evenly over the plane; counts are of all; the database has the others",
        )
    return notes


def _trials(source: Source, points: dict[str, Any]) -> dict[str, Any]:
    """Details of the front with all raw samples; of reference points and baselines without."""
    rows, front = points["rows"], set(points["front"][:_MOST_DETAILED])
    by_number = dict(zip(rows["number"], rows["trial"], strict=True))
    found = {str(by_number[number]): source.trial(by_number[number]) for number in points["front"][:_MOST_DETAILED]}
    others = [
        trial
        for trial, number, name in zip(rows["trial"], rows["number"], rows["name"], strict=True)
        if name is not None and number not in front
    ]
    baselines = points.get("baselines") or {"rows": {"trial": []}}
    for trial in [*others, *baselines["rows"]["trial"]]:
        document = source.trial(trial)
        found[str(trial)] = {
            **document,
            "measurements": [{**measured, "samples": None} for measured in document["measurements"]],
        }
    return found
