"""`bench studies`, `bench show`, `bench replay`: what the store holds."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from bench.cli.options import db_option, json_option


@click.command(epilog="Example:  bench studies --db results/bench.db")
@db_option
@json_option
def studies(db: str | None, as_json: bool) -> None:
    """List the studies of a database."""
    from bench.report.tables import table
    from bench.report.views import study_view
    from bench.store import open_store

    with open_store(db, read_only=True) as store:
        views = [study_view(store, study.name) for study in store.studies()]
    if as_json:
        rows = [
            {
                "name": view.study.name,
                "status": view.study.status,
                "space": view.study.space_name,
                "trials": len(view.trials),
                "front": len(view.front),
                "hypervolume": view.hypervolume,
                "created_at": view.study.created_at.isoformat(),
            }
            for view in views
        ]
        click.echo(json.dumps(rows))
    elif not views:
        click.echo("no studies yet; start one:  bench search --space smoke --budget 6")
    else:
        heading = ("study", "status", "space", "trials", "front", "hypervolume", "started (UTC)")
        lines = [
            (
                view.study.name,
                view.study.status,
                view.study.space_name,
                str(len(view.trials)),
                str(len(view.front)),
                "-" if view.hypervolume is None else f"{view.hypervolume:.5g}",
                f"{view.study.created_at:%Y-%m-%d %H:%M}",
            )
            for view in views
        ]
        click.echo(table(heading, lines))


@click.command(epilog="Examples:  bench show mystudy   |   bench show mystudy/7")
@click.argument("what", metavar="STUDY|TRIAL")
@db_option
@json_option
def show(what: str, db: str | None, as_json: bool) -> None:
    """Show a study's front and settings, or one trial (STUDY/NUMBER)."""
    from bench.cli.results import print_results
    from bench.store import open_store

    with open_store(db, read_only=True) as store:
        if "/" not in what and not what.isdigit():
            if as_json:
                from bench.report.rows import study_data
                from bench.report.views import study_view

                view = study_view(store, what)
                click.echo(json.dumps(study_data(view)))
            else:
                print_results(store, what, out=None, as_json=False, db=db)
            return
        _show_trial(store, what, as_json=as_json)


@click.command(epilog="Example:  bench replay mystudy")
@click.argument("study", metavar="STUDY")
@db_option
def replay(study: str, db: str | None) -> None:
    """Propose a study's architectures again from its stored measurements, and compare."""
    from bench.errors import SearchError
    from bench.store import open_store
    from bench.study.replay import replay as replay_study

    with open_store(db, read_only=True) as store:
        differences = replay_study(store, study)
        total = len(store.trials(store.study(study).id))
    if differences:
        raise SearchError(
            f"{len(differences)} of {total} proposals of {study!r} came out differently, the first: {differences[0]}; "
            "equal versions of optuna and numpy are needed (bench show --json lists the study's)"
        )
    click.echo(f"{total} proposals, all the same")


def _show_trial(store: object, what: str, *, as_json: bool) -> None:
    from bench.report.tables import table, trial_rows
    from bench.report.views import study_view
    from bench.store import Store

    assert isinstance(store, Store)
    record = store.find_trial(what)
    view = next(trial for trial in study_view(store, record.study_name).trials if trial.trial_id == record.id)
    if as_json:
        data = asdict(view) | {
            "scores": [asdict(score) for score in store.scores(record.id)],
            "measurements": [asdict(found) for found in store.measurements(record.id)],
            "artifacts": [asdict(found) for found in store.artifacts(record.id)],
        }
        click.echo(json.dumps(data, default=str))
        return
    click.echo(table((f"trial {record.label}", ""), trial_rows(view)) + "\n")
    settings = ", ".join(f"{name} {value}" for name, value in view.architecture["settings"].items())
    click.echo(f"settings  {settings}")
    for place, stage in enumerate(view.architecture["stages"], start=1):
        click.echo(f"stage {place}   " + ", ".join(f"{name} {value}" for name, value in stage.items()))
    for score in store.scores(record.id):
        fidelity = ", ".join(f"{name} {value}" for name, value in score.fidelity.items() if name != "training")
        click.echo(f"rung {score.rung}    {fidelity}")
    click.echo(f"\nexport it:  bench export {record.label} --format onnx --out trial-{record.number}.onnx")
