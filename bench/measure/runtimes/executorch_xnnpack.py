"""ExecuTorch on the CPU: one .pte program whose operators are compiled for XNNPACK as far as it takes them.

The compiled module is imported past `executorch.runtime`, which brings in the whole exporter and takes 3 s more, in
every child process (executorch 1.5.1).
"""

from __future__ import annotations

import importlib.metadata
import time
from collections import Counter
from typing import Any

import flatbuffers
import numpy as np
import torch
from executorch.extension.pybindings import _C
from flatbuffers.number_types import UOffsetTFlags

# schema/program.fbs of ExecuTorch ("ET12"): the place of each field that is read here, and the members of
# InstructionArguments that compute something.
_PLANS, _CHAINS, _INSTRUCTIONS, _KIND = 1, 5, 2, 0
_KINDS = {1: "CPU", 2: "XNNPACK"}
_FLOAT32 = 6  # of ScalarType, schema/scalar_type.fbs


class ExecuTorchModel:
    """A method and its input, which each run copies: the program may plan other values into its place."""

    def __init__(self, program: Any, content: bytes, picture: torch.Tensor, details: dict[str, Any]) -> None:
        self.details = details
        self._kept = (program, content)  # the method points into both
        self._method = program.load_method("forward")
        self._inputs = [picture]
        self._output = picture

    @torch.inference_mode()
    def time(self, iterations: int) -> list[int]:
        """Nanoseconds of each run, with a copy of the output."""
        run, inputs, clock = self._method.call, self._inputs, time.perf_counter_ns
        samples = []
        for _ in range(iterations):
            begin = clock()
            self._output = run(inputs)[0]
            samples.append(clock() - begin)
        return samples

    def is_finite(self) -> bool:
        """Whether the last output is free of NaN and infinity."""
        return bool(torch.isfinite(self._output).all())

    def output(self) -> list[float]:
        """The last output, flat."""
        values: list[float] = self._output.float().flatten().tolist()
        return values


def start(settings: dict[str, Any]) -> dict[str, Any]:
    """Gives the process's one thread pool its size.

    Raises:
        RuntimeError: it has another size afterwards.
    """
    torch.set_num_threads(1)  # it computes nothing here
    _C._unsafe_reset_threadpool(settings["threads"])  # the only way, and before anything has run
    found = _C._threadpool_get_thread_count()
    if found != settings["threads"]:
        raise RuntimeError(f"ExecuTorch has {found} threads and not {settings['threads']}; ask for {found}")
    version = importlib.metadata.version("executorch")
    return {"executorch": version, "torch": torch.__version__, "threads": found}


def load(task: dict[str, Any]) -> ExecuTorchModel:
    """A program from the file's bytes."""
    content, size = task["content"], task["resolution"]
    program = _C._load_program_from_buffer(content)
    _check_input(program.method_meta("forward"), size)
    pixels = np.random.default_rng(0).standard_normal((1, 3, size, size), dtype=np.float32)
    details: dict[str, Any] = {"input": list(pixels.shape)}
    if task.get("describes"):
        # A call of a delegate runs a whole subgraph; how many operators are in it, the file does not say.
        calls = instructions(content)
        details |= {"placement": calls, "delegates": calls.get("XNNPACK", 0)}
    return ExecuTorchModel(program, content, torch.from_numpy(pixels), details)


def instructions(content: bytes) -> dict[str, int]:
    """How many instructions of a program call a delegate ("XNNPACK") and how many a portable kernel ("CPU")."""
    root = flatbuffers.encode.Get(flatbuffers.packer.uoffset, content, 0)
    counts: Counter[str] = Counter()
    for plan in _tables(flatbuffers.table.Table(content, root), _PLANS):
        for chain in _tables(plan, _CHAINS):
            for instruction in _tables(chain, _INSTRUCTIONS):
                place = instruction.Offset(_slot(_KIND))
                kind = instruction.Get(flatbuffers.number_types.Uint8Flags, instruction.Pos + place) if place else 0
                if kind in _KINDS:
                    counts[_KINDS[kind]] += 1
    return dict(sorted(counts.items()))


def _tables(table: Any, field: int) -> list[Any]:
    """The tables of a vector that is a field of `table`."""
    place = table.Offset(_slot(field))
    if not place:
        return []
    begin = table.Vector(place)
    offsets = range(begin, begin + table.VectorLen(place) * UOffsetTFlags.bytewidth, UOffsetTFlags.bytewidth)
    return [flatbuffers.table.Table(table.Bytes, table.Indirect(offset)) for offset in offsets]


def _slot(field: int) -> int:
    return 4 + 2 * field  # of a FlatBuffer's table of offsets


def _check_input(meta: Any, resolution: int) -> None:
    wanted = [1, 3, resolution, resolution]
    tensors = [meta.input_tensor_meta(index) for index in range(meta.num_inputs())]
    found = [(list(tensor.sizes()), tensor.dtype()) for tensor in tensors]
    if found != [(wanted, _FLOAT32)]:
        told = ", ".join(f"{shape} of scalar type {kind}" for shape, kind in found) or "none"
        raise ValueError(
            f"its inputs are {told}; one of shape {wanted} and scalar type {_FLOAT32} (float32) is needed; export it so"
        )
