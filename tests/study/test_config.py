from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.errors import ConfigError
from bench.study.config import StudyConfig, load_config, override


def test_settings_survive_the_store() -> None:
    config = StudyConfig.from_dict({"rules": ["macs_g <= 1"], "data": {"classes": 5}, "proxy": {"learning_rate": 1e-3}})
    assert StudyConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_file_gives_settings_and_flags_override_it(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("space: smoke\nproxy: {images: 400, rungs: 2}\n")
    config = override(load_config(path), {"budget": 7, "proxy.images": 800})
    assert (config.space, config.budget, config.proxy.images, config.proxy.rungs) == ("smoke", 7, 800, 2)


def test_settings_of_an_older_store_are_read() -> None:
    """As they were before a study could have several runners."""
    numbers = {"threads": 1, "restarts": 3, "blocks": 8, "iterations": 2, "deadline_s": 120.0}
    timing = {"runner": "cpu", "runtime": None, **numbers, "batch": None, "reference_resolution": None}
    config = StudyConfig.from_dict({"timing": timing})
    assert config == StudyConfig()
    assert config.timing.names == ("cpu",)


def test_a_list_of_one_runner_is_that_runner() -> None:
    assert StudyConfig.from_dict({"timing": {"runners": ["pi5"]}}).timing.runner == "pi5"
    several = override(StudyConfig(), {"timing.runners": ("pi5", "cpu")})
    assert several.timing.names == ("pi5", "cpu")
    assert override(several, {"timing.runner": "pi5", "timing.runners": ()}).timing.names == ("pi5",)


def test_a_score_without_training_has_one_rung_of_its_own_pictures() -> None:
    config = StudyConfig.from_dict({"proxy": {"kind": "zero-cost"}})
    assert (config.proxy.images, config.proxy.rungs, config.proxy.batch_size) == (16, 1, 16)
    assert StudyConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({"proxy": {"kind": "zero-cost", "images": 4000, "rungs": 2}}, "proxy.images, proxy.rungs"),
        ({"proxy": {"kind": "zero-cost"}, "data": {"source": "folder:pictures"}}, "data.source"),
    ],
)
def test_settings_of_a_training_are_refused_where_nothing_is_trained(data: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=f"^{named} beside proxy.kind zero-cost; .* leave it out, or train$"):
        StudyConfig.from_dict(data)


def test_whole_numbers_do_where_decimals_are_asked_for() -> None:
    assert StudyConfig.from_dict({"proxy": {"reduction": 2}}).proxy.reduction == 2.0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"budgt": 3}, r"unknown setting 'budgt'; known: space, budget, .*; did you mean 'budget'\?"),
        ({"proxy": {"imges": 3}}, r"unknown setting 'proxy.imges'; .* did you mean 'images'\?"),
        ({"sampler": "tpee"}, r"sampler is 'tpee'; allowed: model, tpe, nsga2, random; did you mean 'tpe'\?"),
        ({"timing": {"runner": "GPU box"}}, "timing.runner is 'GPU box'; cpu, cuda, apple or a registered name"),
        ({"timing": {"runners": ["pi5", "pi5"]}}, "timing.runners names 'pi5' twice; each stands once"),
        ({"timing": {"runners": "pi5"}}, "timing.runners is 'pi5'; a list of words is needed"),
        ({"timing": {"runtime": "onxruntime"}}, r"timing.runtime is 'onxruntime'; .* did you mean 'onnxruntime'\?"),
        ({"proxy": {"kind": "zerocost"}}, r"proxy.kind is 'zerocost'; .* did you mean 'zero-cost'\?"),
        ({"budget": "ten"}, "budget is 'ten'; int is needed"),
        ({"budget": True}, "budget is True; int is needed"),
        ({"budget": 2.5}, "budget is 2.5; int is needed"),
        ({"budget": 0}, "budget is 0; it must be 1 or more"),
        ({"data": {"classes": 1}}, "data.classes is 1; it must be 2 or more"),
        ({"data": "fractals"}, "data is 'fractals'; it holds settings of its own"),
        ({"rules": "macs_g <= 1"}, "rules is 'macs_g <= 1'; a list of words is needed"),
        ({"proxy": {"images": 8}}, "proxy.images is 8; it must be 32 or more"),
        ({"proxy": {"reduction": 1}}, "proxy.reduction is 1.0; it must be above 1"),
        ({"proxy": {"learning_rate": 3}}, "proxy.learning_rate is 3.0; it must lie between 0 and 1"),
        ({"proxy": {"learning_rate": float("nan")}}, "proxy.learning_rate is nan"),
    ],
)
def test_wrong_settings_are_refused(data: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        StudyConfig.from_dict(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [("space: [", "is not YAML"), ("- space", "holds a list; settings are"), ("", "holds nothing")],
)
def test_wrong_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read '.*nowhere.yaml' \(No such file or directory\)"):
        load_config(tmp_path / "nowhere.yaml")
