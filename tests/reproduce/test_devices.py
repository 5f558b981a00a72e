from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.reproduce.devices import missing, missing_of
from bench.reproduce.published import Figure, figures

from .made import measurement

XEON = measurement("a", 9.0, machine={"cpu": "Intel(R) Xeon(R) Processor"})
MAC = measurement("a", 9.0, machine={"cpu": "Apple M3 Max"}, runner="apple", runtime="coreml")


def card(name: str, runtime: str = "onnxruntime-tensorrt") -> Any:
    return measurement("a", 9.0, runner="cuda", runtime=runtime, gpus=[{"name": name, "driver": "1"}])


def figure_of(name: str, device: str) -> Figure:
    return next(figure for figure in figures(name) if figure.device == device)


@pytest.mark.parametrize(
    ("published", "found", "lacking"),
    [
        (("iPhone 12 Pro Max", "Core ML (iOS 16)", 1), XEON, "iPhone 12 Pro Max with Core ML (iOS 16)"),
        (("RTX 2080 Ti", "TensorRT 8.0.1.6", 8), None, "RTX 2080 Ti with TensorRT 8.0.1.6 at batch 8"),
        (("Pixel 6 CPU", "unstated", None), XEON, "Pixel 6 CPU"),
        ((None, None, None), XEON, "a device that the source names"),
        (("RTX 2080 Ti", "TensorRT 8.0.1.6", 1), card("NVIDIA GeForce RTX 2080 Ti"), ""),
        (
            ("RTX 2080 Ti", "TensorRT 8.0.1.6", 8),
            card("NVIDIA GeForce RTX 2080 Ti"),
            "batch 8 (timed is batch 1)",
        ),
        (
            ("RTX 2080 Ti", "TensorRT 8.0.1.6", 8),
            card("NVIDIA GeForce RTX 2080 Ti", runtime="torch"),
            "TensorRT 8.0.1.6 and batch 8 (timed is batch 1)",
        ),
        # One name within another is another device.
        (("RTX 2080", "TensorRT 8.0.1.6", 1), card("NVIDIA GeForce RTX 2080 Ti"), "RTX 2080 with TensorRT 8.0.1.6"),
        (("M3 Max", "Core ML (macOS 14.4; float16)", 1), MAC, ""),
        (("M3", "Core ML", 1), MAC, "M3 with Core ML"),
        (("M3 Max", "unstated", 1), MAC, "a runtime that the source names"),
    ],
)
def test_what_is_missing_is_named_exactly(published: tuple[Any, ...], found: Any, lacking: str) -> None:
    assert missing(*published, found) == lacking


def test_a_minimum_is_no_median() -> None:
    figure = replace(figure_of("fastvit_t8", "M3 Max"), statistic="minimum")
    assert missing_of(figure, MAC) == "a minimum (told here is a median)"
    assert missing_of(replace(figure, statistic="mean"), MAC) == ""
