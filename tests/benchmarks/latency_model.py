"""How wrong the latency model is on architectures that it has not seen, after how many measurements.

    python -m tests.benchmarks.latency_model --measure 120 --out results/measured/DEVICE/latency_model.json
    python -m tests.benchmarks.latency_model --db results/bench.db --study NAME --out FILE

The first form measures: half of the networks are those that `bench calibrate` would choose, the other half are uniform
draws from the space, which the model never sees. Both halves are timed in quick sessions of several networks each, in
mixed order, so that a drift of the machine falls on both alike. Finished sessions are kept beside `--out` as JSON
lines; the same command again goes on with what is missing. About 6 s a network on a quiet CPU.

The second form measures nothing: it judges by what a search has stored, with halves drawn at random.

An error is |predicted / measured - 1|, with the noise of both measurements in it. Beside the model's stands that of
fits on multiply-adds alone (two straight lines and a power law), the best of which is chosen with hindsight. Prints
tables for people and, last, one JSON line.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from bench.measure import Job, fingerprint, measure, summarise
from bench.measure.artifacts import make_artifact, reference_architecture
from bench.measure.exclusive import cpu_lock_folder, exclusive
from bench.networks import cost_quantities, costs
from bench.predict import LatencyModel, Observations, Sample, Validation, choose, comparable_ms, hold_out, usable
from bench.predict.observations import observations
from bench.predict.stored import USABLE_VERDICTS
from bench.space import Architecture, Space, draw, load_space
from bench.store import open_store
from bench.study.provenance import git_revision, versions

NUM_RANDOM_SPLITS = 40

# "chosen" or "unseen", and the network.
Wanted = tuple[str, Architecture]


def main() -> None:
    arguments = _arguments()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    rows = _stored_rows(arguments) if arguments.db else _measured_rows(arguments)
    result = _result(rows, arguments)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    _print(result)
    print(json.dumps({key: value for key, value in result.items() if key not in ("networks", "fingerprint")}))


def _measured_rows(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a network, with what a stored measurement has; measures what is missing."""
    space = load_space(arguments.space).with_rules(arguments.rule)
    wanted = _wanted(space, arguments.measure, arguments.seed)
    kept = arguments.out.with_suffix(".jsonl")
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.is_file() else []
    known = {row["architecture_id"] for row in rows}
    missing = [(role, architecture) for role, architecture in wanted if architecture.id not in known]
    with kept.open("a", encoding="utf-8") as file:
        for group in _groups(missing, arguments.together):
            begin = time.perf_counter()
            with tempfile.TemporaryDirectory(prefix="bench-model-") as folder:
                found = _session(group, Path(folder), arguments)
            rows += found
            file.write("".join(json.dumps(row) + "\n" for row in found))
            file.flush()
            told = ", ".join(f"{row['summary'].get('ratio_to_reference', float('nan')):.2f}" for row in found)
            print(f"{len(rows)}/{len(wanted)} in {time.perf_counter() - begin:.0f} s, ratios {told}", flush=True)
    ids = {architecture.id for _, architecture in wanted}
    return [row for row in rows if row["architecture_id"] in ids]


