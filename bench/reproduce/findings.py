"""What was found of one subject: figures that were published beside figures that were measured, with verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.errors import BenchError

REPRODUCED = "reproduced"
DIFFERS = "differs"
NOT_RUN = "not run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of a report.

    Attributes:
        quantity: what it is about: "parameters (M)", "latency of mobileone_s0", ...; of a claim, the claim.
        published: the published figure in words, with form, device and statistic; empty where nothing was published.
        measured: what was found here, in words; empty where nothing was.
        verdict: REPRODUCED or DIFFERS where like is compared with like; `NOT_RUN: what is missing` where that could not
            be done; empty where there is nothing to compare.
        note: what a reader should know.
        source: of the published figure.
        values: the numbers behind `measured`, by name.
    """

    quantity: str
    published: str = ""
    measured: str = ""
    verdict: str = ""
    note: str = ""
    source: str = ""
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that was found of one subject in one run, and how.

    Attributes:
        kind: "model", "claim", "traffic", "table" or "evaluation".
        subject: name of the model, pair of models or list of them that it is about; unique in its run.
        title: for people.
        findings: in the order of the work.
        points: what the charts of its kind are drawn from; mappings with `name`, `place` and what the chart shows.
            Those of a claim are kept and not drawn.
        fingerprint: of the machine and its software, and under `places` of each place where something was timed.
        seconds: that it took.
        options: of the run, as `bench reproduce` was given them; of files and folders their names alone.
        sessions: of measuring, as `sessions.Session.protocol` tells each.
    """

    kind: str
    subject: str
    title: str
    findings: tuple[Finding, ...]
    points: tuple[Mapping[str, Any], ...]
    fingerprint: Mapping[str, Any]
    seconds: float
    options: Mapping[str, Any] = field(default_factory=dict)
    sessions: tuple[Mapping[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Report:
        """The report that `to_dict` gave, before or after a turn as JSON."""
        findings = tuple(Finding(**finding) for finding in data["findings"])
        lists = {name: tuple(data.get(name, ())) for name in ("points", "sessions")}
        return cls(**{**data, **lists, "findings": findings})

    @property
    def verdicts(self) -> dict[str, int]:
        """How many findings have each verdict, whatever an unfinished one is missing."""
        counts: dict[str, int] = {}
        for finding in self.findings:
            if finding.verdict:
                kind = finding.verdict.split(":")[0]
                counts[kind] = counts.get(kind, 0) + 1
        return counts


def not_run(missing: str) -> str:
    """The verdict of what could not be done, with what it needs."""
    return f"{NOT_RUN}: {missing}"


def failed(error: BenchError) -> str:
    """The verdict of what an error kept from being done: one line, as the error tells it."""
    return not_run(" ".join(str(error).split()))
