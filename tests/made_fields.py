"""What belongs to scores and timings of made studies beside the figures that a test wants them to have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FINGERPRINT = {"machine": {"cpu": "a made CPU"}, "software": {"torch": "2.14.1"}}


def score_fields(rung: int, *, images_seen: int) -> dict[str, Any]:
    """What belongs to a score beside its accuracy."""
    return {
        "rung": rung,
        "loss": 1.0,
        "fidelity": {"data": "made", "data_hash": "ab", "classes": 2, "resolution": 64, "images_seen": images_seen},
        "curve": [{"images": 48, "loss": 1.5}],
        "seconds": 3.0,
    }


def timing_fields(
    ms: float, *, verdict: str = "valid", reference_ms: float = 10.0, samples: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What belongs to a measurement beside its trial and its runner; without samples of its own two runs of three."""
    middle = round(ms * 1e6)
    block = [middle - 1000, middle, middle + 1000]
    usual = {
        "samples": [[block], [block]],
        "reference_samples": [[[10_000_000]], [[10_000_001]]],
        "twin_samples": [],
        "contended": [[False], [True]],
    }
    ratio = ms / reference_ms
    return {
        "runtime": "onnxruntime",
        "threads": 1,
        "resolution": 256,
        "artifact_sha256": "cd" * 32,
        "verdict": verdict,
        "reason": None if verdict == "valid" else f"it is {verdict}",
        "protocol": {"restarts": 2},
        "fingerprint": FINGERPRINT,
        "summary": {
            "median_ms": 1.1 * ms,
            "low_ms": ms,
            "high_ms": 1.2 * ms,
            "comparable_ms": ms,
            "comparable_low_ms": 0.95 * ms,
            "comparable_high_ms": 1.05 * ms,
            "ratio_to_reference": ratio,
            "ratio_low": 0.95 * ratio,
            "ratio_high": 1.05 * ratio,
            "num_samples": 6,
            "interval_kind": "quick",
        },
        "samples": usual if samples is None else samples,
        "session": "made",
    }
