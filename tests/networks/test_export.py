from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from bench.errors import ExportError
from bench.networks import build, costs
from bench.networks.export import OPSET, compare_outputs, export_onnx, parse_model, picture, prepare
from bench.networks.fold import fold, randomise

from .points import drawn, point, tiny


def _deploy(seed: int = 0) -> nn.Module:
    network = build(tiny(), seed=seed)
    randomise(network, seed=seed)
    return fold(network, fold_attention_norm=False)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (prepare(tiny(), tmp_path / name, seed=5).artifact for name in ("a.onnx", "b.onnx"))
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.sha256 == second.sha256
    assert prepare(tiny(), tmp_path / "c.onnx", seed=6).artifact.sha256 != first.sha256


@pytest.mark.parametrize("name", ["t8", "sa12"])
def test_an_artifact_is_one_small_graph_with_native_operators(name: str, tmp_path: Path) -> None:
    prepared = prepare(point(name), tmp_path / "network.onnx", seed=0)
    operators = prepared.artifact.operators
    model = onnx.load(prepared.artifact.path, load_external_data=False)
    assert [path.name for path in tmp_path.iterdir()] == ["network.onnx"]
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert [entry.version for entry in model.opset_import if entry.domain == ""] == [OPSET]
    assert "Erf" not in operators
    assert operators["Gelu"] == (17 if name == "t8" else 19)
    assert operators.get("BatchNormalization", 0) == (0 if name == "t8" else 2)
    assert operators["Conv"] == (52 if name == "t8" else 59)
    assert prepared.artifact.error <= 1e-5
    assert prepared.fold_error <= 1e-10
    assert prepared.costs == costs(point(name), fold_attention_norm=False)
    assert prepared.artifact.bytes == prepared.artifact.path.stat().st_size
    assert list(prepared.seconds) == ["build", "fold", "export"]


def test_folding_the_norm_before_qkv_leaves_no_batch_norm(tmp_path: Path) -> None:
    prepared = prepare(tiny(), tmp_path / "network.onnx", seed=0, fold_attention_norm=True)
    assert "BatchNormalization" not in prepared.artifact.operators


@pytest.mark.parametrize("seed", range(4))
def test_random_architectures_can_be_prepared(seed: int, tmp_path: Path) -> None:
    prepared = prepare(drawn(seed), tmp_path / "network.onnx", seed=seed, num_classes=10)
    assert prepared.artifact.resolution == drawn(seed).settings["input_resolution"]


def test_onnx_runtime_fuses_attention_where_the_norm_is_kept(tmp_path: Path) -> None:
    import onnxruntime

    artifact = prepare(tiny(), tmp_path / "network.onnx", seed=0).artifact
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    onnxruntime.InferenceSession(artifact.path, options, providers=["CPUExecutionProvider"])
    optimised = onnx.load(tmp_path / "optimised.onnx")
    assert "MultiHeadAttention" in {node.op_type for node in optimised.graph.node}


@pytest.mark.slow
def test_the_newer_exporter_passes_the_same_check(tmp_path: Path) -> None:
    artifact = export_onnx(_deploy(), tmp_path / "network.onnx", resolution=64, exporter="dynamo")
    assert (artifact.opset, "Erf" in artifact.operators) == (OPSET, False)


def test_an_artifact_of_other_weights_is_refused(tmp_path: Path) -> None:
    data = export_onnx(_deploy(0), tmp_path / "network.onnx", resolution=64).path.read_bytes()
    pixels = picture(64)
    with pytest.raises(ExportError, match=r"differs from torch by \S+ \(relative, float32\); at most 1e-04"):
        compare_outputs(data, _deploy(1)(pixels), pixels)
    assert compare_outputs(data, _deploy(0)(pixels), pixels) <= 1e-5


def test_a_network_that_gives_nan_leaves_no_file(tmp_path: Path) -> None:
    network = _deploy()
    network.get_parameter("head.fc.bias").fill_(torch.nan)
    with pytest.raises(ExportError, match="differs from torch by nan"):
        export_onnx(network, tmp_path / "network.onnx", resolution=64)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ExportError, match="no valid ONNX model"):
        parse_model(b"not a model")


def test_another_opset_is_refused(tmp_path: Path) -> None:
    model = onnx.load(export_onnx(_deploy(), tmp_path / "network.onnx", resolution=64).path)
    model.opset_import[0].version = 21
    with pytest.raises(ExportError, match="opset 21 and 0 tensors in other files; allowed: opset 20"):
        parse_model(model.SerializeToString())


def test_a_network_in_training_mode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="training mode; deploy forms are exported; fold"):
        export_onnx(build(tiny()), tmp_path / "network.onnx", resolution=64)


def test_an_unknown_exporter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="unknown exporter 'onnxjs'; known: torchscript, dynamo"):
        export_onnx(_deploy(), tmp_path / "network.onnx", resolution=64, exporter="onnxjs")  # type: ignore[arg-type]
