"""Files that mean harm, through the whole path: each costs itself and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from bench.measure import JobArtifact, Measurement, measure

from ..conftest import MakeJob, MakeOnnx
from .onnx_models import floats, ints, model, node, sound
from .test_external_data import WHERE
from .test_onnx_file import bomb

SHAPE = [1, 3, 16, 16]

Harm = Callable[[], onnx.ModelProto]


def unchecked(path: Path, content: bytes) -> JobArtifact:
    """A file of unknown origin."""
    path.write_bytes(content)
    return JobArtifact(label=path.stem, path=str(path), format="onnx", sha256=hashlib.sha256(content).hexdigest())


def computed(value: float) -> list[onnx.NodeProto]:
    """`value` as an integer, out of the picture: no constant says it, and no shape inference can."""
    return [
        node("ReduceMax", ["picture"], ["most"], keepdims=0),
        node("Clip", ["most", "value", "value"], ["clipped"]),
        node("Cast", ["clipped"], ["count"], to=TensorProto.INT64),
    ]


def runs_out_of_memory() -> onnx.ModelProto:
    """40 GB, known when it runs."""
    shape = [node("Reshape", ["count", "one"], ["shape"])]
    use = [node("ConstantOfShape", ["shape"], ["big"]), node("ReduceSum", ["big"], keepdims=0)]
    return model([*computed(1e10), *shape, *use], [floats("value", 1e10), ints("one", [1])])


def runs_for_ever() -> onnx.ModelProto:
    """A loop of 10**18 turns."""
    inputs = [
        helper.make_tensor_value_info("step", TensorProto.INT64, []),
        helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        helper.make_tensor_value_info("state", TensorProto.FLOAT, SHAPE),
    ]
    outputs = [
        helper.make_tensor_value_info("onward", TensorProto.BOOL, []),
        helper.make_tensor_value_info("next", TensorProto.FLOAT, SHAPE),
    ]
    turn = [node("Identity", ["go"], ["onward"]), node("Sin", ["state"], ["next"])]
    body = helper.make_graph(turn, "turn", inputs, outputs)
    loop = [node("Loop", ["count", "", "picture"], ["last"], body=body), node("ReduceSum", ["last"], keepdims=0)]
    return model([*computed(1e18), *loop], [floats("value", 1e18)])


def measured(
    job: MakeJob, artifacts: Sequence[JobArtifact], *, memory_mib: int, deadline_s: float
) -> list[Measurement]:
    return list(measure(job(*artifacts, memory_mib=memory_mib, deadline_s=deadline_s)))


def test_files_that_ask_for_too_much_are_not_loaded(job: MakeJob, convolution: MakeOnnx, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(np.float32(1).tobytes())
    (tmp_path / "hard").hardlink_to(secret)
    own = sound().SerializeToString()
    harmful = {
        "linked": (WHERE["initializer"]("hard").SerializeToString(), "has its data in another file 'hard'; one file"),
        "bomb": (bomb(), "value 'b' of shape [10000000000] has 40000000000 bytes; at most"),
        "custom": (model([node("Relu", domain="evil")]).SerializeToString(), "operator evil::Relu; "),
        "ort": (b"\x12\x06\0\0ORTM" + own, "a file in ONNX Runtime's own format; "),
        "cut": (own[:-60], "no ONNX model (it cannot be parsed, or is cut off); "),
        "random": (bytes(range(256)), "no ONNX model (it cannot be parsed, or is cut off); "),
    }
    files = [unchecked(tmp_path / f"{name}.onnx", content) for name, (content, _) in harmful.items()]
    *refused, other = measured(job, [*files, convolution("sound")], memory_mib=4096, deadline_s=60.0)
    for measurement, (_, reason) in zip(refused, harmful.values(), strict=True):
        assert measurement.verdict == "failed"
        assert reason in str(measurement.reason)
    assert other.verdict != "failed"


@pytest.mark.parametrize(
    ("harm", "deadline_s", "reason"),
    [
        (runs_out_of_memory, 60.0, "Failed to allocate memory"),
        (runs_for_ever, 3.0, "no answer within its deadline"),
    ],
)
def test_what_no_check_can_see_ends_at_the_limits_of_the_child(
    job: MakeJob, convolution: MakeOnnx, tmp_path: Path, harm: Harm, deadline_s: float, reason: str
) -> None:
    file = unchecked(tmp_path / "harm.onnx", harm().SerializeToString())
    harmful, other = measured(job, [file, convolution("sound")], memory_mib=4096, deadline_s=deadline_s)
    assert harmful.verdict == "failed"
    assert reason in str(harmful.reason)
    assert other.verdict != "failed"
