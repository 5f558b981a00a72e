"""Core ML runs on macOS only; here its file is tested with a model and a compute plan written by hand."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from networks.formats.made import RESOLUTION, exported

from bench.measure.verdict import misplaced

from .exported_task import check_model, runtime_file, task_of


@pytest.fixture(scope="module")
def core_ml() -> ModuleType:
    return runtime_file("coreml", "coremltools")


@dataclass
class ByHand:
    """Acts like a coremltools MLModel."""

    asked: list[Any] = field(default_factory=list)

    def predict(self, feed: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(feed)
        return {"logits": feed["image"].sum((2, 3))}


class MLCPUComputeDevice:
    pass


class MLNeuralEngineComputeDevice:
    pass


@dataclass
class Usage:
    preferred_compute_device: object


@dataclass
class Operation:
    operator_name: str
    device: object | None


@dataclass
class PlanByHand:
    """Acts like an MLComputePlan of these operations."""

    operations: tuple[Operation, ...]

    @property
    def model_structure(self) -> Any:
        return self

    @property
    def program(self) -> Any:
        return self

    @property
    def block(self) -> Any:
        return self

    @property
    def functions(self) -> dict[str, Any]:
        return {"main": self}

    def get_compute_device_usage_for_mlprogram_operation(self, operation: Operation) -> Usage | None:
        return None if operation.device is None else Usage(operation.device)


PLAN = PlanByHand(
    (
        Operation("const", None),
        Operation("conv", MLNeuralEngineComputeDevice()),
        Operation("gelu", MLNeuralEngineComputeDevice()),
        Operation("cast", MLCPUComputeDevice()),
    )
)


def test_another_system_is_told_so(core_ml: ModuleType) -> None:
    if platform.system() == "Darwin":
        pytest.skip("this is macOS")
    with pytest.raises(RuntimeError, match=r"this is \w+; Core ML runs on macOS only; measure on a Mac"):
        core_ml.start({"options": {}})


def test_a_package_is_run(core_ml: ModuleType) -> None:
    if platform.system() != "Darwin":
        pytest.skip("Core ML runs on macOS only")
    made = exported("coreml", "fp32")
    check_model(core_ml.load(task_of(made, "coreml", options={"compute_units": "cpu_only"})), made, error=1e-3)


def test_each_run_fetches_its_output(core_ml: ModuleType) -> None:
    picture = np.ones((1, 3, 2, 2), np.float32)
    made = ByHand()
    model = core_ml.CoreMlModel(made, ("image", "logits"), picture, {})
    samples = model.time(3)
    assert len(samples) == len(made.asked) == 3
    assert min(samples) >= 0
    assert model.output() == [4.0, 4.0, 4.0]
    assert model.is_finite()


def test_compute_units_are_chosen_by_name(core_ml: ModuleType) -> None:
    assert core_ml.compute_units({}) == "all"
    assert core_ml.compute_units({"options": {"compute_units": "cpu_and_ne"}}) == "cpu_and_ne"
    with pytest.raises(ValueError, match="compute_units 'gpu'; known: all, cpu_and_gpu, cpu_and_ne, cpu_only; choose"):
        core_ml.compute_units({"options": {"compute_units": "gpu"}})


def test_the_plan_says_where_operators_run(core_ml: ModuleType) -> None:
    details = core_ml.describe(PLAN, "all")
    assert details == {"operators": {"cast": 1, "conv": 1, "gelu": 1}, "placement": {"CPU": 1, "NeuralEngine": 2}}
    assert misplaced(details) is None
    assert misplaced(core_ml.describe(PLAN, "cpu_and_ne")) == "2 operators ran on NeuralEngine, 1 on CPU"


def test_a_package_tells_its_names_and_its_precision(core_ml: ModuleType) -> None:
    import coremltools

    for precision in ("fp16", "fp32"):
        specification = coremltools.utils.load_spec(str(exported("coreml", precision).path))
        assert core_ml.input_and_output(specification, RESOLUTION) == ("image", "logits")
        assert core_ml.precision(specification) == precision
        with pytest.raises(ValueError, match=r"it has inputs image \[1, 3, 64, 64\] and 1 outputs; .*96, 96\] and one"):
            core_ml.input_and_output(specification, 96)
