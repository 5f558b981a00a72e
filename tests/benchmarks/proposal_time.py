"""How long the next proposal takes, by the number of trials that are told: Optuna's samplers beside ours.

    python -m tests.benchmarks.proposal_time --out results/measured/DEVICE/proposal_time.json

The same drawn networks, with values that are made of their costs, are given to a proposer of each sampler; then all of
them are asked for proposals in turns. Aimed at: 0.3 s with 200 trials and 2 s with 5,000. Prints a table for people
and, last, one JSON line. Takes some minutes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bench.measure import fingerprint
from bench.networks.cost import cost_quantities
from bench.space import Space, load_space
from bench.study.objectives import parse_objectives
from bench.study.proposer import Costs, Proposal, Proposer

SAMPLERS = ("model", "tpe", "nsga2", "random")
AIMS = {200: 0.3, 5000: 2.0}
_SEED = 11


def main() -> None:
    arguments = _arguments()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, space, costs in _spaces(arguments.out.parent):
        drawn = _drawn(space, costs, max(arguments.trials))
        found[name] = {str(num): _seconds(space, costs, drawn[:num], arguments.repeats) for num in arguments.trials}
        for num, seconds in found[name].items():
            times = "  ".join(f"{key} {1e3 * each:8.1f} ms" for key, each in seconds.items())
            print(f"{name:8} {int(num):6,} trials  {times}", flush=True)
    versions = {package: version(package) for package in ("optuna", "numpy", "scipy", "moocore")}
    result: dict[str, Any] = {"median_seconds": found, "versions": versions}
    arguments.out.write_text(json.dumps({**result, "fingerprint": fingerprint()}, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result))


def _spaces(folder: Path) -> Iterator[tuple[str, Space, Costs]]:
    """The large conditional space that people search, and a table that is listed whole."""
    yield "fastvit", load_space("fastvit"), cost_quantities
    file = folder / "proposal_time.yaml"
    columns = ", ".join(f"place{i}: [0, 1, 2, 3, 4]" for i in range(6))
    file.write_text(f"name: made\nfamily: table\ncolumns: {{{columns}}}\n", encoding="utf-8")
    yield "table", load_space(str(file)), lambda _architecture: {}
    file.unlink()


def _drawn(space: Space, costs: Costs, number: int) -> list[Proposal]:
    proposer = _proposer(space, costs, "random", number)
    return [proposer.propose(i) for i in range(number)]


def _seconds(space: Space, costs: Costs, drawn: list[Proposal], repeats: int) -> dict[str, float]:
    """Median time of a proposal and of being told of it, of every sampler."""
    random = np.random.default_rng(_SEED)
    values = [_values(proposal, random) for proposal in drawn]
    proposers = {}
    for name in SAMPLERS:
        proposers[name] = _proposer(space, costs, name, len(drawn) + repeats)
        for number, (proposal, told) in enumerate(zip(drawn, values, strict=True)):
            proposers[name].restore(number, proposal.architecture, proposal.state, told)
    spent: dict[str, list[float]] = {name: [] for name in SAMPLERS}
    for number in range(len(drawn), len(drawn) + repeats):
        for name, proposer in proposers.items():
            begin = time.perf_counter()
            proposal = proposer.propose(number)
            proposer.tell(number, _values(proposal, random))
            spent[name].append(time.perf_counter() - begin)
    return {name: statistics.median(times) for name, times in spent.items()}


def _values(proposal: Proposal, random: np.random.Generator) -> tuple[float, float]:
    """An accuracy and a latency that depend on every choice, with luck."""
    places = [float(place) for place in proposal.state["params"].values()]
    size = sum((0.5 + i % 3) * place for i, place in enumerate(places))
    return 1.0 - 1.0 / (1.0 + size) + 0.01 * random.standard_normal(), 1.0 + size * float(random.uniform(0.95, 1.05))


def _proposer(space: Space, costs: Costs, sampler: str, budget: int) -> Proposer:
    objectives = parse_objectives(("accuracy", "latency"))
    return Proposer(space, objectives, sampler=sampler, seed=_SEED, budget=budget, costs=costs)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=list(AIMS))
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--out", type=Path, default=Path("results/proposal_time.json"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
