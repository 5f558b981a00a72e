"""`bench compare-samplers`: hypervolume against evaluations, several samplers, with bands over seeds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import db_option, json_option

if TYPE_CHECKING:
    from bench.simulate.comparison import Panel


@click.command(
    epilog="Examples:  bench compare-samplers --space my.yaml --table my.csv --maximize accuracy --minimize latency_ms "
    "--sampler tpe --sampler random   |   bench compare-samplers tpe.json random.json --out samplers.svg   |   "
    "bench compare-samplers study1 study2 study3"
)
@click.argument("what", nargs=-1, metavar="[STUDY|FILE.json]...")
@click.option("--space", "spaces", multiple=True, metavar="FILE", help="Space of a table; several times for several.")
@click.option(
    "--table", "tables", multiple=True, type=click.Path(path_type=Path), help="Its table: one for each --space."
)
@click.option("--maximize", multiple=True, metavar="COLUMN", help="Accuracy; once for all tables, or one for each.")
@click.option("--minimize", multiple=True, metavar="COLUMN", help="Cost; once for all tables, or one for each.")
@click.option("--sampler", "samplers", multiple=True, help="Who proposes; several times for several [default: all].")
@click.option("--budget", type=click.IntRange(1), default=200, show_default=True, help="Proposals; each counts.")
@click.option("--seeds", type=click.IntRange(1), default=10, show_default=True, help="How many searches of each.")
@click.option("--in-flight", type=click.IntRange(1), default=1, show_default=True, help="Proposals pending at a time.")
@click.option("--processes", type=click.IntRange(1), default=1, show_default=True, help="Seeds side by side.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("samplers.html"),
    show_default=True,
    help="Figure: .html (works without a network), .svg, .png or .pdf (drawn by Chrome or Chromium).",
)
@json_option
@db_option
def compare_samplers(
    what: tuple[str, ...],
    spaces: tuple[str, ...],
    tables: tuple[Path, ...],
    maximize: tuple[str, ...],
    minimize: tuple[str, ...],
    samplers: tuple[str, ...],
    budget: int,
    seeds: int,
    in_flight: int,
    processes: int,
    out: Path,
    as_json: bool,
    db: str | None,
) -> None:
    """Compare samplers on tables, on what bench simulate --json has written, or on studies that were repeated.

    With --space and --table every sampler is simulated on every table. Files bring what was simulated before, with
    other settings where wanted (noise, halving). Studies of one space with other seeds or samplers are compared over
    architectures tried, as the share of the hypervolume of all that they found together.
    """
    from bench.errors import ConfigError
    from bench.simulate.comparison import comparison_data, comparison_text, read_simulation, simulation_panels

    if not out.parent.is_dir():
        raise ConfigError(f"--out {out}: there is no folder {out.parent}; make it first")
    files = [Path(name) for name in what if name.endswith(".json")]
    studies = [name for name in what if not name.endswith(".json")]
    if not (files or studies or spaces or tables):
        raise ConfigError(
            "nothing to compare; allowed: --space and --table, files of bench simulate --json, or studies"
        )
    documents = [read_simulation(path) for path in files]
    is_interrupted = False
    if spaces or tables:
        pairs = _pairs(spaces, tables, maximize, minimize)
        options = {"budget": budget, "in_flight": in_flight, "seeds": seeds, "processes": processes}
        made, is_interrupted = _simulated(pairs, samplers, as_json=as_json, **options)
        documents += made
    panels = [*simulation_panels(documents), *([_study_panel(studies, db)] if studies else [])]
    if panels:
        click.echo(json.dumps(comparison_data(panels)) if as_json else comparison_text(panels))
        _write(panels, out)
        if not as_json:
            click.echo(f"\nwrote {out}")
    if is_interrupted:
        raise KeyboardInterrupt


_Pair = tuple[str, Path, str, str]


def _pairs(
    spaces: Sequence[str], tables: Sequence[Path], maximize: Sequence[str], minimize: Sequence[str]
) -> list[_Pair]:
    from bench.errors import ConfigError

    if len(spaces) != len(tables):
        raise ConfigError(
            f"{len(spaces)} --space and {len(tables)} --table; each table has a space; give as many of both, in one "
            "order"
        )
    columns: list[tuple[str, ...]] = []
    for option, given in (("--maximize", maximize), ("--minimize", minimize)):
        if len(given) not in (1, len(tables)):
            raise ConfigError(
                f"{len(given)} {option} for {len(tables)} tables; once for all, or one for each, in the order of the "
                "tables; give as many"
            )
        columns.append(tuple(given) if len(given) == len(tables) else tuple(given) * len(tables))
    return list(zip(spaces, tables, columns[0], columns[1], strict=True))


def _simulated(
    pairs: Sequence[_Pair],
    samplers: Sequence[str],
    *,
    budget: int,
    in_flight: int,
    seeds: int,
    processes: int,
    as_json: bool,
) -> tuple[list[dict[str, Any]], bool]:
    """Every sampler on every table; whether it was interrupted, which leaves what had ended."""
    from bench.cli.simulate import checked_settings, run, table_space
    from bench.simulate import make_task
    from bench.simulate.document import simulation_document
    from bench.study.proposer import SAMPLERS

    tasks = [
        make_task(table_space(space, path, ()), maximize=accuracy, minimize=[cost])
        for space, path, accuracy, cost in pairs
    ]
    plans = [
        (
            task,
            checked_settings(task, sampler=sampler, budget=budget, in_flight=in_flight, reduction=None, noise=()),
        )
        for task in tasks
        for sampler in dict.fromkeys(samplers or SAMPLERS)
    ]
    documents: list[dict[str, Any]] = []
    for task, settings in plans:
        verb = f"{settings.sampler} on {task.space.name}"
        results, is_interrupted = run(task, settings, range(seeds), processes=processes, as_json=as_json, verb=verb)
        if any(result.is_complete for result in results):
            documents.append(simulation_document(task, settings, results, asked=seeds))
        if is_interrupted:
            return documents, True
    return documents, False


def _study_panel(names: Sequence[str], db: str | None) -> Panel:
    from bench.simulate.comparison import study_panel
    from bench.store import open_store

    with open_store(db, read_only=True) as store:
        return study_panel(store, names)


def _write(panels: Sequence[Panel], out: Path) -> None:
    from bench import plots

    figure = plots.samplers(panels)
    if out.suffix.lower() in (".html", ".htm"):
        from bench.report.figures import write_page

        write_page(figure, out)
    else:
        from bench.dashboard.images import write_image

        write_image(figure, out)
