"""Accuracy of a network on whole benchmarks: ImageNet validation, and the shifted and corrupted ones.

    classes = imagenet_classes()
    classifier = Classifier(network=network, preprocessing=published_preprocessing("fastvit_t8"), classes=classes)
    accuracy = evaluate(classifier, find_validation(folder, classes), state_dir=cache)
    accuracy = evaluate(classifier, find_shifted("imagenet-a", folder, classes))
    errors = evaluate_corruptions(classifier, folder, run=evaluate)

Names are looked up when they are used: the decoding processes import this package and must not pay for torch.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.evaluate.accuracy import Accuracy, evaluate
    from bench.evaluate.answers import Classifier
    from bench.evaluate.benchmarks import BENCHMARKS, SHIFTED, class_differences, why_partial
    from bench.evaluate.pictures import Pictures, find_validation, imagenet_classes
    from bench.evaluate.preprocessing import Preprocessing, published_preprocessing, timm_preprocessing
    from bench.evaluate.robustness import CorruptionErrors, evaluate_corruptions, find_corruptions, find_shifted

_NAMES = {
    "accuracy": ("Accuracy", "evaluate"),
    "answers": ("Classifier",),
    "benchmarks": ("BENCHMARKS", "SHIFTED", "class_differences", "why_partial"),
    "pictures": ("Pictures", "find_validation", "imagenet_classes"),
    "preprocessing": ("Preprocessing", "published_preprocessing", "timm_preprocessing"),
    "robustness": ("CorruptionErrors", "evaluate_corruptions", "find_corruptions", "find_shifted"),
}

__all__ = [
    "BENCHMARKS",
    "SHIFTED",
    "Accuracy",
    "Classifier",
    "CorruptionErrors",
    "Pictures",
    "Preprocessing",
    "class_differences",
    "evaluate",
    "evaluate_corruptions",
    "find_corruptions",
    "find_shifted",
    "find_validation",
    "imagenet_classes",
    "published_preprocessing",
    "timm_preprocessing",
    "why_partial",
]


def __getattr__(name: str) -> object:
    for module, names in _NAMES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
