from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from bench.measure.checks import onnx_file
from bench.measure.checks.onnx_file import LIMITS, check

from .onnx_models import (
    DATA,
    OPSET,
    PLACES,
    Node,
    Tensor,
    branch,
    call,
    conditional,
    floats,
    function,
    in_sparse_initializer,
    ints,
    model,
    node,
    refusal,
    sound,
)

HUGE = 100_000


def test_description_says_what_the_file_asks_for() -> None:
    assert check(sound().SerializeToString(), {}) == {
        "opset": 20,
        "ir_version": 10,
        "producer": "",
        "operators": {"Conv": 1},
        "nodes": 1,
        "initializer_bytes": 4 * 4 * 3 * 3 * 3,
        "inputs": [{"name": "picture", "dtype": "float32", "shape": [1, 3, 16, 16]}],
        "outputs": [{"name": "logits", "dtype": "float32", "shape": []}],
    }


def test_free_sizes_of_the_input_are_told_as_such() -> None:
    free = sound()
    dims = free.graph.input[0].type.tensor_type.shape.dim
    dims[0].dim_param = "batch"
    dims[2].Clear()
    assert check(free.SerializeToString(), {})["inputs"][0]["shape"] == ["batch", 3, None, 16]


def test_output_without_a_shape_is_allowed() -> None:
    shapeless = sound()
    shapeless.graph.output[0].type.tensor_type.ClearField("shape")
    assert check(shapeless.SerializeToString(), {})["outputs"][0]["shape"] is None


def test_functions_and_microsofts_operators_are_allowed() -> None:
    content = model(
        [node("Twice", outputs=["x"], domain="own"), node("FastGelu", ["x"], domain="com.microsoft")],
        functions=[
            function("Once", [node("Relu")]),
            function("Twice", [node("Once", outputs=["x"], domain="own"), node("Once", ["x"], domain="own")]),
        ],
    )
    found = check(content.SerializeToString(), {})
    assert found["operators"] == {"Relu": 1, "com.microsoft::FastGelu": 1, "own::Once": 2, "own::Twice": 1}
    assert found["nodes"] == 3


