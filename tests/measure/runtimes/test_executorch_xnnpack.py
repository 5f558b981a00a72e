from __future__ import annotations

import sys
from types import ModuleType

import pytest
from networks.formats.made import exported

from .exported_task import check_model, runtime_file, task_of, threads_of


@pytest.fixture(scope="module")
def executorch() -> ModuleType:
    return runtime_file("executorch", "executorch")


def test_a_program_is_run(executorch: ModuleType) -> None:
    made = exported("executorch")
    check_model(executorch.load(task_of(made, "executorch")), made)


def test_calls_of_delegates_and_kernels_are_counted_as_the_exporter_counts_them(executorch: ModuleType) -> None:
    from executorch.exir._serialize._program import deserialize_pte_binary

    made = exported("executorch")
    details = executorch.load(task_of(made, "executorch")).details
    (plan,) = deserialize_pte_binary(made.path.read_bytes()).program.execution_plan
    kinds = [type(item.instr_args).__name__ for chain in plan.chains for item in chain.instructions]
    assert details["placement"] == {"CPU": kinds.count("KernelCall"), "XNNPACK": kinds.count("DelegateCall")}
    assert details["delegates"] == len(plan.delegates)


def test_another_resolution_is_an_error(executorch: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"its inputs are \[1, 3, 64, 64\] of scalar type 6; one of shape .* 96, 96\]"):
        executorch.load(task_of(exported("executorch"), "executorch", resolution=96))


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted as Linux does")
def test_threads_are_as_many_as_asked_for(executorch: ModuleType) -> None:
    exported("executorch")
    assert [threads_of("executorch", count) for count in (1, 2)] == [0, 1]


def test_the_pool_is_as_large_as_asked_for(executorch: ModuleType) -> None:
    for count in (2, 1):
        assert executorch.start({"threads": count})["threads"] == count
