"""Networks whose answer to a picture can be worked out by hand, and pictures for them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from bench.evaluate.answers import BATCH, Classifier
from bench.evaluate.preprocessing import Preprocessing

CLASSES = tuple(f"n{number:08d}" for number in range(10))
SIDE = 8
WHOLE = Preprocessing(resolution=SIDE, crop=1.0, interpolation="bilinear", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


class NearestShade(nn.Module):
    """Class k stands for the grey 25 k; the class whose grey is nearest to the picture's is the first answer."""

    def __init__(self, num_classes: int = len(CLASSES)) -> None:
        super().__init__()
        self.register_buffer("shades", 25.0 * torch.arange(num_classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.shape == (BATCH, 3, SIDE, SIDE)
        return -(255.0 * x.mean(dim=(1, 2, 3)).unsqueeze(1) - self.shades).abs()


def classifier(network: nn.Module | None = None, classes: Sequence[str] = CLASSES) -> Classifier:
    return Classifier(network=network or NearestShade(), preprocessing=WHOLE, classes=tuple(classes))


def png(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (12, 9), shade).save(buffer, "PNG")
    return buffer.getvalue()


def noise(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (11, 13, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def write_shades(root: Path, shades: Mapping[str, Sequence[int]]) -> Path:
    """A folder for each class, a picture for each shade."""
    for name, values in shades.items():
        (root / name).mkdir(parents=True)
        for number, shade in enumerate(values):
            (root / name / f"{number}.png").write_bytes(png(shade))
    return root
