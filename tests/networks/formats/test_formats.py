"""What holds for every format."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from command import ROOT

from bench.errors import ExportError, FoldError
from bench.networks.export import picture
from bench.networks.fold import fold
from bench.networks.formats import FORMATS, artifact_hash, export_as, payload_files, require

from .made import RESOLUTION, architecture, exported, needs, network

# Converters that take seconds, and one whose bytes are not repeatable.
SLOW = ("litert", "executorch")
REPEATABLE = [
    pytest.param(kind, marks=pytest.mark.soak) if kind in SLOW else kind for kind in FORMATS if kind != "coreai"
]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_is_what_it_is_said_to_be(kind: str) -> None:
    made = exported(kind)
    assert made.path.suffix == FORMATS[kind].suffix
    assert made.format == FORMATS[kind].format
    assert made.sha256 == artifact_hash(made.path)
    assert made.bytes == sum(file.stat().st_size for file in payload_files(made.path))
    assert made.precision == FORMATS[kind].precisions[0]
    assert made.fold_error <= 1e-10
    assert re.search(r"\d+\.\d+", made.exporter_version)
    assert json.loads(json.dumps(made.to_dict()))["sha256"] == made.sha256


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_computes_what_torch_computes_or_says_why_it_was_not_asked(kind: str) -> None:
    made = exported(kind)
    if made.unchecked is None:
        assert made.error is not None
        assert made.error <= 1e-5
    else:
        assert (made.error, made.cosine) == (None, None)
        assert made.unchecked == "Core ML runs on macOS only"


@pytest.mark.parametrize("kind", FORMATS)
def test_every_file_is_held_to_the_logits_of_one_picture(kind: str) -> None:
    with torch.inference_mode():
        expected = fold(network())(picture(RESOLUTION)).flatten()
    assert torch.allclose(torch.tensor(exported(kind).logits), expected, rtol=1e-4, atol=1e-4 * float(expected.std()))


@pytest.mark.parametrize("kind", REPEATABLE)
def test_the_same_network_gives_the_same_file(kind: str, tmp_path: Path) -> None:
    first = exported(kind)
    path = tmp_path / f"again{FORMATS[kind].suffix}"
    again = export_as(network(), path, kind=kind, resolution=RESOLUTION, architecture=architecture())
    assert again.sha256 == first.sha256


def test_a_network_that_is_folded_already_is_taken(tmp_path: Path) -> None:
    made = export_as(fold(network()), tmp_path / "folded.onnx", kind="onnx", resolution=RESOLUTION)
    assert made.fold_error == 0
    assert made.error is not None
    assert made.error <= 1e-5


def test_the_network_is_left_as_it_was(tmp_path: Path) -> None:
    source = network().double()
    before = {name: value.clone() for name, value in source.state_dict().items()}
    export_as(source, tmp_path / "network.onnx", kind="onnx", resolution=RESOLUTION)
    assert all(torch.equal(value, before[name]) for name, value in source.state_dict().items())


def test_asking_what_there_is_imports_no_torch() -> None:
    code = "import sys, bench.networks.formats; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    names = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "onnx", "coremltools"} & set(names)


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"unknown format 'liteert'; known: onnx, .*; did you mean 'litert'\?"):
        export_as(network(), tmp_path / "x.tflite", kind="liteert", resolution=RESOLUTION)


def test_a_precision_that_the_format_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="precision 'fp16' of format 'onnx'; allowed: fp32; choose one"):
        export_as(network(), tmp_path / "x.onnx", kind="onnx", resolution=RESOLUTION, precision="fp16")


def test_a_missing_package_is_named_with_the_command_that_adds_it() -> None:
    form = replace(FORMATS["litert"], packages=("torch", "no_such_converter"))
    with pytest.raises(ExportError, match=r"format 'litert' needs no_such_converter, .*pip install 'bench\[litert\]'"):
        require(form)


class Faithless(torch.nn.Module):
    """Its graph computes something else than it does."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Conv2d(3, 10, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.head(x).mean((2, 3))
        return 2 * y if torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export() else y


# Core ML cannot be asked here, and weights are no graph.
@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind not in ("coreml", "torch")])
def test_a_file_that_computes_something_else_leaves_the_old_one(kind: str, tmp_path: Path) -> None:
    needs(kind)
    path = tmp_path / f"network{FORMATS[kind].suffix}"
    if kind == "coreai":
        path.mkdir()
        (path / "metadata.json").touch()
    else:
        path.touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ExportError, match=r"differs from torch by 1.0e\+00 \(relative, float32\); at most 1e-04"):
        export_as(Faithless(), path, kind=kind, resolution=RESOLUTION)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_network_that_gives_nan_is_refused(tmp_path: Path) -> None:
    source = network()
    source.get_parameter("head.fc.bias").data.fill_(torch.nan)
    with pytest.raises(FoldError, match="differs from its train form by nan"):
        export_as(source, tmp_path / "network.onnx", kind="onnx", resolution=RESOLUTION)
    assert list(tmp_path.iterdir()) == []


class Undecided(torch.nn.Module):
    """Its graph depends on the picture, which no exporter of graphs can know."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Conv2d(3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.head(x)
        return y.mean((2, 3)) if bool(y.sum() > 0) else y.amax((2, 3))


def test_what_a_converter_cannot_do_is_one_line(tmp_path: Path) -> None:
    needs("coreml")
    with pytest.raises(
        ExportError, match=r"converter of format 'coreml' failed \(\w+: .*\); .*; .*--verbose"
    ) as caught:
        export_as(Undecided(), tmp_path / "x.mlpackage", kind="coreml", resolution=RESOLUTION)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
