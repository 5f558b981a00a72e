"""What was found of one subject: figures that were published beside figures that were measured, with verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

REPRODUCED = "reproduced"
DIFFERS = "differs"
NOT_RUN = "not run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of a report.

    Attributes:
        quantity: what it is about: "parameters", "latency against mobileone_s0", ...
        published: the published figure in words, with form, device and statistic; empty where nothing was published.
        measured: what was found here, in words; empty where nothing was.
        verdict: REPRODUCED or DIFFERS where like is compared with like; `NOT_RUN: what is missing` where that could not
            be done; empty where nothing was published.
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
    """All that was found of one subject in one run.

    Attributes:
        kind: "model", "claim" or "resolution".
        subject: name of the model, or id of the claim.
        title: for people.
        findings: in the order of the work.
        points: of the report's chart: mappings with `name`, `x`, `y` and more, as its kind draws them.
        fingerprint: of the machine.
        seconds: that it took.
    """

    kind: str
    subject: str
    title: str
    findings: tuple[Finding, ...]
    points: tuple[Mapping[str, Any], ...]
    fingerprint: Mapping[str, Any]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Report:
        """The report that `to_dict` gave."""
        findings = tuple(Finding(**finding) for finding in data["findings"])
        return cls(**{**data, "findings": findings, "points": tuple(data["points"])})

    @property
    def verdicts(self) -> dict[str, int]:
        """How often each verdict was given."""
        counts: dict[str, int] = {}
        for finding in self.findings:
            if finding.verdict:
                kind = finding.verdict.split(":")[0]
                counts[kind] = counts.get(kind, 0) + 1
        return counts


def not_run(missing: str) -> str:
    """The verdict of what could not be done, with what it needs."""
    return f"{NOT_RUN}: {missing}"
