"""Accuracy under distribution shift, by each benchmark's own definition.

ImageNet-A and -R (Hendrycks et al. 2021, "Natural Adversarial Examples"; Hendrycks et al. 2021, "The Many Faces of
Robustness") have pictures of 200 classes: the answer is the best of these 200 outputs, as in eval.py of
hendrycks/natural-adv-examples and hendrycks/imagenet-r. ImageNet-Sketch (Wang et al. 2019) has all 1,000. Which
classes take part is read from the folders, which are named by WNID; `benchmarks.py` says whether they are all.

ImageNet-C (Hendrycks & Dietterich 2019, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations") has the validation set under 15 corruptions at 5 severities. With E(s, c) the top-1 error,

    CE(c) = sum over s of E(s, c) / sum over s of E_AlexNet(s, c)        mCE = mean over c of CE(c)

in per cent: lower is better, AlexNet has 100. Its pictures come cropped to 224 px, and the authors' test.py takes
them whole; so no further crop is made here, and a network with another resolution gets them resized.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.errors import ConfigError, DataError, nearest
from bench.evaluate.accuracy import Accuracy
from bench.evaluate.answers import Classifier
from bench.evaluate.benchmarks import SHIFTED
from bench.evaluate.pictures import Pictures, pictures_in_folders, present_classes
from bench.proxies.folders import found

# AlexNet's top-1 error, mean of the five severities: google-research/augmix imagenet.py, which has them from
# hendrycks/robustness with six digits; the paper prints the first three.
ALEXNET_ERRORS = {
    "gaussian_noise": 0.886428,
    "shot_noise": 0.894468,
    "impulse_noise": 0.922640,
    "defocus_blur": 0.819880,
    "glass_blur": 0.826268,
    "motion_blur": 0.785948,
    "zoom_blur": 0.798360,
    "snow": 0.866816,
    "frost": 0.826572,
    "fog": 0.819324,
    "brightness": 0.564592,
    "contrast": 0.853204,
    "elastic_transform": 0.646056,
    "pixelate": 0.717840,
    "jpeg_compression": 0.606500,
}
SEVERITIES = (1, 2, 3, 4, 5)
CROP = 1.0  # of all sets of ImageNet-C, whatever the network's own

Run = Callable[[Classifier, Pictures], Accuracy]


@dataclass(frozen=True, slots=True, kw_only=True)
class CorruptionErrors:
    """What a network makes of ImageNet-C.

    Attributes:
        accuracies: by corruption, in the order of the severities; only corruptions with all five.
        missing: corruptions without all five severities.
    """

    accuracies: Mapping[str, tuple[Accuracy, ...]]
    missing: tuple[str, ...]

    @property
    def errors(self) -> Mapping[str, float]:
        """Top-1 error of each corruption, per cent, mean of the severities."""
        return {
            name: sum(100.0 - accuracy.top1 for accuracy in group) / len(group)
            for name, group in self.accuracies.items()
        }

    @property
    def relative_to_alexnet(self) -> Mapping[str, float]:
        """CE of each corruption, per cent."""
        return {name: error / ALEXNET_ERRORS[name] for name, error in self.errors.items()}

    @property
    def mce(self) -> float | None:
        """Mean corruption error, per cent; `None` where a corruption is missing."""
        return None if self.missing else sum(self.relative_to_alexnet.values()) / len(ALEXNET_ERRORS)


def find_shifted(benchmark: str, root: Path, classes: Sequence[str]) -> Pictures:
    """The pictures of a benchmark in class folders; answers are taken among the classes that are there.

    Fewer classes than the official ones are an easier task: `class_differences` and `why_partial` tell.

    Args:
        benchmark: one of `SHIFTED`.
        classes: what the outputs of the network are called, in their order: WNIDs.

    Raises:
        ConfigError: it is none of these.
        DataError: there are no class folders, or one is no class of the network.
    """
    if benchmark not in SHIFTED:
        raise ConfigError(
            f"unknown benchmark {benchmark!r}; known: {', '.join(SHIFTED)}{nearest(benchmark, SHIFTED) or '; take one'}"
        )
    root = root.expanduser().resolve()
    return pictures_in_folders(root, classes, label=f"{benchmark}:{root.name}", only_present=True)


def find_corruptions(root: Path, classes: Sequence[str]) -> Mapping[str, str]:
    """The folders of ImageNet-C below `root` that have all severities, by corruption.

    They lie in `root`, or as downloaded in noise/, blur/, weather/ and digital/. Of each set the class folders are
    looked at, and no picture.

    Args:
        classes: what the outputs of the network are called.

    Raises:
        DataError: there is none, the message says what was found; or a class folder is no class of the network.
    """
    root = root.expanduser().resolve()
    folders = [path for pattern in ("*", "*/*") for path in root.glob(pattern) if path.name in ALEXNET_ERRORS]
    place_of = {
        path.name: str(path.relative_to(root))
        for path in sorted(folders, reverse=True)
        if all((path / str(severity)).is_dir() for severity in SEVERITIES)
    }
    if not place_of:
        raise DataError(
            f"imagenet-c:{root.name} has no corruption with all severities: {root} holds {found(root)}; "
            f"{next(iter(ALEXNET_ERRORS))}/1/<WNID>/ and so on are needed; name another folder"
        )
    for place in place_of.values():
        for severity in SEVERITIES:
            present_classes(root / place / str(severity), classes, label=f"imagenet-c:{place}/{severity}")
    return {name: place_of[name] for name in ALEXNET_ERRORS if name in place_of}


def evaluate_corruptions(classifier: Classifier, root: Path, *, run: Run) -> CorruptionErrors:
    """Evaluates on every corruption and severity below `root`, one after the other.

    Args:
        run: counts the pictures of one set: `evaluate`, or that with device, progress and state folder filled in.

    Raises:
        DataError: as `find_corruptions`.
    """
    root = root.expanduser().resolve()
    uncropped = replace(classifier, preprocessing=replace(classifier.preprocessing, crop=CROP))
    places = find_corruptions(root, classifier.classes)
    accuracies = {
        name: tuple(run(uncropped, _pictures(root, f"{place}/{severity}", classifier)) for severity in SEVERITIES)
        for name, place in places.items()
    }
    missing = tuple(name for name in ALEXNET_ERRORS if name not in places)
    return CorruptionErrors(accuracies=accuracies, missing=missing)


def _pictures(root: Path, folder: str, classifier: Classifier) -> Pictures:
    return pictures_in_folders(root, classifier.classes, label=f"imagenet-c:{folder}", folder=folder)
