"""`bench space`: what a space holds, before anything is searched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from bench.cli.options import json_option

if TYPE_CHECKING:
    from bench.space import Architecture, Space

_RULE = click.option("--rule", "rules", multiple=True, metavar="RULE", help="A further rule, such as 'macs_g <= 1.5'.")
_NAME = click.argument("name", metavar="NAME|FILE", default="fastvit")


@click.group(epilog="Example:  bench space check my.yaml")
def space() -> None:
    """Show, count, draw from and check spaces."""


@space.command(epilog="Example:  bench space show fastvit")
@_NAME
@_RULE
@json_option
def show(name: str, rules: tuple[str, ...], as_json: bool) -> None:
    """List a space's choices, rules and reference points."""
    from bench.networks.cost import cost_quantities
    from bench.report.tables import table
    from bench.space import describe, load_space

    found = load_space(name).with_rules(rules)
    rows = describe(found)
    if as_json:
        data = {
            "name": found.name,
            "hash": found.hash,
            "choices": [{"scope": row.scope, "word": row.word, "when": row.when, "values": row.values} for row in rows],
            "rules": found.rules,
            "reference_points": {key: point.to_dict() for key, point in found.reference_points.items()},
        }
        click.echo(json.dumps(data))
        return
    click.echo(f"{found.name}: {found.description}\n")
    lines = [(f"{row.scope}.{row.word}", row.when, _values(row.values), row.meaning) for row in rows]
    widths = [max(len(line[place]) for line in lines) for place in range(3)]
    for line in lines:
        click.echo("  ".join(line[place].ljust(widths[place]) for place in range(3)) + "  " + line[3])
    click.echo("\nrules: " + ("; ".join(found.rules) or "none") + "\n")
    points = [
        (key, point.id, f"{costs['params_m']:.3f}", f"{costs['macs_g']:.3f}", _standing(found, point))
        for key, point in found.reference_points.items()
        for costs in [cost_quantities(point)]
    ]
    if points:
        click.echo(table(("reference point", "id", "params M", "MACs G", ""), points))


@space.command(epilog="Example:  bench space count fastvit --rule 'macs_g <= 1.5'")
@_NAME
@_RULE
@click.option("--samples", type=click.IntRange(1), default=2000, show_default=True, help="Draws for the estimate.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the draws.")
@json_option
def count(name: str, rules: tuple[str, ...], samples: int, seed: int, as_json: bool) -> None:
    """Count a space's architectures: all choices exactly, those that obey the rules exactly or by an estimate."""
    from bench.networks.cost import cost_quantities
    from bench.space import count as count_all
    from bench.space import estimate_valid, load_space

    found = load_space(name).with_rules(rules)
    total = count_all(found)
    valid = estimate_valid(found, cost_quantities, samples=samples, seed=seed)
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
@click.option("--n", default=1, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the draws.")
def sample(name: str, rules: tuple[str, ...], n: int, seed: int) -> None:
    """Draw valid architectures uniformly; one JSON object a line."""
    import numpy as np

    from bench.networks.cost import cost_quantities
    from bench.space import draw, load_space

    found = load_space(name).with_rules(rules)
    random = np.random.default_rng(seed)
    for _ in range(n):
        architecture = draw(found, random, cost_quantities)
        click.echo(json.dumps({"id": architecture.id, **cost_quantities(architecture), **architecture.to_dict()}))


@space.command(epilog="Example:  bench space check my.yaml")
@_NAME
@_RULE
def check(name: str, rules: tuple[str, ...]) -> None:
    """Validate a space file; says where each reference point stands, and why nothing obeys the rules if so."""
    from bench.networks.cost import cost_quantities
    from bench.space import count as count_all
    from bench.space import estimate_valid, load_space

    found = load_space(name).with_rules(rules)
    valid = estimate_valid(found, cost_quantities, samples=500)
    for key, point in found.reference_points.items():
        click.echo(f"reference point {key}: {_standing(found, point) or 'in the space'}")
    about = "" if valid.is_exact else "about "
    click.echo(f"{found.name} is valid: {count_all(found):,} networks, {about}{valid.estimate:.3g} obey the rules")
    if valid.estimate == 0 and (reason := _why_none(found, is_certain=valid.is_exact)):
        click.echo(f"no architecture obeys the rules: a search would refuse to start; {reason}")


def _why_none(found: Space, *, is_certain: bool) -> str | None:
    """Why nothing is drawn; None where something is after all, which no estimate of a few hundred draws tells."""
    import numpy as np

    from bench.networks.cost import cost_quantities
    from bench.space import NoneFound, draw
    from bench.space.sampling import MAX_TRIES

    try:
        draw(found, np.random.default_rng(0), cost_quantities, max_tries=200 if is_certain else MAX_TRIES)
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
