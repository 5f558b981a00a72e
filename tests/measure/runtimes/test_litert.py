from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from networks.formats.made import exported

from .exported_task import check_model, runtime_file, task_of, threads_of


@pytest.fixture(scope="module")
def litert() -> ModuleType:
    return runtime_file("litert", "ai_edge_litert")


def test_a_file_is_run(litert: ModuleType) -> None:
    made = exported("litert")
    check_model(litert.load(task_of(made, "litert")), made)


def test_what_the_delegate_took_is_counted(litert: ModuleType) -> None:
    made = exported("litert")
    details = litert.load(task_of(made, "litert")).details
    assert details["operators"] == made.operators
    assert details["placement"] == {"XNNPACK": sum(made.operators.values())}
    assert details["delegates"] == 1
    assert "operators" not in litert.load(task_of(made, "litert", describes=False)).details


def node(index: int, name: str, inputs: list[int], outputs: list[int]) -> dict[str, Any]:
    return {"index": index, "op_name": name, "inputs": np.array(inputs), "outputs": np.array(outputs)}


def test_what_no_delegate_took_stays_on_the_cpu(litert: ModuleType) -> None:
    # picture 0 -> 1 -> 2 -> (not taken) 3 -> 4; constants are 10 and up.
    nodes = [
        node(0, "CONV_2D", [0, 10], [1]),
        node(1, "ADD", [1, 0], [2]),
        node(2, "FILL", [2], [3]),
        node(3, "GELU", [3], [4]),
        node(4, "DELEGATE", [0, 10], [2]),
        node(5, "DELEGATE", [3], [4]),
    ]
    assert litert.describe(nodes) == {
        "operators": {"ADD": 1, "CONV_2D": 1, "FILL": 1, "GELU": 1},
        "placement": {"XNNPACK": 3, "CPU": 1},
        "delegates": 2,
    }


def test_pictures_with_the_channels_last_are_given_to_who_wants_them(litert: ModuleType) -> None:
    def inputs(*shape: int, kind: type = np.float32) -> list[dict[str, Any]]:
        return [{"shape": np.array(shape, np.int32), "dtype": kind}]

    first, last = litert._picture(inputs(1, 3, 8, 8), 8), litert._picture(inputs(1, 8, 8, 3), 8)
    assert np.array_equal(first.transpose(0, 2, 3, 1), last)
    assert last.flags["C_CONTIGUOUS"]
    for wrong in (inputs(1, 3, 9, 9), inputs(1, 3, 8, 8, kind=np.int8), inputs(1, 3, 8, 8) * 2, []):
        with pytest.raises(ValueError, match=r"its inputs are .*; one float32 input of shape \[1, 3, 8, 8\]"):
            litert._picture(wrong, 8)


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted as Linux does")
def test_threads_are_as_many_as_asked_for(litert: ModuleType) -> None:
    exported("litert")
    assert [threads_of("litert", count) for count in (1, 2)] == [0, 1]


def test_versions_are_told(litert: ModuleType) -> None:
    assert litert.start({"threads": 1})["ai-edge-litert"][0].isdigit()