def test_it_stands_alone_as_the_child_loads_it(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(sound(), path)
    script = f"""
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("bench_check", {onnx_file.__file__!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(module.check(open({str(path)!r}, "rb").read(), {{}})["nodes"], sorted({{"bench", "torch"}} & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout == "1 []\n"


@pytest.mark.parametrize(("exporter", "count"), [("torchscript", 2), ("dynamo", 1)])
def test_exports_of_the_smoke_networks_pass(tmp_path: Path, exporter: Any, count: int) -> None:
    pytest.importorskip("torch")
    from bench.networks.export import prepare
    from bench.space import at, load_space

    for seed in range(count):
        architecture = at(load_space("smoke"), seed)
        prepared = prepare(architecture, tmp_path / f"{seed}.onnx", seed=seed, num_classes=10, exporter=exporter)
        found = check(prepared.artifact.path.read_bytes(), {})
        assert found["operators"] == prepared.artifact.operators


def test_fields_unknown_to_onnx_are_refused() -> None:
    unknown = b"\xfa\x3f\x03abc"  # field 1023, three bytes
    assert "fields that onnx" in refusal(sound().SerializeToString() + unknown)
    hidden = sound()
    hidden.graph.initializer[0].MergeFromString(unknown)
    assert "fields that onnx" in refusal(hidden)


def test_file_that_is_also_in_onnx_runtimes_format_is_refused() -> None:
    content = sound()
    content.ClearField("producer_name")
    both = b"\x12\x06\0\0ORTM" + content.SerializeToString()
    assert onnx.load_from_string(both).graph == content.graph
    assert refusal(both) == "a file in ONNX Runtime's own format; an ONNX model is allowed"


# --- operators ---


@pytest.mark.parametrize(
    ("domain", "kind", "shown"),
    [
        ("evil", "Conv", "evil::Conv"),
        ("ai.onnx.ml", "TreeEnsemble", "ai.onnx.ml::TreeEnsemble"),
        ("com.microsoft", "EPContext", "com.microsoft::EPContext"),
        ("com.microsoft", "PythonOp", "com.microsoft::PythonOp"),
        ("line\nbreak", "Conv", r"line\nbreak::Conv"),
    ],
)
def test_operators_of_others_are_refused_wherever_they_are(domain: str, kind: str, shown: str) -> None:
    custom = node(kind, domain=domain)
    inner = branch([], [node(kind, [], ["inner"], domain=domain)])
    for content in (model([custom]), conditional(inner), model([call("Own")], functions=[function("Own", [custom])])):
        assert refusal(content).startswith(f"operator {shown}; standard operators, functions in the file and")


def test_operator_that_the_standard_does_not_have_is_refused() -> None:
    assert "No Op registered for Frobnicate" in refusal(model([node("Frobnicate")]))


@pytest.mark.parametrize("domain", ["", "ai.onnx", "com.microsoft"])
def test_function_cannot_take_the_name_of_an_operator(domain: str) -> None:
    content = model([node("EPContext", domain=domain)])
    content.functions.append(function("EPContext", [node("Relu")], domain=domain))
    assert "in a reserved domain; a domain of its own is allowed" in refusal(content)


def test_functions_that_call_themselves_are_refused() -> None:
    circle = [function("A", [call("B")]), function("B", [call("A")])]
    assert refusal(model([call("A")], functions=circle)).startswith("functions that call themselves; ")
    inner = branch([], [node("A", [], ["inner"], domain="own")])
    hidden = [function("A", [node("If", ["picture"], then_branch=inner, else_branch=inner)])]
    assert refusal(model([call("A")], functions=hidden)).startswith("functions that call themselves; ")


def test_functions_that_multiply_are_counted_as_often_as_called() -> None:
    doubling = [function(f"F{level}", [call(f"F{level + 1}")] * 2) for level in range(40)]
    content = model([call("F0")], functions=[*doubling, function("F40", [node("Relu")])])
    text = refusal(content)
    assert "nodes, with each function as often as called; at most 50000 are allowed" in text


@pytest.mark.parametrize(
    ("versions", "text"),
    [
        ({"": 6}, f"opset 6; 7 to {LIMITS['last_opset']} are allowed"),
        ({"": 999}, f"opset 999; 7 to {LIMITS['last_opset']} are allowed"),
        ({"": 20, "ai.onnx": 13}, "two opsets of one domain; one for each domain is allowed"),
        ({"com.microsoft": 1}, f"no opset of the standard operators; 7 to {LIMITS['last_opset']} are allowed"),
    ],
)
def test_opsets_are_bounded(versions: dict[str, int], text: str) -> None:
    content = sound()
    del content.opset_import[:]
    content.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in versions.items())
    assert refusal(content) == text


# --- sizes ---


def bomb() -> bytes:
    """ConstantOfShape of 10**10 float32, in as few bytes as the format allows (nearly)."""
    content = onnx.ModelProto(ir_version=10, opset_import=[helper.make_opsetid("", OPSET)])
    content.graph.name = "40GB"
    content.graph.node.extend([node("ConstantOfShape", ["s"], ["b"]), node("ReduceSum", ["b"], ["o"])])
    content.graph.initializer.add(name="s", data_type=Tensor.INT64, dims=[1], int64_data=[10**10])
    content.graph.output.append(helper.make_tensor_value_info("o", TensorProto.FLOAT, [1]))
    return content.SerializeToString()


def test_file_of_93_bytes_that_asks_for_40_gb_is_refused() -> None:
    assert len(bomb()) == 93
    text = "value 'b' of shape [10000000000] has 40000000000 bytes; at most 1073741824 are allowed"
    assert refusal(bomb()) == text


def big(kind: str, inputs: Sequence[str], **settings: Any) -> list[Node]:
    return [node(kind, inputs, ["big"], **settings), node("ReduceSum", ["big"], keepdims=0)]


TALL, WIDE = np.ones((HUGE, 1)), np.ones((1, HUGE))
BOMBS: dict[str, tuple[list[Node], list[Tensor]]] = {
    "Expand": (big("Expand", ["picture", "s"]), [ints("s", [HUGE, HUGE, 1, 1, 1, 1])]),
    "Range": (big("Range", ["a", "b", "c"]), [ints("a", 0), ints("b", 10**10), ints("c", 1)]),
    "Range of floats": (big("Range", ["a", "b", "c"]), [floats("a", 0), floats("b", 1e10), floats("c", 1)]),
    "Tile": (big("Tile", ["picture", "s"]), [ints("s", [1, 1, HUGE, HUGE])]),
    "Resize to sizes": (big("Resize", ["picture", "", "", "s"]), [ints("s", [1, 3, HUGE, HUGE])]),
    "Resize by scales": (big("Resize", ["picture", "", "s"]), [floats("s", [1, 1, HUGE, HUGE])]),
    "Pad": (big("Pad", ["picture", "s"]), [ints("s", [0, 0, HUGE, HUGE, 0, 0, 0, 0])]),
    "Conv": (big("Conv", ["picture", "w"], pads=[HUGE] * 4), [floats("w", np.ones((1, 3, 1, 1)))]),
    "ConvTranspose": (
        big("ConvTranspose", ["picture", "w"], strides=[HUGE, HUGE]),
        [floats("w", np.ones((3, 1, 1, 1)))],
    ),
    "MatMul": (big("MatMul", ["a", "b"]), [floats("a", TALL), floats("b", WIDE)]),
    "OneHot": (big("OneHot", ["a", "d", "v"]), [ints("a", [1]), ints("d", 10**10), floats("v", [0, 1])]),
    "RandomNormal": (big("RandomNormal", [], shape=[HUGE, HUGE]), []),
    "product of constants": ([node("Mul", ["a", "a"], ["s"]), *big("ConstantOfShape", ["s"])], [ints("a", [HUGE])]),
    "Constant node": ([node("Constant", [], ["s"], value_ints=[HUGE, HUGE]), *big("ConstantOfShape", ["s"])], []),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_value_whose_size_follows_from_constants_is_bounded(kind: str) -> None:
    nodes, constants = BOMBS[kind]
    text = refusal(model(nodes, constants))
    assert text.startswith("value 'big' of shape [")
    assert text.endswith("; at most 1073741824 are allowed")


def test_bombs_in_subgraphs_and_functions_are_seen() -> None:
    nodes = [node("ConstantOfShape", ["s"], ["big"]), node("ReduceSum", ["big"], ["inner"])]
    own = conditional(branch([ints("s", [HUGE, HUGE])], nodes))
    outer = conditional(branch([], nodes))
    outer.graph.initializer.append(ints("s", [HUGE, HUGE]))
    body = [node("Constant", [], ["s"], value_ints=[HUGE, HUGE]), *big("ConstantOfShape", ["s"])]
    for content in (own, outer, model([call("Own")], functions=[function("Own", body)])):
        assert "of shape [100000, 100000] has 40000000000 bytes" in refusal(content)


def test_input_cannot_be_larger_than_a_value_may_be() -> None:
    content = sound()
    content.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 10**9
    assert refusal(content).startswith("value 'picture' of shape [1, 3, 1000000000, 16] has 192000000000 bytes; ")


@pytest.mark.parametrize(
    ("dims", "text"),
    [
        ([10**10], "constants up to tensor 'kernel' have 40000000000 bytes; at most 1073741824 are allowed"),
        ([2**62, 2**62], f"constants up to tensor 'kernel' have {2**126} bytes; at most 1073741824 are allowed"),
        ([4, 3, 3, 4], "tensor 'kernel' of shape [4, 3, 3, 4] holds 432 bytes instead of 576; "),
        ([4, 3, 3, 2], "tensor 'kernel' of shape [4, 3, 3, 2] holds 432 bytes instead of 288; "),
        ([-4, -3, 3, 3], "tensor 'kernel' of shape [-4, -3, 3, 3]; sizes of 0 or more are allowed"),
    ],
)
def test_tensor_holds_what_its_shape_says(dims: list[int], text: str) -> None:
    content = sound()
    content.graph.initializer[0].dims[:] = dims
    assert refusal(content).startswith(text)


def test_sparse_tensor_counts_as_what_it_becomes() -> None:
    content = in_sparse_initializer(DATA, PLACES)
    content.graph.sparse_initializer[0].dims[:] = [10**10]
    assert refusal(content).startswith("constants up to tensor 'data' have 40000000000 bytes; ")


@pytest.mark.parametrize("data_type", [0, 26_000])
def test_tensor_of_no_type_is_refused(data_type: int) -> None:
    content = sound()
    content.graph.initializer[0].data_type = data_type
    assert refusal(content) == f"tensor 'kernel' of element type {data_type}; those of ONNX are allowed"


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"file_bytes": 10}, "bytes; at most 10 are allowed"),
        ({"messages": 3}, "the file has 4 parts or more; at most 3 are allowed"),
        ({"nodes": 0}, "the file has 1 nodes or more; at most 0 are allowed"),
        ({"string_bytes": 3}, "domain has 13 bytes; at most 3 are allowed"),
        ({"constant_bytes": 431}, "constants up to tensor 'kernel' have 432 bytes; at most 431 are allowed"),
        ({"value_bytes": 3071}, "has 3072 bytes; at most 3071 are allowed"),
        ({"last_opset": 19}, "opset 20; 7 to 19 are allowed"),
        ({"speed": 1}, "unknown limit 'speed'; known: file_bytes, messages, nodes, depth, string_bytes, "),
    ],
)
def test_limits_can_be_set(limits: dict[str, int], text: str) -> None:
    assert text in refusal(sound(), **limits)


def test_graphs_nest_to_a_bounded_depth() -> None:
    inner = branch([floats("inner", [1.0])], [])
    for _ in range(9):
        inner = branch([], [node("If", ["flag"], ["inner"], then_branch=inner, else_branch=inner)])
    assert refusal(conditional(inner)) == "graphs in graphs to depth 9; at most 8 are allowed"


# --- broken files ---


def test_file_that_is_cut_off_is_refused() -> None:
    content = model([node("Relu")])
    del content.opset_import[1:]
    for size in range(content.ByteSize()):
        refusal(content.SerializeToString()[:size])


def test_text_that_is_no_utf_8_is_refused() -> None:
    content = sound().SerializeToString().replace(b"picture", b"\xff\xfe\xff\xfe\xff\xfe\xff")
    assert refusal(content) == "name is not UTF-8; texts in ONNX files are UTF-8"


def described_or_refused(content: bytes) -> None:
    try:
        found = check(content, {})
    except ValueError:
        refusal(content)
    else:
        json.dumps(found).encode("ascii")


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_random_bytes_are_refused(content: bytes) -> None:
    described_or_refused(content)


RICH = [
    sound().SerializeToString(),
    conditional(branch([floats("inner", [1.0])], [])).SerializeToString(),
    model([call("Own")], functions=[function("Own", [node("Relu")])]).SerializeToString(),
    in_sparse_initializer(DATA, PLACES).SerializeToString(),
    bomb(),
]


@settings(max_examples=300)
@given(st.sampled_from(RICH), st.data())
def test_changed_files_are_described_or_refused(content: bytes, data: st.DataObject) -> None:
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    described_or_refused(bytes(changed))
