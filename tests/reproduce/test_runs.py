"""Runs of reproductions over a real store; what a part finds is made up here, how it is kept is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.errors import ReproduceError, SpaceError
from bench.reproduce import runs
from bench.reproduce.findings import Finding, Report
from bench.reproduce.runs import Part, go, keep_report, new_run, parts_of, plan_of, reports_of
from bench.reproduce.sessions import circumstances
from bench.reproduce.work import Work
from bench.store import Store, open_store

WORK = Work(places=(), keep=lambda measurement: None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "bench.db") as opened:
        yield opened


def report(subject: str, **fields: Any) -> Report:
    finding = Finding(quantity="parameters (M)", published="3.6", measured="3.99", verdict="differs", values={"x": 1.0})
    return Report(
        kind="model",
        subject=subject,
        title=subject,
        findings=(finding,),
        points=({"name": subject, "ms": 1.0},),
        fingerprint=fields.pop("fingerprint", circumstances(())),
        seconds=1.0,
        **fields,
    )


def made_by(monkeypatch: pytest.MonkeyPatch, parts: dict[str, Callable[[Work], Report]]) -> None:
    found = tuple(Part(subject=subject, make=make) for subject, make in parts.items())
    monkeypatch.setattr(runs, "parts_of", lambda what: found)


def nowhere(number: int, total: int, subject: str) -> None:
    """Nobody looks on."""


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
    assert found == [report(name, options={"threads": 1}) for name in ("first", "second", "third")]
    assert [step[2] for step in told] == ["first", "second", "third", "third"]


def test_parts_of_another_machine_or_release_do_not_stand_in_one_report(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def interrupt(work: Work) -> Report:
        calls.append("second")
        if len(calls) == 1:
            raise KeyboardInterrupt
        return report("second")

    today = circumstances(())
    older = {**today, "software": {**today["software"], "onnxruntime": "1.2.3"}}
    made_by(monkeypatch, {"first": lambda work: report("first", fingerprint=older), "second": interrupt})
    run = new_run(store, "all", {}, older)
    with pytest.raises(KeyboardInterrupt):
        list(go(store, run, WORK, step=nowhere))
    with pytest.raises(
        ReproduceError, match=r"found 'first' under other conditions \(software\.onnxruntime: '1\.2\.3' and '1"
    ):
        list(go(store, run, WORK, step=nowhere))

    # One that is whole may be read anywhere.
    assert calls == ["second"]
    made_by(monkeypatch, {"first": interrupt})
    assert [found.subject for found in go(store, run, WORK, step=nowhere)] == ["first"]


def test_two_runs_of_one_second_are_two(store: Store) -> None:
    names = [new_run(store, "claims", {}, {}) for _ in range(3)]
    assert len(set(names)) == 3
    assert [plan_of(store, name) for name in names] == [("claims", {})] * 3
    keep_report(store, report("a"))
    keep_report(store, report("a"))
    assert len({record.run for record in store.reports(kind="model")}) == 2


def test_reports_name_files_and_folders_without_their_place(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made_by(monkeypatch, {"first": lambda work: report("first")})
    run = new_run(store, "x", {"imagenet": "/home/somebody/imagenet", "weights": None, "threads": 1}, {})
    (found,) = go(store, run, WORK, step=nowhere)
    assert found.options == {"imagenet": "imagenet", "weights": None, "threads": 1}
    assert plan_of(store, run)[1]["imagenet"] == "/home/somebody/imagenet"
    assert reports_of(store, run) == (found,)


def test_the_parts_of_what_can_be_asked_for() -> None:
    assert [part.subject for part in parts_of("fastvit_t8")] == ["fastvit_t8"]
    claims = [part.subject for part in parts_of("claims")]
    assert "fastvit_ma36@256 against cmt_s@224" in claims
    assert "form at 1024 px" in claims
    assert len(set(claims)) == len(claims)
    table = [part.subject for part in parts_of("table")]
    assert "table: mobileone_s0, mobileone_s1, mobileone_s2, mobileone_s3" in table
    assert "table: nfnet_f0, nfnet_f1" in table
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
