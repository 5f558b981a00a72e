"""Reports of a run for the terminal and as a page: findings with their remarks, and how they were come by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.report.page import Section, Table, write_report
from bench.reproduce.charts import charts
from bench.reproduce.findings import Finding, Report
from bench.reproduce.sessions import counted

_HEADING = ("quantity", "published", "found here", "verdict", "remarks")


def report_text(report: Report) -> str:
    """A report for a terminal: a line for each finding, remarks below the table, numbered."""
    rows: list[tuple[str, str, str, str]] = []
    remarks: list[str] = []
    for finding in report.findings:
        mark = ""
        if said := _remark(finding):
            remarks.append(f"[{len(remarks) + 1}] {said}")
            mark = f" [{len(remarks)}]"
        rows.append((finding.quantity + mark, finding.published, finding.measured, finding.verdict))
    counts = ", ".join(f"{number} {verdict}" for verdict, number in report.verdicts.items())
    lines = [f"{report.title} ({report.seconds:.0f} s{': ' + counts if counts else ''})", ""]
    lines += [_listed(rows), "", *remarks, *(session_sentence(session) for session in report.sessions)]
    return "\n".join(lines)


def write_reports(path: Path, title: str, reports: Sequence[Report]) -> None:
    """The reports as one page with their charts."""
    first = Section(heading="At a glance", sentences=circumstances_of(reports), figures=charts(reports))
    sections = [
        Section(
            heading=report.title,
            sentences=[session_sentence(session) for session in report.sessions],
            tables=(Table(heading=_HEADING, rows=[_cells(finding) for finding in report.findings]),),
        )
        for report in reports
    ]
    write_report(path, title, [first, *sections])


def session_sentence(session: Mapping[str, Any]) -> str:
    """How a session was made: restarts done and asked for, aim, limit and reference."""
    restarts = session["restarts"].values()
    made = counted(max(restarts)) if len(set(restarts)) == 1 else f"{min(restarts)} to {counted(max(restarts))}"
    asked = f"at least {session['least_restarts']}, at most {session['most_restarts']}"
    limit, target = session["limit_s"], session["target"]
    stop = [] if limit is None else [f"none begun after {limit:g} s"]
    stop += [] if target is None else [f"fewer once ratios are known to {100 * target:g} %"]
    floor = session["noise_floor"]
    noise = "" if floor is None else f", which timed twice differs from itself by {100 * floor:.1f} %"
    return (
        f"{session['place']}: {made} ({', '.join((asked, *stop))}), batch 1, beside FastViT-T8 at "
        f"{session['reference_resolution']} px{noise}."
    )


def circumstances_of(reports: Sequence[Report]) -> list[str]:
    """Machine and software of the reports, a sentence for each that differs, and with which options they were made."""
    groups: list[tuple[Mapping[str, Any], list[str]]] = []
    for report in reports:
        known = next((titles for found, titles in groups if found == report.fingerprint), None)
        if known is None:
            groups.append((report.fingerprint, [report.title]))
        else:
            known.append(report.title)
    sentences = [
        f"Found on {_machine(found)}" + (f": {'; '.join(titles)}." if len(groups) > 1 else ".")
        for found, titles in groups
    ]
    options = dict.fromkeys(_options(report.options) for report in reports if report.options)
    sentences += [f"Asked for: {text}." for text in options if text]
    return [
        *sentences,
        "A latency that was published for one device is neither confirmed nor contradicted by another; its verdict "
        "says which device is needed. All latencies here are of one picture at a time.",
    ]


def _cells(finding: Finding) -> tuple[str, ...]:
    return finding.quantity, finding.published, finding.measured, finding.verdict, _remark(finding)


def _remark(finding: Finding) -> str:
    return "; ".join(text for text in (finding.note, finding.source) if text)


def _listed(rows: Sequence[tuple[str, str, str, str]]) -> str:
    """Findings below each other, since a row would be wider than a terminal."""
    lines = []
    for quantity, published, measured, verdict in rows:
        lines.append(quantity)
        for name, text in (("published", published), ("found here", measured), ("verdict", verdict)):
            if text:
                lines.append(f"    {name:<11} {text}")
    return "\n".join(lines)


def _machine(found: Mapping[str, Any]) -> str:
    machine = found.get("machine") or {}
    parts = [
        f"{machine.get('cpu', 'an unnamed machine')}, {machine.get('logical_cpus', '?')} CPUs",
        *(text for text in (machine.get("distribution"), _versions(found.get("software"))) if text),
    ]
    return "; ".join((", ".join(parts), *_places(found.get("places") or {})))


def _places(places: Mapping[str, Any]) -> Iterator[str]:
    """What was timed with in each place, and on which GPUs."""
    for name, found in places.items():
        gpus = ", ".join(f"{gpu['name']} (driver {gpu['driver']})" for gpu in found.get("gpus") or ())
        threads = f"{found.get('threads')} thread" + ("" if found.get("threads") == 1 else "s")
        yield ", ".join(text for text in (f"timed by {name}", threads, gpus, _versions(found.get("software"))) if text)


def _versions(software: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name} {version}" for name, version in (software or {}).items() if version)


def _options(options: Mapping[str, Any]) -> str:
    """Options that were given, as words; a list by its words."""
    told = []
    for name, value in options.items():
        if value not in (None, False, [], ()):
            words = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            told.append(f"{name} {words}" if value is not True else name)
    return "; ".join(told)
