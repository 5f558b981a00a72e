"""How a network answers on the pictures of a split, and in which precision networks compute."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from bench.proxies.augment import normalise
from bench.proxies.cache import Split

StepGuard = Callable[[], AbstractContextManager[object]]
"""Is held around each step; a search passes the lock that keeps timing and training apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Of a network on a split.

    Attributes:
        accuracy: top-1, 0 to 1.
        loss: mean cross entropy, nats; not finite where the network's weights are not.
        held_seconds: waited for the step guard.
    """

    accuracy: float
    loss: float
    held_seconds: float


def judge(
    network: nn.Module,
    split: Split,
    device: torch.device,
    *,
    batch_size: int = 256,
    step_guard: StepGuard = nullcontext,
) -> Judgement:
    """Answers of `network`, which is in eval mode, to all pictures of `split`."""
    correct, loss, held = 0, 0.0, 0.0
    rows = np.arange(len(split.labels))
    with torch.inference_mode():
        for start in range(0, len(rows), batch_size):
            asked = time.perf_counter()
            with step_guard():
                held += time.perf_counter() - asked
                images, labels = read_pictures(split, rows[start : start + batch_size], device)
                with precision(device):
                    outputs = network(images).float()
                correct += int((outputs.argmax(dim=1) == labels).sum())
                loss += float(F.cross_entropy(outputs, labels, reduction="sum"))
    return Judgement(accuracy=correct / len(rows), loss=loss / len(rows), held_seconds=held)


def read_pictures(split: Split, rows: NDArray[np.int64], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalised pictures (n, 3, r, r) and labels (n,) of some rows, on the device."""
    images, labels = torch.from_numpy(split.images[rows]), torch.from_numpy(split.labels[rows])
    return normalise(images.to(device, non_blocking=True)), labels.to(device, non_blocking=True)


def precision(device: torch.device) -> AbstractContextManager[object]:
    """Under which networks compute on `device`."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=_is_half(device))


def precision_name(device: torch.device) -> str:
    """Of `precision`."""
    return "bfloat16" if _is_half(device) else "float32"


def _is_half(device: torch.device) -> bool:
    # bf16 pays on GPUs; on CPUs it was slower (a T8 at 64 px: 0.65x of fp32, 2026-11, AVX-512 and AMX).
    return device.type == "cuda" and torch.cuda.is_bf16_supported()
