"""The network of an architecture out of a supernet: its batch norms recalibrated, and its score.

A batch norm's statistics depend on all weights below it, so those of one network say nothing of another: each network
has its own, from a few batches of training pictures (Yu et al. 2020, "BigNAS", section 3.3).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.errors import NetworkError, TrainingError
from bench.networks.fold import fold
from bench.proxies.cache import PackedData
from bench.proxies.judging import StepGuard, judge, precision, precision_name, read_pictures
from bench.proxies.supernet.file import Supernet
from bench.proxies.training import Score
from bench.space import Architecture

# Statistics of so many pictures in batches as large differ little from those of all.
RECALIBRATION_PICTURES = 1024
_BATCH = 64


def subnet(
    supernet: Supernet,
    architecture: Architecture,
    data: PackedData,
    *,
    device: str = "cpu",
    step_guard: StepGuard = nullcontext,
) -> nn.Module:
    """The network of `architecture` in train form and eval mode, with shared weights and statistics of its own.

    Raises:
        NetworkError: it is not among the choices of the supernet's space.
    """
    if reasons := supernet.space.outside(architecture):
        raise NetworkError(
            f"architecture {architecture.id} is not in space {supernet.space.name!r} of the supernet: {reasons[0]}; "
            "take one of that space, or train a supernet of a wider one"
        )
    network: nn.Module = supernet.weights.network(architecture)
    network = network.to(torch.device(device), memory_format=torch.channels_last)  # type: ignore[call-overload]
    recalibrate(network, data, seed=supernet.settings.training.seed, step_guard=step_guard)
    return network


def recalibrate(
    network: nn.Module,
    data: PackedData,
    *,
    seed: int = 0,
    pictures: int = RECALIBRATION_PICTURES,
    step_guard: StepGuard = nullcontext,
) -> None:
    """Gives each batch norm of `network` the mean of the statistics of some batches of training pictures, in place.

    The network is in eval mode afterwards. The pictures are as those of the validation: not augmented.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    device = next(network.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(data.train.labels), generator=generator)[:pictures].numpy()
    network.train()
    with torch.no_grad():
        for number, batch in enumerate(np.array_split(rows, max(1, len(rows) // _BATCH))):
            for norm in norms:
                # The mean of all batches so far; torch's own way (no momentum) is not that of bench's CPU formulas.
                norm.momentum = 1.0 / (number + 1)
            with step_guard(), precision(device):
                network(read_pictures(data.train, batch, device)[0])
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()


def supernet_score(
    supernet: Supernet,
    architecture: Architecture,
    data: PackedData,
    *,
    device: str = "cpu",
    step_guard: StepGuard = nullcontext,
) -> Score:
    """Top-1 of the network of `architecture` on the validation split, with the weights of the supernet.

    Raises:
        NetworkError: as `subnet`.
        TrainingError: its loss is not finite.
    """
    begin, held = time.perf_counter(), 0.0

    @contextmanager
    def counted() -> Iterator[None]:
        nonlocal held
        asked = time.perf_counter()
        with step_guard():
            held += time.perf_counter() - asked
            yield

    network = subnet(supernet, architecture, data, device=device, step_guard=counted)
    place = torch.device(device)
    deployed = fold(network).to(memory_format=torch.channels_last)
    found = judge(deployed, data.val, place, step_guard=counted)
    if not math.isfinite(found.loss):
        raise TrainingError(
            f"validation loss is {found.loss} with the weights of the supernet; finite numbers are needed; train it on"
        )
    return Score(
        accuracy=found.accuracy,
        loss=found.loss,
        curve=(),
        fidelity=fidelity(supernet, data, place),
        seconds=time.perf_counter() - begin - held,
        waiting_share=0.0,
    )


def fidelity(supernet: Supernet, data: PackedData, device: torch.device) -> dict[str, Any]:
    """What its scores say of themselves, JSON-able."""
    return {
        "score": "supernet",
        **data.description(),
        "images_seen": supernet.images_seen,
        "epochs": round(supernet.images_seen / len(data.train.labels), 3),
        "threads": torch.get_num_threads(),
        "precision": precision_name(device),
        "device": device.type,
        "training": asdict(supernet.settings.training),
        "networks": supernet.settings.networks,
        "supernet": supernet.digest,
        "recalibration_pictures": min(RECALIBRATION_PICTURES, len(data.train.labels)),
    }
