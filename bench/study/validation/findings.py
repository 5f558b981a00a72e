"""What the trainings of a validation come to: plain data, of as many networks as have what is asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from bench.proxies.ranking import Estimate, beside_size, tau, tau_between, tau_gain
from bench.proxies.zero_cost import FEATURES, PARTS
from bench.study.validation.accuracies import Accuracies, Rows, Scores, common, complete, mean_of, rows_of
from bench.study.validation.settings import LEAST_NETWORKS, Validation, label_of

# A fidelity that keeps at least this much of the long training's order will do.
ENOUGH = 0.7
BASELINE = "macs_g"
# In the tables of scores without training of their own.
SUPERNET = "supernet"


def findings_of(validation: Validation, rows: Rows) -> dict[str, Any]:
    """The answers, JSON-able; None where too little was trained to give one."""
    scores = Accuracies(validation, rows)
    return {
        "validation": validation.to_dict(),
        "networks": _networks(rows),
        "failed": [
            {name: row[name] for name in ("id", "data", "is_long", "seed", "reason")}
            for row in rows
            if row["kind"] == "training" and row["reason"] is not None
        ],
        "trainings": [
            {name: value for name, value in row.items() if name not in ("kind", "fidelity")}
            for row in rows
            if row["kind"] == "training"
        ],
        "supernet": _supernet(rows),
        "data": [
            {"data": label_of(data), "fidelity": _fidelity(rows, place), **_of_data(scores, rows, place)}
            for place, data in enumerate(validation.data_sets)
        ],
        "against": None if validation.against is None else _against(scores),
    }


def _of_data(scores: Accuracies, rows: Rows, data: int) -> dict[str, Any]:
    fidelities = _fidelities(scores, data)
    short, long = (
        _by_seed(scores, data, images=images) for images in (scores.validation.rungs[-1], scores.validation.long_images)
    )
    return {
        "fidelities": fidelities,
        "cheapest": _cheapest(fidelities),
        "ceiling_short": _ceiling(short),
        "ceiling_long": _ceiling(long),
        "spread_short": _spread(short),
        "spread_long": _spread(long),
        "zero_cost": _zero_cost(scores, rows, data),
    }


def _estimate(found: Estimate) -> dict[str, Any] | None:
    return None if np.isnan(found.value) else asdict(found)


def _judged(judged: Sequence[Scores], truth: Sequence[Scores]) -> dict[str, Any] | None:
    """The mean tau of single trainings with the mean of others; of seeds that only some networks have, the first."""
    judged, truth = complete(judged), complete(truth)
    networks = common([*judged, *truth])
    if not judged or not truth or len(networks) < LEAST_NETWORKS:
        return None
    return _estimate(tau(rows_of(judged, networks), mean_of(truth, networks)))


def _fidelities(scores: Accuracies, data: int) -> list[dict[str, Any]]:
    validation = scores.validation
    return [
        {
            "images": images,
            "train_seconds": scores.seconds(data, images),
            "tau": _judged(scores.of(data, images), scores.of(data, validation.long_images)),
        }
        for images in validation.rungs
        if scores.of(data, images)
    ]


def _fidelity(rows: Rows, data: int) -> dict[str, Any]:
    """What all trainings on a data set have in common."""
    own = ("images_seen", "epochs", "training")
    found: Mapping[str, Any] = next(
        (row["fidelity"] for row in rows if row["kind"] == "training" and row["data"] == data), {}
    )
    return {name: value for name, value in found.items() if name not in own}


def _cheapest(fidelities: Sequence[Mapping[str, Any]]) -> int | None:
    """Pictures of the first that keeps enough of the order, as have all after it; None: none does."""
    found = None
    for fidelity in reversed(fidelities):
        if fidelity["tau"] is None or fidelity["tau"]["value"] < ENOUGH:
            break
        found = fidelity["images"]
    return found


def _by_seed(scores: Accuracies, data: int, *, images: int) -> list[list[float]] | None:
    """Accuracies of the networks that all seeds have, a row a seed; None of one seed or of too few networks."""
    found = complete(scores.of(data, images))
    networks = common(found)
    return rows_of(found, networks) if len(found) >= 2 and len(networks) >= LEAST_NETWORKS else None


def _ceiling(rows: Sequence[Sequence[float]] | None) -> dict[str, Any] | None:
    """What one seed says of another."""
    return None if rows is None else _estimate(tau_between(rows))


def _spread(rows: Sequence[Sequence[float]] | None) -> dict[str, float] | None:
    """How far accuracies lie apart: standard deviations of the networks, and of the seeds of one network.

    Means of a few seeds differ by chance as well, by the seeds' variance over their number: that is taken away, so that
    0 says that the networks differ by no more than their seeds explain.
    """
    if rows is None:
        return None
    values = np.array(rows)
    seeds = float(values.var(axis=0, ddof=1).mean())
    means = float(values.mean(axis=0).var(ddof=1))
    return {"networks": float(np.sqrt(max(0.0, means - seeds / len(values)))), "seeds": float(np.sqrt(seeds))}


def _zero_cost(scores: Accuracies, rows: Rows, data: int) -> dict[str, list[dict[str, Any]] | None]:
    """Each proxy, the supernet and each size against the short and the long training, beside multiply-adds."""
    validation = scores.validation
    inherited = {row["id"]: {SUPERNET: row["accuracy"]} for row in _inherited(rows)}
    features = {
        row["id"]: {**row["features"], **inherited.get(row["id"], {})} for row in rows if row["kind"] == "network"
    }
    if inherited:  # a network that could not be scored so is left out of all, so that they are of the same networks
        features = {name: values for name, values in features.items() if SUPERNET in values}
    return {
        name: _beside_baseline(features, complete(scores.of(data, images)))
        for name, images in (("short", validation.rungs[-1]), ("long", validation.long_images))
    }


def _beside_baseline(
    features: Mapping[str, Mapping[str, float]], truth: Sequence[Scores]
) -> list[dict[str, Any]] | None:
    networks = [name for name in common(truth) if name in features]
    if len(networks) < LEAST_NETWORKS:
        return None
    true = mean_of(truth, networks)
    names = [name for name in (SUPERNET, *FEATURES) if all(name in features[network] for network in networks)]
    columns = {name: [features[network][name] for network in networks] for name in names}
    columns["rank_sum"] = _rank_sum(columns)
    sizes = columns[BASELINE]
    left = beside_size(true, sizes)
    found = []
    for name, values in columns.items():
        gain = tau_gain(values, columns[BASELINE], true)
        found.append(
            {
                "name": name,
                "tau": _estimate(tau(values, true)),
                "gain": None if name == BASELINE else _estimate(gain),
                "at_size": None if name == BASELINE else _estimate(tau(beside_size(values, sizes), left)),
                "verdict": "the baseline" if name == BASELINE else verdict(gain),
            }
        )
    return found


def _inherited(rows: Rows) -> list[Mapping[str, Any]]:
    """Scores with the weights of the supernet."""
    return [row for row in rows if row["kind"] == "supernet" and row["reason"] is None]


def _supernet(rows: Rows) -> dict[str, Any] | None:
    """Which supernet was judged and what its scores are and cost; None: none was."""
    scored = _inherited(rows)
    if not scored:
        return None
    return {
        "fidelity": dict(scored[0]["fidelity"]),
        "score_seconds": float(np.median([row["seconds"] for row in scored])),
        "scores": [{name: row[name] for name in ("id", "accuracy", "loss", "seconds")} for row in scored],
    }


def _rank_sum(columns: Mapping[str, Sequence[float]]) -> list[float]:
    """The score of a search without trainings, as far as it ranks: the sum of ranks by its parts."""
    ranks = [np.argsort(np.argsort(columns[name])) for name in PARTS]
    return [float(total) for total in np.sum(ranks, axis=0)]


def verdict(gain: Estimate) -> str:
    """Of a score beside multiply-adds, by the interval of the difference of their taus: better only if all of it is."""
    if gain.low > 0:
        return "better than MACs"
    return "worse than MACs" if gain.high < 0 else "no better than MACs"


def _against(scores: Accuracies) -> list[dict[str, Any]]:
    """How the pictures of the search rank networks as the others do, at both fidelities of each."""
    validation = scores.validation
    short, long = validation.rungs[-1], validation.long_images
    return [
        {"images": own, "against_images": other, "tau": _judged(scores.of(0, own), scores.of(1, other))}
        for own, other in ((short, short), (short, long), (long, long))
    ]


def _networks(rows: Rows) -> list[dict[str, Any]]:
    return [
        {name: row[name] for name in ("id", "architecture", "params_m", "macs_g", "features", "seconds")}
        for row in rows
        if row["kind"] == "network"
    ]
