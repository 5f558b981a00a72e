"""What an ONNX file must pass before a runtime loads it: one file, known operators, bounded sizes.

A model is data, but what it may ask of a runtime goes far: to read other files (onnxruntime 1.31.1 still follows
a hard link out of the model's folder), to load a library's operators, to allocate 40 GB for a file of 93 bytes.
Nothing here trusts a place: external data is refused wherever the format has a tensor, because the whole message
is walked, and fields that this version of onnx does not know are refused, because a runtime may know them.

Allowed are the standard operators of opset 7 and newer, those of com.microsoft that compute something themselves,
and functions that the file defines out of these. Sizes are Python integers, which do not overflow; those of
values in between come from ONNX's shape inference, as far as the file's constants say them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from graphlib import CycleError, TopologicalSorter
from typing import Any

import onnx
import onnx.inliner
import onnx.shape_inference

LIMITS: dict[str, int] = {
    "file_bytes": 512 << 20,
    "messages": 2_000_000,  # parts of any kind, which cost memory and time before they are nodes
    "nodes": 50_000,  # with every call of a function replaced by its body
    "depth": 8,  # of graphs in graphs
    "string_bytes": 64 << 10,
    "constant_bytes": 1 << 30,  # all tensors in the file together, sparse ones as dense
    "value_bytes": 1 << 30,  # any one value whose shape is known
    "first_opset": 7,
    "last_opset": onnx.defs.onnx_opset_version(),
}

_STANDARD = ("", "ai.onnx")
_MICROSOFT = "com.microsoft"
# They hand a blob, a library or a function's name to other code.
_FORBIDDEN = ("EPContext", "Snpe", "ATen", "PythonOp", "PythonOpGrad", "TritonOp")
# ONNX Runtime takes a file with this at byte 4 for its own format, whatever else it is (a model can be both).
_ORT_FORMAT = b"ORTM"

_FLOAT8 = ("FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "FLOAT8E8M0")
_BITS = {
    "COMPLEX128": 128,
    **dict.fromkeys(("DOUBLE", "INT64", "UINT64", "COMPLEX64"), 64),
    **dict.fromkeys(("FLOAT", "INT32", "UINT32"), 32),
    **dict.fromkeys(("FLOAT16", "BFLOAT16", "INT16", "UINT16"), 16),
    **dict.fromkeys(("INT8", "UINT8", "BOOL", *_FLOAT8), 8),
    **dict.fromkeys(("INT4", "UINT4", "FLOAT4E2M1"), 4),
    **dict.fromkeys(("INT2", "UINT2"), 2),
    "STRING": 0,  # counted by its content
}
_KINDS = {value: name for name, value in onnx.TensorProto.DataType.items()}
_TYPED_DATA = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")
# Shape inference needs the values of small tensors only: those that are shapes, axes, repeats.
_SHAPE_BYTES = 1 << 10

# Domain ("" for ai.onnx), name and overload of an operator or function.
_Key = tuple[str, str, str]
_MAIN: _Key = ("", "", "")


def check(content: bytes, limits: dict[str, int]) -> dict[str, Any]:
    """What the ONNX file `content` asks for, if it may be loaded.

    Returns:
        opset, ir_version, producer, operators (type: count; those of other domains as "domain::type"), nodes,
        initializer_bytes (all constants), inputs and outputs (name, dtype as numpy names it, shape with None or
        a name for a free dimension).

    Raises:
        ValueError: it may not, in one line: what was found; what is allowed.
    """
    unknown = sorted(limits.keys() - LIMITS.keys())
    if unknown:
        raise ValueError(f"unknown limit {unknown[0]!r}; known: {', '.join(LIMITS)}")
    limits = LIMITS | limits
    _at_most(len(content), limits["file_bytes"], "the file has", "bytes")
    if content[4:8] == _ORT_FORMAT:
        raise ValueError("a file in ONNX Runtime's own format; an ONNX model is allowed")
    model = _parse(content)
    opset = _check_opsets(model, limits)
    walk = _Walk(model, limits)
    _check_unknown_fields(model)
    description = {
        "opset": opset,
        "ir_version": model.ir_version,
        "producer": " ".join(part for part in (model.producer_name, model.producer_version) if part),
        "operators": walk.operators(),
        "nodes": walk.check_calls(),
        "initializer_bytes": walk.num_constant_bytes,
        "inputs": _describe(model.graph.input, besides={tensor.name for tensor in model.graph.initializer}),
        "outputs": _describe(model.graph.output, besides=set()),
    }
    _check_valid(content, model)
    _check_values(model, limits)
    return description


def _parse(content: bytes) -> Any:
    try:
        model = onnx.load_from_string(content)
    except MemoryError:
        raise
    except Exception as error:  # protobuf's own class, and onnx names no other
        raise ValueError("no ONNX model (it cannot be parsed, or is cut off); a whole ONNX file is allowed") from error
    if not model.HasField("graph"):
        raise ValueError("no ONNX model (it has no graph); a whole ONNX file is allowed")
    return model


def _check_opsets(model: Any, limits: dict[str, int]) -> int:
    """The version of the standard operators."""
    first, last = limits["first_opset"], limits["last_opset"]
    for entries in (model.opset_import, *(function.opset_import for function in model.functions)):
        domains = ["" if entry.domain in _STANDARD else entry.domain for entry in entries]
        if len(set(domains)) < len(domains):
            raise ValueError("two opsets of one domain; one for each domain is allowed")
        for domain, entry in zip(domains, entries):
            if domain == "" and not first <= entry.version <= last:
                raise ValueError(f"opset {entry.version}; {first} to {last} are allowed")
    found = [int(entry.version) for entry in model.opset_import if entry.domain in _STANDARD]
    if not found:
        raise ValueError(f"no opset of the standard operators; {first} to {last} are allowed")
    return found[0]


class _Walk:
    """Visits every message of a model, of whatever kind and in whatever place, and clears large weights.

    No dataclass: those look for their module among the imported ones, and this file is loaded by path.
    """

    def __init__(self, model: Any, limits: dict[str, int]) -> None:
        self.num_constant_bytes = 0
        self._limits = limits
        self._functions = {_key(item.domain, item.name, item.overload) for item in model.functions}
        self._num_nodes = 0
        # Function (or the main graph) -> what it runs -> how often, and in how many graphs at most.
        self._calls: dict[_Key, Counter[_Key]] = {}
        self._depths: dict[_Key, dict[_Key, int]] = {}
        self._visit_all(model)

    def operators(self) -> dict[str, int]:
        """How many nodes of each type the file has."""
        total: Counter[str] = Counter()
        for calls in self._calls.values():
            for key, count in calls.items():
                total[_operator(key)] += count
        return dict(sorted(total.items()))

    def check_calls(self) -> int:
        """The number of nodes once every call of a function is replaced by the function."""
        callees = {body: [key for key in counter if key in self._functions] for body, counter in self._calls.items()}
        try:
            order = list(TopologicalSorter(callees).static_order())
        except CycleError as error:
            raise ValueError("functions that call themselves; functions without recursion are allowed") from error
        nodes: dict[_Key, int] = {}
        depths: dict[_Key, int] = {}
        for body in order:
            calls, around = self._calls.get(body, Counter()), self._depths.get(body, {})
            nodes[body] = sum(count * nodes.get(key, 1) for key, count in calls.items())
            depths[body] = max((depth + depths.get(key, 0) for key, depth in around.items()), default=0)
            _at_most(nodes[body], self._limits["nodes"], "the file has", "nodes, with each function as often as called")
            _at_most(depths[body], self._limits["depth"], "graphs in graphs, with those of functions, to depth", "")
        return nodes.get(_MAIN, 0)

    def _visit_all(self, model: Any) -> None:
        # Message, number of graphs around it, function around it.
        stack: list[tuple[Any, int, _Key]] = [(model, 0, _MAIN)]
        num_messages = 0
        while stack:
            message, depth, body = stack.pop()
            num_messages += 1
            _at_most(num_messages, self._limits["messages"], "the file has", "parts or more")
            kind = message.DESCRIPTOR.name
            if kind == "GraphProto":
                depth += 1
            elif kind == "FunctionProto":
                body = _key(message.domain, message.name, message.overload)
            children = self._children(message)
            self._visit(kind, message, depth, body)
            stack.extend((item, depth, body) for item in children)

    def _visit(self, kind: str, message: Any, depth: int, body: _Key) -> None:
        if kind == "TensorProto":
            self._visit_tensor(message)
        elif kind == "SparseTensorProto":  # a runtime makes it dense
            self._count_constant(message.dims, message.values.data_type, message.values.name)
        elif kind == "NodeProto":
            self._visit_node(message, depth, body)
        elif kind == "GraphProto":
            _at_most(depth, self._limits["depth"], "graphs in graphs to depth", "")
        elif kind == "FunctionProto" and body[0] in ("", _MICROSOFT):
            raise ValueError(f"function {_operator(body)} in a reserved domain; a domain of its own is allowed")
        elif kind == "TrainingInfoProto":
            raise ValueError("training information; a model for inference is allowed")

    def _visit_node(self, node: Any, depth: int, body: _Key) -> None:
        self._num_nodes += 1
        _at_most(self._num_nodes, self._limits["nodes"], "the file has", "nodes or more")
        key = _key(node.domain, node.op_type, node.overload)
        is_known = key[0] == "" or (key[0] == _MICROSOFT and key[1] not in _FORBIDDEN)
        if not is_known and key not in self._functions:
            raise ValueError(
                f"operator {_operator(key)}; standard operators, functions in the file and most of {_MICROSOFT} "
                "are allowed"
            )
        self._calls.setdefault(body, Counter())[key] += 1
        depths = self._depths.setdefault(body, {})
        depths[key] = max(depth, depths.get(key, 0))

    def _visit_tensor(self, tensor: Any) -> None:
        _check_place(tensor)
        self.num_constant_bytes += sum(len(text) for text in tensor.string_data)
        elements, bits = self._count_constant(tensor.dims, tensor.data_type, tensor.name)
        if tensor.HasField("raw_data"):
            unit, stored, needed = "bytes", len(tensor.raw_data), -(-elements * bits // 8)
        else:
            unit, needed = "values", _typed_count(elements, tensor.data_type)
            stored = sum(len(getattr(tensor, name)) for name in _TYPED_DATA)
        if stored != needed:
            raise ValueError(
                f"tensor {_show(tensor.name)} of shape {_show_shape(tensor.dims)} holds {stored} {unit} instead of "
                f"{needed}; tensors with all of their data are allowed"
            )
        if unit == "bytes" and stored > _SHAPE_BYTES:  # weights are not looked at again; what follows is quick then
            tensor.ClearField("raw_data")

    def _count_constant(self, dims: Any, data_type: int, name: str) -> tuple[int, int]:
        """Elements, and bits of each; their bytes are added to the total."""
        bits = _BITS.get(_KINDS.get(data_type, ""))
        if bits is None:
            raise ValueError(f"tensor {_show(name)} of element type {data_type}; those of ONNX are allowed")
        elements = _num_elements(f"tensor {_show(name)}", dims)
        self.num_constant_bytes += -(-elements * bits // 8)
        what = f"constants up to tensor {_show(name)} have"
        _at_most(self.num_constant_bytes, self._limits["constant_bytes"], what, "bytes")
        return elements, bits

    def _children(self, message: Any) -> list[Any]:
        """The messages in a message; its texts are checked on the way."""
        children: list[Any] = []
        for descriptor, value in message.ListFields():
            if descriptor.message_type is not None:
                children.extend([value] if hasattr(value, "ListFields") else value)
            elif descriptor.type in (descriptor.TYPE_STRING, descriptor.TYPE_BYTES) and descriptor.name != "raw_data":
                for text in [value] if isinstance(value, (str, bytes)) else value:
                    if descriptor.type == descriptor.TYPE_STRING and not isinstance(text, str):
                        raise ValueError(f"{descriptor.name} is not UTF-8; texts in ONNX files are UTF-8")
                    _at_most(len(text), self._limits["string_bytes"], f"{descriptor.name} has", "bytes")
        return children


def _check_place(tensor: Any) -> None:
    if tensor.external_data or tensor.data_location == onnx.TensorProto.EXTERNAL:
        places = [_show(entry.value) for entry in tensor.external_data if entry.key == "location"]
        where = f" {places[0]}" if places else ""
        raise ValueError(f"tensor {_show(tensor.name)} has its data in another file{where}; one file is allowed")
    if tensor.HasField("segment"):
        raise ValueError(f"tensor {_show(tensor.name)} is a segment; whole tensors are allowed")


def _typed_count(elements: int, data_type: int) -> int:
    """Values in the typed fields: a complex number is two of them, numbers below a byte share one."""
    kind = _KINDS[data_type]
    if kind.startswith("COMPLEX"):
        return 2 * elements
    return -(-elements * _BITS[kind] // 8) if 0 < _BITS[kind] < 8 else elements


def _check_unknown_fields(model: Any) -> None:
    size = model.ByteSize()
    model.DiscardUnknownFields()
    if model.ByteSize() != size:
        raise ValueError(
            f"fields that onnx {onnx.__version__} does not know; those of IR version {onnx.IR_VERSION} are allowed"
        )


def _check_valid(content: bytes, model: Any) -> None:
    """ONNX's own checker, which knows every operator's inputs and attributes."""
    if any(_lacks_shape(value.type) for value in model.graph.output):
        # The checker wants the shapes of outputs; runtimes do not, and not every exporter writes them.
        model = onnx.load_from_string(content)
        for value in model.graph.output:
            if _lacks_shape(value.type):
                value.type.tensor_type.shape.SetInParent()
        content = model.SerializeToString()
    _call(onnx.checker.check_model, content)


def _lacks_shape(kind: Any) -> bool:
    return bool(kind.HasField("tensor_type") and not kind.tensor_type.HasField("shape"))


def _check_values(model: Any, limits: dict[str, int]) -> None:
    """Every value whose shape follows from the constants has a bounded size."""
    if model.functions:
        model = _call(onnx.inliner.inline_local_functions, model)
    # Graph, constants of the graphs around it.
    stack: list[tuple[Any, list[Any]]] = [(model.graph, [])]
    while stack:
        graph, outer = stack.pop()
        for value in _inferred(graph, outer, model):
            _check_value(value, limits)
        small = [tensor for tensor in graph.initializer if math.prod(tensor.dims) <= _SHAPE_BYTES]
        for node in graph.node:
            for attribute in node.attribute:
                inner = [attribute.g] if attribute.HasField("g") else []
                stack.extend((item, outer + small) for item in (*inner, *attribute.graphs))


def _inferred(graph: Any, outer: list[Any], model: Any) -> list[Any]:
    """The values of one graph, with shapes as far as they follow."""
    alone = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, graph=graph)
    own = {tensor.name for tensor in graph.initializer}
    alone.graph.initializer.extend(tensor for tensor in outer if tensor.name not in own)
    try:
        graph = onnx.shape_inference.infer_shapes(alone, data_prop=True).graph
    except MemoryError:
        raise
    except Exception:
        # The sizes stay unknown, as those that are computed do; the memory limit is there for both.
        pass
    return [*graph.input, *graph.value_info, *graph.output]


def _check_value(value: Any, limits: dict[str, int]) -> None:
    kind = value.type.tensor_type
    dims = [dim.dim_value for dim in kind.shape.dim if dim.HasField("dim_value")]
    elements = _num_elements(f"value {_show(value.name)}", dims)
    bits = max(8, _BITS.get(_KINDS.get(kind.elem_type, ""), 8))
    found = f"value {_show(value.name)} of shape {_show_shape(dims)} has"
    _at_most(elements * bits // 8, limits["value_bytes"], found, "bytes")


def _num_elements(what: str, dims: Any) -> int:
    if any(size < 0 for size in dims):
        raise ValueError(f"{what} of shape {_show_shape(dims)}; sizes of 0 or more are allowed")
    return math.prod(dims)


def _describe(values: Any, *, besides: set[str]) -> list[dict[str, Any]]:
    return [
        {"name": value.name, "dtype": _dtype(value.type), "shape": _shape(value.type)}
        for value in values
        if value.name not in besides
    ]


def _dtype(kind: Any) -> str:
    """As numpy names it, where it does."""
    if not kind.HasField("tensor_type"):
        return str(kind.WhichOneof("value") or "unknown").removesuffix("_type")
    name = str(_KINDS.get(kind.tensor_type.elem_type, "unknown")).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)


def _shape(kind: Any) -> list[int | str | None] | None:
    if not kind.HasField("tensor_type") or _lacks_shape(kind):
        return None
    dims = kind.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None for dim in dims]


def _call(function: Callable[[Any], Any], argument: Any) -> Any:
    """The result of a function of onnx, whose error classes are many, with the text in one line."""
    try:
        return function(argument)
    except MemoryError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())
        raise ValueError(f"no valid ONNX model ({text[:200]}); valid ones are allowed") from error


def _key(domain: str, name: str, overload: str) -> _Key:
    return ("" if domain in _STANDARD else domain, name, overload)


def _operator(key: _Key) -> str:
    return "::".join(_show(part)[1:-1] for part in key[:2] if part)


def _at_most(value: int, limit: int, found: str, unit: str) -> None:
    if value > limit:
        raise ValueError(f"{f'{found} {value} {unit}'.rstrip()}; at most {limit} are allowed")


def _show(text: str) -> str:
    """Quoted, in one line, not longer than helps."""
    shown = ascii(text)
    return shown if len(shown) <= 64 else f"{shown[:60]}...'"


def _show_shape(dims: Any) -> str:
    shown = [str(size) for size in dims[:8]] + (["..."] if len(dims) > 8 else [])
    return f"[{', '.join(shown)}]"
