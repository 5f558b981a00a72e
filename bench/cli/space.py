"""`bench space`: what a space holds, before anything is searched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.options import json_option

if TYPE_CHECKING:
    from bench.space import Architecture, CostFunction, Space

_RULE = click.option("--rule", "rules", multiple=True, metavar="RULE", help="A further rule, such as 'macs_g <= 1.5'.")
_TABLE = click.option(
    "--table",
    "table_file",
    type=click.Path(path_type=Path),
    help="Table (.csv, .csv.gz) of a space of family table: then its rows are what the space holds.",
)
_NAME = click.argument("name", metavar="NAME|FILE", default="fastvit")


@click.group(epilog="Example:  bench space check my.yaml")
def space() -> None:
    """Show, count, draw from and check spaces."""


@space.command(epilog="Example:  bench space show fastvit")
@_NAME
@_RULE
@_TABLE
@json_option
def show(name: str, rules: tuple[str, ...], table_file: Path | None, as_json: bool) -> None:
    """List a space's choices, rules and reference points."""
    from bench.report.tables import table
    from bench.space import TableSpace, describe

    found, costs_of = _loaded(name, rules, table_file)
    rows = describe(found)
    if as_json:
        data: dict[str, object] = {
            "name": found.name,
            "hash": found.hash,
            "choices": [{"scope": row.scope, "word": row.word, "when": row.when, "values": row.values} for row in rows],
            "rules": found.rules,
            "reference_points": {key: point.to_dict() for key, point in found.reference_points.items()},
        }
        if isinstance(found, TableSpace):
            data |= {"identity": found.identity, "known": found.known}
        click.echo(json.dumps(data))
        return
    click.echo(f"{found.name}: {found.description}\n")
    lines = [(f"{row.scope}.{row.word}", row.when, _values(row.values), row.meaning) for row in rows]
    widths = [max(len(line[place]) for line in lines) for place in range(3)]
    for line in lines:
        click.echo("  ".join(line[place].ljust(widths[place]) for place in range(3)) + "  " + line[3])
    click.echo("\nrules: " + ("; ".join(found.rules) or "none"))
    if isinstance(found, TableSpace):
        click.echo(f"rows are the same network where equal: {found.identity or 'their choices'}")
        click.echo(f"known before training: {', '.join(found.known) or 'nothing'}")
    points = [
        (key, point.id, f"{costs['params_m']:.3f}", f"{costs['macs_g']:.3f}", _standing(found, point))
        for key, point in found.reference_points.items()
        for costs in [costs_of(point)]
    ]
    if points:
        click.echo("\n" + table(("reference point", "id", "params M", "MACs G", ""), points))


@space.command(epilog="Example:  bench space count fastvit --rule 'macs_g <= 1.5'")
@_NAME
@_RULE
@_TABLE
@click.option("--samples", type=click.IntRange(1), default=2000, show_default=True, help="Draws for the estimate.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the draws.")
@json_option
def count(name: str, rules: tuple[str, ...], table_file: Path | None, samples: int, seed: int, as_json: bool) -> None:
    """Count a space's architectures: all choices exactly, those that obey the rules exactly or by an estimate."""
    from bench.space import TableSpace, estimate_valid
    from bench.space import count as count_all

    found, costs_of = _loaded(name, rules, table_file)
    total = count_all(found)
    valid = estimate_valid(found, costs_of, samples=samples, seed=seed)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "choices": total,
                    "valid": valid.estimate,
                    "low": valid.low,
                    "high": valid.high,
                    "exact": valid.is_exact,
                }
            )
        )
        return
    if isinstance(found, TableSpace) and found.rows is not None:
        click.echo(
            f"{total:,} rows among the choices, {found.rows.num_outside:,} rows of the table are not; "
            f"{len(found.valid):,} of them, {round(valid.estimate):,} different networks, obey the rules: "
            + ("; ".join(found.rules) or "none")
        )
        return
    click.echo(f"{total:,} different networks in the choices ({total:.3g})")
    if valid.is_exact:
        click.echo(f"{round(valid.estimate):,} of them obey the rules: {'; '.join(found.rules) or 'none'}")
    else:
        click.echo(
            f"about {valid.estimate:.3g} of them obey the rules, 95 % [{valid.low:.3g}, {valid.high:.3g}] "
            f"from {samples:,} draws: {'; '.join(found.rules)}"
        )


