"""`bench export-table`: a study as a table that `bench simulate` searches."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from bench.cli.options import db_option


@click.command(epilog="Example:  bench export-table mystudy --out mystudy.csv")
@click.argument("study", metavar="STUDY")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Table to write, .csv or .csv.gz; its space goes beside it as .yaml [default: STUDY.csv].",
)
@db_option
def export_table(study: str, out: Path | None, db: str | None) -> None:
    """Write a study's trials as a table, with the space that reads it, to judge samplers on past results.

    A row is a trial that was scored or failed; its choices are the words in which the networks differ. Accuracies stand
    by rung, so that of trials that were stopped early the last is empty.
    """
    from bench.report.views import study_view
    from bench.simulate.export import study_table, write_study_table
    from bench.store import open_store

    with open_store(db, read_only=True) as store:
        found = study_table(study_view(store, study))
    out = out or Path(f"{study}.csv")
    space = write_study_table(found, out)
    click.echo(f"wrote {out} ({len(found.rows)} rows) and {space}")
    for (name, count), cost in zip(found.accuracies.items(), found.rung_costs, strict=True):
        click.echo(f"{name}: {count} rows have one; {cost:.3g} of a full training")
    first = next(iter(found.accuracies))
    costs = " ".join(f"--minimize {shlex.quote(name)}" for name in found.costs)
    where = f"--space {shlex.quote(str(space))} --table {shlex.quote(str(out))}"
    budget = max(2, len(found.rows) // 2)
    click.echo(f"judge a sampler on it:  bench simulate {where} --maximize {first} {costs} --budget {budget}")
