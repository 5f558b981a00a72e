"""Small ONNX models, sound and otherwise, for the tests of what the check refuses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.measure.checks.onnx_file import check

Node = onnx.NodeProto
Tensor = onnx.TensorProto

OPSET = 20


def node(
    kind: str, inputs: Sequence[str] = ("picture",), outputs: Sequence[str] = ("logits",), **settings: Any
) -> Node:
    return helper.make_node(kind, list(inputs), list(outputs), **settings)


def ints(name: str, values: Any) -> Tensor:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def floats(name: str, values: Any) -> Tensor:
    return numpy_helper.from_array(np.array(values, np.float32), name)


def graph(nodes: Sequence[Node], constants: Sequence[Tensor]) -> onnx.GraphProto:
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, 16, 16])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [])
    return helper.make_graph(list(nodes), "test", [picture], [logits], list(constants))


def model(
    nodes: Sequence[Node], constants: Sequence[Tensor] = (), *, functions: Sequence[onnx.FunctionProto] = ()
) -> onnx.ModelProto:
    domains = {"": OPSET, "com.microsoft": 1, **{function.domain: 1 for function in functions}}
    opsets = [helper.make_opsetid(domain, version) for domain, version in domains.items()]
    return helper.make_model(graph(nodes, constants), opset_imports=opsets, ir_version=10, functions=list(functions))


def function(name: str, nodes: Sequence[Node], *, domain: str = "own") -> onnx.FunctionProto:
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("own", 1)]
    return helper.make_function(domain, name, ["picture"], ["logits"], list(nodes), opsets)


def sound() -> onnx.ModelProto:
    return model([node("Conv", ["picture", "kernel"])], [floats("kernel", np.ones((4, 3, 3, 3)))])


def call(name: str) -> Node:
    return node(name, domain="own")


def refusal(content: onnx.ModelProto | bytes, **limits: int) -> str:
    """Why a file is refused."""
    with pytest.raises(ValueError) as caught:
        check(content if isinstance(content, bytes) else content.SerializeToString(), limits)
    text = str(caught.value)
    assert type(caught.value) is ValueError
    assert "\n" not in text
    assert text.isascii()
    assert len(text) < 400
    return text


def sparse(values: Tensor, indices: Tensor) -> onnx.SparseTensorProto:
    return helper.make_sparse_tensor(values, indices, [16])


def branch(constants: Sequence[Tensor], nodes: Sequence[Node]) -> onnx.GraphProto:
    output = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [1])
    return helper.make_graph(list(nodes), "branch", [], [output], list(constants))


def conditional(inner: onnx.GraphProto) -> onnx.ModelProto:
    return model(
        [node("If", ["flag"], then_branch=inner, else_branch=inner)], [numpy_helper.from_array(np.True_, "flag")]
    )


def in_sparse_initializer(values: Tensor, indices: Tensor) -> onnx.ModelProto:
    content = model([node("Relu")])
    content.graph.sparse_initializer.append(sparse(values, indices))
    return content


DATA, PLACES = floats("data", [1.0]), ints("places", [3])
