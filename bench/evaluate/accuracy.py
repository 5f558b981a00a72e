"""Top-1 and top-5 of a network on a list of pictures, at the speed of decoding.

The same number comes out whatever the number of decoding processes, and after an evaluation was broken off and
taken up again. So there is no batch size to choose: each picture is always in the same batch at the same place (see
`answers.py`), and equal outputs go to the class that comes first. Only another device, library or number of threads
can turn a near tie, and what was counted with another one is counted anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

import PIL
import torch

from bench.evaluate.answers import BATCH, Answers, Classifier
from bench.evaluate.pictures import EvaluationReader, Pictures
from bench.evaluate.tally import Tally
from bench.measure import fingerprint as machine_fingerprint
from bench.proxies.decoding import Batch, decoders, num_cores
from bench.proxies.packing import Progress
from bench.proxies.subset import Picture

_VERSION = 2  # raised when the same network would give other answers: decoding, cropping, batching, ranking

# Of decoded pictures that wait for the network: 38 batches of EfficientNet-B6, more than enough to keep it busy.
_HELD_BYTES = 1 << 30

_Requests = Sequence[Sequence[Picture]]
_Run = Callable[[Sequence[Sequence[str]]], Iterator[Batch]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """What was counted.

    Attributes:
        data: label of the pictures.
        fingerprint: of network, preprocessing, list of pictures, device and libraries.
        num_classes: among which the answers were taken.
        num_pictures: that were counted; the unreadable ones are not among them.
        num_top1: pictures whose class is the network's first answer; `num_top5` one of the first five.
        unreadable: name and reason of the pictures that were left out.
        resumed_from: when the counts that an earlier evaluation left had been counted (ISO 8601, UTC); `None` where
            everything was counted now.
    """

    data: str
    fingerprint: str
    num_classes: int
    num_pictures: int
    num_top1: int
    num_top5: int
    unreadable: tuple[tuple[str, str], ...]
    resumed_from: str | None = field(default=None, compare=False)

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
    tally = Tally(pictures.label, len(pictures.pictures), path, batch=BATCH)
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
        resumed_from=tally.resumed_from,
    )


def fingerprint(classifier: Classifier, pictures: Pictures, *, device: str) -> str:
    """Equal for equal networks (modules and weights), preprocessing, lists of pictures, devices and libraries."""
    settings = (_VERSION, BATCH, asdict(classifier.preprocessing), pictures.hash(), _conditions(device))
    digest = hashlib.sha256(json.dumps((*settings, str(classifier.network))).encode())
    for name, value in classifier.network.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:32]


def _conditions(device: str) -> dict[str, object]:
    """What decides how numbers are rounded and pictures decoded."""
    is_cpu = torch.device(device).type == "cpu"
    return {
        "torch": torch.__version__,
        "pillow": PIL.__version__,
        "device": machine_fingerprint()["machine"]["cpu"] if is_cpu else torch.cuda.get_device_name(device),
        "threads": torch.get_num_threads() if is_cpu else None,
    }


def _count(
    classifier: Classifier,
    pictures: Pictures,
    tally: Tally,
    *,
    device: str,
    processes: int | None,
    progress: Progress | None,
) -> None:
    """Counts every batch that the tally has not."""
    report, total = progress or (lambda done, total: None), len(pictures.pictures)
    starts = tally.pending()
    requests = [pictures.pictures[start : start + BATCH] for start in starts]
    done = total - sum(map(len, requests))
    report(done, total)
    if not requests:
        return
    answers = Answers(classifier, pictures, torch.device(device))
    with closing(_decoded(classifier, pictures, requests, processes, is_ahead=device != "cpu")) as decoded:
        for start, (request, batch) in zip(starts, decoded, strict=True):
            unreadable = {start + at: (request[at].name, reason) for at, reason in batch.unreadable}
            tally.put(start, answers.ranks(request, batch), unreadable)
            done += len(request)
            report(done, total)


def _decoded(
    classifier: Classifier, pictures: Pictures, requests: _Requests, processes: int | None, *, is_ahead: bool
) -> Generator[tuple[Sequence[Picture], Batch], None, None]:
    reader = EvaluationReader(contents=pictures.contents, preprocessing=classifier.preprocessing)
    most = _most_batches(classifier.preprocessing.resolution)
    # `decoders` has two batches for each process under way.
    workers = min(num_cores(), len(requests), max(1, most // 2)) if processes is None else processes
    names = [[picture.name for picture in request] for request in requests]
    with decoders(reader, classifier.preprocessing.resolution, processes=workers) as run:
        batches = run(names) if is_ahead else _in_turns(run, names, at_once=max(1, min(2 * workers, most)))
        yield from zip(requests, batches, strict=True)


def _most_batches(resolution: int) -> int:
    """How many decoded batches fit into `_HELD_BYTES`; one always has to."""
    return max(1, _HELD_BYTES // (BATCH * 3 * resolution**2))


def _in_turns(run: _Run, names: Sequence[Sequence[str]], *, at_once: int) -> Iterator[Batch]:
    """Decoding and the network use all cores, one after the other: together they would wait for each other."""
    for start in range(0, len(names), at_once):
        yield from list(run(names[start : start + at_once]))
