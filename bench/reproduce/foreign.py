"""Parameters and multiply-adds of networks that are not built here: ONNX files and networks of timm.

Multiply-adds are those of convolutions and matrix products, as everywhere in this project.
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a network costs; None where it cannot be told.

    Attributes:
        params: learned numbers.
        macs: multiply-adds of one picture.
    """

    params: int | None
    macs: int | None


UNKNOWN = Counts(params=None, macs=None)


def timm_counts(name: str, resolution: int) -> Counts:
    """Of a network of timm as it is timed, folded by timm's `reparameterize_model`; seconds.

    Multiply-adds are counted in a forward pass on torch's meta device, which computes nothing, with attention taken
    apart: its fused kernels hide theirs.
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    network = _timm_network(name)
    params = sum(parameter.numel() for parameter in network.parameters())
    pixels = torch.zeros(1, 3, resolution, resolution, device="meta")
    try:
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
            network.to("meta")(pixels)
    except (RuntimeError, NotImplementedError, ValueError, AssertionError):
        # It looks at numbers while it runs, or takes no picture of that size.
        return Counts(params=params, macs=None)
    return Counts(params=params, macs=counter.get_total_flops() // 2)


def onnx_counts(path: Path, resolution: int) -> Counts:
    """Of an ONNX file that a runtime has already loaded; what cannot be told of it is None.

    Parameters are the numbers of all floating-point initializers but single ones, which are constants of formulas, and
    the running statistics of batch norms. They are not told of a file whose weights have 8 bits or are computed when it
    runs: it holds other numbers too. Multiply-adds follow from the shapes of Conv, Gemm and MatMul.

    Args:
        resolution: height and width of the picture, where the file leaves them open; its batch is then one.
    """
    import onnx

    try:
        model = onnx.load(path, load_external_data=False)
        _close(model.graph.input, resolution)
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # of a file that others made, onnx raises what protobuf and its own C++ raise
        return UNKNOWN
    return Counts(params=_onnx_params(model.graph), macs=_onnx_macs(inferred.graph))


def _timm_network(name: str) -> nn.Module:
    import timm
    import torch
    from timm.utils.model import reparameterize_model

    with torch.random.fork_rng(devices=[]), _unfused(), contextlib.redirect_stdout(None):
        folded: nn.Module = reparameterize_model(timm.create_model(name, pretrained=False).eval())
    return folded.eval()


@contextlib.contextmanager
def _unfused() -> Iterator[None]:
    """Networks of timm that are built inside take their attention apart."""
    from timm.layers import set_fused_attn, use_fused_attn

    was_fused, is_experimental = use_fused_attn(), use_fused_attn(experimental=True)
    set_fused_attn(enable=False)
    try:
        yield
    finally:
        set_fused_attn(enable=was_fused, experimental=is_experimental)


def _close(inputs: Any, resolution: int) -> None:
    """Gives open sizes of a picture, (batch, channels, height, width), numbers."""
    for found in inputs:
        sizes = found.type.tensor_type.shape.dim
        for size, number in zip(sizes, (1, None, resolution, resolution), strict=False):
            if len(sizes) == 4 and not size.dim_value and number is not None:
                size.dim_value = number


def _onnx_params(graph: Any) -> int | None:
    from onnx import TensorProto

    floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
    small = (TensorProto.INT8, TensorProto.UINT8)
    stored: dict[str, Shape] = {found.name: tuple(found.dims) for found in graph.initializer}
    is_computed = any(node.op_type == "Conv" and node.input[1] not in stored for node in graph.node)
    if is_computed or any(found.data_type in small and len(found.dims) > 1 for found in graph.initializer):
        return None
    statistics = {name for node in graph.node if node.op_type == "BatchNormalization" for name in node.input[3:5]}
    numbers: set[str] = {found.name for found in graph.initializer if found.data_type in floats} - statistics
    uses = Counter(name for node in graph.node for name in node.input)
    sizes = {name: (math.prod(stored[name]), len(stored[name])) for name in numbers}
    # Exporters keep equal vectors once, such as the zero biases of a network without training.
    return sum(size * (uses[name] if rank == 1 else 1) for name, (size, rank) in sizes.items() if size > 1)


def _onnx_macs(graph: Any) -> int | None:
    shapes = dict(_shapes(graph))
    total = 0
    for node in graph.node:
        if any(attribute.HasField("g") for attribute in node.attribute):
            return None  # what a branch or a loop runs is known when it runs
        if node.op_type in _MACS:
            known = [shapes.get(name) for name in (*node.input[:2], node.output[0])]
            if any(shape is None for shape in known):
                return None
            total += _MACS[node.op_type](node, *known)
    return total


def _shapes(graph: Any) -> Iterator[tuple[str, Shape]]:
    for found in graph.initializer:
        yield found.name, tuple(found.dims)
    for found in (*graph.input, *graph.value_info, *graph.output):
        sizes = found.type.tensor_type.shape.dim
        if all(size.HasField("dim_value") for size in sizes):
            yield found.name, tuple(size.dim_value for size in sizes)


def _conv(node: Any, picture: Shape, weight: Shape, output: Shape) -> int:
    del node, picture
    return math.prod(output) * math.prod(weight[1:])


def _gemm(node: Any, left: Shape, right: Shape, output: Shape) -> int:
    del right
    is_turned = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return math.prod(output) * left[0 if is_turned else -1]


def _matmul(node: Any, left: Shape, right: Shape, output: Shape) -> int:
    del node, right
    return math.prod(output) * left[-1]


_MACS: Mapping[str, Any] = {"Conv": _conv, "Gemm": _gemm, "MatMul": _matmul}
