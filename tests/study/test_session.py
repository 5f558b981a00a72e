from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import fill
from scripted import (
    add_study,
    config_of,
    do,
    drive,
    fails,
    fails_sometimes,
    fails_where,
    latency_ms,
    run_study,
    session_of,
    works,
)  # fmt: skip
from store.disks import small_disk

from bench.errors import StoreError
from bench.networks.cost import cost_quantities
from bench.space import Architecture, every, load_space
from bench.store import Store, open_store
from bench.study.evaluation import EvaluationJob, checkpoint_path
from bench.study.jobs import Job
from bench.study.replay import replay
from bench.study.timing import TimingJob
from bench.study.worker import Update


def test_a_study_keeps_everything_that_happened(store: Store, tmp_path: Path) -> None:
    session = run_study(store, tmp_path, budget=6)
    study = store.study("scripted")
    trials = store.trials(study.id)
    assert study.status == "complete"
    assert study.reason is None
    assert {trial.status for trial in trials} <= {"complete", "stopped"}
    for trial in trials:
        (found,) = store.measurements(trial.id)
        architecture = Architecture.from_dict(trial.architecture)
        assert found.summary["median_ms"] == pytest.approx(latency_ms(architecture), abs=1e-3)
        assert len(found.samples["samples"]) == len(found.samples["reference_samples"]) == 2
        assert [artifact.sha256 for artifact in store.artifacts(trial.id)] == ["ab" * 32]
        assert {"propose", "export", "time", "train", "elsewhere"} <= set(trial.stage_seconds)
        assert (trial.rung == 1) == (trial.status == "complete")
        assert [score.fidelity["images_seen"] for score in store.scores(trial.id)] == [32, 96][: (trial.rung or 0) + 1]
    assert {number for number, _ in session.front()} <= {t.number for t in trials if t.status == "complete"}
    stopped = next(trial for trial in trials if trial.status == "stopped")
    assert stopped.reason == "not on the front at 32 pictures"


def test_the_order_of_things_is_kept_with_several_in_flight(store: Store, tmp_path: Path) -> None:
    run_study(store, tmp_path, fails_sometimes, concurrency=3, budget=10, seed=1, timing={"batch": 4})
    events = store.events(store.study("scripted").id)
    assert [event.sequence for event in events] == sorted(event.sequence for event in events)
    running: set[int | None] = set()
    most = 0
    for event in events:
        if event.kind == "job":
            running.add(event.trial_id)
        elif event.kind == "trial_status" and event.data["to"] in ("paused", "complete", "failed"):
            running.discard(event.trial_id)
        most = max(most, len(running))
    assert most == 3


@pytest.mark.parametrize("concurrency", [1, 2])
@pytest.mark.parametrize("sampler", ["model", "tpe", "nsga2", "random"])
def test_a_replay_from_the_store_gives_the_same_proposals(
    store: Store, tmp_path: Path, sampler: str, concurrency: int
) -> None:
    run_study(store, tmp_path, fails_sometimes, concurrency=concurrency, budget=14, sampler=sampler)
    assert replay(store, "scripted") == ()


def test_a_replay_of_a_study_that_was_interrupted_gives_the_same_proposals(tmp_path: Path) -> None:
    path = tmp_path / "bench.db"
    with open_store(path) as store:
        session = session_of(store, add_study(store, config_of(sampler="nsga2", budget=20)), tmp_path, concurrency=2)
        for _ in range(18):
            do(session)
    with open_store(path) as store:
        drive(session_of(store, store.study("scripted"), tmp_path, concurrency=2), fails_sometimes).finish()
        assert replay(store, "scripted") == ()


def test_a_replay_with_other_values_differs(store: Store, tmp_path: Path) -> None:
    """Else the test above would say nothing."""
    run_study(store, tmp_path, budget=14, sampler="tpe")
    study = store.study("scripted")
    other = add_study(store, config_of(budget=14, sampler="tpe", seed=1), name="other")
    for trial in store.trials(study.id):
        store.add_trial(
            other.id,
            architecture_id=trial.architecture_id,
            architecture=trial.architecture,
            source=trial.source,
            seed=1,
            proposal=trial.proposal,
        )
    differences = replay(store, "other")
    assert len(differences) > 3
    assert "and would be" in differences[0]


