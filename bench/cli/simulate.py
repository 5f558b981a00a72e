"""`bench simulate`: a search against a table of trained networks."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.options import json_option

if TYPE_CHECKING:
    from bench.simulate import Fidelity, Noise, SeedResult, Settings, Task
    from bench.space import TableSpace


@click.command(
    epilog="Examples:  bench simulate --space my.yaml --table my.csv --maximize accuracy --minimize latency_ms   |   "
    "bench simulate --space nb201.yaml --table nb201.csv.gz --maximize accuracy --minimize latency_ms "
    "--fidelity accuracy_12_epochs:0.06 --in-flight 4 --noise latency_ms:5% --noise accuracy:0.3"
)
@click.option("--space", required=True, metavar="FILE", help="Space file of family table (search_spaces/README.md).")
@click.option(
    "--table", "table_file", required=True, type=click.Path(path_type=Path), help="Table: .csv, plain or gzipped."
)
@click.option("--maximize", required=True, metavar="COLUMN", help="Accuracy after a full training.")
@click.option("--minimize", required=True, multiple=True, metavar="COLUMN", help="Cost; several times for several.")
@click.option(
    "--fidelity",
    multiple=True,
    metavar="COLUMN:COST",
    help="Accuracy after a shorter training and what that costs of a full one, such as accuracy_12_epochs:0.06: a rung "
    "of successive halving; several times for several [default: all are trained fully].",
)
@click.option(
    "--reduction",
    type=float,
    help="With --fidelity one in so many goes on [default: as many as a rung is cheaper than the next, so all cost "
    "about the same].",
)
@click.option("--sampler", help="Who proposes [default: that of bench search].")
@click.option("--budget", type=click.IntRange(1), default=200, show_default=True, help="Proposals; each counts.")
@click.option("--seeds", type=click.IntRange(1), default=10, show_default=True, help="How many searches.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the first.")
@click.option("--in-flight", type=click.IntRange(1), default=1, show_default=True, help="Proposals pending at a time.")
@click.option(
    "--noise",
    multiple=True,
    metavar="COLUMN:SD",
    help="Standard deviation of what the search is told of an objective: 5% relative, 0.3 in its own unit. It is "
    "judged by the true values.",
)
@click.option(
    "--reference",
    metavar="A,C",
    help="Reference point of the hypervolume, one value an objective [default: two, tight: median accuracy and 1.1 x "
    "cost of the most accurate row; wide: least accuracy and largest cost].",
)
@click.option("--rule", "rules", multiple=True, metavar="RULE", help="A further rule, such as 'macs_m <= 100'.")
@click.option("--processes", type=click.IntRange(1), default=1, show_default=True, help="Seeds side by side.")
@json_option
def simulate(
    space: str,
    table_file: Path,
    maximize: str,
    minimize: tuple[str, ...],
    fidelity: tuple[str, ...],
    reduction: float | None,
    sampler: str | None,
    budget: int,
    seeds: int,
    seed: int,
    in_flight: int,
    noise: tuple[str, ...],
    reference: str | None,
    rules: tuple[str, ...],
    processes: int,
    as_json: bool,
) -> None:
    """Search a table of trained networks, from several seeds, to judge a sampler without training anything.

    Proposals and halving are those of bench search. Each proposal counts; a row without a value is a trial that fails.
    The figure is the share that the networks found so far have of the hypervolume of the whole table.
    Ctrl-C prints what is done.
    """
    from bench.simulate import make_task
    from bench.simulate.document import simulation_document
    from bench.simulate.text import simulation_text

    task = make_task(
        table_space(space, table_file, rules),
        maximize=maximize,
        minimize=minimize,
        fidelities=[_fidelity(text) for text in fidelity],
        reference=_reference(reference),
    )
    settings = checked_settings(
        task, sampler=sampler, budget=budget, in_flight=in_flight, reduction=reduction, noise=noise
    )
    results, is_interrupted = run(task, settings, range(seed, seed + seeds), processes=processes, as_json=as_json)
    if results:
        document = simulation_document(task, settings, results, asked=seeds)
        click.echo(json.dumps(document) if as_json else simulation_text(document))
    if is_interrupted:
        raise KeyboardInterrupt


def run(
    task: Task, settings: Settings, seeds: Sequence[int], *, processes: int, as_json: bool, verb: str = "simulating"
) -> tuple[list[SeedResult], bool]:
    """The searches that ended, with the one that was interrupted; whether there was an interruption."""
    from bench.cli.progress import bar
    from bench.simulate import run_seeds

    results: list[SeedResult] = []
    # Ctrl-C and a polite kill end the same way.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with bar(as_json=as_json, verb=verb) as shown:
            for result in run_seeds(task, settings, seeds, processes=processes, progress=shown.progress):
                results.append(result)
    except KeyboardInterrupt:
        return results, True
    return results, len(results) < len(seeds) or not all(result.is_complete for result in results)


def table_space(space: str, table_file: Path, rules: tuple[str, ...]) -> TableSpace:
    """The space of a file, holding the rows of a table.

    Raises:
        ConfigError: a space of networks to build.
    """
    from bench.errors import ConfigError
    from bench.space import TableSpace, load_space, read_table

    found = load_space(space)
    if not isinstance(found, TableSpace):
        raise ConfigError(
            f"space {found.name!r} is of family {found.family}; a table is searched in a space of family table; write "
            "one (search_spaces/README.md), or search this one with bench search"
        )
    ruled = found.bind(read_table(table_file)).with_rules(rules)
    assert isinstance(ruled, TableSpace)
    return ruled


def checked_settings(
    task: Task, *, sampler: str | None, budget: int, in_flight: int, reduction: float | None, noise: tuple[str, ...]
) -> Settings:
    """The settings of a search.

    Raises:
        ConfigError: a sampler or a column that is not known, or a number out of range.
    """
    from bench.errors import ConfigError, nearest
    from bench.simulate import Settings, usual_reduction
    from bench.study.config import StudyConfig
    from bench.study.proposer import SAMPLERS

    sampler = sampler or StudyConfig().sampler
    if sampler not in SAMPLERS:
        hint = nearest(sampler, SAMPLERS) or "; name one of them"
        raise ConfigError(f"unknown sampler {sampler!r}; known: {', '.join(SAMPLERS)}{hint}")
    if reduction is None:
        reduction = usual_reduction(task.rung_costs)
    if reduction <= 1.0:
        raise ConfigError(f"--reduction {reduction:g}; it must be above 1; without it, it follows from the costs")
    return Settings(
        sampler=sampler, budget=budget, in_flight=in_flight, reduction=reduction, noise=_noise(noise, task.columns)
    )


def _fidelity(text: str) -> Fidelity:
    from bench.simulate import Fidelity

    column, cost = _pair(text, "--fidelity", "accuracy_12_epochs:0.06")
    return Fidelity(column=column, cost=_number(cost, f"--fidelity {text}"))


def _noise(texts: tuple[str, ...], columns: Sequence[str]) -> Noise:
    from bench.errors import ConfigError, nearest
    from bench.simulate import Noise

    relative: dict[str, float] = {}
    absolute: dict[str, float] = {}
    for text in texts:
        column, deviation = _pair(text, "--noise", "latency_ms:5% or accuracy:0.3")
        if column not in columns:
            hint = nearest(column, columns) or "; name one of them"
            raise ConfigError(f"--noise {text}: {column!r} is no objective; known: {', '.join(columns)}{hint}")
        if column in relative or column in absolute:
            raise ConfigError(f"--noise names {column!r} twice; allowed: once; remove one")
        number = _number(deviation.removesuffix("%"), f"--noise {text}")
        if number < 0:
            raise ConfigError(f"--noise {text}: a standard deviation is 0 or more; change it")
        if deviation.endswith("%"):
            relative[column] = number / 100.0
        else:
            absolute[column] = number
    return Noise(relative=relative, absolute=absolute)


def _reference(text: str | None) -> list[float] | None:
    return None if text is None else [_number(part, f"--reference {text}") for part in text.split(",")]


def _pair(text: str, option: str, example: str) -> tuple[str, str]:
    from bench.errors import ConfigError

    column, colon, value = text.rpartition(":")
    if not colon or not column:
        raise ConfigError(f"{option} {text}; a column, a colon and a number are needed; such as {option} {example}")
    return column, value.strip()


def _number(text: str, what: str) -> float:
    import math

    from bench.errors import ConfigError

    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(f"{what}: {text!r} is no number; a finite number is needed; correct it")
    return number
