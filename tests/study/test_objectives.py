from __future__ import annotations

import math

import pytest

from bench.errors import ConfigError
from bench.study.config import StudyConfig
from bench.study.objectives import directions, is_timed, parse_objectives, study_objectives, values


def test_short_names_are_known_and_accuracy_comes_first() -> None:
    found = parse_objectives(("size", "latency", "accuracy", "macs", "params"))
    assert [objective.name for objective in found] == ["accuracy", "artifact_mb", "latency_ms", "macs_g", "params_m"]
    assert directions(found) == (True, False, False, False, False)


def test_latency_is_one_objective_a_runner() -> None:
    alone = parse_objectives(("latency", "accuracy"), runners=("pi5",))
    assert [objective.name for objective in alone] == ["accuracy", "latency_ms"]
    both = parse_objectives(("accuracy", "latency", "macs"), runners=("pi5", "pixel8"))
    assert [objective.name for objective in both] == ["accuracy", "latency_ms:pi5", "latency_ms:pixel8", "macs_g"]
    assert directions(both) == (True, False, False, False)
    assert is_timed(both)
    assert not is_timed(parse_objectives(("accuracy", "macs"), runners=("pi5", "pixel8")))


def test_a_latency_is_named_by_its_runner() -> None:
    config = StudyConfig.from_dict({"objectives": ["accuracy", "latency:pixel8", "artifact_mb"]})
    assert config.timing.names == ("pixel8",)
    assert [found.name for found in study_objectives(config)] == ["accuracy", "latency_ms", "artifact_mb"]
    both = StudyConfig.from_dict({"objectives": ["accuracy", "latency:pi5", "macs", "latency:pixel8"]})
    assert both.timing.names == ("pi5", "pixel8")
    names = ["accuracy", "latency_ms:pi5", "macs_g", "latency_ms:pixel8"]
    assert [found.name for found in study_objectives(both)] == names
    assert StudyConfig.from_dict(both.to_dict()) == both
    timing = {"runners": ["pi5", "pixel8"]}
    with pytest.raises(ConfigError, match="leave out latency_ms:pi5, which is measured all the same"):
        study_objectives(StudyConfig.from_dict({"objectives": ["accuracy", "latency:pixel8"], "timing": timing}))
    with pytest.raises(ConfigError, match="'latency:tpu'; the study is timed on pi5, pixel8; add --runner tpu"):
        study_objectives(StudyConfig.from_dict({"objectives": ["accuracy", "latency:tpu"], "timing": timing}))


def test_the_score_of_a_study_takes_the_place_of_accuracy() -> None:
    for names in (("macs", "accuracy"), ("macs", "zero-cost"), ("zero_cost", "macs")):
        found = parse_objectives(names, score="zero_cost")
        assert [objective.name for objective in found] == ["zero_cost", "macs_g"]
        assert directions(found) == (True, False)
    with pytest.raises(ConfigError, match=r"'zero-cost'; a study that trains .* add --proxy zero-cost"):
        parse_objectives(("zero-cost", "macs"))
    with pytest.raises(ConfigError, match="repeat one"):
        parse_objectives(("zero-cost", "accuracy", "macs"), score="zero_cost")
    with pytest.raises(ConfigError, match="a search needs zero_cost and at least one cost"):
        parse_objectives(("accuracy",), score="zero_cost")


def test_an_unknown_figure_is_nan() -> None:
    first, second = values(parse_objectives(("accuracy", "latency")), {"accuracy": 0.5})
    assert first == 0.5
    assert math.isnan(second)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("accuracy", "latncy"), r"unknown objective 'latncy'; known: accuracy, .*; did you mean 'latency'\?"),
        (("accuracy", "latency", "latency_ms"), "repeat one"),
        (("latency", "macs"), "a search needs accuracy and at least one cost"),
        (("accuracy",), "a search needs accuracy and at least one cost"),
        ((), "objectives none; a search needs accuracy"),
    ],
)
def test_wrong_objectives_are_refused(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_objectives(names)
