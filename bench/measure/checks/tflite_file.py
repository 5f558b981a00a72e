"""What a TFLite file must pass before LiteRT loads it: one file, built-in operators, nothing outside its bounds.

A TFLite file is a FlatBuffer: tables that point to each other by offsets, which LiteRT follows without verifying
a model that is given as bytes. Only what decides is read here (schema.fbs, version 3, in google-ai-edge/LiteRT:
operator codes, buffers, tensors, operators), and every offset on the way is checked. Refused are operators of other
libraries, and weights beside the FlatBuffer: appended to it (`Buffer.offset`, `large_custom_options_offset`) or in
other files (`external_buffers`).
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from typing import Any

LIMITS: dict[str, int] = {
    "file_bytes": 512 << 20,
    "parts": 1_000_000,  # tables and entries of vectors that are looked at, each as often as it is pointed to
    "nodes": 50_000,
    "string_bytes": 64 << 10,
    "value_bytes": 1 << 30,  # any one tensor
}

_IDENTIFIER = b"TFL3"
_VERSION = 3
# By number.
_NAMES = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM
MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS
SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN
EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2
GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG
SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT
UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU
SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE
MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND
SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D
IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE
READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU
DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2
UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE
STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE STABLEHLO_BROADCAST_IN_DIM
STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS STABLEHLO_AND
STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM STABLEHLO_NEGATE STABLEHLO_OR
STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER
STABLEHLO_COMPARE STABLEHLO_CONVERT STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA
STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE
STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE
"""
_OPERATORS = tuple(_NAMES.split())
_FORBIDDEN = ("CUSTOM", "DELEGATE", "STABLEHLO_CUSTOM_CALL", "PLACEHOLDER_FOR_GREATER_OP_CODES")
# Name and bits of each TensorType; strings and handles have no size of their own.
_TYPES = (
    *(("float32", 32), ("float16", 16), ("int32", 32), ("uint8", 8), ("int64", 64), ("string", 0), ("bool", 8)),
    *(("int16", 16), ("complex64", 64), ("int8", 8), ("float64", 64), ("complex128", 128), ("uint64", 64)),
    *(("resource", 0), ("variant", 0), ("uint32", 32), ("uint16", 16), ("int4", 4), ("bfloat16", 16), ("int2", 2)),
    *(("uint4", 4), ("float8_e4m3fn", 8), ("float8_e5m2", 8)),
)


def check(content: bytes, limits: dict[str, int]) -> dict[str, Any]:
    """What the TFLite file `content` asks for, if it may be loaded.

    Returns:
        opset (None: the format has none), ir_version (of the schema), producer (its description), operators (type:
        count), nodes, initializer_bytes (all buffers), inputs and outputs of the first subgraph (name, dtype, shape
        with None for a free dimension).

    Raises:
        ValueError: it may not, in one line: what was found; what is allowed.
    """
    unknown = sorted(limits.keys() - LIMITS.keys())
    if unknown:
        raise ValueError(f"unknown limit {unknown[0]!r}; known: {', '.join(LIMITS)}")
    limits = LIMITS | limits
    _at_most(len(content), limits["file_bytes"], "the file has", "bytes")
    if content[4:8] != _IDENTIFIER:
        raise ValueError("no TFLite model (its identifier is not TFL3); a TFLite file is allowed")
    model = _Table(_Reader(content, limits), struct.unpack_from("<I", content)[0])
    version = model.number(0, "I")
    if version != _VERSION:
        raise ValueError(f"schema version {version}; version {_VERSION} is allowed")
    if model.tables(8) or model.tables(9):
        raise ValueError("weights in other files (external_buffers); one file with all data is allowed")
    buffers = [_buffer_bytes(buffer) for buffer in model.tables(4)]
    operators = [_operator(code) for code in model.tables(1)]
    return {
        "opset": None,
        "ir_version": version,
        "producer": model.text(3),
        **_check_subgraphs(model.tables(2), operators, len(buffers), limits),
        "initializer_bytes": sum(buffers),
    }


def _check_subgraphs(
    subgraphs: list[_Table], operators: list[str], num_buffers: int, limits: dict[str, int]
) -> dict[str, Any]:
    """Operators, nodes, inputs and outputs of the description."""
    if not subgraphs:
        raise ValueError("no subgraph; one or more are allowed")
    counts: Counter[str] = Counter()
    num_nodes = 0
    ends: list[list[dict[str, Any]]] = []
    for subgraph in subgraphs:
        tensors = [_check_tensor(tensor, num_buffers, limits) for tensor in subgraph.tables(0)]
        ends += ([tensors[index] for index in _indices(subgraph, slot, len(tensors))] for slot in (1, 2))
        for node in subgraph.tables(3):
            counts[operators[_check_node(node, len(operators), len(tensors))]] += 1
            num_nodes += 1
            _at_most(num_nodes, limits["nodes"], "the file has", "nodes or more")
    return {
        "operators": dict(sorted(counts.items())),
        "nodes": num_nodes,
        "inputs": ends[0],
        "outputs": ends[1],
    }


def _operator(code: _Table) -> str:
    """The name of an operator code; files before schema 3a have it in one byte."""
    number = max(code.number(0, "b"), code.number(3, "i"))
    if not 0 <= number < len(_OPERATORS):
        raise ValueError(f"operator number {number}; the {len(_OPERATORS)} built-in operators are allowed")
    name = _OPERATORS[number]
    if name in _FORBIDDEN:
        custom = f" {code.text(1)[:60]!a}" if name == "CUSTOM" else ""
        raise ValueError(f"operator {name}{custom}; built-in operators are allowed")
    return name


