"""What the benchmark programs of a phone have in common: what a process is asked for, and what it told.

A process is one visit of a block. `adb_litert.py` and `adb_onnx.py` know one program each.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bench.agent.drivers.adb_device import CommandError

# A number as C++ streams print it.
NUMBER = r"[0-9][0-9.eE+-]{0,30}"


@dataclass(frozen=True)
class Visit:
    """What one process of a program shall do.

    Attributes:
        model: path on the phone.
        threads: of the runtime.
        runs: timed ones, at least.
        seconds: of timed runs, at least.
        warmup_s: of runs before them, at least.
        most_s: after which it ends by itself.
        layout: sizes of the input, in order.
        picture: path on the phone of the input as float32; empty leaves the program its own random input.
        output: path on the phone where the output, or the result file, may be written; empty: none.
    """

    model: str
    threads: int
    runs: int
    seconds: float
    warmup_s: float
    most_s: float
    layout: tuple[int, ...] = ()
    picture: str = ""
    output: str = ""


@dataclass(frozen=True)
class Told:
    """What one process told.

    Attributes:
        samples: ns: one statistic of its runs, or each run.
        statistic: what a sample is: "median", "mean" (of the runs of a process) or "each run".
        runs: number of timed runs.
        load_ms, first_ms, memory_mib: None where it does not tell.
        placement: operators by where they ran; empty: not told.
        unused: flags that this build of the program does not know.
    """

    samples: tuple[int, ...]
    statistic: str
    runs: int
    load_ms: float | None = None
    first_ms: float | None = None
    memory_mib: float | None = None
    placement: Mapping[str, int] = field(default_factory=dict)
    unused: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data, without the samples."""
        rest = {key: value for key, value in vars(self).items() if key != "samples"}
        return {**rest, "placement": dict(self.placement), "unused": list(self.unused)}


class Program(Protocol):
    """A benchmark program on the phone.

    Attributes:
        name: as in `--tool`.
        runtime: a name of bench.measure's catalogue.
        format: of the artifacts that it reads.
        file: what a model is called on the phone.
        has_result_file: whether its runs stand in a file on the phone, and not in what it says.
        takes_picture: whether some build of it takes an input file and writes its output.
    """

    name: str
    runtime: str
    format: str
    file: str
    has_result_file: bool
    takes_picture: bool

    def words(self, binary: str, visit: Visit) -> tuple[str, ...]:
        """The command, word by word."""

    def parse(self, text: str, visit: Visit) -> Told:
        """What a process told.

        Raises:
            CommandError: it is of no known form.
        """

    def runs(self, samples: Sequence[int], *, least: int, seconds: float, warmup_s: float) -> int:
        """How many runs to ask for, from the samples (ns) of a first process."""


def number(text: str, what: str) -> float:
    """A number of 0 or more, as a program printed it.

    Raises:
        CommandError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise CommandError(f"{what} is {text!r}; a number of 0 or more is needed; take another build of the program")
    return value


def only(pattern: re.Pattern[str], text: str, what: str) -> re.Match[str] | None:
    """The one match, or None.

    Raises:
        CommandError: there are several.
    """
    found = list(pattern.finditer(text))
    if len(found) > 1:
        raise CommandError(f"{len(found)} lines of {what!r} from one process; one is known; take another build of it")
    return found[0] if found else None
