from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench.errors import DataError, MeasureError, ReproduceError
from bench.evaluate import imagenet_classes
from bench.evaluate.accuracy import Accuracy
from bench.evaluate.answers import Classifier
from bench.evaluate.benchmarks import BENCHMARKS, official_classes
from bench.evaluate.pictures import Pictures
from bench.evaluate.robustness import ALEXNET_ERRORS, SEVERITIES
from bench.reproduce import evaluating
from bench.reproduce.evaluating import Folders, check_evaluation, evaluate_model
from bench.reproduce.findings import Finding
from bench.reproduce.published import all_figures
from bench.reproduce.work import Work

from .pictures import model, work, write_pictures, write_weights

CLASSES = imagenet_classes()
A, R = official_classes("imagenet-a"), official_classes("imagenet-r")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_pictures(folder / "val", CLASSES[:2], count=1)
    write_pictures(folder / "a", A, count=1)
    write_pictures(folder / "r", [*R[2:], next(name for name in CLASSES if name not in R)], count=1)
    for name in ALEXNET_ERRORS:
        for severity in SEVERITIES:
            write_pictures(folder / "c" / name / str(severity), CLASSES[:2], count=1)
    write_weights(folder / "t8.safetensors", "fastvit_t8")
    return folder


class Counting:
    """Stands in for `evaluate`: every benchmark is whole, and as right as is said."""

    def __init__(self, shares: dict[str, float] | None = None, *, lacks: str = "") -> None:
        self.shares, self.lacks = shares or {}, lacks
        self.labels: list[str] = []
        self.crops: set[tuple[str, float]] = set()

    def __call__(self, classifier: Classifier, pictures: Pictures, *, progress: object = None, **_: object) -> Accuracy:
        benchmark = pictures.label.partition(":")[0]
        official = BENCHMARKS[benchmark]
        self.labels.append(pictures.label)
        self.crops.add((benchmark, classifier.preprocessing.crop))
        if progress is not None:
            progress(len(pictures.pictures), len(pictures.pictures))  # type: ignore[operator]
        count = official.num_pictures - (pictures.label == self.lacks)
        return Accuracy(
            data=pictures.label,
            fingerprint="x",
            num_classes=len(pictures.outputs),
            num_pictures=count,
            num_top1=round(self.shares.get(benchmark, 0.5) * count),
            num_top5=count,
            unreadable=(),
        )


def _evaluate(data: Path, folders: Folders, *, means: Work | None = None, **more: object) -> list[Finding]:
    named = means or work(weights=data / "t8.safetensors")
    report = evaluate_model(model("fastvit_t8"), folders, named, device="cpu", form="deploy", **more)  # type: ignore[arg-type]
    return list(report.findings)


def test_a_part_of_a_benchmark_has_no_verdict(data: Path) -> None:
    """Counted for real, at the model's own resolution."""
    found = _evaluate(data, Folders(imagenet=data / "val"))
    assert {one.quantity for one in found} == {"imagenet: top-1"}
    assert {one.verdict for one in found} == {"not run: the whole benchmark (2 of 50,000 pictures)"}


def test_what_imagenet_gives_away_of_a_file_holds_for_the_others(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluating, "evaluate", Counting({"imagenet": 0.7618, "imagenet-a": 0.068}))
    found = _evaluate(data, Folders(imagenet=data / "val", shifted=(("imagenet-a", data / "a"),)))
    assert {one.verdict for one in found if "distilled" in one.published} == {
        "not run: distilled weights",
        "not run: weights fastvit_t8.apple_dist_in1k",
    }
    plain = [one for one in found if one.quantity == "imagenet-a: top-1" and "plain" in one.published]
    assert [one.verdict.partition(":")[0] for one in plain] == ["reproduced"]


def test_other_classes_than_the_official_ones_have_no_verdict(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluating, "evaluate", Counting())
    (stranger,) = {path.name for path in (data / "r").iterdir()} - set(R)
    for one in _evaluate(data, Folders(shifted=(("imagenet-r", data / "r"),))):
        assert one.verdict == (
            f"not run: the whole benchmark (missing classes (2): {R[0]}, {R[1]}; classes that are none of its (1): "
            f"{stranger}; 199 of 200 classes)"
        )


