"""What earlier studies of the same space found, for a search that begins: `--warm-start STUDY[@DATABASE]`.

They may have timed on another device or trained on other pictures: the model takes from each only how its networks lie
to each other, and the less the less alike the two turn out to be (bench/samplers/chain.py). What was taken is written
into the study, so that it is the same when the study goes on or is repeated, whatever became of the other database.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.errors import BenchError, SearchError
from bench.space import Architecture, Space
from bench.store import Reader, Store, StudyRecord, is_latency, latency_figure, open_store
from bench.study.config import StudyConfig
from bench.study.constraints import STATIC
from bench.study.objectives import study_objectives
from bench.study.proposer import Proposer
from bench.study.stored import stored_candidates

EVENT = "warm_start"


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierSearch:
    """Networks that another study tried, with their values in the objectives of this one.

    Attributes:
        study: its name.
        architectures: as mappings.
        values: one an objective for each, None where it has none; the score is that of its first rung, which all reach.
    """

    study: str
    architectures: tuple[Mapping[str, Any], ...]
    values: tuple[tuple[float | None, ...], ...]

    def teach(self, proposer: Proposer) -> None:
        """Tells a proposer."""
        networks = [Architecture.from_dict(found) for found in self.architectures]
        proposer.learn(networks, [[math.nan if each is None else each for each in row] for row in self.values])


def earlier_searches(config: StudyConfig, space: Space, store: Reader) -> tuple[EarlierSearch, ...]:
    """What the studies that the settings name hold now.

    Args:
        store: of the study; those that name no database lie there.

    Raises:
        SearchError: one is not there, still runs, is of another space, or has nothing in common with this one.
        BenchError: a database that cannot be read.
    """
    return tuple(_read(text, config, space, store) for text in config.warm_start)


def keep_earlier(store: Store, study_id: int, found: Sequence[EarlierSearch]) -> None:
    """Writes what was taken into the events of the study, all at once."""
    if found:
        told = [{"study": each.study, "architectures": each.architectures, "values": each.values} for each in found]
        store.record_event(study_id, EVENT, {"searches": told})


def keep_if_lost(store: Store, study: StudyRecord, config: StudyConfig, space: Space) -> None:
    """Reads the earlier studies of one that was killed before they were written down: it has no trial yet."""
    if config.warm_start and not kept_earlier(store, study.id) and not store.trials(study.id):
        keep_earlier(store, study.id, earlier_searches(config, space, store))


def kept_earlier(store: Reader, study_id: int) -> tuple[EarlierSearch, ...]:
    """What a study was begun with."""
    told = [each for event in store.events(study_id) if event.kind == EVENT for each in event.data["searches"]]
    return tuple(
        EarlierSearch(
            study=each["study"],
            architectures=tuple(each["architectures"]),
            values=tuple(tuple(row) for row in each["values"]),
        )
        for each in told
    )


def _read(text: str, config: StudyConfig, space: Space, store: Reader) -> EarlierSearch:
    name, at, where = text.partition("@")
    with _opened(where) if at else contextlib.nullcontext(store) as other:
        study = other.study(name)
        if study.status == "running":
            raise SearchError(
                f"warm start from {name!r}, which is running or was killed; one that has ended is needed; wait for it, "
                f"or end it: bench search --resume {name}"
            )
        found = [each for each in stored_candidates(other, study) if each[3]]
    return _common(study, found, config, space)


def _common(study: StudyRecord, found: Sequence[tuple[Any, ...]], config: StudyConfig, space: Space) -> EarlierSearch:
    name = study.name
    if not found:
        raise SearchError(f"warm start from {name!r}, in which no network has a score; name another study")
    inside = [each for each in found if space.contains(each[1].architecture)]
    if not inside:
        raise SearchError(
            f"warm start from {name!r}: none of its {len(found)} networks ({study.space_name}) is in {space.name!r}; "
            "name a study of the same space"
        )
    objectives = [objective.name for objective in study_objectives(config)]
    sources = [_source(objective, config, study) for objective in objectives]
    if not any(
        source is not None and objective not in STATIC for objective, source in zip(objectives, sources, strict=True)
    ):
        raise SearchError(
            f"warm start from {name!r}, which optimised {', '.join(study.objectives)}; nothing that is measured in "
            f"this search ({', '.join(objectives)}) was measured there; leave it out"
        )
    score = next(iter(study.objectives))
    rows = []
    for _, _, figures, scores in inside:
        known = {**figures, score: scores[0]} if 0 in scores else figures
        rows.append(tuple(None if source is None else known.get(source) for source in sources))
    return EarlierSearch(
        study=name, architectures=tuple(each[1].architecture.to_dict() for each in inside), values=tuple(rows)
    )


def _source(objective: str, config: StudyConfig, study: StudyRecord) -> str | None:
    """The figure of the earlier study that tells most of an objective: a latency of the same device, or of any."""
    if not is_latency(objective):
        return objective if objective in study.objectives or objective in STATIC else None
    own = [name for name in study.objectives if is_latency(name)]
    runner = objective.partition(":")[2] or config.timing.names[0]
    if runner in study.runners and latency_figure(runner, study.runners) in own:
        return latency_figure(runner, study.runners)
    return own[0] if own else None


@contextlib.contextmanager
def _opened(where: str) -> Iterator[Reader]:
    if not where:
        raise SearchError("warm start from a study of no database; STUDY or STUDY@DATABASE is needed; leave '@' out")
    try:
        opened = open_store(where, read_only=True)
    except BenchError as error:
        raise SearchError(f"warm start: {error}") from error
    with opened:
        yield opened
