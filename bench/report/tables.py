"""Tables and sentences for a terminal, as plain text: they can be piped, diffed and pasted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.report.figure_names import figure_name, seen_words
from bench.report.ladder import ladder_of
from bench.report.verdicts import ReferenceVerdict, baseline_verdicts, differences, left_out, reference_verdicts
from bench.report.views import StudyView, TrialView

Row = Sequence[str]

_CAVEAT = "(by point estimates: one seed, and quick latency intervals of few restarts)"


def table(heading: Row, rows: Sequence[Row]) -> str:
    """Columns padded to their widest cell; the first is left-aligned, the others right."""
    widths = [max(len(row[place]) for row in [heading, *rows]) for place in range(len(heading))]
    lines = []
    for row in [heading, tuple("-" * width for width in widths), *rows]:
        cells = [
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def front_table(view: StudyView) -> str:
    """The front, the cheapest first, and below it the reference points that are not on it."""
    front = view.front
    others = [trial for trial in view.trials if trial.name and not trial.is_front]
    names = view.latencies
    latencies = [f"{title}{_on(name)}" for name in names for title in ("ms", "quick interval", "x T8")]
    heading = ("trial", figure_name(view.score_name).short, "pictures", *latencies, "verdict", "params M", "MACs G", "")
    rows = [_front_row(trial, names, "front") for trial in front]
    rows += [_front_row(trial, names, _off_front(trial)) for trial in others]
    title = f"{view.study.name}: {len(front)} on the front of {len(view.trials)} tried ({_counts(view)})"
    if view.hypervolume is not None:
        corner = ", ".join(f"{name} {value:.4g}" for name, value in view.study.hypervolume_reference.items())
        title += f"\nhypervolume {view.hypervolume:.5g} against {corner}"
    return f"{title}\n{view.standing}\n\n{table(heading, rows)}\n{_retrained(view)}{_verdicts(view)}"


def _retrained(view: StudyView) -> str:
    """The scores of those that were trained again, the final front first; empty where none was."""
    trials = [trial for trial in view.trials if trial.retrained is not None]
    if not view.is_final or not trials:
        return ""
    rows = [_retrained_row(trial, view.top_rung) for trial in sorted(trials, key=lambda trial: not trial.is_front)]
    told = "\n" + table(("trained again", "mean", "95 % interval", "in the search", "seeds", ""), rows) + "\n"
    return told + _differences(view)


def _differences(view: StudyView) -> str:
    """What networks found score and cost against published ones that were trained again; empty without any."""
    costs = [figure_name(name).short for name in view.objectives[1:]]
    rows = [
        (
            f"#{found.number} against {found.name}",
            f"{100 * found.score:+.2f}",
            "-" if found.score_low is None else f"{100 * found.score_low:+.2f}",
            *(f"{100 * (share - 1):+.1f} %" for share in found.costs.values()),
        )
        for found in differences(view)
    ]
    heading = (
        "both trained again, each on its own",
        f"{figure_name(view.score_name).short}, points",
        "lower 95 % bound",
        *costs,
    )
    return f"\n{table(heading, rows)}\n" if rows else ""


def _retrained_row(trial: TrialView, top: int) -> Row:
    found = trial.retrained
    assert found is not None
    interval = "-" if found.interval is None else f"[{found.interval[0]:.4f}, {found.interval[1]:.4f}]"
    failed = f"; {len(found.reasons)} failed: {found.reasons[0]}" if found.reasons else ""
    return (
        f"#{trial.number} {trial.name or trial.architecture_id}",
        f"{found.mean:.4f}" if found.scores else "-",
        interval,
        f"{trial.accuracy[top]:.4f}" if top in trial.accuracy else "-",
        str(len(found.scores)),
        f"{'front' if trial.is_front else 'fell out' if trial.is_provisional else 'published, beside it'}{failed}",
    )


def _off_front(trial: TrialView) -> str:
    """Why a reference point is not on the front, as far as that is more than that others are better."""
    told = trial.status if trial.reason is None else f"{trial.status}: {trial.reason}"
    return told if trial.infeasible is None else f"{told}; breaks {trial.infeasible}"


def _verdicts(view: StudyView) -> str:
    """How far the latencies can be believed, in one line; empty where nothing was timed."""
    counts: dict[str, int] = {}
    for trial in view.trials:
        for found in trial.latencies.values():
            counts[found["verdict"]] = counts.get(found["verdict"], 0) + 1
    if not counts:
        return ""
    told = ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))
    return f'\nlatencies by verdict: {told} (README, "Latency one can believe")\n'


def reference_sentences(view: StudyView) -> list[str]:
    """One sentence a reference point: beaten by whom, at which fidelity."""
    sentences = [_sentence(verdict, view.score_name) for verdict in reference_verdicts(view)]
    if sentences:
        sentences.append(_CAVEAT)
    for name, reasons in left_out(view).items():
        sentences.append(f"{name} was left out: {'; '.join(reasons)}")
    return sentences


def baseline_sentences(view: StudyView, baselines: StudyView) -> list[str]:
    """One sentence a baseline: beaten by whom on the front."""
    sentences = [_sentence(verdict, view.score_name) for verdict in baseline_verdicts(view, baselines)]
    return [f"against {baselines.study.name}:", *sentences, _CAVEAT] if sentences else []


def _sentence(verdict: ReferenceVerdict, score: str) -> str:
    at = seen_words(score, verdict.images_seen)
    if not verdict.dominated_by:
        return f"{verdict.name} is not dominated by anything found ({at})"
    names = ", ".join(f"#{number}" for number in verdict.dominated_by[:6])
    more = f" and {len(verdict.dominated_by) - 6} more" if len(verdict.dominated_by) > 6 else ""
    return f"{verdict.name} is dominated by {names}{more} ({at})"


def ladder_table(view: StudyView) -> str:
    """What each rung of the search let through and what it cost."""
    rows = [(rung.name, str(rung.came), str(rung.passed), f"{rung.seconds:.1f}") for rung in ladder_of(view)]
    return "\n" + table(("rung", "came", "let through", "seconds"), rows) + "\n"


def time_table(seconds: Mapping[str, float]) -> str:
    """Where the time of all trials went."""
    total = sum(seconds.values()) or 1.0
    rows = [
        (stage, f"{value:.1f}", f"{100 * value / total:.1f}")
        for stage, value in sorted(seconds.items(), key=lambda item: -item[1])
    ]
    return "\n" + table(("stage", "seconds", "%"), rows) + "\n"


def trial_rows(trial: TrialView) -> list[Row]:
    """One trial as name and value pairs."""
    rows: list[Row] = [
        ("architecture", trial.architecture_id),
        ("source", trial.source),
        ("status", trial.status),
    ]
    if trial.reason:
        rows.append(("reason", trial.reason))
    if trial.infeasible:
        rows.append(("breaks the rule", trial.infeasible))
    rows += [(name, f"{value:.5g}") for name, value in trial.figures.items()]
    score = figure_name(trial.score_name).short
    rows += [(f"{score} at rung {rung}", f"{value:.4f}") for rung, value in sorted(trial.accuracy.items())]
    for name, found in trial.latencies.items():
        rows.append((f"latency{_on(name)}", _interval(found)))
        rows.append((f"ratio to FastViT-T8{_on(name)}", _ratio(found)))
        rows.append((f"latency verdict{_on(name)}", found["verdict"]))
    return rows


def _front_row(trial: TrialView, names: Sequence[str], note: str) -> Row:
    rung = trial.rung
    verdicts = dict.fromkeys(found["verdict"] for found in trial.latencies.values())
    return (
        f"#{trial.number} {trial.name or trial.architecture_id}",
        "-" if rung is None else f"{trial.accuracy[rung]:.4f}",
        f"{trial.images_seen:,}",
        *(cell for name in names for cell in _latency_cells(trial.latencies.get(name))),
        ", ".join(verdicts) or "-",
        f"{trial.figures['params_m']:.2f}" if "params_m" in trial.figures else "-",
        f"{trial.figures['macs_g']:.3f}" if "macs_g" in trial.figures else "-",
        note,
    )


def _counts(view: StudyView) -> str:
    return ", ".join(f"{number} {status}" for status, number in sorted(view.counts.items()))


def _on(name: str) -> str:
    """Behind what is told of a latency: the runner, where there are several."""
    runner = name.partition(":")[2]
    return f" on {runner}" if runner else ""


def _latency_cells(found: Mapping[str, Any] | None) -> Row:
    if found is None:
        return ("-", "-", "-")
    interval = f"[{found['low_ms']:.2f}, {found['high_ms']:.2f}]"
    return (f"{found['ms']:.2f}", interval, f"{found['ratio_to_reference']:.3f}")


def _interval(found: Mapping[str, Any]) -> str:
    return f"{found['ms']:.3f} ms, 95 % [{found['low_ms']:.3f}, {found['high_ms']:.3f}] ({found['interval_kind']})"


def _ratio(found: Mapping[str, Any]) -> str:
    return f"{found['ratio_to_reference']:.4f}, 95 % [{found['ratio_low']:.4f}, {found['ratio_high']:.4f}]"
