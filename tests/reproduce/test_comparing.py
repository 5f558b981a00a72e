from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from store.examples import add_scored_trial

from bench.networks.export import prepare
from bench.reproduce.comparing import is_trial, known_accuracy, rows
from bench.store import Store, open_store
from bench.study.models import find_model, reference_point

from .made import measurement


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """With one trial, trained at one rung."""
    with open_store(tmp_path / "bench.db") as opened:
        add_scored_trial(opened, reference_point("smoke_repmixer"))
        yield opened


def test_a_published_accuracy_belongs_to_the_resolution_that_is_timed() -> None:
    model = find_model("fastvit_ma36")
    assert known_accuracy(model, 256, None) == (83.9, "ImageNet, as published")
    assert known_accuracy(model, 384, None) == (84.9, "ImageNet, as published")
    assert known_accuracy(model, 64, None) == (None, "")


def test_the_accuracy_of_a_trial_is_its_short_trainings(store: Store) -> None:
    by_name, by_id = (find_model(name, db=str(store.location)) for name in ("first/0", "1"))
    for model in (by_name, by_id):
        assert is_trial(model)
        assert known_accuracy(model, 64, store) == (25.0, "fractals, after 2,000 pictures")
        assert known_accuracy(model, 64, None) == (None, "")
    assert not is_trial(find_model("fastvit_t8"))
    assert not is_trial(Path("some/7.onnx"))


def test_every_kind_of_model_is_counted(tmp_path: Path) -> None:
    prepare(reference_point("mobileone_s0"), tmp_path / "s0.onnx", seed=0)
    models = [find_model("mobileone_s0"), find_model("timm:mobileone_s0"), tmp_path / "s0.onnx", tmp_path / "x.tflite"]
    measurements = [
        measurement(name, 3.0, resolution=224)
        for name in ("mobileone_s0", "timm:mobileone_s0@224", "s0.onnx", "x.tflite")
    ]
    ours, timms, file, other = rows(models, measurements, None)
    assert (ours.params_m, ours.macs_g) == (2.078504, 0.2751104)
    assert (timms.params_m, timms.macs_g) == (ours.params_m, ours.macs_g)
    assert (file.params_m, file.macs_g) == (ours.params_m, ours.macs_g)
    assert (other.params_m, other.macs_g) == (None, None)
    assert (ours.pair, timms.pair.ratio if timms.pair else None) == (None, pytest.approx(1.0))


def test_a_file_that_was_refused_is_not_opened(tmp_path: Path) -> None:
    models = [find_model("mobileone_s0"), tmp_path / "absent.onnx"]
    refused = measurement("absent.onnx", 0.0, verdict="failed", reason="external data")
    row = rows(models, [measurement("mobileone_s0", 3.0, resolution=224), refused], None)[1]
    assert (row.params_m, row.pair, row.verdict) == (None, None, "failed: external data")


def test_memory_of_a_process_says_nothing_of_a_gpu() -> None:
    (row,) = rows([find_model("mobileone_s0")], [measurement("a", 3.0, resolution=224, runner="cuda")], None)
    assert row.memory_mib is None
