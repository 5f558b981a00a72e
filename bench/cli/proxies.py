"""`bench proxies`: what zero-cost proxies say of networks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from bench.cli.options import db_option, json_option

if TYPE_CHECKING:
    from bench.space import Architecture


@click.group(epilog="Example:  bench proxies score fastvit_t8 fastvit_sa12")
def proxies() -> None:
    """Score networks without training them."""


@proxies.command(
    epilog="Examples:  bench proxies score fastvit_t8 mystudy/7   |   bench proxies score --space fastvit --n 5"
)
@click.argument("models", nargs=-1, metavar="MODEL...")
@click.option("--space", help="Score draws from this space as well; reference points are looked for in it alone.")
@click.option("--n", type=click.IntRange(1), default=5, show_default=True, help="How many draws.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of weights, pictures and draws.")
@db_option
@json_option
def score(models: tuple[str, ...], space: str | None, n: int, seed: int, db: str | None, as_json: bool) -> None:
    """Zero-cost proxies of MODELs (reference points, or trials as STUDY/NUMBER) and of draws from a space.

    Larger is better in each column, about a second a network. None of them is an accuracy, and params and MACs are the
    baselines: README says which proxy was found to be worth more than these.
    """
    from bench.errors import ConfigError
    from bench.proxies.zero_cost import FEATURES, zero_cost_features
    from bench.report.tables import table

    named = {name: _architecture(name, db, space) for name in models}
    if space is not None:
        named |= _draws(space, n, seed)
    if not named:
        raise ConfigError("no MODEL and no --space; name a reference point or a trial, or a space to draw from")
    rows = []
    for name, architecture in named.items():
        found = zero_cost_features(architecture, seed=seed)
        rows.append((name, *(f"{found[feature]:.4g}" for feature in FEATURES)))
        if as_json:
            click.echo(json.dumps({"name": name, "id": architecture.id, "seed": seed, **found}))
    if not as_json:
        click.echo(table(("network", *FEATURES), rows))


def _architecture(name: str, db: str | None, space: str | None) -> Architecture:
    from bench.errors import ConfigError
    from bench.networks.models import Model
    from bench.study.models import find_model

    found = find_model(name, db=db, space=space)
    if not isinstance(found, Model):
        raise ConfigError(
            f"{name!r} is no network of these families; a reference point or a trial (STUDY/NUMBER) is scored; name one"
        )
    return found.architecture


def _draws(space: str, n: int, seed: int) -> dict[str, Architecture]:
    import numpy as np

    from bench.networks.cost import cost_quantities
    from bench.space import draw, load_space

    found, random = load_space(space), np.random.default_rng(seed)
    drawn = (draw(found, random, cost_quantities) for _ in range(n))
    return {architecture.id: architecture for architecture in drawn}
