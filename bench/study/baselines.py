"""Published networks trained and timed exactly as the candidates of a study were, so that its front can be read
against them.

They are a study of their own in the same store, NAME-baselines, over a list of networks (bench/space/listing.py): the
same pictures, steps and protocol, every network to the top rung. All are timed beside the pinned reference at the
study's resolution and told in the milliseconds that the study told its candidates in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from bench.errors import SearchError, nearest
from bench.report.views import BASELINES
from bench.space import NetworkList, list_networks, parse_space, shipped_spaces
from bench.store import Reader, Store, StudyRecord
from bench.study import search
from bench.study.config import StudyConfig
from bench.study.preparation import Progress
from bench.study.session import Listener

# What is trained unless families are chosen: what a search of small networks is read against.
FAMILIES: dict[str, tuple[str, ...]] = {
    "fastvit": tuple(f"fastvit_{variant}" for variant in ("t8", "t12", "s12", "sa12", "sa24", "sa36", "ma36")),
    "mobileone": tuple(f"mobileone_s{number}" for number in range(5)),
    "efficientnet": ("efficientnet_b0", "efficientnet_b1"),
    "convnext": ("convnext_t",),
    "cmt": ("cmt_ti", "cmt_xs"),
}


def run(
    store: Store,
    name: str,
    *,
    families: Sequence[str] = (),
    networks: Sequence[str] = (),
    announce: Callable[[str], None] | None = None,
    listener: Listener | None = None,
    progress: Progress | None = None,
) -> StudyRecord:
    """Trains and times baselines of study `name`, or goes on where that was interrupted; the record of their study.

    Args:
        store: an open store.
        name: of the study.
        families: of `FAMILIES`; none takes all.
        networks: reference points by name, in place of families.
        announce, listener, progress: as for `bench.study.search.start`.

    Raises:
        SearchError: its baselines are done or were begun with others, or a family is not known.
        BenchError: as for `start` and `resume`.
    """
    study = store.study(name)
    _check_usable(study)
    shown: dict[str, Any] = {"announce": announce, "listener": listener, "progress": progress}
    wanted = tuple(networks) or (_of_families(families) if families else ())
    known = find(store, name)
    if known is not None:
        return _go_on(store, known, wanted, shown)
    config = StudyConfig.from_dict(study.config)
    space = list_networks(
        name + BASELINES, wanted or _of_families(FAMILIES), shipped_spaces(), source="the list of baselines"
    )
    return search.start(_config(config, space, study), store, name=name + BASELINES, space=space, like=study, **shown)


def find(store: Reader, name: str) -> StudyRecord | None:
    """The study that holds the baselines of study `name`, if there is one."""
    return next((study for study in store.studies() if study.name == name + BASELINES), None)


def _config(config: StudyConfig, space: NetworkList, study: StudyRecord) -> StudyConfig:
    """The study's settings, every network to the top rung, all timed beside one reference."""
    beside = max((int(side) for side in study.reference_ms), default=None)
    return replace(
        config,
        space=space.name,
        rules=(),
        budget=len(space.networks),
        sampler="random",
        try_reference_points=True,
        # A diverged or huge network tells nothing of the others.
        max_failures=len(space.networks),
        proxy=replace(config.proxy, rungs=1),
        timing=replace(config.timing, reference_resolution=beside),
        execution=replace(config.execution, folder=None),
    )


def _go_on(store: Store, known: StudyRecord, wanted: tuple[str, ...], shown: dict[str, Any]) -> StudyRecord:
    listed = parse_space(known.space_text, source=f"the list of {known.name!r}").reference_points
    if wanted and set(wanted) != set(listed):
        raise SearchError(
            f"{known.name!r} was begun with {', '.join(listed)}; a study's baselines are listed once; "
            "leave --families and --networks out"
        )
    if known.status == "complete":
        raise SearchError(f"the baselines of this study are done; read them: bench show {known.name}")
    return search.resume(store, known.name, **shown)


def _check_usable(study: StudyRecord) -> None:
    if study.name.endswith(BASELINES):
        raise SearchError(f"{study.name!r} is itself a study of baselines; name the study that they belong to")
    if not study.hypervolume_reference:
        raise SearchError(
            f"study {study.name!r} has timed nothing yet; baselines are told in its milliseconds; "
            f"run it first: bench search --resume {study.name}"
        )


def _of_families(families: Iterable[str]) -> tuple[str, ...]:
    for family in families:
        if family not in FAMILIES:
            raise SearchError(
                f"no family {family!r}; known: {', '.join(FAMILIES)}{nearest(family, FAMILIES) or '; name one of them'}"
            )
    return tuple(name for family in families for name in FAMILIES[family])
