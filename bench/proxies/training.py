"""The short training that gives a network its score.

A training is an object that can be advanced to a number of pictures seen, scored, saved and taken up again, so
that successive halving pays for the first rung once. The learning rate follows the schedule of the longest
rung from the start: what an early rung sees is the beginning of the full training, not a training of its own.

AdamW, cosine schedule with warm-up, label smoothing and a moving average of the weights, as in FastViT's recipe
(Vasu et al., 2023, section 4.1), shortened.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from bench.errors import TrainingError
from bench.networks.fold import fold
from bench.proxies.augment import augment
from bench.proxies.cache import PackedData
from bench.proxies.judging import StepGuard, judge, precision, precision_name, read_pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How a network is trained; stored whole with every score.

    Attributes:
        images: pictures seen by the longest training; the schedule ends there.
        batch_size: pictures in a step.
        learning_rate: peak, reached after the warm-up.
        warmup_share: part of the steps that warm up.
        ema_decay: of the moving average that is scored; shorter at the start, as in TensorFlow's formula.
        augmentation: strength, 0 to 1. Little is right while each picture is seen about once: a T8 reached 0.50 on
            CIFAR-10 and 0.69 on fractals with flips alone after 8,000 pictures, 0.46 and 0.55 at full strength.
    """

    images: int = 8000
    batch_size: int = 64
    learning_rate: float = 5e-3
    weight_decay: float = 0.05
    warmup_share: float = 0.03
    label_smoothing: float = 0.1
    ema_decay: float = 0.98
    augmentation: float = 0.2
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Proxy accuracy of a network at a stated fidelity.

    Attributes:
        accuracy: top-1 on the validation split, 0 to 1, of the averaged weights.
        loss: mean cross entropy there, nats.
        curve: (pictures seen, training loss) at every tenth of the way.
        fidelity: data, classes, pictures seen, resolution, seed and the training's settings.
        seconds: spent in steps and in scoring.
        waiting_share: part of the training time that was spent waiting for pictures.
    """

    accuracy: float
    loss: float
    curve: tuple[tuple[int, float], ...]
    fidelity: Mapping[str, object]
    seconds: float
    waiting_share: float

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


Learn = Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]
"""Adds the gradients of a step to the weights, from pictures (n, 3, r, r), labels (n,) and the pictures seen before it;
gives the loss that is recorded."""


class Training:
    """One network on its way through a short training.

    Args:
        network: train form with as many outputs as the data has classes; it is trained in place.
        data: packed pictures.
        config: how to train.
        device: "cpu" or "cuda".
        step_guard: held around each step; a search passes the lock that keeps timing and training apart.
        learn: what a step learns; None: the labels, by cross entropy. Optimiser, schedule, pictures and average stay.
    """

    def __init__(
        self,
        network: nn.Module,
        data: PackedData,
        *,
        config: TrainingConfig,
        device: str = "cpu",
        step_guard: StepGuard = nullcontext,
        learn: Learn | None = None,
    ) -> None:
        self.config = config
        self.data = data
        self.images_seen = 0
        self.seconds = 0.0
        self.held_seconds = 0.0
        """Spent outside the steps, held by the step guard."""
        self._waiting = 0.0
        self._curve: list[tuple[int, float]] = []
        self._device = torch.device(device)
        self._guard = step_guard
        self._learn = learn or self._learn_labels
        self.network: nn.Module = network.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._average = {name: value.detach().clone() for name, value in self._floats()}
        self._optimizer = torch.optim.AdamW(_parameter_groups(network, config), lr=config.learning_rate)
        self._generator = torch.Generator().manual_seed(config.seed)

    def advance(self, images: int, *, seconds: float = math.inf) -> bool:
        """Trains until `images` have been seen or about `seconds` have passed; True when all have been seen.

        Raises:
            TrainingError: the loss is no longer finite.
        """
        self.network.train()
        started = time.perf_counter()
        while self.images_seen < min(images, self.config.images):
            if time.perf_counter() - started >= seconds:
                break
            asked = time.perf_counter()
            with self._guard():
                begin = time.perf_counter()
                self.held_seconds += begin - asked
                batch, labels = self._next_batch()
                loaded = time.perf_counter()
                loss = self._step(batch, labels)
                self.seconds += time.perf_counter() - begin
            self._waiting += loaded - begin
            self._record(loss)
        return self.images_seen >= min(images, self.config.images)

    def score(self, *, batch_size: int = 256) -> Score:
        """Scores the averaged weights on the validation split, in deploy form: it computes the same, faster."""
        begin = time.perf_counter()
        found = judge(self._deploy_form(), self.data.val, self._device, batch_size=batch_size, step_guard=self._guard)
        if not math.isfinite(found.loss):
            raise TrainingError(
                f"validation loss is {found.loss} after {self.images_seen:,} pictures; the training diverged"
            )
        self.held_seconds += found.held_seconds
        self.seconds += time.perf_counter() - begin - found.held_seconds
        return Score(
            accuracy=found.accuracy,
            loss=found.loss,
            curve=tuple(self._curve),
            fidelity=self._fidelity(),
            seconds=self.seconds,
            waiting_share=self._waiting / self.seconds,
        )

    def state(self) -> dict[str, Any]:
        """All that is needed to go on: tensors and plain data."""
        return {
            "network": self.network.state_dict(),
            "average": self._average,
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
            "images_seen": self.images_seen,
            "seconds": self.seconds,
            "waiting": self._waiting,
            "curve": [list(point) for point in self._curve],
        }

    def take_up(self, state: Mapping[str, Any]) -> None:
        """Goes on from what `state` gave."""
        self.network.load_state_dict(state["network"])
        self._average = {name: value.to(self._device) for name, value in state["average"].items()}
        self._optimizer.load_state_dict(state["optimizer"])
        self._generator.set_state(state["generator"].cpu())
        self.images_seen, self.seconds, self._waiting = (
            state["images_seen"],
            state["seconds"],
            state["waiting"],
        )
        self._curve = [(int(images), float(loss)) for images, loss in state["curve"]]

    def save(self, path: Path) -> None:
        """Writes the state, atomically."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        torch.save(self.state(), temporary)
        temporary.replace(path)

    def load(self, path: Path) -> None:
        """Goes on where `save` stopped. Nothing but tensors and plain data is read."""
        self.take_up(torch.load(path, map_location=self._device, weights_only=True))

    def _deploy_form(self) -> nn.Module:
        """A folded copy with the averaged weights; the network itself trains on."""
        current = {name: value.detach().clone() for name, value in self._floats()}
        self._write(self._average)
        try:
            folded: nn.Module = fold(self.network).to(memory_format=torch.channels_last)
            return folded
        finally:
            self._write(current)

    def finish(self) -> nn.Module:
        """The network with the averaged weights, in eval mode: the training is over."""
        self._write(self._average)
        self.network.eval()
        return self.network

    def _next_batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Pictures of this step: every picture once an epoch, in an order that only seed and epoch decide."""
        split, size = self.data.train, self.config.batch_size
        epoch, position = divmod(self.images_seen, len(split.labels))
        order = self._order(epoch)[position : position + size]
        if len(order) < size:
            order = torch.cat([order, self._order(epoch + 1)[: size - len(order)]])
        images, labels = read_pictures(split, order.numpy(), self._device)
        return augment(images, self._generator, strength=self.config.augmentation), labels

    def _order(self, epoch: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + epoch)
        return torch.randperm(len(self.data.train.labels), generator=generator)

    def _step(self, images: torch.Tensor, labels: torch.Tensor) -> float:
        for group in self._optimizer.param_groups:
            group["lr"] = self._learning_rate()
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._learn(images, labels, self.images_seen)
        self._optimizer.step()
        self.images_seen += len(labels)
        self._update_average()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(f"training loss is {value} after {self.images_seen:,} pictures; the training diverged")
        return value

    def _learn_labels(self, images: torch.Tensor, labels: torch.Tensor, _seen: int) -> torch.Tensor:
        with precision(self._device):
            outputs = self.network(images)
        loss = F.cross_entropy(outputs.float(), labels, label_smoothing=self.config.label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    def _learning_rate(self) -> float:
        config = self.config
        progress = self.images_seen / config.images
        if progress < config.warmup_share:
            return (
                config.learning_rate
                * (progress * config.images + config.batch_size)
                / (config.warmup_share * config.images + config.batch_size)
            )
        remaining = (progress - config.warmup_share) / (1.0 - config.warmup_share)
        return config.learning_rate * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * min(remaining, 1.0))))

    @torch.no_grad()
    def _update_average(self) -> None:
        steps = self.images_seen / self.config.batch_size
        decay = min(self.config.ema_decay, (1.0 + steps) / (10.0 + steps))
        names = [name for name, _ in self._floats()]
        averages = [self._average[name] for name in names]
        torch._foreach_lerp_(averages, [value.detach() for _, value in self._floats()], 1.0 - decay)

    def _floats(self) -> list[tuple[str, torch.Tensor]]:
        return [
            (name, value)
            for name, value in self.network.state_dict(keep_vars=True).items()
            if value.is_floating_point()
        ]

    @torch.no_grad()
    def _write(self, values: Mapping[str, torch.Tensor]) -> None:
        for name, target in self._floats():
            target.copy_(values[name])

    def _record(self, loss: float) -> None:
        tenth = self.config.images // 10 or 1
        if self.images_seen // tenth > (self.images_seen - self.config.batch_size) // tenth:
            self._curve.append((self.images_seen, round(loss, 4)))

    def _fidelity(self) -> dict[str, object]:
        return {
            **self.data.description(),
            "images_seen": self.images_seen,
            "epochs": round(self.images_seen / len(self.data.train.labels), 3),
            "threads": torch.get_num_threads(),
            "precision": precision_name(self._device),
            "device": self._device.type,
            "training": asdict(self.config),
        }


def _parameter_groups(network: nn.Module, config: TrainingConfig) -> list[dict[str, object]]:
    """Weight decay on matrices and kernels only, as timm does it: not on norms, biases and layer scales."""
    parameters = [value for value in network.parameters() if value.requires_grad]
    decayed = [value for value in parameters if _is_kernel(value)]
    plain = [value for value in parameters if not _is_kernel(value)]
    return [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]


def _is_kernel(value: torch.Tensor) -> bool:
    # Layer scales are stored as (channels, 1, 1): more than one axis, but a vector all the same.
    return value.ndim > 1 and value.numel() != max(value.shape)
