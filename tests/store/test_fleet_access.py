"""Who may talk to the hub, on both databases: tokens, codes that enrol once, and the status of runners."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from bench.errors import FleetError
from bench.store import EnrolmentError, FleetStore, RunnerRecord, RunnerStatus, UnknownError, open_fleet

from .fleets import CAPABILITIES, LATER, add_client, add_code, add_job, add_runner, digest, enrol


def test_token_is_found_by_its_hash_until_it_is_revoked(fleet: FleetStore) -> None:
    token = fleet.add_token("client", "laptop", sha256=digest("secret"))
    assert (token.kind, token.name, token.runner_id, token.revoked_at) == ("client", "laptop", None, None)
    assert fleet.token(digest("secret")) == token
    assert fleet.token(digest("other")) is None
    revoked = fleet.revoke_token(token.id)
    assert revoked.revoked_at is not None
    assert fleet.token(digest("secret")) is None
    assert fleet.revoke_token(token.id) == revoked
    assert fleet.tokens() == (revoked,)


def test_replaced_token_is_dead_and_its_jobs_stay_its_own(fleet: FleetStore, runner: RunnerRecord) -> None:
    old = fleet.add_token("client", "laptop", sha256=digest("old"))
    job = add_job(fleet, old.id, runner)
    new = fleet.replace_token(old.id, digest("new"))
    assert fleet.token(digest("old")) is None
    assert fleet.token(digest("new")) == new
    assert (new.id, new.kind, new.name) == (job.client, "client", "laptop")
    assert add_job(fleet, new.id, runner) == job
    fleet.revoke_token(new.id)
    with pytest.raises(FleetError, match=rf"token {new.id} \(laptop\) is revoked and cannot be replaced; .*make a new"):
        fleet.replace_token(new.id, digest("newer"))


def test_token_of_an_agent_speaks_for_its_runner(fleet: FleetStore, runner: RunnerRecord) -> None:
    token = fleet.token(digest("token of code for pixel8"))
    assert token is not None
    assert (token.kind, token.runner_id) == ("agent", runner.id)
    with pytest.raises(FleetError, match=r"token of kind 'agent' without a runner; .*give the runner of an agent"):
        fleet.add_token("agent", "pixel8", sha256=digest("a"))
    with pytest.raises(FleetError, match=r"token of kind 'admin' with a runner; .*leave it out for others"):
        fleet.add_token("admin", "local", sha256=digest("b"), runner_id=runner.id)
    with pytest.raises(FleetError, match=r"unknown kind of token 'admn'; known: agent, client, admin; did you mean"):
        fleet.add_token("admn", "local", sha256=digest("c"))  # type: ignore[arg-type]
    assert len(fleet.tokens()) == 1


@pytest.mark.parametrize("name", ["", "a\n", "x" * 101, "\0", "\udcff"])
def test_token_name_that_cannot_be_shown_is_refused(fleet: FleetStore, name: str) -> None:
    with pytest.raises(FleetError, match=r"token name '.*' is not usable; allowed: 1 to 100 printable characters"):
        fleet.add_token("client", name, sha256=digest("a"))


def test_unknown_token_names_those_there_are(fleet: FleetStore) -> None:
    with pytest.raises(UnknownError, match=r"no token with id 1; there are no tokens yet; use"):
        fleet.revoke_token(1)
    add_client(fleet, "laptop")
    for token_id in (0, 99, 2**40, 2**70):
        with pytest.raises(UnknownError, match=rf"no token with id {token_id}; known tokens: 1 \(laptop\); use"):
            fleet.replace_token(token_id, digest("a"))


def test_enrolled_runner_is_ready_and_told_about(fleet: FleetStore) -> None:
    runner = add_runner(fleet, "pixel8")
    assert (runner.name, runner.status, runner.reason) == ("pixel8", "ready", None)
    assert (runner.capabilities, runner.health, runner.noise) == (CAPABILITIES, {}, None)
    assert runner.last_seen_at == runner.created_at
    other = add_runner(fleet, "pi5")
    assert fleet.runners() == (runner, other)
    assert fleet.runner("pixel8") == fleet.runner(runner.id) == runner


def test_code_enrols_once(fleet: FleetStore, runner: RunnerRecord) -> None:
    before = fleet.tokens()
    with pytest.raises(
        EnrolmentError, match=r"code for runner 'pixel8' was used already; .*run: bench runners register pixel8"
    ):
        enrol(fleet, "code for pixel8")
    assert (fleet.tokens(), fleet.runners()) == (before, (runner,))


def test_threads_with_one_code_enrol_once(fleet: FleetStore) -> None:
    add_code(fleet, "pixel8", "code")

    def attempt(number: int) -> RunnerRecord | None:
        try:
            return fleet.enrol(
                digest("code"), capabilities={}, agent_version="0.1.0", token_sha256=digest(f"token {number}")
            )
        except EnrolmentError:
            return None

    with ThreadPoolExecutor(8) as pool:
        enrolled = [runner for runner in pool.map(attempt, range(16)) if runner is not None]
    assert fleet.runners() == tuple(enrolled)
    assert len(enrolled) == len(fleet.tokens()) == 1


def test_threads_with_several_codes_of_one_new_name_make_one_runner(fleet: FleetStore) -> None:
    codes = [f"code {number}" for number in range(8)]
    for code in codes:
        add_code(fleet, "pixel8", code)
    with ThreadPoolExecutor(8) as pool:
        enrolled = list(pool.map(lambda code: enrol(fleet, code), codes))
    assert len({runner.id for runner in enrolled}) == len(fleet.runners()) == 1
    assert sum(token.revoked_at is None for token in fleet.tokens()) == 1


def test_code_that_is_unknown_or_expired_enrols_nobody(fleet: FleetStore) -> None:
    # The clock of these tests began in 2026.
    add_code(fleet, "pixel8", "old", expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(
        EnrolmentError, match=r"'pixel8' expired; it was good until 2026-01-01T00:00:00\+00:00; run: bench runners"
    ):
        enrol(fleet, "old")
    with pytest.raises(EnrolmentError, match=r"unknown enrolment code; .*`bench runners register NAME`"):
        enrol(fleet, "made up")
    assert (fleet.runners(), fleet.tokens()) == ((), ())


def test_code_is_good_until_it_expires(fleet_url: str) -> None:
    times = [datetime(2026, 1, 1, second=second, tzinfo=UTC) for second in (0, 0, 4, 5)]
    with open_fleet(fleet_url, clock=lambda: times.pop(0)) as fleet:
        add_code(fleet, "pixel8", "in time", expires_at=datetime(2026, 1, 1, second=5, tzinfo=UTC))
        add_code(fleet, "pixel8", "too late", expires_at=datetime(2026, 1, 1, second=5, tzinfo=UTC))
        assert enrol(fleet, "in time").name == "pixel8"
        with pytest.raises(EnrolmentError, match="expired"):
            enrol(fleet, "too late")


def test_enrolling_a_name_again_revokes_its_old_token(fleet: FleetStore, runner: RunnerRecord) -> None:
    add_code(fleet, "pixel8", "second")
    again = fleet.enrol(
        digest("second"), capabilities={"kind": "cuda"}, agent_version="0.2.0", token_sha256=digest("new")
    )
    assert (again.id, again.created_at) == (runner.id, runner.created_at)
    assert (again.capabilities, again.agent_version) == ({"kind": "cuda"}, "0.2.0")
    assert fleet.runners() == (again,)
    assert fleet.token(digest("token of code for pixel8")) is None
    token = fleet.token(digest("new"))
    assert token is not None
    assert token.runner_id == runner.id


@pytest.mark.parametrize(("status", "after"), [("removed", "ready"), ("quarantined", "quarantined")])
def test_enrolling_brings_back_what_was_removed_and_nothing_else(
    fleet: FleetStore, runner: RunnerRecord, status: RunnerStatus, after: str
) -> None:
    fleet.set_runner_status(runner.id, status, reason="failed its A/A")
    add_code(fleet, "pixel8", "second")
    again = enrol(fleet, "second")
    assert (again.status, again.reason) == (after, None if after == "ready" else "failed its A/A")


def test_removed_runner_has_no_token_and_stays_removed(fleet: FleetStore, runner: RunnerRecord) -> None:
    removed = fleet.set_runner_status("pixel8", "removed", reason="sold")
    assert (removed.status, removed.reason, fleet.runners()) == ("removed", "sold", (removed,))
    assert fleet.token(digest("token of code for pixel8")) is None
    with pytest.raises(
        FleetError, match=r"runner 'pixel8' was removed and cannot become ready; .*run: bench runners register pixel8"
    ):
        fleet.set_runner_status(runner.id, "ready")
    assert fleet.set_runner_status(runner.id, "removed", reason="sold") == removed


def test_status_of_a_runner_can_change_and_an_unknown_one_is_refused(fleet: FleetStore, runner: RunnerRecord) -> None:
    quarantined = fleet.set_runner_status(runner.id, "quarantined", reason="two crashes \0in a row")
    assert (quarantined.status, quarantined.reason) == ("quarantined", "two crashes in a row")
    assert fleet.set_runner_status(runner.id, "draining").status == "draining"
    ready = fleet.set_runner_status(runner.id, "ready")
    assert (ready.status, ready.reason) == ("ready", None)
    with pytest.raises(FleetError, match=r"unknown status 'redy' for a runner; known: ready, .*did you mean 'ready'"):
        fleet.set_runner_status(runner.id, "redy")  # type: ignore[arg-type]


def test_what_is_not_told_of_a_runner_stays_as_it_was(fleet: FleetStore, runner: RunnerRecord) -> None:
    told = fleet.update_runner(runner.id, health={"cpu_c": 61.5}, noise={"ratio": 1.01})
    assert (told.capabilities, told.health, told.noise) == (CAPABILITIES, {"cpu_c": 61.5}, {"ratio": 1.01})
    assert told.last_seen_at > runner.last_seen_at
    unseen = fleet.update_runner(runner.id, capabilities={"kind": "cuda"}, seen=False)
    assert (unseen.capabilities, unseen.noise) == ({"kind": "cuda"}, {"ratio": 1.01})
    assert unseen.last_seen_at == told.last_seen_at
    assert fleet.runner(runner.id) == unseen


def test_unknown_runner_gives_the_nearest(fleet: FleetStore) -> None:
    with pytest.raises(UnknownError, match=r"no runner 'pixel8'; there are no runners yet; register it with: bench"):
        fleet.runner("pixel8")
    add_runner(fleet, "pixel8")
    add_runner(fleet, "pi5")
    with pytest.raises(UnknownError, match=r"no runner 'pixle8'; known runners: pi5, pixel8; did you mean 'pixel8'\?"):
        fleet.runner("pixle8")
    for name in ("", "f" * 32, "a/b", "\0", "\udcff", "X" * 5000):
        with pytest.raises(UnknownError, match="no runner '"):
            fleet.update_runner(name)


@pytest.mark.parametrize("name", ["", "Pixel8", "a/b", "-a", "a" * 41, "a\n", "0f" * 16])
def test_runner_name_that_no_command_could_take_is_refused(fleet: FleetStore, name: str) -> None:
    with pytest.raises(FleetError, match=r"runner name '.*' is not usable; allowed: up to 40 small letters"):
        fleet.add_enrolment(name, sha256=digest("a"), expires_at=LATER)
