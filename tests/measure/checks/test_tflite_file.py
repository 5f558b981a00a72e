from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import flatbuffers  # comes with onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.measure.checks import tflite_file
from bench.measure.checks.tflite_file import check

RELU, CUSTOM, DELEGATE, CUSTOM_CALL, GELU = 19, 32, 51, 173, 150

# Kind of `struct` and value by slot; a string, a vector (a list) or another table is already in the file: ("o", at).
Fields = dict[int, tuple[str, Any]]


def table(builder: flatbuffers.Builder, fields: Fields) -> int:
    builder.StartObject(max(fields, default=-1) + 1)
    writers = {
        "b": builder.PrependInt8Slot,
        "i": builder.PrependInt32Slot,
        "I": builder.PrependUint32Slot,
        "Q": builder.PrependUint64Slot,
        "o": builder.PrependUOffsetTRelativeSlot,
    }
    for slot, (kind, value) in fields.items():
        writers[kind](slot, value, 0)
    return int(builder.EndObject())


def vector(builder: flatbuffers.Builder, values: Sequence[int], kind: str) -> tuple[str, int]:
    width = {"i": 4, "B": 1, "o": 4}[kind]
    builder.StartVector(width, len(values), width)
    prepend = {"i": builder.PrependInt32, "B": builder.PrependByte, "o": builder.PrependUOffsetTRelative}[kind]
    for value in reversed(values):
        prepend(value)
    return ("o", int(builder.EndVector()))


def tflite(
    *,
    operator: Fields | None = None,
    custom: str = "",
    shape: Sequence[int] = (1, 16, 16, 3),
    signature: Sequence[int] = (),
    tensor: Fields | None = None,
    buffer: Fields | None = None,
    node: Fields | None = None,
    inputs: Sequence[int] = (0,),
    model: Fields | None = None,
    num_nodes: int = 1,
) -> bytes:
    """A file with one operator between two tensors; the arguments replace or add fields."""
    builder = flatbuffers.Builder(256)
    name, text = builder.CreateString("picture"), builder.CreateString("by hand")
    extra: Fields = {1: ("o", builder.CreateString(custom))} if custom else {}
    code = table(builder, (operator or {0: ("b", RELU)}) | extra)
    full = table(builder, {0: vector(builder, [1, 2, 3, 4], "B")} | (buffer or {}))
    sizes, free = vector(builder, shape, "i"), vector(builder, signature, "i")
    ends = table(builder, {0: sizes, 2: ("I", 1), 3: ("o", name), 7: free} | (tensor or {}))
    wiring = {1: vector(builder, inputs, "i"), 2: vector(builder, [1], "i")}
    step = table(builder, wiring | (node or {}))
    parts = {0: vector(builder, [ends, ends], "o"), 3: vector(builder, [step] * num_nodes, "o")}
    subgraph = table(builder, wiring | parts)
    empty = table(builder, {})
    lists: Fields = {
        1: vector(builder, [code], "o"),
        2: vector(builder, [subgraph], "o"),
        4: vector(builder, [empty, full], "o"),
    }
    groups = {slot: vector(builder, [empty], "o") for slot, (kind, _) in (model or {}).items() if kind == "vector"}
    rest = {slot: value for slot, value in (model or {}).items() if value[0] != "vector"}
    builder.Finish(table(builder, {0: ("I", 3), 3: ("o", text)} | lists | groups | rest), b"TFL3")
    return bytes(builder.Output())


def refusal(content: bytes, **limits: int) -> str:
    """Why a file is refused."""
    with pytest.raises(ValueError) as caught:
        check(content, limits)
    text = str(caught.value)
    assert type(caught.value) is ValueError
    assert "\n" not in text
    assert text.isascii()
    assert len(text) < 300
    return text


def test_description_says_what_the_file_asks_for() -> None:
    ends = [{"name": "picture", "dtype": "float32", "shape": [1, 16, 16, 3]}]
    assert check(tflite(), {}) == {
        "opset": None,
        "ir_version": 3,
        "producer": "by hand",
        "operators": {"RELU": 1},
        "nodes": 1,
        "initializer_bytes": 4,
        "inputs": ends,
        "outputs": ends,
    }


def test_newer_operators_types_and_free_sizes_are_told() -> None:
    content = tflite(operator={0: ("b", 127), 3: ("i", GELU)}, signature=[-1, 16, 16, 3], tensor={1: ("b", 9)})
    found = check(content, {})
    assert found["operators"] == {"GELU": 1}
    assert found["inputs"][0] == {"name": "picture", "dtype": "int8", "shape": [None, 16, 16, 3]}