def test_a_crop_that_is_asked_for_is_not_judged(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluating, "evaluate", Counting({"imagenet": 0.762}))
    found = _evaluate(data, Folders(imagenet=data / "val"), crop=0.8)
    assert {one.verdict for one in found} == {"not run: crop 0.9 (bench evaluate --crop 0.9)"}
    assert all("256 px, crop 0.8, bicubic" in one.note for one in found)


def test_all_sets_of_imagenet_c_are_one_work(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is named, and pictures are taken whole; half of all answers wrong are (50 / 0.79) % of AlexNet's errors."""
    counting, said, shown = Counting(), [], []
    monkeypatch.setattr(evaluating, "evaluate", counting)
    means = work(
        weights=data / "t8.safetensors", announce=said.append, progress=lambda done, total: shown.append((done, total))
    )
    report = evaluate_model(model("fastvit_t8"), Folders(corrupted=data / "c"), means, device="cpu", form="deploy")
    assert counting.crops == {("imagenet-c", 1.0)}
    assert len(counting.labels) == 75
    assert said[1:3] == ["fastvit_t8 on imagenet-c:gaussian_noise/1", "fastvit_t8 on imagenet-c:gaussian_noise/2"]
    assert shown == [(2 * number, 150) for number in range(1, 76)]
    assert report.title == "accuracy of fastvit_t8, 256 px, crop 0.9 (ImageNet-C: 1), bicubic"
    last = report.findings[-1]
    expected = sum(50.0 / error for error in ALEXNET_ERRORS.values()) / len(ALEXNET_ERRORS)
    assert last.values["mce"] == pytest.approx(expected)
    assert (last.verdict, last.note) == ("", "weights t8.safetensors")


def test_a_part_of_imagenet_c_has_no_mean_corruption_error(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluating, "evaluate", Counting(lacks="imagenet-c:fog/3"))
    *others, last = _evaluate(data, Folders(corrupted=data / "c"))
    lacks = "fog/3 has 49,999 of 50,000 pictures (of 2 classes)"
    assert (last.measured, last.verdict) == ("", f"not run: the whole benchmark ({lacks})")
    assert last.values == {}
    assert {one.note for one in others} == {f"a part of the benchmark: {lacks}"}


def test_a_published_mean_corruption_error_is_judged(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    template = next(one for one in all_figures() if one.model == "fastvit_t8" and one.quantity == "top1")
    mce = sum(50.0 / error for error in ALEXNET_ERRORS.values()) / len(ALEXNET_ERRORS)
    row = replace(template, quantity="imagenet_c_mce", value=round(mce, 1), decimals=1, crop=None, note="")
    monkeypatch.setattr(evaluating, "evaluate", Counting())
    monkeypatch.setattr(evaluating, "figures", lambda name: (row, replace(row, value=mce + 1)))
    found = [one for one in _evaluate(data, Folders(corrupted=data / "c")) if "mean" in one.quantity]
    assert [one.verdict for one in found] == ["reproduced", "differs"]


def test_every_folder_is_looked_up_before_the_first_evaluation(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Counting()
    monkeypatch.setattr(evaluating, "evaluate", counting)
    with pytest.raises(DataError, match="no corruption with all severities"):
        _evaluate(data, Folders(imagenet=data / "val", corrupted=data / "val"))
    with pytest.raises(DataError, match="is not there; a folder of pictures is needed"):
        _evaluate(data, Folders(imagenet=data / "val", shifted=(("imagenet-r", data / "nowhere"),)))
    assert counting.labels == []


def test_what_cannot_be_evaluated_is_refused(data: Path) -> None:
    named, pictures = work(weights=data / "t8.safetensors"), Folders(imagenet=data / "val")
    with pytest.raises(ReproduceError, match="nothing to evaluate on"):
        check_evaluation(model("fastvit_t8"), Folders(), named, device="cpu")
    with pytest.raises(ReproduceError, match="no weights of fastvit_t8; they are needed; give --weights FILE, or --d"):
        check_evaluation(model("fastvit_t8"), pictures, work(), device="cpu")


def test_the_device_is_what_torch_sees(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named, pictures = work(weights=data / "t8.safetensors"), Folders(imagenet=data / "val")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    check_evaluation(model("fastvit_t8"), pictures, named, device="cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MeasureError, match="'cuda' was asked for and torch sees no GPU; allowed here: cpu"):
        check_evaluation(model("fastvit_t8"), pictures, named, device="cuda")