def test_failed_trials_are_kept_with_their_reason_and_the_study_goes_on(store: Store, tmp_path: Path) -> None:
    session = run_study(store, tmp_path, fails_sometimes, budget=16)
    study = store.study("scripted")
    failed = [trial for trial in store.trials(study.id) if trial.status == "failed"]
    assert study.status == "complete"
    assert 0 < len(failed) < 16
    assert all(trial.reason and trial.reason.startswith("scripted failure") for trial in failed)
    assert not {trial.number for trial in failed} & {number for number, _ in session.front()}


def test_ten_failures_in_a_row_stop_the_study(store: Store, tmp_path: Path) -> None:
    run_study(store, tmp_path, fails, budget=30)
    study = store.study("scripted")
    assert study.status == "stopped"
    assert study.reason == "10 failed trials in a row, the last because: trial 9 is scripted to fail"
    assert len(store.trials(study.id)) == 10


def test_a_stopped_study_can_go_on(store: Store, tmp_path: Path) -> None:
    run_study(store, tmp_path, fails, budget=14)
    study = store.set_study_status(store.study("scripted").id, "running")
    drive(session_of(store, study, tmp_path), works).finish()
    assert store.study("scripted").status == "complete"
    assert [trial.status == "failed" for trial in store.trials(study.id)] == [True] * 10 + [False] * 4


def fails_from_the_sixth(job: Job) -> Iterator[tuple[int, Update]]:
    return fails_where(lambda job, number: "scripted" if number >= 5 else None, job)


def test_a_study_stopped_with_trainings_waiting_can_go_on(store: Store, tmp_path: Path) -> None:
    run_study(store, tmp_path, fails_from_the_sixth, budget=20)
    study = store.study("scripted")
    assert study.status == "stopped"
    assert "paused" in {trial.status for trial in store.trials(study.id)}
    study = store.set_study_status(study.id, "running")
    drive(session_of(store, study, tmp_path), works).finish()
    assert store.study("scripted").status == "complete"
    assert {trial.status for trial in store.trials(study.id)} == {"complete", "stopped", "failed"}


def other_pictures(job: Job) -> Iterator[tuple[int, Update]]:
    """The last candidate is trained on something else."""
    for number, update in works(job):
        if update["kind"] == "scored" and number == 5:
            update["score"]["fidelity"]["data_hash"] = "changed"
        yield number, update


def test_a_score_of_another_fidelity_never_stands_beside_the_others(store: Store, tmp_path: Path) -> None:
    run_study(store, tmp_path, other_pictures, budget=6)
    (failed,) = (trial for trial in store.trials(store.study("scripted").id) if trial.status == "failed")
    assert failed.number == 5
    assert failed.reason == "trained at another fidelity than the trials before: data_hash: None and 'changed'"
    assert store.scores(failed.id) == ()


@pytest.mark.parametrize("sampler", ["model", "tpe", "nsga2", "random"])
def test_a_space_of_one_network_ends_after_it(store: Store, tmp_path: Path, sampler: str) -> None:
    space = load_space("smoke")
    smallest = min(every(space, cost_quantities), key=lambda found: cost_quantities(found)["params_m"])
    only = f"params_m <= {cost_quantities(smallest)['params_m'] + 1e-9:.9f}"
    run_study(store, tmp_path, budget=5, rules=[only], sampler=sampler)
    study = store.study("scripted")
    assert study.status == "complete"
    assert study.reason
    assert {trial.architecture_id for trial in store.trials(study.id)} == {smallest.id}


def test_a_space_that_is_used_up_ends_the_study_with_the_reason(store: Store, tmp_path: Path) -> None:
    run_study(store, tmp_path, budget=50, rules=["macs_g <= 0.0006"], sampler="random")
    study = store.study("scripted")
    assert study.status == "complete"
    assert study.reason
    assert "used up" in study.reason
    assert len(store.trials(study.id)) < 50


