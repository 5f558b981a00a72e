"""Trains a supernet, or goes on with one, and keeps it in its file."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from bench.errors import ConfigError, DataError
from bench.proxies.cache import PackedData
from bench.proxies.judging import StepGuard
from bench.proxies.supernet.file import Supernet, read_supernet, write_supernet
from bench.proxies.supernet.sandwich import Sandwich
from bench.proxies.supernet.settings import SupernetSettings, checked, difference
from bench.proxies.supernet.weights import SharedWeights
from bench.proxies.training import Training

# A checkpoint of a wide space is a gigabyte; writing it takes no more than one part in so many of the time.
_CHECKPOINT_SHARE = 20


def train_supernet(
    settings: SupernetSettings,
    path: Path,
    *,
    cache: Path,
    device: str = "cpu",
    is_resumed: bool = False,
    download: bool = False,
    checkpoint_s: float = 60.0,
    step_guard: StepGuard = nullcontext,
    progress: Callable[[int, int], None] = lambda done, total: None,
    say: Callable[[str], None] = lambda text: None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Supernet:
    """Trains to the end, or until it is stopped, and gives what the file then holds.

    What was stopped, or killed, goes on from its last checkpoint, on the CPU to exactly the weights that it would have
    had in one go.

    Args:
        settings: of the supernet; a resumed one has to agree.
        path: of its file.
        cache: for packed pictures.
        device: "cpu" or "cuda".
        is_resumed: whether it goes on with what `path` holds.
        download: whether a data set may be downloaded.
        checkpoint_s: between two checkpoints, longer where one takes more than a twentieth of that; one is written
            before the first step, and one at the end.
        step_guard: held around each step.
        progress: is told pictures seen and pictures in all.
        say: is told what is done.
        is_stopped: is asked between steps.

    Raises:
        ConfigError: a setting is out of range, does not agree, or the file is there already.
        DataError: the pictures cannot be read, or are others than before.
        NetworkError: the file to go on with is none, or the space has networks of another family.
        TrainingError: the training diverged.
    """
    settings = checked(settings)
    known = read_supernet(path) if is_resumed else None
    if known is not None and (differs := difference(known.settings, settings)) is not None:
        raise ConfigError(
            f"{path} is of another supernet ({differs}); what goes on has the settings that it began with; leave the "
            "flag out, or name another --out"
        )
    if known is None and path.exists():
        raise ConfigError(f"{path} is there already; --resume goes on with a supernet; or name another --out")
    if known is not None and known.training is None:
        progress(known.images_seen, settings.training.images)
        return known
    say("packing pictures")
    data = settings.pictures.open(resolution=settings.resolution, cache=cache, download=download)
    training, weights = _training(settings, known, data, device=device, step_guard=step_guard, say=say)
    say("training")
    _run(
        training,
        lambda: write_supernet(path, settings, weights, training.state(), data),
        checkpoint_s,
        progress,
        is_stopped,
    )
    return read_supernet(path)


def _training(
    settings: SupernetSettings,
    known: Supernet | None,
    data: PackedData,
    *,
    device: str,
    step_guard: StepGuard,
    say: Callable[[str], None],
) -> tuple[Training, SharedWeights]:
    space = settings.space
    if known is not None and known.data["data_hash"] != data.hash:
        raise DataError(
            f"the pictures of {data.name} have changed since the supernet was begun (hash {data.hash}, then "
            f"{known.data['data_hash']}); what goes on needs the same; bring them back, or train another"
        )
    say("drawing weights")
    seed = settings.training.seed
    weights = known.weights if known else SharedWeights.fresh(space, num_classes=len(data.classes), seed=seed)
    training = Training(
        weights,
        data,
        config=settings.training,
        device=device,
        step_guard=step_guard,
        learn=Sandwich(
            weights,
            space,
            networks=settings.networks,
            label_smoothing=settings.training.label_smoothing,
            seed=seed,
        ),
    )
    if known is not None and known.training is not None:
        average = {name: value.detach().clone() for name, value in weights.named_parameters()}
        training.take_up({**known.training, "average": average})
    return training, weights


def _run(
    training: Training,
    keep: Callable[[], None],
    checkpoint_s: float,
    progress: Callable[[int, int], None],
    is_stopped: Callable[[], bool],
) -> None:
    total = training.config.images
    pause_s = checkpoint_s
    if training.images_seen == 0:
        keep()
    kept = time.monotonic()
    progress(training.images_seen, total)
    is_done = False
    while not is_done and not is_stopped():
        training.advance(training.images_seen + 1)  # one step
        is_done = training.images_seen >= total
        progress(training.images_seen, total)
        if not is_done and (begin := time.monotonic()) - kept >= pause_s:
            keep()
            kept = time.monotonic()
            pause_s = max(checkpoint_s, _CHECKPOINT_SHARE * (kept - begin))
    keep()
