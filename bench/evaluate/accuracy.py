"""Top-1 and top-5 of a network on a list of pictures, at the speed of decoding.

The same number comes out whatever the number of decoding processes, and after an evaluation was broken off and
taken up again. Kernels round differently for different batch sizes and for different places in a batch, which
turns near ties. So there is no batch size to choose: the network always sees `BATCH` pictures, each picture is
always in the same batch at the same place, and one that cannot be read leaves its place empty. Equal outputs go
to the class that comes first. Only another device, library or number of threads can turn a near tie.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench.errors import NetworkError
from bench.evaluate.pictures import EvaluationReader, Pictures
from bench.evaluate.preprocessing import Preprocessing, normalise
from bench.evaluate.tally import UNREADABLE, Tally
from bench.proxies.decoding import Batch, decoders, num_cores
from bench.proxies.packing import Progress
from bench.proxies.subset import Picture

# Large enough for a GPU to outrun the decoding, small enough that the widest activation of EfficientNet-B6 at 528 px is
# 1.7 GB.
BATCH = 32
_VERSION = 1  # raised when the same network would give other answers: decoding, cropping, batching, ranking

_Requests = Sequence[Sequence[Picture]]
_Run = Callable[[Sequence[Sequence[str]]], Iterator[Batch]]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """What was counted.

    Attributes:
        data: label of the pictures.
        fingerprint: of network, preprocessing and list of pictures.
        num_classes: among which the answers were taken.
        num_pictures: that were counted; the unreadable ones are not among them.
        num_top1: pictures whose class is the network's first answer; `num_top5` one of the first five.
        unreadable: name and reason of the pictures that were left out.
    """

    data: str
    fingerprint: str
    num_classes: int
    num_pictures: int
    num_top1: int
    num_top5: int
    unreadable: tuple[tuple[str, str], ...]

    @property
    def top1(self) -> float:
        """Per cent."""
        return 100.0 * self.num_top1 / self.num_pictures

    @property
    def top5(self) -> float:
        """Per cent."""
        return 100.0 * self.num_top5 / self.num_pictures

    def to_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {**asdict(self), "top1": self.top1, "top5": self.top5}


def evaluate(
    classifier: Classifier,
    pictures: Pictures,
    *,
    device: str = "cpu",
    processes: int | None = None,
    state_dir: Path | None = None,
    progress: Progress | None = None,
) -> Accuracy:
    """Counts how often the network is right.

    Args:
        device: "cpu" or "cuda".
        processes: that decode; `None` takes all cores, 0 decodes in this process.
        state_dir: where the counted pictures are kept, in a file named by the fingerprint; a later call with the same
            network and pictures goes on there, or has nothing left to do. `None` keeps nothing.
        progress: called with (pictures done, pictures in all), first with what was done before.

    Raises:
        DataError: more than 1 % of the pictures are unreadable.
        NetworkError: the network has another number of outputs, or its outputs are not finite.
    """
    name = fingerprint(classifier, pictures, device=device)
    path = None if state_dir is None else state_dir / f"{name}.json"
    tally = Tally(pictures.label, len(pictures.pictures), path)
    try:
        _count(classifier, pictures, tally, device=device, processes=processes, progress=progress)
    finally:
        tally.save()
    return Accuracy(
        data=pictures.label,
        fingerprint=name,
        num_classes=len(pictures.outputs),
        num_pictures=len(tally.ranks) - len(tally.unreadable),
        num_top1=tally.num_within(1),
        num_top5=tally.num_within(5),
        unreadable=tuple(tally.unreadable),
    )


def fingerprint(classifier: Classifier, pictures: Pictures, *, device: str) -> str:
    """Equal for equal networks (modules and weights), preprocessing, lists of pictures and kinds of device."""
    settings = (_VERSION, BATCH, asdict(classifier.preprocessing), pictures.hash(), torch.device(device).type)
    digest = hashlib.sha256(json.dumps((*settings, str(classifier.network))).encode())
    for name, value in classifier.network.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:32]


def _count(
    classifier: Classifier,
    pictures: Pictures,
    tally: Tally,
    *,
    device: str,
    processes: int | None,
    progress: Progress | None,
) -> None:
    """Takes the tally from where it is to the end of the list."""
    report, total = progress or (lambda done, total: None), len(pictures.pictures)
    report(len(tally.ranks), total)
    requests = [pictures.pictures[at : at + BATCH] for at in range(len(tally.ranks), total, BATCH)]
    if not requests:
        return
    answers = _Answers(classifier, pictures, torch.device(device))
    with closing(_decoded(classifier, pictures, requests, processes, is_ahead=device != "cpu")) as decoded:
        for request, batch in decoded:
            unreadable = [(request[at].name, reason) for at, reason in batch.unreadable]
            tally.add(answers.ranks(request, batch), unreadable)
            report(len(tally.ranks), total)


def _decoded(
    classifier: Classifier, pictures: Pictures, requests: _Requests, processes: int | None, *, is_ahead: bool
) -> Generator[tuple[Sequence[Picture], Batch], None, None]:
    reader = EvaluationReader(contents=pictures.contents, preprocessing=classifier.preprocessing)
    workers = min(num_cores(), len(requests)) if processes is None else processes
    names = [[picture.name for picture in request] for request in requests]
    with decoders(reader, classifier.preprocessing.resolution, processes=workers) as run:
        batches = run(names) if is_ahead else _in_turns(run, names, at_once=max(1, 2 * workers))
        yield from zip(requests, batches, strict=True)


def _in_turns(run: _Run, names: Sequence[Sequence[str]], *, at_once: int) -> Iterator[Batch]:
    """Decoding and the network use all cores, one after the other: together they would wait for each other."""
    for start in range(0, len(names), at_once):
        yield from list(run(names[start : start + at_once]))


class _Answers:
    """The network on its device."""

    def __init__(self, classifier: Classifier, pictures: Pictures, device: torch.device) -> None:
        self._network = copy.deepcopy(classifier.network).to(device).eval()
        self._preprocessing = classifier.preprocessing
        self._num_classes = pictures.num_classes
        self._outputs = torch.tensor(pictures.outputs, device=device)
        self._device = device

    def ranks(self, request: Sequence[Picture], batch: Batch) -> list[int]:
        """For each picture the rank of its class, or `UNREADABLE`."""
        missing = {at for at, _ in batch.unreadable}
        places = [at for at in range(len(request)) if at not in missing]
        if not places:
            return [UNREADABLE] * len(request)
        outputs = self._run(_batch(batch.images, places))[places][:, self._outputs]
        if not bool(torch.isfinite(outputs).all()):
            raise NetworkError(
                f"the network's outputs for pictures from {request[0].name} on are not finite; numbers are needed; "
                "check its weights"
            )
        labels = torch.tensor([request[at].label for at in places], device=self._device)
        found = dict(zip(places, _ranks(outputs, labels), strict=True))
        return [found.get(at, UNREADABLE) for at in range(len(request))]

    @torch.inference_mode()
    def _run(self, images: NDArray[np.uint8]) -> torch.Tensor:
        outputs: torch.Tensor = self._network(normalise(torch.from_numpy(images).to(self._device), self._preprocessing))
        if outputs.shape != (BATCH, self._num_classes):
            raise NetworkError(
                f"the network gives outputs of shape {tuple(outputs.shape)[1:]}; {self._num_classes:,} classes are "
                "needed; build it with as many"
            )
        return outputs


def _batch(images: NDArray[np.uint8], places: Sequence[int]) -> NDArray[np.uint8]:
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
