"""From a network in deploy form to a checked, single-file ONNX artifact.

Opset 20, the first with a native Gelu: at opset 17 the decomposed GELU runs 1.19 to 1.26 times slower in ONNX
Runtime. The exporter is by choice the TorchScript-based one, though torch calls it deprecated: FastViT-T8
takes it 0.14 s and SA12 0.32 s, where the `torch.export` based one takes 1.9 to 2.6 s for either (torch 2.14.1,
one core of a shared x86-64 machine, warm), and a search pays this once a candidate. `exporter="dynamo"` is
there for the day the older one goes. Both are held to the same check: an artifact is returned only after ONNX
Runtime has computed from it what torch computes.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from bench.errors import ExportError
from bench.networks.cost import Costs, costs
from bench.networks.families import build
from bench.networks.fold import fold_proven, randomise

if TYPE_CHECKING:
    from bench.space import Architecture

OPSET = 20
LARGEST_ERROR = 1e-4  # relative, float32; what is found is some 1e-6
INPUT, OUTPUT = "image", "logits"

Exporter = Literal["torchscript", "dynamo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """An exported file and how it was made.

    Attributes:
        operators: how many nodes of each type the graph has, before any runtime optimises it.
        error: relative difference from torch's output in float32.
        logits: torch's output for `picture(resolution)`, which every runtime is held to.
    """

    path: Path
    sha256: str
    bytes: int
    format: str
    exporter: str
    exporter_version: str
    opset: int
    resolution: int
    operators: Mapping[str, int]
    error: float
    logits: tuple[float, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, without the logits."""
        plain = asdict(self) | {"path": str(self.path), "operators": dict(self.operators)}
        del plain["logits"]
        return plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A candidate that is ready to be timed.

    Attributes:
        fold_error: relative, float64, proven on randomised statistics.
        seconds: what each step took: build, fold (with its proof), export (with its check).
    """

    artifact: Artifact
    costs: Costs
    fold_error: float
    seconds: Mapping[str, float]


def prepare(
    architecture: Architecture,
    path: Path | str,
    *,
    seed: int,
    num_classes: int = 1000,
    resolution: int | None = None,
    fold_attention_norm: bool = False,
    exporter: Exporter = "torchscript",
) -> Prepared:
    """Build, prove the fold of, fold, export and check `architecture`, with random weights: for timing.

    Args:
        resolution: None: the architecture's own.
        fold_attention_norm: off by default, ONNX Runtime fuses attention only where qkv has no bias.
    """
    side = int(architecture.settings["input_resolution"]) if resolution is None else resolution
    seconds: dict[str, float] = {}
    with _timed(seconds, "build"):
        network = build(architecture, num_classes=num_classes, seed=seed, resolution=side).double().eval()
        # Statistics of a trained network: fresh ones would make the proof and the check of the output
        # vacuous.
        randomise(network, seed=seed)
    with _timed(seconds, "fold"):
        deploy, fold_error = fold_proven(network, seed=seed, fold_attention_norm=fold_attention_norm)
    with _timed(seconds, "export"):
        artifact = export_onnx(deploy.float(), path, resolution=side, exporter=exporter)
    counted = costs(architecture, num_classes=num_classes, resolution=side, fold_attention_norm=fold_attention_norm)
    return Prepared(artifact=artifact, costs=counted, fold_error=fold_error, seconds=seconds)


def export_onnx(
    network: nn.Module, path: Path | str, *, resolution: int, exporter: Exporter = "torchscript"
) -> Artifact:
    """Export `network` (deploy form, eval mode) for one picture of `resolution`, check the file, and name it
    `path`.

    The same network gives the same bytes. Nothing is at `path` unless the check has passed.

    Raises:
        ExportError: the exporter fails, or ONNX Runtime computes something else than torch.
    """
    path = Path(path)
    pixels = picture(resolution)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".partial")
    os.close(handle)
    partial = Path(name)
    try:
        _export(network, pixels, partial, exporter)
        data = partial.read_bytes()
        model = parse_model(data)
        with torch.inference_mode():
            expected = network(pixels)
        error = compare_outputs(data, expected, pixels)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return Artifact(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        format="onnx",
        exporter=exporter,
        exporter_version=f"torch {torch.__version__}",
        opset=OPSET,
        resolution=resolution,
        operators=dict(sorted(Counter(node.op_type for node in model.graph.node).items())),
        error=error,
        logits=tuple(expected.flatten().tolist()),
    )


def picture(resolution: int) -> Tensor:
    """The one input that outputs are compared on, float32 of shape (1, 3, resolution, resolution).

    Drawn by numpy, as the files of `bench/measure/runtimes` do, most of which have no torch.
    """
    shape = (1, 3, resolution, resolution)
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape, dtype=np.float32))


def parse_model(data: bytes) -> onnx.ModelProto:
    """The ONNX model in `data`, which has to be valid, of opset 20, and whole (no weights in other files).

    Raises:
        ExportError: it is not.
    """
    try:
        model = onnx.load_from_string(data)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf and onnx have no common error class
        raise ExportError(
            f"the export is no valid ONNX model ({_first_line(error)}); only valid ones are allowed; "
            "export the network again"
        ) from error
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    num_external = sum(bool(tensor.external_data) for tensor in model.graph.initializer)
    if num_external or opset != OPSET:
        raise ExportError(
            f"the export has opset {opset} and {num_external} tensors in other files; "
            f"allowed: opset {OPSET} and none; export the network again"
        )
    return model


def compare_outputs(data: bytes, expected: Tensor, pixels: Tensor) -> float:
    """The relative difference between what ONNX Runtime computes from `data` and what torch computed.

    Raises:
        ExportError: the difference exceeds `LARGEST_ERROR`.
    """
    found = _run(data, pixels)
    if found.shape != expected.shape:
        raise ExportError(
            f"the artifact gives shape {tuple(found.shape)}, torch gives {tuple(expected.shape)}; "
            "they have to agree; export the network again"
        )
    error = float((found - expected).norm() / expected.norm())
    if not error <= LARGEST_ERROR:  # also refuses NaN
        raise ExportError(
            f"the artifact differs from torch by {error:.1e} (relative, float32); "
            f"at most {LARGEST_ERROR:.0e} is allowed; export the network again or with the other exporter"
        )
    return error


def _export(network: nn.Module, picture: Tensor, path: Path, exporter: Exporter) -> None:
    if exporter not in _EXPORTERS:
        raise ExportError(f"unknown exporter {exporter!r}; known: {', '.join(_EXPORTERS)}; use one of them")
    if network.training:
        raise ExportError("the network is in training mode; deploy forms are exported; fold() it first")
    try:
        with torch.inference_mode():
            _EXPORTERS[exporter](network, picture, path)
    except (RuntimeError, torch.onnx.OnnxExporterError) as error:
        raise ExportError(
            f"exporter {exporter!r} failed ({_first_line(error)}); known: {', '.join(_EXPORTERS)}; try the other one"
        ) from error


def _export_torchscript(network: nn.Module, picture: Tensor, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You are using the legacy TorchScript-based", DeprecationWarning)
        warnings.filterwarnings("ignore", "The feature will be removed", DeprecationWarning)
        torch.onnx.export(
            network,
            (picture,),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            external_data=False,
        )


def _export_dynamo(network: nn.Module, picture: Tensor, path: Path) -> None:
    torch.onnx.export(
        network,
        (picture,),
        path,
        dynamo=True,
        opset_version=OPSET,
        input_names=[INPUT],
        output_names=[OUTPUT],
        external_data=False,
        verbose=False,
    )


_EXPORTERS: dict[str, Callable[[nn.Module, Tensor, Path], None]] = {
    "torchscript": _export_torchscript,
    "dynamo": _export_dynamo,
}


def _run(data: bytes, picture: Tensor) -> Tensor:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # it warns about every node it leaves to the CPU
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run([OUTPUT], {INPUT: picture.numpy()})[0])


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - start
