from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.networks import costs
from bench.networks.export import prepare
from bench.reproduce.foreign import UNKNOWN, Counts, onnx_counts, timm_counts
from bench.reproduce.names import TIMM
from bench.reproduce.published import figures
from bench.study.models import reference_point


def saved(path: Path, nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray], *, side: int | str = 8) -> Path:
    """A network of one picture, 3 x side x side, written down by hand."""
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, side, side])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]), path)
    return path


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


CONV = helper.make_node("Conv", ["pixels", "kernel", "bias"], ["grown"], pads=[1, 1, 1, 1], strides=[2, 2])
POOL = helper.make_node("GlobalAveragePool", ["grown"], ["pooled"])
FLAT = helper.make_node("Flatten", ["pooled"], ["flat"])


@pytest.mark.parametrize("side", [8, "side"])
def test_operators_are_counted_from_their_shapes(tmp_path: Path, side: int | str) -> None:
    gemm = helper.make_node("Gemm", ["flat", "head", "head_bias"], ["logits"], transB=1)
    constants = {"kernel": ones(6, 3, 3, 3), "bias": ones(6), "head": ones(10, 6), "head_bias": ones(10)}
    path = saved(tmp_path / "made.onnx", [CONV, POOL, FLAT, gemm], constants, side=side)
    # 6 maps of 4 x 4 from 3 x 3 x 3 each, then 10 sums of 6.
    expected = Counts(params=6 * 27 + 6 + 60 + 10, macs=6 * 16 * 27 + 60)
    assert onnx_counts(path, 8) == expected


def test_products_of_matrices_and_grouped_convolutions_are_counted(tmp_path: Path) -> None:
    conv = helper.make_node("Conv", ["pixels", "kernel"], ["grown"], group=3)
    turned = helper.make_node("Gemm", ["columns", "head"], ["product"], transA=1)
    matmul = helper.make_node("MatMul", ["grown", "right"], ["logits"])
    constants = {"kernel": ones(3, 1, 1, 1), "right": ones(8, 5), "columns": ones(4, 2), "head": ones(4, 7)}
    path = saved(tmp_path / "made.onnx", [conv, turned, matmul], constants)
    assert onnx_counts(path, 8).macs == 3 * 64 * 1 + 2 * 7 * 4 + 3 * 8 * 5 * 8


def test_constants_and_statistics_are_no_parameters_and_equal_vectors_are(tmp_path: Path) -> None:
    norm = helper.make_node("BatchNormalization", ["grown", "zeros", "zeros", "mean", "variance"], ["normed"])
    scale = helper.make_node("Mul", ["normed", "half"], ["logits"])
    constants = {
        "kernel": ones(6, 3, 3, 3),
        "bias": ones(6),
        "zeros": np.zeros(6, np.float32),
        "mean": ones(6),
        "variance": ones(6),
        "half": ones(1),
        "shape": np.array([1, 6], np.int64),
    }
    path = saved(tmp_path / "made.onnx", [CONV, norm, scale], constants)
    assert onnx_counts(path, 8).params == 6 * 27 + 6 + 2 * 6


def test_what_cannot_be_told_is_not_guessed(tmp_path: Path) -> None:
    weights = {"kernel": ones(6, 3, 3, 3), "bias": ones(6), "scale": np.array(1.0, np.float32)}
    computed = [
        helper.make_node("Mul", ["kernel", "scale"], ["made"]),
        helper.make_node("Conv", ["pixels", "made"], ["x"]),
    ]
    assert onnx_counts(saved(tmp_path / "computed.onnx", computed, weights), 8).params is None
    small = {**weights, "packed": np.ones((6, 4), np.int8)}
    quantised = onnx_counts(saved(tmp_path / "small.onnx", [CONV], small), 8)
    assert quantised == Counts(params=None, macs=6 * 16 * 27)
    unknown = [helper.make_node("NonZero", ["pixels"], ["places"]), helper.make_node("Cast", ["places"], ["one"], to=1)]
    unknown.append(helper.make_node("MatMul", ["one", "right"], ["logits"]))
    assert onnx_counts(saved(tmp_path / "open.onnx", unknown, {"right": ones(3, 3)}), 8).macs is None
    (tmp_path / "text.onnx").write_text("<html>not found</html>")
    assert onnx_counts(tmp_path / "text.onnx", 8) == UNKNOWN


@pytest.mark.parametrize("name", ["fastvit_t8", "cmt_ti"])
def test_files_of_our_own_cost_what_their_networks_do(name: str, tmp_path: Path) -> None:
    architecture = reference_point(name)
    prepare(architecture, tmp_path / "model.onnx", seed=0)
    expected = costs(architecture, fold_attention_norm=False)
    assert onnx_counts(tmp_path / "model.onnx", 256) == Counts(params=expected.params, macs=expected.macs)


@pytest.mark.parametrize("name", ["deit_s", "poolformer_s24", "efficientformer_l1", "rsb_resnet_50"])
def test_networks_of_timm_cost_what_was_counted_from_their_code(name: str) -> None:
    found = timm_counts(TIMM[name], 224)
    assert found.params is not None
    assert found.macs is not None
    counted = {"params_m": found.params / 1e6, "macs_g": found.macs / 1e9}
    published = [figure for figure in figures(name) if figure.quantity in counted and figure.source == "timm 1.0.31"]
    assert len(published) == 2
    assert all(figure.is_rounding_of(counted[figure.quantity]) for figure in published)


def test_a_size_that_a_network_cannot_take_leaves_its_parameters() -> None:
    found = timm_counts("deit_tiny_patch16_224", 100)
    assert found.params == 5_717_416
    assert found.macs is None


def test_counting_leaves_timm_as_it_was() -> None:
    from timm.layers import use_fused_attn

    before = use_fused_attn()
    timm_counts("deit_tiny_patch16_224", 224)
    assert use_fused_attn() == before
