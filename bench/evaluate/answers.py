"""The answers of a network to batches of pictures, alike every time.

Kernels round differently for different batch sizes and for different places in a batch, which turns near ties. So the
network always sees `BATCH` pictures, and one that is missing leaves its place black. On NVIDIA GPUs TensorFloat-32,
which keeps 10 bits of a factor, is off.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench.errors import NetworkError
from bench.evaluate.pictures import Pictures
from bench.evaluate.preprocessing import Preprocessing, normalise
from bench.evaluate.tally import UNREAD, UNREADABLE
from bench.proxies.decoding import Batch
from bench.proxies.subset import Picture

# Large enough for a GPU to outrun the decoding, small enough that the widest activation of EfficientNet-B6 at 528 px is
# 1.7 GB.
BATCH = 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classifier:
    """A network with all that its answers depend on.

    Attributes:
        network: in either form; it is copied, not changed.
        preprocessing: of its pictures.
        classes: what its outputs are called, in their order; of the published networks `imagenet_classes()`.
    """

    network: nn.Module
    preprocessing: Preprocessing
    classes: tuple[str, ...]


class Answers:
    """The network on its device."""

    def __init__(self, classifier: Classifier, pictures: Pictures, device: torch.device) -> None:
        self._network = copy.deepcopy(classifier.network).to(device).eval()
        self._preprocessing = classifier.preprocessing
        self._num_classes = pictures.num_classes
        self._outputs = torch.tensor(pictures.outputs, device=device)
        self._device = device

    def ranks(self, request: Sequence[Picture], batch: Batch) -> list[int]:
        """For each picture the rank of its class, or `UNREADABLE`, or `UNREAD`.

        Raises:
            NetworkError: the network has another number of outputs, or its outputs are not finite.
        """
        missing = {at: UNREAD if at in batch.may_pass else UNREADABLE for at, _ in batch.unreadable}
        places = [at for at in range(len(request)) if at not in missing]
        if not places:
            return [missing[at] for at in range(len(request))]
        outputs = self._run(_whole(batch.images, places))[places][:, self._outputs]
        if not bool(torch.isfinite(outputs).all()):
            raise NetworkError(
                f"the network's outputs for pictures from {request[0].name} on are not finite; numbers are needed; "
                "check its weights"
            )
        labels = torch.tensor([request[at].label for at in places], device=self._device)
        found = missing | dict(zip(places, _ranks(outputs, labels), strict=True))
        return [found[at] for at in range(len(request))]

    @torch.inference_mode()
    def _run(self, images: NDArray[np.uint8]) -> torch.Tensor:
        with _whole_precision():
            outputs: torch.Tensor = self._network(
                normalise(torch.from_numpy(images).to(self._device), self._preprocessing)
            )
        if outputs.shape != (BATCH, self._num_classes):
            raise NetworkError(
                f"the network gives outputs of shape {tuple(outputs.shape)[1:]}; {self._num_classes:,} classes are "
                "needed; build it with as many"
            )
        return outputs


@contextmanager
def _whole_precision() -> Iterator[None]:
    """float32 as it is: no TensorFloat-32 in products of matrices and in convolutions."""
    places = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)  # type: ignore[attr-defined]
    before = [place.fp32_precision for place in places]
    try:
        for place in places:
            place.fp32_precision = "ieee"
        yield
    finally:
        for place, precision in zip(places, before, strict=True):
            place.fp32_precision = precision


def _whole(images: NDArray[np.uint8], places: Sequence[int]) -> NDArray[np.uint8]:
    """Pictures at their places in a whole batch; the other places are black."""
    whole = np.zeros((BATCH, *images.shape[1:]), np.uint8)
    whole[places] = images
    return whole


def _ranks(outputs: torch.Tensor, labels: torch.Tensor) -> list[int]:
    """How many classes come before the true one: those with larger outputs, and equal ones with lower numbers."""
    true = outputs.gather(1, labels.unsqueeze(1))
    is_lower = torch.arange(outputs.shape[1], device=outputs.device) < labels.unsqueeze(1)
    before = (outputs > true) | ((outputs == true) & is_lower)
    return [int(rank) for rank in before.sum(dim=1)]
