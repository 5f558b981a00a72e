from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from .onnx_models import (
    DATA,
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
    sparse,
)


def external(tensor: Tensor, location: str | None) -> Tensor:
    """The tensor, with its data elsewhere; without a location only marked as such."""
    changed = Tensor()
    changed.CopyFrom(tensor)
    changed.ClearField("raw_data")
    changed.data_location = Tensor.EXTERNAL
    if location is not None:
        changed.external_data.add(key="location", value=location)
    return changed


def looped(inner: onnx.GraphProto) -> onnx.ModelProto:
    del inner.output[:]
    inner.input.append(helper.make_tensor_value_info("step", TensorProto.INT64, []))
    inner.input.append(helper.make_tensor_value_info("go", TensorProto.BOOL, []))
    inner.output.append(helper.make_tensor_value_info("go", TensorProto.BOOL, []))
    inner.output.append(helper.make_tensor_value_info("inner", TensorProto.FLOAT, [1]))
    return model([node("Loop", ["count", ""], body=inner)], [ints("count", 1)])


def in_tensors(tensor: Tensor) -> onnx.ModelProto:
    content = model([node("Relu")])
    attribute = content.graph.node[0].attribute.add(name="many", type=onnx.AttributeProto.TENSORS)
    attribute.tensors.append(tensor)
    return content


def in_default_of_function(tensor: Tensor) -> onnx.ModelProto:
    body = function("Own", [node("Relu")])
    body.attribute_proto.append(helper.make_attribute("weight", tensor))
    return model([call("Own")], functions=[body])


def in_training_info(tensor: Tensor) -> onnx.ModelProto:
    content = sound()
    content.training_info.add().initialization.initializer.append(tensor)
    return content


def constant(tensor: Tensor) -> Node:
    return node("Constant", [], ["inner"], value=tensor)


WHERE: dict[str, Callable[[str | None], onnx.ModelProto]] = {
    "initializer": lambda at: model([node("Relu")], [external(DATA, at)]),
    "sparse values": lambda at: in_sparse_initializer(external(DATA, at), PLACES),
    "sparse indices": lambda at: in_sparse_initializer(DATA, external(PLACES, at)),
    "Constant": lambda at: model([constant(external(DATA, at)), node("Relu")]),
    "sparse Constant, values": lambda at: model(
        [node("Constant", [], ["x"], sparse_value=sparse(external(DATA, at), PLACES)), node("Relu")]
    ),
    "sparse Constant, indices": lambda at: model(
        [node("Constant", [], ["x"], sparse_value=sparse(DATA, external(PLACES, at))), node("Relu")]
    ),
    "tensors": lambda at: in_tensors(external(DATA, at)),
    "If": lambda at: conditional(branch([external(floats("inner", [1.0]), at)], [])),
    "Constant in If": lambda at: conditional(branch([], [constant(external(DATA, at))])),
    "Loop": lambda at: looped(branch([external(floats("inner", [1.0]), at)], [])),
    "If in If": lambda at: conditional(
        branch([], [node("If", ["flag"], ["inner"], then_branch=branch([external(DATA, at)], []))])
    ),
    "function": lambda at: model(
        [call("Own")], functions=[function("Own", [constant(external(DATA, at)), node("Relu")])]
    ),
    "unused function": lambda at: model(
        [node("Relu")], functions=[function("Own", [constant(external(DATA, at)), node("Relu")])]
    ),
    "default of a function": lambda at: in_default_of_function(external(DATA, at)),
}


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("link", ["hard link", "symbolic link", "absolute", "above", "marked only"])
def test_data_in_another_file_is_refused_wherever_it_is(tmp_path: Path, where: str, link: str) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"\0\0\x80?")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "hard").hardlink_to(secret)
    (folder / "soft").symlink_to(secret)
    locations = {"hard link": "hard", "symbolic link": "soft", "absolute": str(secret), "above": "../secret"}
    location = locations.get(link)
    path = folder / "model.onnx"
    path.write_bytes(WHERE[where](location).SerializeToString())
    text = refusal(path.read_bytes())
    assert " has its data in another file" in text
    assert text.endswith("; one file is allowed")


def test_training_information_is_refused_whatever_it_has() -> None:
    assert refusal(in_training_info(external(DATA, "x"))).startswith(
        ("training information; ", "tensor 'data' has its")
    )
    assert refusal(in_training_info(DATA)) == "training information; a model for inference is allowed"
