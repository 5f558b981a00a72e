"""Small made-up benchmarks, and weights for them, for tests that evaluate."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PIL import Image
from safetensors.torch import save_file

from bench.measure import Measurement
from bench.networks import build
from bench.networks.fold import randomise
from bench.networks.models import Model
from bench.reproduce.work import Work
from bench.study.models import find_model, reference_point


def write_pictures(folder: Path, names: Iterable[str], *, count: int = 2) -> Path:
    """A folder for each class with some pictures of one colour each."""
    for number, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for place in range(count):
            colour = (40 * number % 256, (90 + 10 * place) % 256, 200)
            Image.new("RGB", (40, 32), colour).save(folder / name / f"{place}.png")
    return folder


def write_weights(path: Path, name: str) -> Path:
    network = build(reference_point(name))
    randomise(network, seed=0)
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, path)
    return path


def model(name: str) -> Model:
    found = find_model(name)
    assert isinstance(found, Model)
    return found


def work(**changes: object) -> Work:
    return Work(places=(), keep=_forget, **changes)  # type: ignore[arg-type]


def _forget(measurement: Measurement) -> None:
    del measurement
