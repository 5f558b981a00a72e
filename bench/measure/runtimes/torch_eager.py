"""PyTorch in eager mode on the CPU or an NVIDIA GPU, rebuilt here from an architecture and its weights.

What is timed is the deploy form at batch 1 in float32, contiguous. On a GPU each run lies between two CUDA
events and the device is waited for once at the end, so that the figure is the device's and not the clock's
of this process.
"""

from __future__ import annotations

import time
from typing import Any

import torch

_NS_PER_MS = 1e6


class TorchModel:
    """A network in deploy form with its input in place."""

    def __init__(self, network: torch.nn.Module, picture: torch.Tensor, details: dict[str, Any]) -> None:
        self.details = details
        self._network = network
        self._picture = picture
        self._output = picture

    @torch.inference_mode()
    def time(self, iterations: int) -> list[int]:
        """Nanoseconds of each run."""
        return self._time_cuda(iterations) if self._picture.is_cuda else self._time_cpu(iterations)

    def is_finite(self) -> bool:
        """Whether the last output is free of NaN and infinity."""
        return bool(torch.isfinite(self._output).all())

    def _time_cpu(self, iterations: int) -> list[int]:
        network, picture, clock = self._network, self._picture, time.perf_counter_ns
        samples = []
        for _ in range(iterations):
            begin = clock()
            self._output = network(picture)
            samples.append(clock() - begin)
        return samples

    def _time_cuda(self, iterations: int) -> list[int]:
        # torch declares neither Event nor cudnn.version with types.
        events = [torch.cuda.Event(enable_timing=True) for _ in range(2 * iterations)]  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
        for begin, end in zip(events[::2], events[1::2], strict=True):
            begin.record()
            self._output = self._network(self._picture)
            end.record()
        torch.cuda.synchronize()
        pairs = zip(events[::2], events[1::2], strict=True)
        return [round(begin.elapsed_time(end) * _NS_PER_MS) for begin, end in pairs]


def start(settings: dict[str, Any]) -> dict[str, Any]:
    """Takes the threads on and looks for the device."""
    torch.set_num_threads(settings["threads"])
    torch.set_flush_denormal(True)
    details: dict[str, Any] = {"torch": torch.__version__, "cuda": torch.version.cuda}
    if settings["runner"] == "cuda":
        if not torch.cuda.is_available():
            raise RuntimeError("torch finds no usable GPU; a CUDA build of torch and an NVIDIA driver are needed")
        details["gpu"] = torch.cuda.get_device_name()
        details["cudnn"] = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    return details


def load(task: dict[str, Any]) -> TorchModel:
    """The folded network, from its architecture and the weights of its train form."""
    from bench.networks import build
    from bench.networks.fold import fold
    from bench.networks.weights import load_weights
    from bench.space import Architecture

    artifact, size = task["artifact"], task["resolution"]
    network = build(Architecture.from_dict(artifact["architecture"]))
    load_weights(network, artifact["path"])
    network = fold(network.eval()).eval().to(task["runner"])
    generator = torch.Generator().manual_seed(task["seed"])
    picture = torch.randn(1, 3, size, size, generator=generator).to(task["runner"])
    return TorchModel(network, picture, {"device": str(picture.device), "input": list(picture.shape)})
