from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bench.errors import TrainingError
from bench.networks import build
from bench.proxies.cache import PackedData, Split
from bench.proxies.training import Score, Training, TrainingConfig
from bench.space import load_space

SIDE = 64
NUM_CLASSES = 4

Make = Callable[..., Training]


def split_of(count: int, *, seed: int) -> Split:
    """Pictures whose class is their brightest corner, in noise."""
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % NUM_CLASSES
    images = random.integers(0, 100, size=(count, SIDE, SIDE, 3), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, (label // 2) * 32 : (label // 2) * 32 + 32, label % 3] += 120
    return Split(images=images, labels=labels)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PackedData:
    return PackedData(
        name="corners",
        hash="0" * 32,
        resolution=SIDE,
        seed=0,
        classes=tuple("abcd"),
        train=split_of(72, seed=0),
        val=split_of(40, seed=1),
        skipped=(),
        path=tmp_path_factory.getbasetemp(),
    )


@pytest.fixture
def make(data: PackedData) -> Make:
    """Makes a training of the smallest network."""

    def training(*, seed: int = 0, **settings: object) -> Training:
        architecture = load_space("smoke").reference_points["smoke_attention"]
        network = build(architecture, num_classes=NUM_CLASSES, seed=seed)
        config = TrainingConfig(**{"images": 96, "batch_size": 16, "seed": seed, **settings})  # type: ignore[arg-type]
        return Training(network, data, config=config)

    return training


def weights(training: Training) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in training.network.state_dict().items()}


def are_equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def result(score: Score) -> tuple[float, float, object]:
    return score.accuracy, score.loss, score.curve


def test_the_same_seed_gives_the_same_weights_and_score(make: Make) -> None:
    first, second, other = make(seed=3), make(seed=3), make(seed=4)
    for training in (first, second, other):
        assert training.advance(96)
    assert result(first.score()) == result(second.score())
    assert are_equal(weights(first), weights(second))
    assert not are_equal(weights(first), weights(other))


@pytest.mark.parametrize("stop", [16, 64])
def test_a_training_taken_up_again_is_the_one_that_was_not_stopped(make: Make, tmp_path: Path, stop: int) -> None:
    whole, before, after = make(), make(), make()
    whole.advance(96)
    before.advance(stop)
    before.score()  # looking does not change it
    before.save(tmp_path / "checkpoint.pt")
    after.load(tmp_path / "checkpoint.pt")
    assert after.images_seen == stop
    assert after.advance(96)
    assert result(after.score()) == result(whole.score())
    assert are_equal(weights(after), weights(whole))
    assert are_equal(after.finish().state_dict(), whole.finish().state_dict())
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_an_early_rung_is_the_beginning_of_the_whole_training(make: Make) -> None:
    whole, early = make(), make()
    whole.advance(48)
    early.advance(48)
    assert are_equal(weights(whole), weights(early))
    whole.advance(96)
    early.score()
    early.advance(96)
    assert are_equal(weights(whole), weights(early))


def test_pieces_of_time_do_not_change_a_training(make: Make) -> None:
    whole, pieces = make(), make()
    whole.advance(96)
    steps = 0
    while not pieces.advance(96, seconds=1e-9 if steps % 2 else 10.0 if steps > 3 else 1e-3):
        steps += 1
        assert steps < 100
    assert are_equal(weights(whole), weights(pieces))


def test_it_learns(make: Make) -> None:
    training = make(images=960)
    training.advance(960)
    score = training.score()
    assert score.accuracy > 0.6
    assert score.loss < math.log(NUM_CLASSES)
    assert score.curve[-1][1] < score.curve[0][1]


def test_a_diverging_training_is_an_error(make: Make) -> None:
    training = make(learning_rate=1e9, images=960)
    with pytest.raises(TrainingError, match=r"loss is (nan|inf) after [\d,]+ pictures; the training diverged"):
        _ = training.advance(960), training.score()


def test_the_score_says_what_it_was_bought_with(make: Make) -> None:
    training = make()
    training.advance(32)
    fidelity = training.score().fidelity
    assert fidelity["images_seen"] == 32
    assert fidelity["classes"] == NUM_CLASSES
    assert fidelity["data"] == "corners"
    assert fidelity["resolution"] == SIDE
    assert fidelity["training"]["seed"] == 0  # type: ignore[index]


def test_every_picture_is_seen_once_an_epoch(make: Make, data: PackedData) -> None:
    training = make(images=72 * 4, augmentation=0.0)
    training.network = nn.Sequential()  # only the batches matter
    seen: list[int] = []
    keys = {image.tobytes(): number for number, image in enumerate(data.train.images)}
    keys |= {image[:, ::-1].tobytes(): number for number, image in enumerate(data.train.images)}
    scale = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1) * 255
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1) * 255
    while training.images_seen < 72 * 4:
        batch, labels = training._next_batch()
        images = (batch * scale + mean).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
        numbers = [keys[image.numpy().tobytes()] for image in images]
        assert [int(data.train.labels[number]) for number in numbers] == labels.tolist()
        seen += numbers
        training.images_seen += len(labels)
    for epoch in range(4):
        assert sorted(seen[72 * epoch : 72 * (epoch + 1)]) == list(range(72))
    assert seen[:72] != seen[72:144]


def test_the_average_is_what_is_scored_and_kept(make: Make, data: PackedData) -> None:
    training = make()
    training.advance(96)
    score = training.score()
    current = weights(training)
    network = training.finish()
    assert not are_equal(current, dict(network.state_dict()))
    images = torch.from_numpy(np.asarray(data.val.images)).permute(0, 3, 1, 2).float()
    images = (images - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1) * 255) / (
        torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1) * 255
    )
    labels = torch.from_numpy(np.asarray(data.val.labels))
    with torch.inference_mode():
        loss = nn.functional.cross_entropy(network(images), labels)
    assert float(loss) == pytest.approx(score.loss, rel=1e-4)


def test_waiting_for_pictures_is_under_a_twentieth(data: PackedData) -> None:
    """With the network that sets the pace of a search, T8; waiting is counted, so a busy machine does not matter."""
    network = build(load_space("fastvit").reference_points["fastvit_t8"], num_classes=NUM_CLASSES, seed=0)
    training = Training(network, data, config=TrainingConfig(images=128, batch_size=32))
    training.advance(128)
    assert training.score().waiting_share < 0.05


def test_each_step_is_guarded(data: PackedData, make: Make) -> None:
    entered = []

    class Guard:
        def __enter__(self) -> None:
            entered.append(True)

        def __exit__(self, *_: object) -> None:
            entered.append(False)

    architecture = load_space("smoke").reference_points["smoke_repmixer"]
    network = build(architecture, num_classes=NUM_CLASSES, seed=0)
    training = Training(network, data, config=TrainingConfig(images=64, batch_size=16), step_guard=Guard)
    training.advance(64)
    assert entered == [True, False] * 4
    training.score(batch_size=20)
    assert entered == [True, False] * 6


def test_weight_decay_spares_norms_biases_and_layer_scales(make: Make) -> None:
    training = make()
    decayed, plain = training._optimizer.param_groups
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.05, 0.0)
    assert all(value.ndim >= 2 for value in decayed["params"])
    assert all(value.numel() == max(value.shape) for value in plain["params"])
    assert len(decayed["params"]) + len(plain["params"]) == len(list(training.network.parameters()))


def test_a_foreign_checkpoint_runs_nothing(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "evil.pt"
    torch.save({"network": print}, path)
    with pytest.raises(Exception, match=r"weights_only|Weights only"):
        make().load(path)
