"""A measurement: raw samples in nanoseconds, with what is needed to judge them and derive statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from bench.errors import MeasureError

# [process][block][iteration] in ns
Samples = tuple[tuple[tuple[int, ...], ...], ...]

_SAMPLES = ("samples", "reference_samples", "twin_samples")


@dataclass(frozen=True)
class Measurement:
    """What one artifact took, beside the reference in the same processes and blocks.

    Attributes:
        label: of the artifact in its job.
        architecture_id: where it is known.
        artifact_sha256: of the file that was timed.
        runner: "cpu", "cuda" or "apple" of the machine that it was asked on, or the name of a registered runner.
        runtime: a name of `catalogue.RUNTIMES`.
        threads: intra-op threads.
        resolution: height and width of the input.
        samples: ns of each iteration, by process and block; empty when nothing was timed.
        reference_samples: the same of the reference in the same blocks.
        twin_samples: the same of the reference loaded a second time; a process without one has no blocks.
        contended: by process and block, whether others used the CPU meanwhile.
        verdict: as `verdict.VERDICTS` explains.
        reason: why the verdict is not "valid", in words.
        fingerprint: machine and software.
        protocol: how it was measured: the job's numbers, the order of visits, warm-up samples, load times, health.
        session: the same for all that was timed interleaved.
    """

    label: str
    architecture_id: str | None
    artifact_sha256: str
    runner: str
    runtime: str
    threads: int
    resolution: int
    samples: Samples
    reference_samples: Samples
    twin_samples: Samples
    contended: tuple[tuple[bool, ...], ...]
    verdict: str
    reason: str | None
    fingerprint: Mapping[str, Any]
    protocol: Mapping[str, Any]
    session: str

    @property
    def has_figures(self) -> bool:
        """Whether its samples may be summarised; their verdict says how far to believe them."""
        return bool(self.samples) and self.verdict not in ("failed", "wrong_output")

    @property
    def device_kind(self) -> str:
        """Of what it was timed on: "cpu", "cuda" or "apple", whatever the runner is called."""
        return str(self.fingerprint.get("runner") or self.runner)

    @property
    def memory_mib(self) -> float | None:
        """Peak resident memory of a run, over what its process had before: the largest of all restarts.

        None where the system does not tell it.
        """
        logs = self.protocol.get("processes") or []
        return max((log["memory_mib"] for log in logs if log.get("memory_mib") is not None), default=None)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        data = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in _SAMPLES:
            data[name] = [[list(block) for block in process] for process in data[name]]
        data["contended"] = [list(process) for process in self.contended]
        return data | {"fingerprint": dict(self.fingerprint), "protocol": dict(self.protocol)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Measurement:
        """The measurement that `to_dict` gave.

        Raises:
            MeasureError: a key is unknown or missing.
        """
        try:
            samples = {name: _freeze(data[name]) for name in _SAMPLES}
            contended = tuple(tuple(bool(flag) for flag in process) for process in data["contended"])
            return cls(**{**data, **samples, "contended": contended})
        except (KeyError, TypeError) as error:
            known = ", ".join(field.name for field in fields(cls))
            raise MeasureError(f"malformed measurement ({error}); known keys: {known}; measure again") from error


def samples_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Of a measurement as a mapping what is long: all samples, and which blocks were disturbed."""
    return {name: data[name] for name in (*_SAMPLES, "contended")}


def _freeze(samples: Any) -> Samples:
    return tuple(tuple(tuple(int(value) for value in block) for block in process) for process in samples)
