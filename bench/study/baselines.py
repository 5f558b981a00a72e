"""Published networks trained and timed exactly as the candidates of a study were, so that its front can be read
against them.

They are a study of their own in the same store, NAME-baselines, over a list of networks (bench/space/listing.py): the
same pictures, steps and protocol, every network to the top rung. All are timed beside the pinned reference at the
study's largest resolution and told in the milliseconds that the study told its candidates in. The list may grow later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from bench.errors import SearchError, nearest
from bench.networks.cost import costs
from bench.space import NetworkList, list_networks, parse_space, shipped_spaces
from bench.store import BASELINES, Reader, Store, StudyRecord
from bench.study import search
from bench.study.config import RetrainConfig, StudyConfig
from bench.study.evaluation import proxy_resolution
from bench.study.preparation import Progress
from bench.study.provenance import refuse_other_machine
from bench.study.session import Listener
from bench.study.timers import times_here

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
    """Trains and times baselines of study `name`, adds further ones, or goes on where that was interrupted.

    Args:
        store: an open store.
        name: of the study.
        families: of `FAMILIES`; none takes all, or those that were begun with.
        networks: reference points by name, in place of families.
        announce, listener, progress: as for `bench.study.search.start`.

    Returns:
        The record of the baselines' own study.

    Raises:
        SearchError: its baselines are done, or a family is not known.
        BenchError: as for `start` and `resume`.
    """
    study = store.study(name)
    _check_usable(study)
    shown: dict[str, Any] = {"announce": announce, "listener": listener, "progress": progress}
    wanted = tuple(networks) or (_of_families(families) if families else ())
    known = find(store, name)
    if known is not None:
        return _go_on(store, known, wanted, shown)
    space = _list(name + BASELINES, wanted or _of_families(FAMILIES))
    config = _config(StudyConfig.from_dict(study.config), space, study)
    return search.start(config, store, name=name + BASELINES, space=space, like=study, **shown)


def find(store: Reader, name: str) -> StudyRecord | None:
    """The study that holds the baselines of study `name`, if there is one."""
    return next((study for study in store.studies() if study.name == name + BASELINES), None)


def resolution_sentences(baselines: StudyRecord) -> list[str]:
    """For each network whose weights belong to a resolution: its parameters where it is timed and where it is trained.

    Both counts are of the deploy form for 1000 classes, as rules and tables count.
    """
    sentences = []
    for name, network in _listed(baselines).reference_points.items():
        timed = int(network.settings["input_resolution"])
        trained = proxy_resolution(timed)
        counts = [costs(network, resolution=side).params for side in (timed, trained)]
        if counts[0] != counts[1]:
            sentences.append(
                f"{name} has {counts[0]:,} parameters at the {timed} px that it is timed at and {counts[1]:,} at the "
                f"{trained} px that it is trained at: its position bias belongs to the resolution"
            )
    return sentences


def _config(config: StudyConfig, space: NetworkList, study: StudyRecord) -> StudyConfig:
    """The study's settings, every network to the top rung, all timed beside one reference."""
    beside = max((int(key.partition(":")[0]) for key in study.reference_ms), default=None)
    settings = replace(
        config,
        space=space.name,
        rules=(),
        constraints=(),
        warm_start=(),
        retrain=RetrainConfig(seeds=0),
        sampler="random",
        try_reference_points=True,
        proxy=replace(config.proxy, rungs=1),
        timing=replace(config.timing, reference_resolution=beside),
        execution=replace(config.execution, folder=None),
    )
    return _trying_all(settings, space)


def _trying_all(config: StudyConfig, space: NetworkList) -> StudyConfig:
    """The settings with room for every network; a diverged or huge one tells nothing of the others."""
    return replace(config, budget=len(space.networks), max_failures=len(space.networks))


def _go_on(store: Store, known: StudyRecord, wanted: tuple[str, ...], shown: dict[str, Any]) -> StudyRecord:
    listed = _listed(known)
    added = tuple(name for name in wanted if name not in listed.reference_points)
    if added:
        known, listed = _extended(store, known, listed, added)
    if known.status == "complete":
        tried = store.architecture_ids(known.id)
        if all(network.id in tried for network in listed.networks):
            raise SearchError(
                f"the baselines of this study are done ({', '.join(listed.reference_points)}); "
                f"--families and --networks add others; read them: bench show {known.name}"
            )
        store.set_study_status(known.id, "running")
    return search.resume(store, known.name, **shown)


def _extended(
    store: Store, known: StudyRecord, listed: NetworkList, added: tuple[str, ...]
) -> tuple[StudyRecord, NetworkList]:
    """The same study over a longer list; its settings stay but for the room that the list needs."""
    if times_here(StudyConfig.from_dict(known.config)):
        refuse_other_machine(known.name, known.fingerprint)  # before what cannot be timed here stands in the list
    grown = _list(known.name, (*listed.reference_points, *added))
    changed = next((name for name, old in listed.reference_points.items() if grown.reference_points[name] != old), None)
    if changed is not None:
        raise SearchError(
            f"{changed} of {known.name!r} was another network when these baselines were begun; one list holds networks "
            "of one release; start a study of your own to read against today's"
        )
    config = _trying_all(StudyConfig.from_dict(known.config), grown)
    study = store.extend_study(known.id, config=config.to_dict(), space_text=grown.text, space_hash=grown.hash)
    return study, grown


def _list(name: str, networks: Sequence[str]) -> NetworkList:
    return list_networks(name, networks, shipped_spaces(), source="the list of baselines")


def _listed(baselines: StudyRecord) -> NetworkList:
    space = parse_space(baselines.space_text, source=f"the list of {baselines.name!r}")
    if not isinstance(space, NetworkList):
        raise SearchError(
            f"{baselines.name!r} is a search of its own, and baselines would take its name; "
            "names that end so are theirs; search under another --name"
        )
    return space


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
