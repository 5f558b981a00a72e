from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from bench.errors import ConfigError, DataError
from bench.evaluate.accuracy import Accuracy, evaluate
from bench.evaluate.answers import Classifier
from bench.evaluate.benchmarks import BENCHMARKS, SHIFTED
from bench.evaluate.pictures import Pictures, imagenet_classes
from bench.evaluate.robustness import (
    ALEXNET_ERRORS,
    SEVERITIES,
    CorruptionErrors,
    evaluate_corruptions,
    find_corruptions,
    find_shifted,
)

from .made import CLASSES, classifier, png, write_shades

# As the paper prints them (Hendrycks & Dietterich 2019, table 1), per cent.
PRINTED = (88.6, 89.4, 92.3, 82.0, 82.6, 78.6, 79.8, 86.7, 82.7, 81.9, 56.5, 85.3, 64.6, 71.8, 60.7)


def _write_corruptions(root: Path, *, groups: bool = False) -> Path:
    """Two pictures in each set, of the greys of class 0 and class 9.

    All are right but one of the two at severity 5, and both at every severity of snow.
    """
    for name in ALEXNET_ERRORS:
        for severity in SEVERITIES:
            is_snow = name == "snow"
            shades = {CLASSES[0]: [225 if is_snow else 0], CLASSES[9]: [0 if is_snow or severity == 5 else 225]}
            write_shades(root / ("weather" if groups and is_snow else ".") / name / str(severity), shades)
    return root


def _run(classifier: Classifier, pictures: Pictures) -> Accuracy:
    return evaluate(classifier, pictures, processes=0)


@pytest.mark.parametrize("benchmark", SHIFTED)
def test_answers_are_taken_among_the_classes_of_the_folders(tmp_path: Path, benchmark: str) -> None:
    """Greys 30 and 110 are nearest to classes 1 and 4; among 0, 4 and 9 they are nearest to 0 and 4."""
    write_shades(tmp_path / "set", {CLASSES[0]: [30], CLASSES[4]: [110], CLASSES[9]: [100]})
    (tmp_path / "set" / "README.txt").touch()
    found = _run(classifier(), find_shifted(benchmark, tmp_path / "set", CLASSES))
    assert found.data == f"{benchmark}:set"
    assert (found.num_classes, found.num_pictures, found.num_top1) == (3, 3, 2)
    assert found.top1 == pytest.approx(66.6667, abs=1e-4)


@pytest.mark.parametrize("benchmark", ["imagenet-a", "imagenet-r"])
def test_the_official_folders_give_the_official_outputs(tmp_path: Path, benchmark: str) -> None:
    import timm.data

    info = Path(timm.data.__file__).parent / "_info"
    lists = benchmark.replace("-", "_")
    for name in (info / f"{lists}_synsets.txt").read_text().split():
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes(png(0))
    found = find_shifted(benchmark, tmp_path, imagenet_classes())
    assert list(found.outputs) == [int(line) for line in (info / f"{lists}_indices.txt").read_text().split()]
    assert len(found.outputs) == BENCHMARKS[benchmark].num_classes
    assert [picture.label for picture in found.pictures] == list(range(200))