def _buffer_bytes(buffer: _Table) -> int:
    if buffer.number(1, "Q") or buffer.number(2, "Q"):
        raise ValueError("a buffer outside the FlatBuffer (offset, size); buffers with their data are allowed")
    return buffer.length(0, 1)


def _check_tensor(tensor: _Table, num_buffers: int, limits: dict[str, int]) -> dict[str, Any]:
    name, number, shape = tensor.text(3), tensor.number(1, "b"), tensor.numbers(0, "i")
    shown = f"tensor {name[:60]!a}"
    if tensor.number(10, "I"):
        raise ValueError(f"{shown} has its data in another file (external_buffer); one file is allowed")
    if tensor.number(2, "I") >= max(num_buffers, 1):
        raise ValueError(f"{shown} has buffer {tensor.number(2, 'I')}; {num_buffers} buffers are there")
    if not 0 <= number < len(_TYPES):
        raise ValueError(f"{shown} of element type {number}; the {len(_TYPES)} types of the schema are allowed")
    if any(size < 0 for size in shape):
        raise ValueError(f"{shown} of shape {shape[:8]}; sizes of 0 or more are allowed")
    dtype, bits = _TYPES[number]
    _at_most(math.prod(shape) * bits // 8, limits["value_bytes"], f"{shown} of shape {shape[:8]} has", "bytes")
    signature = tensor.numbers(7, "i") or shape
    return {"name": name, "dtype": dtype, "shape": [None if size < 0 else size for size in signature]}


def _check_node(node: _Table, num_operators: int, num_tensors: int) -> int:
    """The index of its operator code."""
    index = int(node.number(0, "I"))
    if index >= num_operators:
        raise ValueError(f"a node of operator code {index}; {num_operators} codes are there")
    if node.number(9, "Q") or node.number(10, "Q"):
        raise ValueError("options of a node outside the FlatBuffer; options inside are allowed")
    for slot in (1, 2):
        _indices(node, slot, num_tensors, least=-1)
    return index


def _indices(table: _Table, slot: int, count: int, *, least: int = 0) -> list[int]:
    """Indices of tensors; -1 stands for an input that is left out."""
    indices = table.numbers(slot, "i")
    for index in indices:
        if not least <= index < count:
            raise ValueError(f"index {index} of a tensor; {count} tensors are there")
    return indices


class _Reader:
    """The bytes, every access within their bounds."""

    def __init__(self, content: bytes, limits: dict[str, int]) -> None:
        self.content = content
        self.limits = limits
        self._num_parts = 0

    def count(self, parts: int) -> None:
        """Bounds the work: offsets may point to one table a million times."""
        self._num_parts += parts
        _at_most(self._num_parts, self.limits["parts"], "the file has", "parts or more")

    def unpack(self, position: int, kinds: str) -> tuple[Any, ...]:
        size = struct.calcsize(f"<{kinds}")
        if not 0 <= position <= len(self.content) - size:
            raise ValueError(
                f"an offset to byte {position} of {len(self.content)}; offsets inside the file are allowed"
            )
        return struct.unpack_from(f"<{kinds}", self.content, position)


class _Table:
    """A table of a FlatBuffer: its fields by slot, in the order of the schema."""

    def __init__(self, reader: _Reader, position: int) -> None:
        reader.count(1)
        self._reader = reader
        self._position = position
        self._slots = position - reader.unpack(position, "i")[0]
        self._num_slots = max(0, reader.unpack(self._slots, "H")[0] - 4) // 2

    def number(self, slot: int, kind: str) -> int:
        """A field of `struct` kind `kind`; 0, the default of all fields here, where it is left out."""
        position = self._find(slot)
        return int(self._reader.unpack(position, kind)[0]) if position is not None else 0

    def length(self, slot: int, width: int) -> int:
        """Entries of a vector, each of `width` bytes, all inside the file."""
        start = self._start(slot)
        if start is None:
            return 0
        count = int(self._reader.unpack(start, "I")[0])
        if count * width > len(self._reader.content) - start - 4:
            raise ValueError(f"a vector of {count} entries that ends outside the file; vectors inside are allowed")
        return count

    def numbers(self, slot: int, kind: str) -> list[int]:
        """A vector of numbers of `struct` kind `kind`."""
        count = self.length(slot, struct.calcsize(kind))
        self._reader.count(count)
        return list(self._reader.unpack((self._start(slot) or 0) + 4, f"{count}{kind}")) if count else []

    def tables(self, slot: int) -> list[_Table]:
        """A vector of tables."""
        start = (self._start(slot) or 0) + 4
        offsets = self.numbers(slot, "I")
        return [_Table(self._reader, start + 4 * index + offset) for index, offset in enumerate(offsets)]

    def text(self, slot: int) -> str:
        """A string."""
        count = self.length(slot, 1)
        _at_most(count, self._reader.limits["string_bytes"], "a text has", "bytes")
        start = (self._start(slot) or 0) + 4
        return self._reader.content[start : start + count].decode("utf-8", "replace")

    def _find(self, slot: int) -> int | None:
        if slot >= self._num_slots:
            return None
        offset = self._reader.unpack(self._slots + 4 + 2 * slot, "H")[0]
        return self._position + int(offset) if offset else None

    def _start(self, slot: int) -> int | None:
        """Where a vector or a string begins."""
        position = self._find(slot)
        return None if position is None else position + int(self._reader.unpack(position, "I")[0])


def _at_most(value: int, limit: int, found: str, unit: str) -> None:
    if value > limit:
        raise ValueError(f"{found} {value} {unit}; at most {limit} are allowed")