def _wanted(space: Space, count: int, seed: int) -> list[Wanted]:
    """Half chosen, half drawn, in mixed order; the same for the same seed."""
    chosen = choose(space, count // 2, seed=seed, costs=cost_quantities)
    # A stream of its own: the pool that was chosen from begins with the same draws.
    stream = np.random.default_rng([seed, 1])
    unseen: dict[Architecture, None] = {}
    while len(unseen) < count - len(chosen):
        drawn = draw(space, stream, cost_quantities)
        if drawn not in chosen:
            unseen[drawn] = None
    wanted = [*(("chosen", found) for found in chosen), *(("unseen", found) for found in unseen)]
    random.Random(seed).shuffle(wanted)
    return wanted


def _groups(missing: Sequence[Wanted], together: int) -> Iterator[list[Wanted]]:
    """Sessions, each of one resolution."""
    sides = sorted({_side(architecture) for _, architecture in missing})
    for side in sides:
        same = [entry for entry in missing if _side(entry[1]) == side]
        yield from (same[i : i + together] for i in range(0, len(same), together))


def _side(architecture: Architecture) -> int:
    return int(architecture.settings["input_resolution"])


def _session(group: Sequence[Wanted], folder: Path, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    side = _side(group[0][1])
    reference, _ = make_artifact(reference_architecture(side), folder, "reference", runtime=arguments.runtime)
    artifacts = [
        make_artifact(architecture, folder, architecture.id, runtime=arguments.runtime)[0] for _, architecture in group
    ]
    job = Job(
        artifacts=tuple(artifacts),
        reference=reference,
        resolution=side,
        runner=arguments.runner,
        runtime=arguments.runtime,
        threads=arguments.threads,
        seed=arguments.seed,
        limit_s=60.0 * len(artifacts),
    )
    with exclusive(cpu_lock_folder()):
        found = measure(job)
    return [
        {
            "role": role,
            "architecture_id": architecture.id,
            "resolution": side,
            "verdict": measurement.verdict,
            "reason": measurement.reason,
            "protocol": {"architecture": architecture.to_dict()},
            "fingerprint": dict(measurement.fingerprint),
            "summary": asdict(summarise(measurement)) if measurement.has_figures else {},
        }
        for (role, architecture), measurement in zip(group, found, strict=True)
    ]


def _stored_rows(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    names = ("architecture_id", "resolution", "verdict", "reason", "fingerprint", "summary")
    with open_store(arguments.db, read_only=True) as store:
        study = store.study(arguments.study) if arguments.study else store.studies()[-1]
        architectures = {trial.architecture_id: trial.architecture for trial in store.trials(study.id)}
        records = [record for record in store.study_measurements(study.id) if record.architecture_id in architectures]
    return [
        {name: getattr(record, name) for name in names}
        | {"role": "stored", "protocol": {"architecture": architectures[record.architecture_id or ""]}}
        for record in records
    ]


def _result(rows: Sequence[Mapping[str, Any]], arguments: argparse.Namespace) -> dict[str, Any]:
    samples = usable([SimpleNamespace(**row) for row in rows], None)
    latencies_ms = comparable_ms(samples)
    known = observations(
        [sample.architecture for sample in samples], latencies_ms, [sample.noise for sample in samples]
    )
    roles = {row["architecture_id"]: row["role"] for row in rows}
    learned = [i for i, found in enumerate(known.architectures) if roles[found.id] == "chosen"]
    unseen = [i for i, found in enumerate(known.architectures) if roles[found.id] == "unseen"]
    chosen = hold_out(known.part(learned), known.part(unseen)) if learned and unseen else None
    drawn = [_at_random(known, split) for split in range(NUM_RANDOM_SPLITS)]
    model = LatencyModel.of(known.part(learned) if learned else known)
    return {
        "space": arguments.space,
        "rules": arguments.rule,
        "measured": len(rows),
        "verdicts": dict(Counter(row["verdict"] for row in rows)),
        "usable": len(samples),
        "usable_verdicts": list(USABLE_VERDICTS),
        "architectures": len(known),
        "chosen_then_unseen": chosen.to_dict() if chosen else None,
        "random_halves": _spread(drawn),
        "prices_ms": model.prices,
        "networks": _networks(samples, latencies_ms, model, roles),
        "versions": versions(),
        "git_revision": git_revision(),
        "fingerprint": dict(rows[0]["fingerprint"]) if rows else fingerprint(),
    }


def _at_random(known: Observations, split: int) -> Validation:
    """60 to learn from and 60 held out, or halves where there are fewer."""
    order = random.Random(split).sample(range(len(known)), len(known))
    half = min(60, len(known) // 2)
    return hold_out(known.part(order[:half]), known.part(order[half : 2 * half]))


def _spread(found: Sequence[Validation]) -> dict[str, Any]:
    """Mean and range over random halves, which overlap: a range, not an interval."""
    rows = [validation.to_dict() for validation in found]
    names = list(rows[0])
    ratios = [row["median_error"] / row["median_error_of_macs"] for row in rows]
    return {
        "splits": len(rows),
        **{
            name: {
                "mean": statistics.fmean(row[name] for row in rows),
                "low": min(row[name] for row in rows),
                "high": max(row[name] for row in rows),
            }
            for name in names
        },
        "median_error_over_that_of_macs": {
            "mean": statistics.fmean(ratios),
            "low": min(ratios),
            "high": max(ratios),
        },
    }


def _networks(
    samples: Sequence[Sample], latencies_ms: Sequence[float], model: LatencyModel, roles: Mapping[str, str]
) -> list[dict[str, Any]]:
    told = model.predict([sample.architecture for sample in samples])
    return [
        {
            "architecture": sample.architecture.to_dict(),
            "role": roles[sample.architecture.id],
            "macs_g": costs(sample.architecture).macs / 1e9,
            "ratio_to_reference": sample.ratio,
            "noise": sample.noise,
            "measured_ms": latency,
            "predicted_ms": float(told.ms[i]),
            "predicted_low_ms": float(told.low_ms[i]),
            "predicted_high_ms": float(told.high_ms[i]),
        }
        for i, (sample, latency) in enumerate(zip(samples, latencies_ms, strict=True))
    ]


def _print(result: Mapping[str, Any]) -> None:
    print(f"{result['measured']} measurements of {result['architectures']} networks, {result['verdicts']}")
    if result["chosen_then_unseen"]:
        print(f"chosen networks, then unseen draws: {Validation(**result['chosen_then_unseen'])}")
    spread = result["random_halves"]
    print(f"{spread['splits']} random halves ({spread['num_learned']['mean']:.0f} learned): mean [lowest, highest]")
    for name in ("median_error", "median_error_of_macs", "p90_error", "coverage", "median_error_over_that_of_macs"):
        found = spread[name]
        print(f"  {name:32} {found['mean']:.3f} [{found['low']:.3f}, {found['high']:.3f}]")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", type=int, default=120, help="networks, half to learn from and half unseen")
    parser.add_argument("--space", default="fastvit")
    parser.add_argument("--rule", action="append", default=[], help="a further rule of the space")
    parser.add_argument("--runner", default="cpu")
    parser.add_argument("--runtime", default="onnxruntime")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--together", type=int, default=6, help="networks in one session")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--db", help="measure nothing: judge by what this database holds")
    parser.add_argument("--study", help="of the database; the newest one where none is named")
    parser.add_argument("--out", type=Path, default=Path("results/latency_model.json"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
