"""Scores by inherited weights: what a study takes over from its supernet, and that it keeps to it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from scripted import add_study, config_of

from bench.errors import ConfigError, NetworkError, SearchError
from bench.proxies.supernet import Pictures, Supernet, SupernetSettings, supernet_score, train_supernet
from bench.proxies.training import TrainingConfig
from bench.space import list_networks, load_space, parse_space, shipped_spaces
from bench.store import open_store
from bench.study.config import DataConfig, ProxyConfig, StudyConfig
from bench.study.inherited import inherited_score, keep_to, opened, settled, supernet_pictures

SMOKE = load_space("smoke")
POINT = SMOKE.reference_points["smoke_repmixer"]
RULED = SMOKE.with_rules(("macs_g <= 0.001",))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inherited")


@pytest.fixture(scope="module")
def supernet(folder: Path) -> Supernet:
    settings = SupernetSettings(
        space_text=RULED.text,
        pictures=Pictures(classes=2, per_class=24, val_per_class=8),
        resolution=64,
        networks=2,
        training=TrainingConfig(images=32, batch_size=16, learning_rate=2e-3),
    )
    return train_supernet(settings, folder / "s.pt", cache=folder / "cache")


def config_for(folder: Path, **settings: object) -> StudyConfig:
    proxy = {"kind": "supernet", "supernet": str(folder / "s.pt")}
    return StudyConfig.from_dict({"space": "smoke", "proxy": {**proxy, **settings}})  # type: ignore[dict-item]


def test_a_study_takes_over_how_its_supernet_was_trained(supernet: Supernet, folder: Path) -> None:
    found = settled(config_for(folder), RULED)
    assert (found.proxy.images, found.proxy.batch_size, found.proxy.rungs) == (32, 16, 1)
    assert found.proxy.learning_rate == 2e-3
    assert found.data == DataConfig(source="fractals", classes=2, per_class=24, val_per_class=8)
    # As it is stored, it can be taken up again and repeated.
    assert settled(StudyConfig.from_dict(json.loads(json.dumps(found.to_dict()))), RULED) == found
    trained = StudyConfig()
    assert settled(trained, SMOKE) is trained


def test_one_that_is_still_trained_is_refused(supernet: Supernet, folder: Path) -> None:
    calls = iter(range(100))
    settings = replace(supernet.settings, training=replace(supernet.settings.training, images=64))
    train_supernet(settings, folder / "half.pt", cache=folder / "cache", is_stopped=lambda: next(calls) > 0)
    config = config_for(folder, supernet=str(folder / "half.pt"))
    with pytest.raises(ConfigError, match=r"is not trained to its end .*finish it with bench supernet train --resume"):
        settled(config, RULED)


def test_pictures_may_be_downloaded_for_it(supernet: Supernet, folder: Path) -> None:
    config = replace(config_for(folder), data=DataConfig(download=True))
    assert settled(config, RULED).data.download


def test_settings_that_do_not_agree_are_refused(supernet: Supernet, folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"proxy\.images is 4000 and 32 of the supernet .*leave the setting out"):
        settled(config_for(folder, images=4000), RULED)
    other = replace(config_for(folder), data=DataConfig(source="folder:/elsewhere"))
    with pytest.raises(ConfigError, match=r"data\.source is 'folder:/elsewhere' and 'fractals' of the supernet"):
        settled(other, RULED)


def test_a_search_under_further_rules_is_within_the_supernet_and_one_under_fewer_is_not(
    supernet: Supernet, folder: Path
) -> None:
    settled(config_for(folder), RULED.with_rules(("params_m <= 0.06",)))
    with pytest.raises(ConfigError, match=r"trained under the rule 'macs_g <= 0.001', .*add --rule"):
        settled(config_for(folder), SMOKE)


def test_other_spaces_are_refused(supernet: Supernet, folder: Path) -> None:
    wider = parse_space(RULED.text.replace("width: [8, 16]", "width: [8, 12, 16]"), source="tests")
    for space in (load_space("fastvit"), wider):
        with pytest.raises(ConfigError, match=r"is of space 'smoke' and space .* has other choices"):
            settled(config_for(folder), space)
    listed = list_networks("some", ["smoke_repmixer"], shipped_spaces(), source="tests")
    with pytest.raises(ConfigError, match="the networks of 'some' are a list"):
        settled(config_for(folder), listed)  # type: ignore[arg-type]


def test_the_file_is_named_by_whoever_asks_for_a_supernet_and_by_nobody_else(folder: Path) -> None:
    with pytest.raises(ConfigError, match="name it with --supernet FILE"):
        StudyConfig.from_dict({"proxy": {"kind": "supernet"}})
    with pytest.raises(ConfigError, match="only --proxy supernet scores by it"):
        StudyConfig.from_dict({"proxy": {"supernet": "s.pt"}})
    with pytest.raises(ConfigError, match=r"rungs is 2 beside proxy\.kind supernet"):
        StudyConfig.from_dict({"proxy": {"kind": "supernet", "supernet": "s.pt", "rungs": 2}})
    with pytest.raises(NetworkError, match="there is no such file"):
        settled(config_for(folder / "nowhere"), SMOKE)
    assert ProxyConfig().supernet is None


def test_a_score_is_that_of_the_supernet_and_says_so(supernet: Supernet, folder: Path) -> None:
    found, waited = inherited_score(str(folder / "s.pt"), POINT, cache=folder / "cache", device="cpu")
    expected = supernet_score(supernet, POINT, supernet.opened(folder / "cache"))
    assert (found["name"], found["accuracy"], found["loss"]) == ("supernet", expected.accuracy, expected.loss)
    assert found["fidelity"] == expected.fidelity
    assert waited >= 0
    assert json.loads(json.dumps(found))["fidelity"]["supernet"] == supernet.digest
    hashes = supernet_pictures(settled(config_for(folder), RULED), folder / "cache")
    assert hashes == {64: found["fidelity"]["data_hash"]}


def test_a_study_keeps_to_the_weights_that_it_began_with(supernet: Supernet, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.pt"
    path.write_bytes((folder / "s.pt").read_bytes())
    config = config_of(proxy={"kind": "supernet", "supernet": str(path)})
    with open_store(tmp_path / "bench.db") as store:
        study = add_study(store, config)
        assert list(study.objectives) == ["supernet", "latency_ms"]
        keep_to(store, study, config)
        keep_to(store, study, config)
        (told,) = [event.data for event in store.events(study.id) if event.kind == "supernet"]
        assert told["digest"] == supernet.digest
        content = torch.load(path, weights_only=True)
        content["about"] = content["about"].replace(supernet.digest, "f" * 64)
        torch.save(content, path)
        with pytest.raises(SearchError, match=r"has other weights than when study .* began"):
            keep_to(store, study, config)


def test_a_process_reads_the_file_once_and_again_when_it_changes(supernet: Supernet, folder: Path) -> None:
    path = folder / "s.pt"
    first = opened(str(path))
    assert opened(str(path)) is first
    path.write_bytes(path.read_bytes())
    assert opened(str(path)).digest == first.digest
