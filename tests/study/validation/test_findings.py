"""What rows of a known truth come to."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from bench.proxies.ranking import Estimate, kendall
from bench.study.validation import findings_of, findings_text
from bench.study.validation.findings import verdict

from .made import OTHERS, made_rows, quick, training_row


def found_of(rows: list[dict[str, Any]], **settings: Any) -> dict[str, Any]:
    found = findings_of(quick(n=24, **settings), rows)
    assert found == json.loads(json.dumps(found, allow_nan=False))
    return found


def fidelities(found: dict[str, Any]) -> dict[int, dict[str, float]]:
    return {each["images"]: each["tau"] for each in found["data"][0]["fidelities"]}


def test_without_noise_every_fidelity_ranks_as_the_long_training_does() -> None:
    found = found_of(made_rows(24, noise=0.0))
    assert all(each == {"value": 1.0, "low": 1.0, "high": 1.0, "networks": 24} for each in fidelities(found).values())
    (data,) = found["data"]
    assert data["cheapest"] == 16
    assert data["ceiling_long"]["value"] == data["ceiling_short"]["value"] == 1.0


def test_the_cheapest_fidelity_that_keeps_enough_is_told() -> None:
    found = found_of(made_rows(24, noise=0.1))
    taus = fidelities(found)
    assert taus[16]["value"] < 0.7 <= taus[64]["value"]
    assert found["data"][0]["cheapest"] == 64
    assert taus[64]["low"] < taus[64]["value"] < taus[64]["high"]
    assert found["data"][0]["ceiling_long"]["value"] > found["data"][0]["ceiling_short"]["value"]
    assert found_of(made_rows(24, noise=2.0))["data"][0]["cheapest"] is None


def test_tau_of_several_seeds_is_the_mean_of_single_trainings_with_the_mean_of_the_long_ones() -> None:
    rows = made_rows(24, noise=0.1)

    def scores(images: int, seed: int) -> list[float]:
        chosen = [row for row in rows if row["kind"] == "training" and row["seed"] == seed]
        return [score["accuracy"] for row in chosen for score in row["scores"] if score["images"] == images]

    long = [(a + b) / 2 for a, b in zip(scores(128, 0), scores(128, 1), strict=True)]
    expected = (kendall(scores(64, 0), long) + kendall(scores(64, 1), long)) / 2
    assert fidelities(found_of(rows))[64]["value"] == pytest.approx(expected)
    (data,) = found_of(rows)["data"]
    assert data["ceiling_short"]["value"] == pytest.approx(kendall(scores(64, 0), scores(64, 1)))


def test_proxies_are_told_beside_multiply_adds() -> None:
    (data,) = found_of(made_rows(24, noise=0.0))["data"]
    for kind in ("short", "long"):
        rows = {row["name"]: row for row in data["zero_cost"][kind]}
        assert rows["macs_g"]["verdict"] == "the baseline"
        assert rows["macs_g"]["gain"] is None
        assert rows["zico"]["tau"]["value"] == -1.0
        assert rows["zico"]["verdict"] == "worse than MACs"
        # Nothing is better than what is right already, and what is as good is no better.
        assert rows["synflow"]["tau"]["value"] == 1.0
        assert rows["synflow"]["verdict"] == "no better than MACs"
        assert rows["rank_sum"]["tau"]["value"] > 0.9
        assert rows["macs_g"]["at_size"] is None


def test_networks_of_one_size_are_told_apart_by_what_does_not_follow_size() -> None:
    rows = made_rows(24, noise=0.0)
    for row in rows:
        number = int(row["id"], 16)
        luck = (number * 7 % 5) / 100
        if row["kind"] == "network":
            row["features"] |= {"naswot": 5.0 * math.log(number + 1) - luck, "zico": 3.0 * luck}
        for score in row.get("scores", ()):
            score["accuracy"] = math.log(number + 1) + luck
    (data,) = found_of(rows)["data"]
    told = {row["name"]: row for row in data["zero_cost"]["long"]}
    # What follows size all but wholly looks good until sizes are taken away; what does not, the other way round.
    assert told["naswot"]["tau"]["value"] > 0.9
    assert told["naswot"]["at_size"]["value"] == -1.0
    assert told["zico"]["tau"]["value"] < 0.3
    assert told["zico"]["at_size"]["value"] == 1.0


def test_it_is_told_how_far_apart_networks_and_their_seeds_lie() -> None:
    rows = made_rows(24, noise=0.0)
    for row in rows:
        for score in row.get("scores", ()):
            score["accuracy"] = 0.5 + 0.01 * int(row["id"], 16) + 0.02 * row["seed"]
    found = found_of(rows)
    (data,) = found["data"]
    assert data["spread_long"] == data["spread_short"]
    assert data["spread_long"]["networks"] == pytest.approx(math.sqrt(0.01**2 * 50 - 0.02**2 / 4))
    assert data["spread_long"]["seeds"] == pytest.approx(0.02 / math.sqrt(2))
    text = findings_text(found)
    assert "after 128 pictures networks differ by 7.0 points (one standard deviation, what seeds explain" in text
    # Where every network is the same, means of two seeds differ all the same.
    lucky = made_rows(24, noise=0.0)
    for row in lucky:
        for score in row.get("scores", ()):
            score["accuracy"] = 0.5 + 0.02 * ((int(row["id"], 16) * 7 + 5 * row["seed"]) % 11 - 5)
    (data,) = found_of(lucky)["data"]
    assert data["spread_long"]["networks"] < data["spread_long"]["seeds"] / 3
    assert found_of(made_rows(24, noise=0.0, seeds=1), seeds=1)["data"][0]["spread_long"] is None


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.01, 0.3, "better than MACs"), (-0.01, 0.3, "no better than MACs"), (-0.3, -0.01, "worse than MACs")],
)
def test_a_verdict_is_of_the_interval(low: float, high: float, expected: str) -> None:
    assert verdict(Estimate(value=(low + high) / 2, low=low, high=high, networks=9)) == expected


def test_pictures_are_compared_with_others() -> None:
    rows = made_rows(24, noise=0.05, data=2)
    found = found_of(rows, against=OTHERS)
    assert [each["data"] for each in found["data"]] == ["fractals", "fractals:classes=3"]
    assert [(each["images"], each["against_images"]) for each in found["against"]] == [(64, 64), (64, 128), (128, 128)]
    assert all(0.5 < each["tau"]["value"] <= 1.0 for each in found["against"])
    assert found["against"][2]["tau"]["value"] > found["against"][0]["tau"]["value"]


def test_what_is_not_there_yet_is_none_and_no_error() -> None:
    rows = made_rows(24, noise=0.1)
    networks = [row for row in rows if row["kind"] == "network"]
    for part in ([], networks, [*networks, *(row for row in rows if row.get("is_long") is False)][: 24 + 10]):
        found = found_of(part)
        assert found["data"][0]["cheapest"] is None
        assert all(tau is None for tau in fidelities(found).values())
        assert findings_text(found)
    # A second seed that has only begun takes no network away from the first.
    begun = [row for row in rows if row["kind"] == "network" or row["seed"] == 0 or int(row["id"], 16) < 5]
    assert fidelities(found_of(begun))[64]["networks"] == 24
    assert found_of(begun)["data"][0]["ceiling_short"] is None


def test_a_training_that_failed_is_named_and_counts_for_nothing() -> None:
    rows = made_rows(24, noise=0.1)
    lost = {**training_row(3, {}), "reason": "training loss is nan"}
    rows = [
        lost if row["kind"] == "training" and row["id"] == lost["id"] and not row["is_long"] else row for row in rows
    ]
    found = found_of(rows)
    assert [failed["id"] for failed in found["failed"]] == [lost["id"]] * 2
    assert fidelities(found)[64]["networks"] == 23
    assert "2 trainings failed, the first because: training loss is nan" in findings_text(found)


def test_the_text_tells_the_findings() -> None:
    text = findings_text(found_of(made_rows(24, noise=0.1, data=2), against=OTHERS))
    assert "24 networks of space smoke" in text
    assert "cheapest that keeps tau >= 0.7: 64 pictures" in text
    assert "seed against seed: " in text
    assert "does fractals rank networks as fractals:classes=3 does?" in text
    assert "no better than MACs" in text
    assert "nan" not in text


def test_a_supernet_is_judged_beside_them_on_the_networks_that_it_scored() -> None:
    rows = made_rows(24, noise=0.0)
    assert found_of(rows)["supernet"] is None
    fidelity = {"images_seen": 64, "data": "made", "resolution": 64, "networks": 4, "supernet": "d" * 64}
    for number in range(24):
        is_failed = number == 5
        row = {"kind": "supernet", "id": f"{number:016x}", "accuracy": number / 24, "loss": 1.0, "seconds": 2.0}
        rows.append({**row, "fidelity": fidelity, "reason": "not finite" if is_failed else None})
    found = found_of(rows)
    assert found["supernet"]["score_seconds"] == 2.0
    assert len(found["supernet"]["scores"]) == 23
    first, *others = found["data"][0]["zero_cost"]["long"]
    assert (first["name"], first["verdict"]) == ("supernet", "no better than MACs")
    assert first["tau"] == {"value": 1.0, "low": 1.0, "high": 1.0, "networks": 23}
    assert all(row["tau"]["networks"] == 23 for row in others)
    assert "supernet: 64 pictures of made at 64 px, 4 networks a step; a score takes 2.0 seconds" in findings_text(
        found
    )
