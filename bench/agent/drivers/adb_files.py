"""The files of a job for a phone: looked into before they go there, the picture beside them, the output afterwards."""

from __future__ import annotations

import hashlib
import math
import sys
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.agent.drivers.adb_benchmark import Told
from bench.agent.drivers.adb_device import AdbDevice
from bench.agent.drivers.adb_entry import Entry
from bench.agent.drivers.picture import as_bytes
from bench.measure.child import LostError, RefusedError
from bench.measure.inspection import Inspection
from bench.measure.job import JobArtifact
from bench.measure.outputs import check_output

_MOST_OUTPUT_BYTES = 4 << 20
_FLOAT_BYTES = 4


def look_into(artifact: JobArtifact, inspection: Inspection | None, *, resolution: int) -> Entry:
    """An entry for the artifact, once a child process of this host (`inspection`; None: nobody) has looked into it.

    Args:
        resolution: of the job, for an artifact without its own.
    """
    found = Entry(artifact, logits=artifact.logits)
    if inspection is None:
        return found
    try:
        details = inspection.check(artifact)
    except (LostError, RefusedError) as error:
        found.reason = f"checking failed: {error}"
        return found
    found.operators = details.get("operators")
    found.layout = layout_of(details.get("inputs"), artifact.resolution or resolution)
    return found


def layout_of(inputs: Any, resolution: int) -> tuple[int, ...]:
    """Sizes of the one float32 picture that a file takes, in its order; empty: it takes something else."""
    if not isinstance(inputs, list) or len(inputs) != 1 or inputs[0].get("dtype") != "float32":
        return ()
    found = tuple(inputs[0].get("shape") or ())
    known = ((1, 3, resolution, resolution), (1, resolution, resolution, 3))
    return found if found in known else ()


def write_pictures(layouts: Iterable[tuple[int, ...]], folder: Path) -> dict[tuple[int, ...], tuple[str, Path]]:
    """The picture in each of these layouts as a file in `folder`: its sha256 and its path."""
    found = {}
    for layout in set(layouts):
        content = as_bytes(layout[2], channels_last=layout[1] != 3)
        path = folder / "-".join(map(str, layout))
        path.write_bytes(content)
        found[layout] = (hashlib.sha256(content).hexdigest(), path)
    return found


def compare_output(device: AdbDevice, entry: Entry, told: Told, output: str) -> None:
    """Compares what the phone computed with the reference logits, where it can be had; notes it in the entry.

    Args:
        told: by the process that computed it.
        output: path on the phone; empty: the program was not asked for one.

    Raises:
        CommandError: the output cannot be read.
    """
    if entry.logits is None:
        entry.unchecked = "what it has to compute is not known"
    elif not output:
        entry.unchecked = "the program takes no input file, or the input of this one is no picture"
    elif told.unused:
        entry.unchecked = f"this build of the program does not know {', '.join(told.unused)}"
    elif device.shell("test", "-f", output).code != 0:
        entry.unchecked = "this build of the program wrote no output"
    else:
        values = _floats(device.pull(output, most_bytes=_MOST_OUTPUT_BYTES))
        error, entry.reason = check_output(values, entry.logits, precision="fp32")
        entry.is_wrong = entry.reason is not None
        entry.output_error = error if math.isfinite(error) else None


def _floats(content: bytes) -> array[float]:
    values = array("f")
    values.frombytes(content[: len(content) // _FLOAT_BYTES * _FLOAT_BYTES])
    if sys.byteorder == "big":
        values.byteswap()
    return values
