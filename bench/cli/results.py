"""What is printed of a finished study."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.report.likeness import told_apart
from bench.report.rows import study_data
from bench.report.tables import baseline_sentences, front_table, ladder_table, reference_sentences, time_table
from bench.report.views import baselines_differences, baselines_view, best_trial, stage_seconds, study_view
from bench.store import BASELINES

if TYPE_CHECKING:
    from bench.store import Store


def print_results(store: Store, name: str, *, out: Path | None, as_json: bool, db: str | None) -> None:
    """The front as a table, what became of the reference points, and the commands that follow; writes the page."""
    view, baselines = study_view(store, name), baselines_view(store, name)
    differing = baselines_differences(store, name)
    if out is not None:
        from bench.report.figures import front_figure, write_page

        write_page(front_figure(view, baselines, differing=differing), out)
    if as_json:
        click.echo(json.dumps(study_data(view)))
        return
    click.echo(front_table(view))
    is_of_baselines = view.study.name.endswith(BASELINES)
    for sentence in [] if is_of_baselines else reference_sentences(view):
        click.echo(sentence)
    for sentence in [] if baselines is None or differing else baseline_sentences(view, baselines):
        click.echo(sentence)
    if differing:
        click.echo(told_apart(differing, is_drawn=False))
    for event in store.events(view.study.id):
        if event.kind == "latency_model":
            click.echo(f"candidates that the latency model called hopeless were skipped; {event.data['error']}")
    click.echo(ladder_table(view))
    click.echo(time_table(stage_seconds(view)))
    if view.study.status != "complete":
        click.echo(f"the study is {view.study.status}: {view.study.reason}")
    best = best_trial(view)
    where = f" --db {shlex.quote(db)}" if db else ""
    if best is not None:
        command = f"bench export {view.study.name}/{best.number} --format onnx --out best.onnx{where}"
        click.echo(f"export the knee of the front:  {command}")
    if out is not None:
        click.echo(f"the front as a page:  {out}")
    if baselines is None and not is_of_baselines and "supernet" not in view.objectives:
        click.echo(f"read it against published networks:  bench baselines {view.study.name}{where}")