def cannot_be_timed(job: Job) -> Iterator[tuple[int, Update]]:
    """The first candidate's timing fails; its samples are kept all the same."""
    for number, update in works(job):
        if number == 0 and update["kind"] == "measured":
            update["measurement"] |= {"verdict": "failed", "reason": "no answer within its deadline", "samples": []}
            # As the protocol leaves it: nothing was loaded, so the fingerprint does not say what with.
            update["measurement"]["fingerprint"] = {**update["measurement"]["fingerprint"], "loaded": None}
            yield number, update | {"figures": {}, "summary": {}}
            yield number, {"kind": "failed", "reason": "timing failed: no answer within its deadline"}
        else:
            yield number, update


def test_a_failed_timing_is_kept_and_fails_its_trial(store: Store, tmp_path: Path) -> None:
    run_study(store, tmp_path, cannot_be_timed, budget=5)
    study = store.study("scripted")
    first, *others = store.trials(study.id)
    assert (first.status, first.reason) == ("failed", "timing failed: no answer within its deadline")
    assert [found.verdict for found in store.measurements(first.id)] == ["failed"]
    assert study.status == "complete"
    assert all(trial.status != "failed" for trial in others)
    assert replay(store, "scripted") == ()


def test_a_dead_worker_without_last_words(store: Store, tmp_path: Path) -> None:
    session = session_of(store, add_study(store, config_of()), tmp_path)
    job = session.next_job()
    assert job is not None
    session.ended(job, has_died=True)
    (trial,) = store.trials(session.study.id)
    assert (trial.status, trial.reason) == ("failed", "the worker died: killed, or out of memory")


def test_a_batch_that_dies_fails_the_candidate_at_work_and_times_the_others_again(store: Store, tmp_path: Path) -> None:
    session = session_of(store, add_study(store, config_of(timing={"batch": 4})), tmp_path)
    job = session.next_job()
    assert isinstance(job, TimingJob)
    updates = works(job)
    session.update(*next(updates))
    session.update(*next(updates))
    session.ended(job, has_died=True)
    assert [trial.status for trial in store.trials(session.study.id)] == ["queued", "queued", "failed", "queued"]
    again = do(session)
    assert again.numbers == (0, 1, 3)
    drive(session).finish()
    counts = [len(store.measurements(trial.id)) for trial in store.trials(session.study.id)]
    assert counts == [1, 1, 0, 1, 1, 1, 1, 1]
    assert replay(store, "scripted") == ()


def test_batches_are_timed_before_their_training(store: Store, tmp_path: Path) -> None:
    session = session_of(store, add_study(store, config_of(timing={"batch": 3})), tmp_path)
    jobs = []
    while not session.plan.is_done:
        jobs.append(do(session))
    session.finish()
    timed = [job.numbers for job in jobs if isinstance(job, TimingJob)]
    assert timed == [(0, 1, 2), (3, 4, 5), (6, 7)]
    known: set[int] = set()
    for job in jobs:
        if isinstance(job, TimingJob):
            # Nobody is timed long before its turn.
            assert not {number for number in known if not session.plan.candidates[number].accuracy}
            known.update(job.numbers)
        else:
            assert job.number in known
            assert job.is_prepared


def test_a_study_without_latency_times_nothing(store: Store, tmp_path: Path) -> None:
    session = session_of(store, add_study(store, config_of(objectives=["accuracy", "macs"])), tmp_path)
    while not session.plan.is_done:
        job = do(session)
        assert isinstance(job, EvaluationJob)
        assert job.is_prepared == (job.rung > 0)
    assert not store.study_measurements(session.study.id)


def test_a_candidate_is_ended_once(store: Store, tmp_path: Path) -> None:
    session = session_of(store, add_study(store, config_of(budget=1)), tmp_path)
    do(session)
    job = do(session)
    session.failed(job.numbers[0], "Ray says so after the score")
    assert store.trials(session.study.id)[0].status == "paused"


