"""Runs of reproductions over a real store; what a part finds is made up here, how it is kept is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.errors import ReproduceError, SpaceError
from bench.reproduce import runs
from bench.reproduce.findings import Finding, Report
from bench.reproduce.runs import Part, go, new_run, parts_of, plan_of, reports_of
from bench.reproduce.work import Work
from bench.store import Store, open_store

WORK = Work(places=(), keep=lambda measurement: None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "bench.db") as opened:
        yield opened


def report(subject: str) -> Report:
    finding = Finding(quantity="parameters (M)", published="3.6", measured="3.99", verdict="differs", values={"x": 1.0})
    return Report(
        kind="model",
        subject=subject,
        title=subject,
        findings=(finding,),
        points=({"name": subject, "ms": 1.0},),
        fingerprint={"machine": {}},
        seconds=1.0,
    )


def test_what_is_done_is_not_done_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def part(subject: str) -> Part:
        def make(work: Work) -> Report:
            if subject == "third" and made.count("third") == 0:
                made.append(subject)
                raise KeyboardInterrupt
            made.append(subject)
            return report(subject)

        return Part(subject=subject, make=make)

    monkeypatch.setattr(runs, "parts_of", lambda what: tuple(part(name) for name in ("first", "second", "third")))
    run = new_run(store, "all", {"threads": 1}, {})
    told: list[tuple[int, int, str]] = []
    with pytest.raises(KeyboardInterrupt):
        list(go(store, run, WORK, step=lambda *step: told.append(step)))
    assert [found.subject for found in reports_of(store, run)] == ["first", "second"]
    assert plan_of(store, run) == ("all", {"threads": 1})

    found = list(go(store, run, WORK, step=lambda *step: told.append(step)))
    assert [one.subject for one in found] == ["first", "second", "third"]
    assert made == ["first", "second", "third", "third"]
    assert found == [report(name) for name in ("first", "second", "third")]
    assert [step[2] for step in told] == ["first", "second", "third", "third"]


def test_the_parts_of_what_can_be_asked_for() -> None:
    assert [part.subject for part in parts_of("fastvit_t8")] == ["fastvit_t8"]
    claims = [part.subject for part in parts_of("claims")]
    assert "fastvit_ma36@256 against cmt_s@224" in claims
    assert "form at 1024 px" in claims
    assert len(set(claims)) == len(claims)
    table = [part.subject for part in parts_of("table")]
    assert "table: mobileone_s0, mobileone_s1, mobileone_s2, mobileone_s3" in table
    everything = [part.subject for part in parts_of("all")]
    assert set(claims) < set(everything)
    assert set(table) < set(everything)
    assert "efficientnetv2_s" in everything
    assert len(set(everything)) == len(everything)


def test_what_cannot_be_reproduced_is_refused(store: Store) -> None:
    with pytest.raises(SpaceError, match="no reference point 'fastvit_t9' in a shipped space"):
        parts_of("fastvit_t9")
    with pytest.raises(ReproduceError, match="'smoke_repmixer' has no published figures; known: fastvit_t8"):
        parts_of("smoke_repmixer")
    with pytest.raises(ReproduceError, match="no run 'claims-1'; the last ones: none; begin one"):
        plan_of(store, "claims-1")