def test_unknown_benchmark(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown benchmark 'imagenet-b'; known: imagenet-a, .*; did you mean"):
        find_shifted("imagenet-b", tmp_path, CLASSES)


def test_folders_that_are_no_classes(tmp_path: Path) -> None:
    write_shades(tmp_path, {"cat": [0], "dog": [0]})
    with pytest.raises(DataError, match=r"2 of 2 class folders of imagenet-a:.* are no classes of the network"):
        find_shifted("imagenet-a", tmp_path, CLASSES)


def test_errors_of_alexnet_are_those_of_the_paper() -> None:
    assert list(ALEXNET_ERRORS.values()) == pytest.approx([value / 100 for value in PRINTED], abs=6e-4)


def test_mean_corruption_error_worked_out_by_hand(tmp_path: Path) -> None:
    """Errors are 0, 0, 0, 0 and 50 %, 10 % in the mean; of snow 100 %. Over AlexNet's: 11.2812, ..., 115.3647."""
    found = evaluate_corruptions(classifier(), _write_corruptions(tmp_path), run=_run)
    assert [accuracy.top1 for accuracy in found.accuracies["fog"]] == [100.0, 100.0, 100.0, 100.0, 50.0]
    assert found.errors == {name: pytest.approx(100.0 if name == "snow" else 10.0) for name in ALEXNET_ERRORS}
    assert found.relative_to_alexnet["gaussian_noise"] == pytest.approx(11.2812, abs=1e-4)
    assert found.relative_to_alexnet["snow"] == pytest.approx(115.3647, abs=1e-4)
    assert found.mce == pytest.approx(19.8564, abs=1e-3)
    assert found.missing == ()


def test_alexnet_itself_has_a_hundred() -> None:
    found = CorruptionErrors(
        accuracies={name: tuple(_with_error(error) for _ in SEVERITIES) for name, error in ALEXNET_ERRORS.items()},
        missing=(),
    )
    assert found.mce == pytest.approx(100.0)


def _with_error(error: float) -> Accuracy:
    right = round(1e6 * (1.0 - error))
    return Accuracy(
        data="x",
        fingerprint="x",
        num_classes=1000,
        num_pictures=1_000_000,
        num_top1=right,
        num_top5=right,
        unreadable=(),
    )


def test_a_missing_corruption_leaves_no_mean(tmp_path: Path) -> None:
    _write_corruptions(tmp_path)
    (tmp_path / "fog" / "3").rename(tmp_path / "fog" / "three")
    found = evaluate_corruptions(classifier(), tmp_path, run=_run)
    assert found.missing == ("fog",)
    assert found.mce is None
    assert len(found.errors) == 14


def test_corruptions_lie_in_groups_or_directly(tmp_path: Path) -> None:
    places = find_corruptions(_write_corruptions(tmp_path, groups=True), CLASSES)
    assert list(places) == list(ALEXNET_ERRORS)
    assert (places["snow"], places["fog"]) == ("weather/snow", "fog")


def test_pictures_are_taken_whole(tmp_path: Path) -> None:
    seen: list[tuple[float, str, int]] = []

    def run(found: Classifier, pictures: Pictures) -> Accuracy:
        seen.append((found.preprocessing.crop, pictures.label, len(pictures.outputs)))
        return _with_error(0.5)

    evaluate_corruptions(classifier(), _write_corruptions(tmp_path), run=run)
    assert len(seen) == 75
    assert seen[0] == (1.0, "imagenet-c:gaussian_noise/1", 10)


def test_evaluations_of_all_sets_are_kept_apart(tmp_path: Path) -> None:
    run = partial(evaluate, processes=0, state_dir=tmp_path / "state")
    first = evaluate_corruptions(classifier(), _write_corruptions(tmp_path / "c"), run=run)
    assert len(list((tmp_path / "state").iterdir())) == 75
    assert evaluate_corruptions(classifier(), tmp_path / "c", run=run) == first


def test_no_corruption_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "fog" / "1").mkdir(parents=True)
    with pytest.raises(DataError, match=r"no corruption with all severities: .* holds 1 folders and 0 files \(fog/\)"):
        find_corruptions(tmp_path, CLASSES)


def test_a_wrong_class_folder_is_told_before_anything_is_counted(tmp_path: Path) -> None:
    """In the last set of all."""
    root = _write_corruptions(tmp_path)
    (root / "jpeg_compression" / "5" / CLASSES[9]).rename(root / "jpeg_compression" / "5" / "cat")
    counted: list[str] = []

    def run(found: Classifier, pictures: Pictures) -> Accuracy:
        counted.append(pictures.label)
        return _with_error(0.5)

    message = "1 of 2 class folders of imagenet-c:jpeg_compression/5 are no classes of the network, such as 'cat'"
    with pytest.raises(DataError, match=message):
        evaluate_corruptions(classifier(), root, run=run)
    assert counted == []