def test_it_stands_alone_as_the_child_loads_it() -> None:
    script = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("bench_check", {tflite_file.__file__!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(module.check({tflite()!r}, {{}})["nodes"], sorted({{"bench", "numpy"}} & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout == "1 []\n"


@pytest.mark.parametrize(
    ("operator", "custom", "text"),
    [
        ({0: ("b", CUSTOM)}, "FlexEvil", "operator CUSTOM 'FlexEvil'; built-in operators are allowed"),
        ({0: ("b", CUSTOM), 3: ("i", CUSTOM)}, "a\nb", r"operator CUSTOM 'a\nb'; built-in operators are allowed"),
        ({0: ("b", DELEGATE)}, "", "operator DELEGATE; built-in operators are allowed"),
        ({0: ("b", 127), 3: ("i", CUSTOM_CALL)}, "", "operator STABLEHLO_CUSTOM_CALL; built-in operators are allowed"),
        ({0: ("b", 127)}, "", "operator PLACEHOLDER_FOR_GREATER_OP_CODES; built-in operators are allowed"),
        ({0: ("b", 127), 3: ("i", 9999)}, "", "operator number 9999; the 210 built-in operators are allowed"),
        ({0: ("b", -5), 3: ("i", -5)}, "", "operator number -5; the 210 built-in operators are allowed"),
    ],
)
def test_operators_of_others_are_refused(operator: Fields, custom: str, text: str) -> None:
    assert refusal(tflite(operator=operator, custom=custom)) == text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"buffer": {1: ("Q", 4096), 2: ("Q", 4)}}, "a buffer outside the FlatBuffer (offset, size); "),
        ({"buffer": {2: ("Q", 2**63)}}, "a buffer outside the FlatBuffer (offset, size); "),
        ({"tensor": {10: ("I", 2**31)}}, "tensor 'picture' has its data in another file (external_buffer); one file"),
        ({"model": {8: ("vector", None)}}, "weights in other files (external_buffers); one file with all data is"),
        ({"model": {9: ("vector", None)}}, "weights in other files (external_buffers); one file with all data is"),
        ({"node": {9: ("Q", 4096)}}, "options of a node outside the FlatBuffer; options inside are allowed"),
        ({"node": {10: ("Q", 1)}}, "options of a node outside the FlatBuffer; options inside are allowed"),
    ],
)
def test_data_outside_the_flatbuffer_is_refused(changes: dict[str, Fields], text: str) -> None:
    assert refusal(tflite(**changes)).startswith(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"shape": [100_000, 100_000]}, "tensor 'picture' of shape [100000, 100000] has 40000000000 bytes; at most "),
        ({"shape": [2**31 - 1] * 8}, f"has {4 * (2**31 - 1) ** 8} bytes; at most 1073741824 are allowed"),
        ({"shape": [1, -16]}, "tensor 'picture' of shape [1, -16]; sizes of 0 or more are allowed"),
        ({"tensor": {1: ("b", 99)}}, "tensor 'picture' of element type 99; the 23 types of the schema are allowed"),
        ({"tensor": {2: ("I", 2)}}, "tensor 'picture' has buffer 2; 2 buffers are there"),
        ({"node": {0: ("I", 7)}}, "a node of operator code 7; 1 codes are there"),
        ({"inputs": [2]}, "index 2 of a tensor; 2 tensors are there"),
        ({"inputs": [-2]}, "index -2 of a tensor; 2 tensors are there"),
        ({"model": {0: ("I", 4)}}, "schema version 4; version 3 is allowed"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], text: str) -> None:
    assert text in refusal(tflite(**changes))


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"file_bytes": 10}, "bytes; at most 10 are allowed"),
        ({"parts": 5}, "parts or more; at most 5 are allowed"),
        ({"nodes": 0}, "the file has 1 nodes or more; at most 0 are allowed"),
        ({"string_bytes": 3}, "a text has 7 bytes; at most 3 are allowed"),
        ({"value_bytes": 100}, "has 3072 bytes; at most 100 are allowed"),
        ({"speed": 1}, "unknown limit 'speed'; known: file_bytes, parts, nodes, string_bytes, value_bytes"),
    ],
)
def test_limits_can_be_set(limits: dict[str, int], text: str) -> None:
    assert text in refusal(tflite(), **limits)


def test_one_table_that_is_pointed_to_often_counts_as_often() -> None:
    assert refusal(tflite(num_nodes=60_000)) == "the file has 50001 nodes or more; at most 50000 are allowed"


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x1c\0\0\0TFL2" + bytes(64), bytes(64)])
def test_other_files_are_refused(content: bytes) -> None:
    assert refusal(content) == "no TFLite model (its identifier is not TFL3); a TFLite file is allowed"


def test_file_that_is_cut_off_is_refused() -> None:
    content = tflite()
    for size in range(8, len(content), 4):
        described_or_refused(content[:size])
    assert "offset" in refusal(content[:12])


def test_offsets_outside_the_file_are_refused() -> None:
    content = tflite()
    assert "offsets inside the file are allowed" in refusal(struct.pack("<I", 2**31) + content[4:])
    assert "offsets inside the file are allowed" in refusal(struct.pack("<I", len(content) - 2) + content[4:])


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
    refusal(b"\x08\0\0\0TFL3" + content)


SOUND = tflite()


@settings(max_examples=500)
@given(st.data())
def test_changed_files_are_described_or_refused(data: st.DataObject) -> None:
    changed = bytearray(SOUND)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(8, len(changed) - 1))] = data.draw(st.integers(0, 255))
    described_or_refused(bytes(changed))
