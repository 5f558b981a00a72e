"""Studies whose candidates registered runners time: a real hub on loopback; devices and workers follow a script."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fleet.devices import Device, device, each
from fleet.hubs import Served, served, until
from scripted import add_study, config_of, file_of, latency_ms, session_of, works

from bench.fleet.client import HubClient
from bench.measure.job import Job
from bench.report.views import study_view
from bench.space import Architecture, load_space
from bench.store import Store, StudyRecord, latency_figure
from bench.study.config import StudyConfig
from bench.study.evaluation import EvaluationJob
from bench.study.remote import EVENT, Remote
from bench.study.replay import replay
from bench.study.session import Session
from bench.study.timer import Timer
from bench.study.timing import TimingJob

LIMIT_S = 60.0


@dataclass
class Place:
    """A study's store with the hub of its database."""

    store: Store
    hub: Served
    client: HubClient
    folder: Path
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    remotes: list[Remote] = field(default_factory=list)

    def add(self, *runners: str, **settings: Any) -> StudyRecord:
        """A study of batches of two that is timed on these runners; the reference takes 4 ms on the first, then 8."""
        names = {"runner": runners[0]} if len(runners) == 1 else {"runners": list(runners)}
        config = config_of(**{"budget": 6, "timing": {"batch": 2, **names}, **settings})
        study = add_study(self.store, config)
        keys = [f"64:{name}" for name in runners] if len(runners) > 1 else ["64"]
        told = {key: 4.0 * (place + 1) for place, key in enumerate(keys)}
        return self.store.set_hypervolume_reference(study.id, study.hypervolume_reference, reference_ms=told)

    def begin(self, study: StudyRecord, *, pause_s: float = 0.0, **more: Any) -> tuple[Session, Remote]:
        """The study from where its store says that it is. Whoever does not end what is sent has killed it."""
        config = StudyConfig.from_dict(study.config)
        timers = tuple(timer(name, config.timing.names) for name in config.timing.names)
        point = load_space("smoke").reference_points["smoke_repmixer"]
        references = {"onnx": {"64": asdict(file_of(self.folder, "reference-64", point))}}
        remote = Remote(self.client, study, config, timers, references, self.folder, pause_s=pause_s, **more)
        remote.__enter__()
        self.remotes.append(remote)
        session = session_of(
            self.store,
            study,
            self.folder,
            listener=lambda session, kind, data: self.told.append((kind, dict(data))),
            timers=timers,
            references=references,
            remote=remote,
        )
        return session, remote

    def heard(self, kind: str) -> list[dict[str, Any]]:
        return [data for found, data in self.told if found == kind]

    def sent(self, study: StudyRecord) -> list[tuple[str, list[int]]]:
        """Runner and numbers of each job that was written down as sent."""
        events = [event.data for event in self.store.events(study.id) if event.kind == EVENT]
        return [(data["runner"], list(data["numbers"])) for data in events]


def timer(name: str, names: tuple[str, ...]) -> Timer:
    figure = latency_figure(name, names)
    return Timer(name=name, kind="cpu", runtime="onnxruntime", is_remote=name != "cpu", figure=figure)


@pytest.fixture
def place(store: Store, tmp_path: Path) -> Iterator[Place]:
    with near(store, tmp_path) as found:
        yield found


@contextmanager
def near(store: Store, folder: Path, **limits: Any) -> Iterator[Place]:
    with served(folder, folder / "bench.db", limits=limits) as hub, closing(client_of(hub)) as client:
        place = Place(store=store, hub=hub, client=client, folder=folder)
        try:
            yield place
        finally:
            for remote in place.remotes:
                remote.__exit__(None, None, None)


def client_of(hub: Served) -> HubClient:
    assert hub.admin.token is not None
    return HubClient(hub.server.address, hub.admin.token)


def as_scripted(job: Job) -> list[dict[str, Any]]:
    """Each network takes what its id says, the reference 4 ms."""
    ns = {artifact.label: round(1e6 * latency_ms(network(artifact.architecture))) for artifact in job.artifacts}
    return each(job, ns, reference_ns=4_000_000, twin_ns=(4_000_000,) * job.blocks)


def network(mapping: Any) -> Architecture:
    return Architecture.from_dict(mapping)


