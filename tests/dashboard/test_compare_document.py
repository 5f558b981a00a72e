"""Two studies, a study within itself, and samplers over seeds."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_studies import add_mixed, add_random, add_study, add_trial, made_store, network

from bench.dashboard.source import Source
from bench.store import Store


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Store]:
    with made_store(tmp_path / "bench.db") as opened:
        yield opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bench.db"


def test_two_studies_of_one_machine_compare(made: Store, path: Path) -> None:
    first = add_mixed(made)
    second = add_study(made, "second", sampler="random")
    add_trial(made, second, accuracy=0.65, ms=20.0, architecture=network(1))
    with Source(path) as source:
        found = source.compare(first.id, second.id)
    assert found["refused"] == []
    assert [front["number"] for front in found["fronts"]] == [[0, 1, 5], [0]]
    assert found["difference"]["hypervolume"] == pytest.approx(18.0 - 13.0)
    assert found["difference"]["low"] <= 5.0 <= found["difference"]["high"]
    (region,) = found["regions"]
    assert (region["x"], region["y"]) == ("latency_ms", "accuracy")
    assert region["winner"] == ["first", "second", "first"]
    assert region["second"] == [None, 0.65, 0.65]
    (same,) = found["correlations"]
    assert (same["num"], same["number"]) == (1, [[1, 0]])
    json.dumps(found, allow_nan=False)


def test_milliseconds_of_the_second_are_told_as_the_first_tells(made: Store, path: Path) -> None:
    first = add_mixed(made)
    second = add_mixed(made, "second", reference_ms={"256": 20.0})
    with Source(path) as source:
        found = source.compare(first.id, second.id)
    assert found["fronts"][1]["values"]["latency_ms"] == [5.0, 10.0, 15.0]
    assert any("times 0.5000" in note for note in found["notes"])


def test_other_machines_are_refused_and_their_ranks_told(made: Store, path: Path) -> None:
    first = add_mixed(made)
    second = add_mixed(made, "second", fingerprint={"machine": {"cpu": "another"}})
    with Source(path) as source:
        found = source.compare(first.id, second.id)
    assert "machine.cpu: 'a made CPU' and 'another'" in found["refused"]
    assert "fronts" not in found
    assert found["correlations"][0]["spearman"] == pytest.approx(1.0)


def test_a_study_with_itself_is_told_within(made: Store, path: Path) -> None:
    first = add_mixed(made)
    with Source(path) as source:
        assert source.compare(first.id, first.id) == source.compare(first.id, None)
        assert source.compare(first.id, None)["kind"] == "study"


def test_two_who_compare_each_other_both_get_an_answer(made: Store, path: Path) -> None:
    first, second = add_random(made, 20, name="a"), add_random(made, 20, name="b")
    with Source(path) as source:
        answers: list[str] = []

        def ask(one: int, other: int) -> None:
            for _ in range(5):
                answers.append(source.compare(one, other)["kind"])

        threads = [threading.Thread(target=ask, args=pair) for pair in ((first.id, second.id), (second.id, first.id))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
    assert answers == ["studies"] * 10


def test_samplers_over_seeds(made: Store, path: Path) -> None:
    first = add_random(made, 12, name="a", seed=0)
    add_random(made, 12, name="b", seed=1)
    add_random(made, 12, name="c", seed=2, sampler="random")
    add_random(made, 12, name="other", rules=["macs_g <= 1"])
    add_mixed(made, "a-baselines")
    with Source(path) as source:
        found = source.strategies(first.id)
    assert [(each["strategy"], [study["name"] for study in each["studies"]]) for each in found["strategies"]] == [
        ("model", ["a", "b"]),
        ("random", ["c"]),
    ]
    assert found["left_out"] == [
        {"id": 4, "name": "other", "reasons": ["space or rules: fastvit and fastvit macs_g <= 1"]}
    ]
    for each in found["strategies"]:
        assert each["tried"] == list(range(1, 13))
        bands = zip(each["low"], each["median"], each["high"], strict=True)
        assert all(low <= middle <= high for low, middle, high in bands)
