from __future__ import annotations

import asyncio
import platform
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from networks.formats.made import exported

from .exported_task import check_model, runtime_file, task_of


@pytest.fixture(scope="module")
def core_ai() -> Iterator[ModuleType]:
    yield runtime_file("coreai", "coreai")
    asyncio.set_event_loop(None)


def test_an_asset_is_run_by_the_reference_runtime(core_ai: ModuleType) -> None:
    made = exported("coreai")
    model: Any = core_ai.load(task_of(made, "coreai"))
    try:
        check_model(model, made)
    finally:
        model.close()


def test_what_is_not_for_timing_is_told(core_ai: ModuleType) -> None:
    details = core_ai.start({"options": {}})
    if platform.system() == "Darwin":
        pytest.skip("macOS may have the system's framework")
    assert details["runtime"] == "reference, for outputs and not for timing"
    assert details["compute_units"] == "all"


def test_compute_units_are_chosen_by_name(core_ai: ModuleType) -> None:
    with pytest.raises(ValueError, match="compute_units 'tpu'; known: all, cpu_only, cpu, gpu, neural_engine; choose"):
        core_ai.compute_units({"options": {"compute_units": "tpu"}})


def test_another_resolution_is_an_error(core_ai: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"its inputs are image \[1, 3, 64, 64\]; one float32 input .* 96, 96\]"):
        core_ai.load(task_of(exported("coreai"), "coreai", resolution=96))