@space.command(epilog="Example:  bench space sample fastvit --n 3 --seed 1")
@_NAME
@_RULE
@_TABLE
@click.option("--n", default=1, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the draws.")
def sample(name: str, rules: tuple[str, ...], table_file: Path | None, n: int, seed: int) -> None:
    """Draw valid architectures uniformly; one JSON object a line."""
    import numpy as np

    from bench.space import draw

    found, costs_of = _loaded(name, rules, table_file)
    random = np.random.default_rng(seed)
    for _ in range(n):
        architecture = draw(found, random, costs_of)
        click.echo(json.dumps({"id": architecture.id, **costs_of(architecture), **architecture.to_dict()}))


@space.command(epilog="Example:  bench space check my.yaml")
@_NAME
@_RULE
@_TABLE
def check(name: str, rules: tuple[str, ...], table_file: Path | None) -> None:
    """Validate a space file; says where each reference point stands, and why nothing obeys the rules if so."""
    from bench.space import count as count_all
    from bench.space import estimate_valid

    found, costs_of = _loaded(name, rules, table_file)
    valid = estimate_valid(found, costs_of, samples=500)
    for key, point in found.reference_points.items():
        click.echo(f"reference point {key}: {_standing(found, point) or 'in the space'}")
    about = "" if valid.is_exact else "about "
    click.echo(f"{found.name} is valid: {count_all(found):,} networks, {about}{valid.estimate:.3g} obey the rules")
    if valid.estimate == 0 and (reason := _why_none(found, costs_of, is_certain=valid.is_exact)):
        click.echo(f"no architecture obeys the rules: a search would refuse to start; {reason}")


def _loaded(name: str, rules: tuple[str, ...], table_file: Path | None) -> tuple[Space, CostFunction]:
    """The space, and what rules read of its networks."""
    from bench.errors import ConfigError
    from bench.networks.cost import cost_quantities
    from bench.space import TableSpace, load_space, read_table

    found = load_space(name)
    if isinstance(found, TableSpace):
        bound = found if table_file is None else found.bind(read_table(table_file))
        ruled = bound.with_rules(rules)
        assert isinstance(ruled, TableSpace)
        return ruled, ruled.costs
    if table_file is not None:
        raise ConfigError(
            f"--table {table_file} with space {found.name!r} of family {found.family}; a space of family table has "
            "one; leave --table out"
        )
    return found.with_rules(rules), cost_quantities


def _why_none(found: Space, costs_of: CostFunction, *, is_certain: bool) -> str | None:
    """Why nothing is drawn; None where something is after all, which no estimate of a few hundred draws tells."""
    import numpy as np

    from bench.space import NoneFound, draw
    from bench.space.sampling import MAX_TRIES

    try:
        draw(found, np.random.default_rng(0), costs_of, max_tries=200 if is_certain else MAX_TRIES)
    except NoneFound as error:
        return str(error)
    return None


def _standing(found: Space, point: Architecture) -> str:
    """Why a reference point is not tried, or nothing."""
    from bench.networks.cost import cost_quantities

    reasons = [*found.outside(point), *(f"breaks {rule}" for rule in found.broken_rules(point, cost_quantities))]
    return "; ".join(reasons)


def _values(values: tuple[object, ...]) -> str:
    """All of a few, the ends of many."""
    if len(values) <= 6:
        return ", ".join(str(value) for value in values)
    return f"{values[0]}, {values[1]} ... {values[-1]} ({len(values)})"
