"""Networks out of a supernet: statistics of their own, and scores that depend on nothing else."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from bench.errors import NetworkError, TrainingError
from bench.networks import build
from bench.networks.fold import fold
from bench.proxies.cache import PackedData
from bench.proxies.judging import judge, read_pictures
from bench.proxies.supernet import Supernet, subnet, supernet_score
from bench.proxies.supernet.scoring import recalibrate
from bench.space import load_space

from .made import SMOKE, cache_of

POINT = SMOKE.reference_points["smoke_attention"]
OTHER = SMOKE.reference_points["smoke_repmixer"]


@pytest.fixture(scope="module")
def data(trained: Supernet, folder: Path) -> PackedData:
    return trained.opened(cache_of(folder))


def test_a_score_is_of_the_networks_own_weights_and_statistics(trained: Supernet, data: PackedData) -> None:
    score = supernet_score(trained, POINT, data)
    network = build(POINT, num_classes=2)
    network.load_state_dict(subnet(trained, POINT, data).state_dict())
    expected = judge(fold(network.eval()), data.val, torch.device("cpu"))
    assert (score.accuracy, score.loss) == (expected.accuracy, pytest.approx(expected.loss, rel=1e-4))
    assert score.fidelity["score"] == "supernet"
    assert score.fidelity["supernet"] == trained.digest
    assert (score.fidelity["images_seen"], score.fidelity["recalibration_pictures"]) == (64, 48)


def test_scores_do_not_depend_on_what_was_scored_before(trained: Supernet, data: PackedData) -> None:
    first = supernet_score(trained, POINT, data)
    before = {name: value.detach().clone() for name, value in trained.weights.named_parameters()}
    supernet_score(trained, OTHER, data)
    again = supernet_score(trained, POINT, data)
    assert (first.accuracy, first.loss) == (again.accuracy, again.loss)
    assert all(torch.equal(value, before[name]) for name, value in trained.weights.named_parameters())


def test_recalibrated_statistics_are_the_mean_over_batches(data: PackedData) -> None:
    """Against torch's own cumulative average, in the formulas that every other use of a batch norm takes."""
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6)
    )
    with torch.no_grad():
        network[1].running_mean += 7.0  # type: ignore[operator]  # what stood there is forgotten
    expected = copy.deepcopy(network)
    for norm in (expected[1], expected[4]):
        norm.reset_running_stats()
        norm.momentum = None
    rows = torch.randperm(48, generator=torch.Generator().manual_seed(5))[:40].numpy()
    with torch.no_grad():
        expected.train()(read_pictures(data.train, rows, torch.device("cpu"))[0])
    recalibrate(network, data, seed=5, pictures=40)
    assert not network.training
    for place in (1, 4):
        torch.testing.assert_close(network[place].running_mean, expected[place].running_mean)
        torch.testing.assert_close(network[place].running_var, expected[place].running_var)
        assert network[place].momentum == 0.1


def test_statistics_of_several_batches_weigh_the_same(data: PackedData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.proxies.supernet.scoring._BATCH", 16)
    network = nn.Sequential(nn.BatchNorm2d(3))
    recalibrate(network, data, pictures=48)
    rows = torch.randperm(48, generator=torch.Generator().manual_seed(0)).numpy()
    pictures = read_pictures(data.train, rows, torch.device("cpu"))[0]
    batches = pictures.split(16)
    means = torch.stack([batch.mean(dim=(0, 2, 3)) for batch in batches]).mean(0)
    variances = torch.stack([batch.var(dim=(0, 2, 3)) for batch in batches]).mean(0)
    torch.testing.assert_close(network[0].running_mean, means, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(network[0].running_var, variances, rtol=1e-4, atol=1e-4)


def test_networks_outside_its_space_are_refused(trained: Supernet, data: PackedData) -> None:
    point = load_space("fastvit").reference_points["fastvit_t8"]
    with pytest.raises(NetworkError, match="is not in space 'smoke' of the supernet: input_resolution is 256"):
        subnet(trained, point, data)


def test_a_score_that_is_not_finite_is_a_failure(trained: Supernet, data: PackedData) -> None:
    broken = copy.deepcopy(trained.weights)
    with torch.no_grad():
        broken.shared("head.fc.bias").fill_(float("nan"))
    supernet = copy.copy(trained)
    object.__setattr__(supernet, "weights", broken)
    with pytest.raises(TrainingError, match="with the weights of the supernet; finite numbers are needed"):
        supernet_score(supernet, POINT, data)