def test_an_update_between_preparing_and_timing_is_not_taken_for_both(store: Store, tmp_path: Path) -> None:
    """Killed after the costs were stored: the network is still to be timed."""
    study = add_study(store, config_of())
    session = session_of(store, study, tmp_path)
    job = session.next_job()
    assert isinstance(job, TimingJob)
    session.update(*next(works(job)))
    again = session_of(store, study, tmp_path).next_job()
    assert isinstance(again, TimingJob)
    assert again.numbers == job.numbers


def leaves_files(job: Job) -> Iterator[tuple[int, Update]]:
    """Checkpoints as a training leaves them."""
    if isinstance(job, TimingJob):
        return works(job)
    folder = Path(job.folder)
    path = checkpoint_path(folder, job.number, job.rung)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    checkpoint_path(folder, job.number, job.rung - 1).unlink(missing_ok=True)
    return works(job)


def test_trials_stopped_for_good_leave_no_checkpoint(store: Store, tmp_path: Path) -> None:
    run_study(store, tmp_path, leaves_files, budget=12)
    trials = store.trials(store.study("scripted").id)
    complete = {trial.number for trial in trials if trial.status == "complete"}
    assert 0 < len(complete) < 12
    assert {int(path.name[:5]) for path in (tmp_path / "checkpoints").iterdir()} <= complete


def test_few_checkpoints_wait_at_a_rung(store: Store, tmp_path: Path) -> None:
    session = session_of(store, add_study(store, config_of(budget=50)), tmp_path)
    while len(session.plan.candidates) < 34:
        do(session, leaves_files)
    waiting = sum(set(candidate.accuracy) == {0} for candidate in session.plan.candidates.values())
    kept = len(list((tmp_path / "checkpoints").glob("*-rung0.pt")))
    assert kept <= 13 < waiting


def test_a_listener_hears_every_event_with_a_whole_snapshot(store: Store, tmp_path: Path) -> None:
    heard: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
    session = session_of(
        store,
        add_study(store, config_of(budget=5)),
        tmp_path,
        listener=lambda session, kind, data: heard.append((kind, dict(data), session.snapshot())),
    )
    drive(session).finish()
    kinds = [kind for kind, _, _ in heard]
    assert kinds[0] == "timing"
    assert kinds[-1] == "finished"
    assert {"prepared", "measured", "started", "training", "scored"} < set(kinds)
    last = heard[-1][2]
    assert (last["done"], last["budget"], last["failed"], last["jobs"]) == (5, 5, 0, [])
    assert last["hypervolume"] == session.hypervolume() > 0
    assert last["front"] == session.front()
    left = [snapshot["seconds_left"] for _, _, snapshot in heard]
    assert left[0] is None
    assert left[-1] == pytest.approx(0.0, abs=1.0)


def test_the_expected_end_comes_nearer(store: Store, tmp_path: Path) -> None:
    """With each trial costing the same, the share still to come falls to nothing."""
    shares: list[float] = []

    def listen(session: Any, kind: str, data: object) -> None:
        view = session.snapshot()
        if kind == "scored":
            shares.append(view["seconds_left"] / (view["seconds"] + view["seconds_left"]))

    drive(session_of(store, add_study(store, config_of(budget=12)), tmp_path, listener=listen)).finish()
    assert shares[0] > 0.7
    assert shares[-1] < 0.2
    assert all(later <= before + 0.1 for before, later in itertools.pairwise(shares))


def test_a_full_disk_loses_nothing_and_the_study_goes_on_after_it(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", num_kib=8192) as disk:
        path = disk / "bench.db"
        with open_store(path) as store:
            study = add_study(store, config_of(budget=12))
            session = session_of(store, study, tmp_path)
            for _ in range(6):
                do(session)
            before = store.study_scores(study.id)
            filler = fill(disk)
            with pytest.raises(StoreError, match="no space left for database"):
                drive(session)
        filler.unlink()
        with open_store(path) as store:
            assert store.study_scores(study.id)[: len(before)] == before
            study = store.set_study_status(study.id, "running")
            drive(session_of(store, study, tmp_path)).finish()
            assert store.study("scripted").status == "complete"
            assert len(store.trials(study.id)) == 12
            assert replay(store, "scripted") == ()
