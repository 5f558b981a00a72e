from __future__ import annotations

import time
from types import ModuleType

import pytest
from networks.formats.made import exported

from bench.measure.outputs import check_output
from bench.measure.verdict import misplaced

from .exported_task import check_model, runtime_file, task_of


@pytest.fixture(scope="module")
def openvino() -> ModuleType:
    return runtime_file("openvino", "openvino")


def test_a_file_is_run(openvino: ModuleType) -> None:
    made = exported("onnx")
    check_model(openvino.load(task_of(made, "openvino")), made)


def test_the_compiled_graph_is_described(openvino: ModuleType) -> None:
    details = openvino.load(task_of(exported("onnx"), "openvino")).details
    assert details["operators"]["Convolution"] == 28
    assert details["types"] == {"f32": sum(details["operators"].values())}
    assert sum(details["kernels"].values()) == details["placement"]["CPU"] == sum(details["operators"].values())
    assert misplaced(details) is None
    assert details["precision"] == "f32"
    assert details["config"]["NUM_STREAMS"] == 1


@pytest.mark.parametrize(("precision", "name"), [("fp16", "f16"), ("bf16", "bf16")])
def test_half_precision_is_asked_for_by_name(openvino: ModuleType, precision: str, name: str) -> None:
    made = exported("onnx")
    try:
        model = openvino.load(task_of(made, "openvino", precision=precision))
    except RuntimeError as error:
        pytest.skip(f"this CPU does not compute in {precision}: {error}")
    assert model.details["precision"] == name
    model.time(1)
    error, reason = check_output(model.output(), made.logits, precision=precision)
    assert reason is None
    assert error > 1e-5 or name not in model.details["types"]


def test_another_resolution_is_an_error(openvino: ModuleType) -> None:
    with pytest.raises(
        ValueError, match=r"its inputs are f32 \[1,3,64,64\]; one float32 input of shape \[1, 3, 96, 96\]"
    ):
        openvino.load(task_of(exported("onnx"), "openvino", resolution=96))


def test_what_is_no_model_is_an_error(openvino: ModuleType) -> None:
    with pytest.raises(RuntimeError):
        openvino.load(task_of(exported("onnx"), "openvino", content=b"nothing of use"))


def test_one_thread_takes_no_more_than_one_cpu(openvino: ModuleType) -> None:
    model = openvino.load(task_of(exported("onnx"), "openvino"))
    model.time(10)
    clock, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - clock < 0.3:
        model.time(100)
    assert time.process_time() - cpu <= 1.1 * (time.perf_counter() - clock)


def test_the_number_of_threads_is_what_openvino_says_it_took(openvino: ModuleType) -> None:
    for threads in (1, 2):
        task = task_of(exported("onnx"), "openvino", threads=threads)
        assert openvino.load(task).details["threads"] == threads


def test_versions_are_told(openvino: ModuleType) -> None:
    assert openvino.start({"threads": 1})["openvino"].startswith("20")
