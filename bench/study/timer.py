"""One of the runners that a study times its candidates on, as its workers are told of it.

Apart from how runners are found (bench/study/timers.py): a worker imports neither the hub's client nor the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.measure.catalogue import RUNTIMES


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """A runner that candidates are timed on.

    Attributes:
        name: "cpu", "cuda" or "apple" of this machine, or that of a registered runner.
        kind: of the device: "cpu", "cuda" or "apple".
        runtime: a name of `catalogue.RUNTIMES`.
        is_remote: whether a hub leads to it.
        figure: name of the latency there, as an objective and among the figures of a trial.
    """

    name: str
    kind: str
    runtime: str
    is_remote: bool
    figure: str

    @property
    def format(self) -> str:
        """Of the artifacts that are timed there."""
        return RUNTIMES[self.runtime].formats[0]

    @property
    def precision(self) -> str:
        """The usual one of the runtime."""
        return RUNTIMES[self.runtime].precisions[0]

    def reference_key(self, side: int | str) -> str:
        """Under which a study keeps what the reference takes there at a resolution."""
        _, colon, runner = self.figure.partition(":")
        return f"{side}{colon}{runner}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Timer:
        """The timer that `to_dict` gave."""
        return cls(**data)
