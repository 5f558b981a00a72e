"""PyTorch on the CPU or an NVIDIA GPU: eager, compiled, or replayed as a CUDA graph.

A network is rebuilt here from an architecture and its weights, in deploy form (this project's or timm's) or train
form, at batch 1. On a GPU each run lies between two CUDA events and the device is waited for once at the end, so that
the figure is the device's and not the clock's of this process.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

_NS_PER_MS = 1e6
_TYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_GRAPH_WARMUP = 3

Run = Callable[[torch.Tensor], torch.Tensor]


class TorchModel:
    """A network with its input in place."""

    def __init__(self, run: Run, picture: torch.Tensor, details: dict[str, Any]) -> None:
        self.details = details
        self._run = run
        self._picture = picture
        self._output = picture

    @torch.inference_mode()
    def time(self, iterations: int) -> list[int]:
        """Nanoseconds of each run."""
        return self._time_cuda(iterations) if self._picture.is_cuda else self._time_cpu(iterations)

    def is_finite(self) -> bool:
        """Whether the last output is free of NaN and infinity."""
        return bool(torch.isfinite(self._output).all())

    def output(self) -> list[float]:
        """The last output, flat."""
        values: list[float] = self._output.float().cpu().flatten().tolist()
        return values

    def _time_cpu(self, iterations: int) -> list[int]:
        run, picture, clock = self._run, self._picture, time.perf_counter_ns
        samples = []
        for _ in range(iterations):
            begin = clock()
            self._output = run(picture)
            samples.append(clock() - begin)
        return samples

    def _time_cuda(self, iterations: int) -> list[int]:
        # torch declares neither Event nor cudnn.version with types.
        events = [torch.cuda.Event(enable_timing=True) for _ in range(2 * iterations)]  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
        for begin, end in zip(events[::2], events[1::2]):
            begin.record()
            self._output = self._run(self._picture)
            end.record()
        torch.cuda.synchronize()
        pairs = zip(events[::2], events[1::2])
        return [round(begin.elapsed_time(end) * _NS_PER_MS) for begin, end in pairs]


def start(settings: dict[str, Any]) -> dict[str, Any]:
    """Takes the threads on and looks for the device."""
    torch.set_num_threads(settings["threads"])
    torch.set_flush_denormal(True)
    # What its figures are: on a GPU the device's own time, without copies of input and output.
    clock = "cuda events" if settings["runner"] == "cuda" else "wall"
    details: dict[str, Any] = {"torch": torch.__version__, "cuda": torch.version.cuda, "clock": clock}
    if settings["runner"] == "cuda":
        if not torch.cuda.is_available():
            raise RuntimeError("torch finds no usable GPU; a CUDA build of torch and an NVIDIA driver are needed")
        # Without it cuDNN's first guess at an algorithm is what is timed; TF32 would make float32 something else.
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        details["gpu"] = torch.cuda.get_device_name()
        details["cudnn"] = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    return details


def load(task: dict[str, Any]) -> TorchModel:
    """The network in its form, precision and memory format, and the way it is run."""
    artifact, size, device = task["artifact"], task["resolution"], torch.device(task["runner"])
    memory = torch.channels_last if task["channels_last"] else torch.contiguous_format
    precision = _TYPES[task["precision"]]
    network = _network(artifact, task["content"], size)
    operators = _operators(network)
    network = network.to(device, precision).to(memory_format=memory)
    pixels = np.random.default_rng(0).standard_normal((1, 3, size, size), dtype=np.float32)
    picture = torch.from_numpy(pixels).to(device, precision).contiguous(memory_format=memory)
    details = {"device": str(picture.device), "input": list(picture.shape), "modules": operators}
    return TorchModel(_RUNS[task["runtime"]](network, picture), picture, details)


def _network(artifact: dict[str, Any], content: bytes, size: int) -> torch.nn.Module:
    from bench.networks.weights import load_weights

    if artifact["form"] == "timm":
        import timm
        from timm.utils.model import reparameterize_model

        network = timm.create_model(artifact["architecture"]["timm"], pretrained=False)
        load_weights(network, artifact["path"], content=content)
        with contextlib.redirect_stdout(None):
            folded: torch.nn.Module = reparameterize_model(network.eval())
        return folded.eval()
    from bench.networks import build
    from bench.networks.fold import fold
    from bench.space import Architecture

    network = build(Architecture.from_dict(artifact["architecture"]), resolution=size)
    load_weights(network, artifact["path"], content=content)
    return (fold(network.eval()) if artifact["form"] == "deploy" else network).eval()


def _eager(network: torch.nn.Module, _: torch.Tensor) -> Run:
    return network


def _compiled(network: torch.nn.Module, picture: torch.Tensor) -> Run:
    run: Run = torch.compile(network, dynamic=False)
    with torch.inference_mode():
        run(picture)
    return run


def _graphed(network: torch.nn.Module, picture: torch.Tensor) -> Run:
    """One launch for the whole network: what a small one costs where its launches are what takes the time."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.inference_mode(), torch.cuda.stream(stream):
        for _ in range(_GRAPH_WARMUP):
            network(picture)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.inference_mode(), torch.cuda.graph(graph):
        output = network(picture)

    def replay(_: torch.Tensor) -> torch.Tensor:
        graph.replay()
        result: torch.Tensor = output
        return result

    return replay


_RUNS: dict[str, Callable[[torch.nn.Module, torch.Tensor], Run]] = {
    "torch": _eager,
    "torch-compile": _compiled,
    "torch-cudagraph": _graphed,
}


def _operators(network: torch.nn.Module) -> dict[str, int]:
    """Leaf modules by type: how far it was folded."""
    counts: dict[str, int] = {}
    for module in network.modules():
        if not any(True for _ in module.children()):
            counts[type(module).__name__] = counts.get(type(module).__name__, 0) + 1
    return dict(sorted(counts.items()))
