"""A search that learns from earlier ones proposes other networks, and the same again when it goes on."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from scripted import accuracy, add_study, config_of, do, drive, latency_ms, run_study, session_of

from bench.errors import SearchError
from bench.space import Architecture, load_space
from bench.store import Store, StudyRecord, open_store
from bench.study.config import StudyConfig
from bench.study.replay import replay
from bench.study.warm_start import earlier_searches, keep_earlier, keep_if_lost, kept_earlier

BUDGET = 10


def earlier(store: Store, folder: Path, name: str = "phone", **settings: object) -> StudyRecord:
    """A study that has ended."""
    config = config_of(**{"sampler": "random", "budget": 16, "timing": {"runner": "pixel8"}, **settings})
    study = add_study(store, config, name=name)
    session = session_of(store, study, folder)
    drive(session).finish()
    return store.study(name)


def begun(store: Store, *texts: str, name: str = "warm", **settings: object) -> StudyRecord:
    """A study that has taken over what earlier ones found, as `bench.study.search.start` does."""
    config = config_of(**{"budget": BUDGET, "warm_start": list(texts), **settings})
    study = add_study(store, config, name=name)
    keep_earlier(store, study.id, earlier_searches(config, load_space("smoke"), store))
    return study


def proposed(store: Store, name: str) -> list[str]:
    return [trial.architecture_id for trial in store.trials(store.study(name).id)]


def test_what_was_found_elsewhere_is_kept_with_the_study(store: Store, tmp_path: Path) -> None:
    study = earlier(store, tmp_path)
    (found,) = kept_earlier(store, begun(store, "phone").id)
    assert found.study == "phone"
    assert len(found.architectures) == len(found.values) == len(store.trials(study.id))
    for mapping, (score, latency) in zip(found.architectures, found.values, strict=True):
        architecture = Architecture.from_dict(mapping)
        assert score == accuracy(architecture, 0)
        # Of another device: what is taken over is how networks lie to each other.
        assert latency == pytest.approx(latency_ms(architecture), abs=1e-3)


def test_it_moves_proposals_and_a_study_taken_up_again_proposes_the_same(store: Store, tmp_path: Path) -> None:
    earlier(store, tmp_path)
    whole, cut = begun(store, "phone", name="whole"), begun(store, "phone", name="cut")
    drive(session_of(store, whole, tmp_path)).finish()
    session = session_of(store, cut, tmp_path)
    for _ in range(9):
        do(session)
    drive(session_of(store, cut, tmp_path)).finish()
    assert proposed(store, "whole") == proposed(store, "cut")
    assert replay(store, "whole") == ()
    run_study(store, tmp_path, budget=BUDGET)
    assert proposed(store, "scripted") != proposed(store, "whole")


def test_a_study_of_another_database_is_read_once(store: Store, tmp_path: Path) -> None:
    with open_store(tmp_path / "other.db") as other:
        earlier(other, tmp_path)
    study = begun(store, f"phone@{tmp_path / 'other.db'}")
    (tmp_path / "other.db").unlink()
    drive(session_of(store, study, tmp_path)).finish()
    assert replay(store, "warm") == ()


def test_one_killed_before_it_wrote_them_down_reads_them_again(store: Store, tmp_path: Path) -> None:
    earlier(store, tmp_path)
    config = config_of(warm_start=["phone"])
    study = add_study(store, config, name="killed")
    for _ in range(2):
        keep_if_lost(store, study, config, load_space("smoke"))
    assert [found.study for found in kept_earlier(store, study.id)] == ["phone"]


def test_figures_that_an_earlier_search_lacks_stay_open(store: Store, tmp_path: Path) -> None:
    earlier(store, tmp_path, objectives=["accuracy", "macs"], timing={})
    (found,) = kept_earlier(store, begun(store, "phone").id)
    assert {latency for _, latency in found.values} == {None}
    assert all(score is not None and math.isfinite(score) for score, _ in found.values)


def test_of_several_runners_the_same_is_taken(store: Store, tmp_path: Path) -> None:
    earlier(store, tmp_path)
    (found,) = kept_earlier(store, begun(store, "phone", timing={"runners": ["pi5", "pixel8"]}).id)
    # The phone's own latency, and for want of another that of the phone for the board.
    assert all(board == phone is not None for _, board, phone in found.values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("phnoe", r"no study 'phnoe'.*phone"),
        ("running", "'running', which is running or was killed; .* bench search --resume running"),
        ("large", "none of its 1 networks .fastvit. is in 'smoke'; name a study of the same space"),
        ("empty", "'empty', in which no network has a score"),
        ("counted@", "STUDY or STUDY@DATABASE is needed"),
        ("phone@nowhere.db", "warm start: no database 'nowhere.db'"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(store: Store, tmp_path: Path, text: str, message: str) -> None:
    earlier(store, tmp_path, budget=4)
    add_study(store, config_of(), name="running")
    store.set_study_status(add_study(store, config_of(), name="empty").id, "interrupted")
    large = config_of(space="fastvit", budget=1, proxy={"images": 32, "rungs": 1, "batch_size": 16})
    drive(session_of(store, add_study(store, large, name="large"), tmp_path)).finish()
    config = config_of(warm_start=[text])
    with pytest.raises(Exception, match=message):
        earlier_searches(config, load_space("smoke"), store)


def test_a_search_that_measured_something_else_is_refused(store: Store, tmp_path: Path) -> None:
    earlier(store, tmp_path, budget=4, objectives=["accuracy", "macs"], timing={})
    settings = {"space": "smoke", "proxy": {"kind": "zero-cost"}, "warm_start": ["phone"]}
    config = StudyConfig.from_dict(settings)
    with pytest.raises(SearchError, match="optimised accuracy, macs_g; nothing that is measured in this search"):
        earlier_searches(config, load_space("smoke"), store)