def step(session: Session, *, here: str = "latency_ms") -> TimingJob | EvaluationJob | None:
    """The next job from its start to its end, if there is one; `here` is the figure of what workers time themselves."""
    job = session.next_job()
    if job is not None:
        for number, update in works(job):
            if update["kind"] == "measured":
                update["figures"] = {here: update["figures"]["latency_ms"]}
            session.update(number, update)
        session.ended(job, has_died=False)
    return job


def drive(
    session: Session, is_enough: Callable[[], bool] = lambda: False, *, here: str = "latency_ms"
) -> list[TimingJob | EvaluationJob]:
    """Does what there is to do until the study or the test has enough; gives the jobs."""
    jobs, end = [], time.monotonic() + LIMIT_S
    while not session.plan.is_done and not is_enough():
        job = step(session, here=here)
        assert len({number // 2 for number in session.plan.away}) <= 2
        if job is None:
            assert time.monotonic() < end, "nothing more comes"
            time.sleep(0.01)
        else:
            jobs.append(job)
    return jobs


def finish(session: Session, remote: Remote, *, here: str = "latency_ms") -> StudyRecord:
    drive(session, here=here)
    record = session.finish()
    remote.__exit__(None, None, None)
    return record


def test_a_study_is_timed_on_two_runners_with_an_objective_each(place: Place) -> None:
    study = place.add("pi5", "pixel8")
    with device(place.hub, "pi5", as_scripted) as pi5, device(place.hub, "pixel8", as_scripted) as pixel8:
        done = finish(*place.begin(study))
        assert len(pi5.jobs) == len(pixel8.jobs) == 3
    assert done.status == "complete"
    assert list(done.objectives) == ["accuracy", "latency_ms:pi5", "latency_ms:pixel8"]
    for trial in place.store.trials(study.id):
        expected = latency_ms(network(trial.architecture))
        found = {each.runner: each for each in place.store.measurements(trial.id)}
        assert found["pi5"].latency["ms"] == pytest.approx(expected, rel=1e-4)
        # The ratio of the same session, told in what the reference took there when the study began.
        assert found["pixel8"].latency["ms"] == pytest.approx(2 * expected, rel=1e-4)
        assert found["pixel8"].summary["median_ms"] == pytest.approx(expected, rel=1e-4)
        assert {each.verdict for each in found.values()} == {"valid"}
        assert {"time on pi5", "time on pixel8"} <= set(trial.stage_seconds)
    view = study_view(place.store, "scripted")
    assert view.front
    assert set(view.front[0].latencies) == {"latency_ms:pi5", "latency_ms:pixel8"}
    assert sorted(place.sent(study)) == [(name, [n, n + 1]) for name in ("pi5", "pixel8") for n in (0, 2, 4)]
    assert replay(place.store, "scripted") == ()
    assert not list((place.folder / "artifacts").glob("trial-*"))


def test_a_latency_named_by_its_runner_and_the_size_are_objectives(place: Place) -> None:
    objectives = ["accuracy", "latency:pixel8", "artifact_mb"]
    study = place.add("pixel8", objectives=objectives, constraints=["latency:pixel8<=4.5"], timing={"batch": 2})
    with device(place.hub, "pixel8", as_scripted) as pixel8:
        done = finish(*place.begin(study))
        assert pixel8.jobs
    assert list(done.objectives) == ["accuracy", "latency_ms", "artifact_mb"]
    view = study_view(place.store, "scripted")
    slow = {trial.number for trial in view.trials if trial.figures["latency_ms"] > 4.5}
    assert {trial.number for trial in view.trials if not trial.accuracy} == slow
    assert len(slow) in range(1, 6)
    assert [data["number"] for data in place.heard("turned_away")] == sorted(slow)
    assert replay(place.store, "scripted") == ()


def test_a_constraint_holds_on_the_runner_that_it_names(place: Place) -> None:
    study = place.add(
        "pi5", "pixel8", timing={"batch": 2, "runners": ["pi5", "pixel8"]}, constraints=["latency:pixel8<=9"]
    )
    with device(place.hub, "pi5", as_scripted), device(place.hub, "pixel8", as_scripted):
        finish(*place.begin(study))
    view = study_view(place.store, "scripted")
    slow = {trial.number for trial in view.trials if trial.figures["latency_ms:pixel8"] > 9.0}
    assert {trial.number for trial in view.trials if not trial.accuracy} == slow
    assert {trial.infeasible for trial in view.trials if trial.number in slow} <= {"latency_ms:pixel8 <= 9"}


def test_one_runner_is_the_latency(place: Place) -> None:
    study = place.add("pi5")
    with device(place.hub, "pi5", as_scripted):
        done = finish(*place.begin(study))
    assert list(done.objectives) == ["accuracy", "latency_ms"]
    view = study_view(place.store, "scripted")
    assert all(trial.figures["latency_ms"] == trial.latency["ms"] for trial in view.trials)
    assert all(data["runner"] == "pi5" for data in place.heard("measured"))


def test_candidates_are_timed_here_and_there(place: Place) -> None:
    study = place.add("cpu", "pi5")
    with device(place.hub, "pi5", as_scripted):
        session, remote = place.begin(study)
        jobs = drive(session, here="latency_ms:cpu")
        assert finish(session, remote).status == "complete"
    assert {job.numbers for job in jobs if isinstance(job, TimingJob)} == {(0, 1), (2, 3), (4, 5)}
    for trial in place.store.trials(study.id):
        assert {found.runner for found in place.store.measurements(trial.id)} == {"cpu", "pi5"}


def test_what_was_timed_here_is_not_timed_here_again(place: Place) -> None:
    study = place.add("cpu", "pi5", budget=2)
    with device(place.hub, "pi5", as_scripted) as runner:
        runner.hold()
        session, remote = place.begin(study)
        drive(session, lambda: bool(place.sent(study)), here="latency_ms:cpu")
        remote.__exit__(KeyboardInterrupt, None, None)
        runner.let_go()
        session, remote = place.begin(study)
        jobs = drive(session, here="latency_ms:cpu")
        assert finish(session, remote).status == "complete"
    (again,) = (job for job in jobs if isinstance(job, TimingJob))
    assert [found["name"] for found in again.timers] == ["pi5"]
    for trial in place.store.trials(study.id):
        assert sorted(found.runner for found in place.store.measurements(trial.id)) == ["cpu", "pi5"]


def test_training_goes_on_while_a_runner_measures(place: Place) -> None:
    study = place.add("pi5")
    with device(place.hub, "pi5", as_scripted) as runner:
        runner.hold()
        session, remote = place.begin(study)
        # Two batches go out and no more.
        assert [job.numbers for job in drive(session, lambda: len(place.sent(study)) == 2)] == [(0, 1), (2, 3)]
        assert session.next_job() is None
        runner.answer = held_after_the_first(runner)
        runner.let_go()
        # With the results of the first its candidates are trained, and a third goes out.
        jobs = drive(session, lambda: len(place.sent(study)) == 3)
        assert [isinstance(job, TimingJob) for job in jobs] == [False, False, True]
        assert session.plan.away == [2, 3, 4, 5]
        assert session.next_job() is None
        assert not session.plan.is_done
        shown = session.snapshot()
        assert [(name, numbers) for name, numbers, _ in shown["away"]] == [("pi5", (2, 3)), ("pi5", (4, 5))]
        runner.let_go()
        assert finish(session, remote).status == "complete"


def held_after_the_first(runner: Device) -> Callable[[Job], list[dict[str, Any]]]:
    def answer(job: Job) -> list[dict[str, Any]]:
        if len(runner.jobs) == 1:
            runner.hold()
        return as_scripted(job)

    return answer


def test_a_killed_study_waits_for_what_it_has_sent(place: Place) -> None:
    study = place.add("pi5")
    with device(place.hub, "pi5", as_scripted) as runner:
        runner.hold()
        killed, _ = place.begin(study)
        drive(killed, lambda: len(place.sent(study)) == 2)
        session, remote = place.begin(study)
        assert session.plan.away == [0, 1, 2, 3]
        assert session.next_job() is None  # nothing is prepared again
        runner.let_go()
        jobs: list[Any] = drive(session)
        session.finish()
        remote.__exit__(None, None, None)
        assert [job.numbers for job in jobs if isinstance(job, TimingJob)] == [(4, 5)]
        assert len(runner.jobs) == 3
    assert place.sent(study) == [("pi5", [0, 1]), ("pi5", [2, 3]), ("pi5", [4, 5])]
    counts = [len(place.store.measurements(trial.id)) for trial in place.store.trials(study.id)]
    assert counts == [1] * 6


def test_a_study_killed_before_it_wrote_down_what_it_sent_finds_it_again(place: Place) -> None:
    study = place.add("pi5", budget=2)
    with device(place.hub, "pi5", as_scripted) as runner:
        runner.hold()
        killed, _ = place.begin(study)
        step(killed)
        until(lambda: place.client.runner("pi5").queue == 1)
        assert place.sent(study) == []
        session, remote = place.begin(study)
        assert isinstance(step(session), TimingJob)  # prepared and sent again, under the same key
        drive(session, lambda: bool(place.sent(study)))
        assert place.client.runner("pi5").queue == 1
        runner.let_go()
        assert finish(session, remote).status == "complete"
        assert len(runner.jobs) == 1


def test_a_result_that_was_written_down_in_part_is_not_measured_again(place: Place) -> None:
    study = place.add("pi5", budget=2)
    with device(place.hub, "pi5", as_scripted) as runner:
        killed, _ = place.begin(study)
        measured = killed._outcomes._measured

        def dies(number: int, *rest: Any) -> None:
            if number == 1:
                raise KeyboardInterrupt
            measured(number, *rest)

        killed._outcomes._measured = dies  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            drive(killed)
        session, remote = place.begin(study)
        assert session.plan.away == [1]
        assert finish(session, remote).status == "complete"
        assert len(runner.jobs) == 1
    counts = [len(place.store.measurements(trial.id)) for trial in place.store.trials(study.id)]
    assert counts == [1, 1]


def test_an_interrupted_study_cancels_what_is_under_way_and_sends_it_again_later(place: Place) -> None:
    study = place.add("pi5", budget=4)
    with device(place.hub, "pi5", as_scripted) as runner:
        runner.hold()
        session, remote = place.begin(study)
        drive(session, lambda: len(place.sent(study)) == 2)
        remote.__exit__(KeyboardInterrupt, None, None)
        assert place.client.runner("pi5").queue == 0
        runner.let_go()
        assert finish(*place.begin(study)).status == "complete"
        assert len(runner.jobs) == 2
    assert sorted(place.sent(study)) == sorted([("pi5", [0, 1]), ("pi5", [2, 3])] * 2)


def test_one_interrupted_before_it_wrote_down_what_it_sent_finds_it_again(place: Place) -> None:
    """Nobody may cancel what nobody knows of: under its key the study would find it cancelled."""
    study = place.add("pi5", budget=2)
    with device(place.hub, "pi5", as_scripted) as runner:
        runner.hold()
        interrupted, remote = place.begin(study)
        step(interrupted)

        def interrupt(*_: Any) -> None:
            raise KeyboardInterrupt

        interrupted._take_in = interrupt  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            until(interrupted.next_job)
        remote.__exit__(KeyboardInterrupt, None, None)
        assert place.sent(study) == []
        assert place.client.runner("pi5").queue == 1
        runner.let_go()
        assert finish(*place.begin(study)).status == "complete"
        assert len(runner.jobs) == 1
    assert place.sent(study) == [("pi5", [0, 1])]


def killed_after_sending(place: Place, study: StudyRecord, *devices: Device) -> dict[str, str]:
    """The jobs of a study that was killed when it had sent a batch to each of two runners, which do nothing yet."""
    for each_device in devices:
        each_device.hold()
    killed, _ = place.begin(study)
    drive(killed, lambda: len(place.sent(study)) == len(devices))
    events = [event.data for event in place.store.events(study.id) if event.kind == EVENT]
    return {data["runner"]: data["job"] for data in events}


def test_files_that_wait_to_be_sent_outlive_what_another_runner_measures(place: Place) -> None:
    study = place.add("pi5", "pixel8", budget=2)
    with device(place.hub, "pi5", as_scripted) as pi5, device(place.hub, "pixel8", as_scripted) as pixel8:
        jobs = killed_after_sending(place, study, pi5, pixel8)
        place.client.cancel(jobs["pixel8"])
        session, remote = place.begin(study)
        job = until(session.next_job)
        assert isinstance(job, TimingJob)
        for number, update in works(job):
            session.update(number, update)
        # Prepared for one runner and not sent yet, while what the other was sent before comes back.
        pi5.let_go()
        until(lambda: session.next_job() is None and len(place.store.study_measurements(study.id)) == 2)
        session.ended(job, has_died=False)
        pixel8.let_go()
        assert finish(session, remote).status == "complete"
        assert (len(pi5.jobs), len(pixel8.jobs)) == (1, 1)
    assert not list((place.folder / "artifacts").glob("trial-*"))


def test_what_was_prepared_again_for_one_runner_goes_to_the_other_as_it_is(place: Place) -> None:
    study = place.add("pi5", "pixel8", budget=2)
    with device(place.hub, "pi5", as_scripted) as pi5, device(place.hub, "pixel8", as_scripted) as pixel8:
        jobs = killed_after_sending(place, study, pi5, pixel8)
        place.client.cancel(jobs["pi5"])
        session, remote = place.begin(study)
        drive(session, lambda: len(place.sent(study)) == 3)
        place.client.cancel(jobs["pixel8"])
        assert drive(session, lambda: len(place.sent(study)) == 4) == []
        pi5.let_go()
        pixel8.let_go()
        assert finish(session, remote).status == "complete"
        assert (len(pi5.jobs), len(pixel8.jobs)) == (1, 1)
    assert sorted(place.sent(study)) == sorted([("pi5", [0, 1]), ("pixel8", [0, 1])] * 2)


def test_what_has_failed_elsewhere_is_not_sent_again(store: Store, tmp_path: Path) -> None:
    with near(store, tmp_path, attempts=1) as place:
        study = place.add("pi5", "pixel8", budget=2)
        with (
            device(place.hub, "pi5", lambda job: ("unsupported", "no such runtime")),
            device(place.hub, "pixel8", lambda job: ("device_lost", "gone")) as pixel8,
        ):
            pixel8.hold()
            session, remote = place.begin(study)
            drive(session)
            assert [runner for runner, _, _ in remote.states()] == ["pixel8"]
            pixel8.let_go()

            def is_over() -> bool:
                list(remote.received())
                return not remote.states()

            until(is_over)
            session.finish()
        assert {trial.status for trial in store.trials(study.id)} == {"failed"}
        assert not list((tmp_path / "artifacts").glob("trial-*"))


def test_whoever_breaks_a_batch_fails_alone(place: Place) -> None:
    def answer(job: Job) -> Any:
        if any(artifact.label == "trial-1" for artifact in job.artifacts):
            return "artifact_invalid", "a node of an unknown kind"
        return as_scripted(job)

    study = place.add("pi5", budget=4)
    with device(place.hub, "pi5", answer):
        assert finish(*place.begin(study)).status == "complete"
    failed = [trial for trial in place.store.trials(study.id) if trial.status == "failed"]
    assert [(trial.number, trial.reason) for trial in failed] == [
        (1, "timing on pi5 failed (artifact_invalid): a node of an unknown kind")
    ]
    assert sorted(place.sent(study)) == [("pi5", [0]), ("pi5", [0, 1]), ("pi5", [1]), ("pi5", [2, 3])]
    assert replay(place.store, "scripted") == ()


def test_what_a_runner_does_not_support_fails_at_once(place: Place) -> None:
    study = place.add("pi5", budget=2)
    with device(place.hub, "pi5", lambda job: ("unsupported", "no such runtime")) as runner:
        finish(*place.begin(study))
        assert len(runner.jobs) == 1
    reasons = {trial.reason for trial in place.store.trials(study.id)}
    assert reasons == {"timing on pi5 failed (unsupported): no such runtime"}


def test_a_measurement_without_figures_fails_its_candidate_and_is_kept(place: Place) -> None:
    def answer(job: Job) -> Any:
        first, *others = as_scripted(job)
        return [first | {"verdict": "wrong_output", "reason": "its output is off by 0.3"}, *others]

    study = place.add("pi5", budget=2)
    with device(place.hub, "pi5", answer):
        finish(*place.begin(study))
    first, second = place.store.trials(study.id)
    assert (first.status, first.reason) == ("failed", "timing on pi5 failed (wrong_output): its output is off by 0.3")
    assert [found.verdict for found in place.store.measurements(first.id)] == ["wrong_output"]
    assert second.status == "complete"


def test_a_device_that_is_lost_is_waited_for(store: Store, tmp_path: Path) -> None:
    losses = iter(("gone", "gone"))

    def answer(job: Job) -> Any:
        reason = next(losses, None)
        return as_scripted(job) if reason is None else ("device_lost", reason)

    with near(store, tmp_path, attempts=1) as place:
        study = place.add("pi5", budget=2)
        with device(place.hub, "pi5", answer) as runner:
            assert finish(*place.begin(study)).status == "complete"
            assert len(runner.jobs) == 3
        assert {trial.status for trial in store.trials(study.id)} <= {"complete", "stopped"}
        assert place.heard("waiting")[0] == {"runner": "pi5", "reason": "device_lost: gone", "is_new": True}
        assert place.sent(study) == [("pi5", [0, 1])] * 3
        whys = [event.data.get("why_again") for event in store.events(study.id) if event.kind == EVENT]
        assert whys == [None, "device_lost: gone", "device_lost: gone"]


def test_a_device_that_fails_for_too_long_stops_the_study_and_costs_no_candidate(store: Store, tmp_path: Path) -> None:
    hours = iter(range(0, 100, 10))
    with near(store, tmp_path, attempts=1) as place:
        study = place.add("pi5", budget=2)
        with device(place.hub, "pi5", lambda job: ("device_lost", "gone")) as runner:
            session, remote = place.begin(study, monotonic=lambda: 3600.0 * next(hours))
            stopped = finish(session, remote)
            assert len(runner.jobs) == 4  # after 0, 10, 20 and 30 hours
        assert stopped.status == "stopped"
        assert stopped.reason == (
            "pi5 has failed every job for 30.0 h (device_lost: gone); look at the device, "
            "then go on with `bench search --resume scripted`"
        )
        assert {trial.status for trial in store.trials(study.id)} == {"queued"}


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("quarantine", "runner 'pi5' is quarantined (it lies)"),
        ("remove", "removed"),
    ],
)
def test_a_runner_that_is_put_away_stops_the_study_and_costs_no_candidate(
    place: Place, action: str, words: str
) -> None:
    # One batch: a second may be sent and not written down when the study stops, and then stays to be found again.
    study = place.add("pi5", budget=2)
    with device(place.hub, "pi5", as_scripted) as runner:
        runner.hold()
        session, remote = place.begin(study)
        place.client.set_runner("pi5", action, reason="it lies")
        if action == "remove":
            # The hub takes no job for it.
            words = "no runner 'pi5'"
        stopped = finish(session, remote)
    assert stopped.status == "stopped"
    assert stopped.reason is not None
    assert words in stopped.reason
    assert "then go on with `bench search --resume scripted`" in stopped.reason
    assert {trial.status for trial in place.store.trials(study.id)} == {"queued"}
    assert place.client.runners() == () or place.client.runner("pi5").queue == 0
    if action == "quarantine":
        place.client.set_runner("pi5", "resume")
    study = place.store.set_study_status(study.id, "running")
    with device(place.hub, "pi5", as_scripted):
        assert finish(*place.begin(study)).status == "complete"


