"""Whether a latency was measured as a published one was: the same device, runtime and batch, or what is missing.

A published latency belongs to its device. Only where all of it agrees is a verdict given; else the verdict names
exactly what would have to be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bench.measure import Measurement
from bench.reproduce.published import Figure

# All that is timed here; the papers' graphics cards ran eight pictures at a time.
BATCH = 1

# What a source calls a runtime, up to its version -> the runtime here.
_RUNTIMES = {"Core ML": "coreml", "TensorRT": "onnxruntime-tensorrt"}
# Of names of devices: NVIDIA's driver says "NVIDIA GeForce RTX 2080 Ti" where a paper says "RTX 2080 Ti".
_MAKERS = frozenset({"nvidia", "geforce", "apple", "intel(r)", "amd"})


def missing(device: str | None, runtime: str | None, batch: int | None, found: Measurement | None) -> str:
    """What keeps a measurement from being compared with a published latency, in words; empty where nothing does.

    Args:
        device: of the published latency, as its source names it; `runtime` and `batch` likewise, None where unstated.
        found: what was measured here; None where nothing was.
    """
    is_batch = batch in (None, BATCH)
    if device is None:
        return "a device that the source names"
    if found is None or not _is_device(device, found):
        stated = "" if runtime in (None, "unstated") else f" with {runtime}"
        return f"{device}{stated}" + ("" if is_batch else f" at batch {batch}")
    lacking = []
    if not _is_runtime(runtime, found):
        lacking.append(runtime if runtime not in (None, "unstated") else "a runtime that the source names")
    if not is_batch:
        lacking.append(f"batch {batch} (timed is batch {BATCH})")
    return " and ".join(str(part) for part in lacking)


def missing_of(figure: Figure, found: Measurement | None) -> str:
    """`missing` of a published figure; a minimum is never compared with the median that is told here."""
    lacking = missing(figure.device, figure.runtime, figure.batch, found)
    return lacking or ("a minimum (told here is a median)" if figure.statistic == "minimum" else "")


def _is_device(device: str, found: Measurement) -> bool:
    return any(_words(name) == _words(device) for name in _devices(found))


def _devices(found: Measurement) -> Iterator[str]:
    """Names of what the measurement ran on, as the system and the driver give them."""
    if found.device_kind == "cuda":
        yield from (str(gpu.get("name", "")) for gpu in found.fingerprint.get("gpus") or ())
    else:
        yield str((found.fingerprint.get("machine") or {}).get("cpu") or "")


def _words(name: str) -> frozenset[str]:
    return frozenset(name.lower().split()) - _MAKERS


def _is_runtime(runtime: str | None, found: Measurement) -> bool:
    name = re.split(r" \(| \d", runtime or "", maxsplit=1)[0]
    return _RUNTIMES.get(name) == found.runtime