def test_a_job_that_is_cancelled_by_others_stops_the_study(place: Place) -> None:
    study = place.add("pi5", budget=2)
    with device(place.hub, "pi5", as_scripted) as runner:
        runner.hold()
        session, remote = place.begin(study)
        drive(session, lambda: bool(place.sent(study)))
        (event,) = (event for event in place.store.events(study.id) if event.kind == EVENT)
        place.client.cancel(event.data["job"])
        stopped = finish(session, remote)
    assert stopped.status == "stopped"
    assert stopped.reason is not None
    assert stopped.reason.startswith("pi5 does not time #0, #1: its job is cancelled (")


def test_a_runner_that_drains_is_waited_for_and_told_once(place: Place) -> None:
    study = place.add("pi5", budget=2)
    with device(place.hub, "pi5", as_scripted):
        place.client.set_runner("pi5", "drain")
        session, remote = place.begin(study)
        drive(session, lambda: bool(place.heard("waiting")))
        assert session.snapshot()["waiting"] == {"pi5": "draining until `bench runners resume pi5`"}
        place.client.set_runner("pi5", "resume")
        assert finish(session, remote).status == "complete"
    assert [data["is_new"] for data in place.heard("waiting")].count(True) == 1


def test_another_device_under_the_same_name_never_stands_beside_the_first(place: Place) -> None:
    def answer(job: Job) -> Any:
        documents = as_scripted(job)
        if any(artifact.label == "trial-2" for artifact in job.artifacts):
            return [found | {"fingerprint": {"machine": {"cpu": "another"}}} for found in documents]
        return documents

    study = place.add("pi5", budget=4)
    with device(place.hub, "pi5", answer):
        finish(*place.begin(study))
    reasons = [trial.reason for trial in place.store.trials(study.id) if trial.status == "failed"]
    assert len(reasons) == 2
    assert all(reason is not None and reason.startswith("timed under other conditions") for reason in reasons)
