"""Takes results that other tools measured elsewhere into the store, with their own fingerprint."""

from __future__ import annotations

from collections.abc import Sequence

from bench.measure.imports import ImportedResult
from bench.store import Store

# No verdict of ours: nobody watched that device's health, nor checked the output.
VERDICT = "imported"


def keep_imported(store: Store, results: Sequence[ImportedResult]) -> None:
    """Writes results; they are marked as imported and compared with nothing that this machine measured."""
    for result in results:
        store.record_measurement(
            trial_id=None,
            architecture_id=None,
            runner=result.device or "unknown",
            runtime=result.tool,
            threads=0,
            resolution=0,
            artifact_sha256="",
            verdict=VERDICT,
            reason=f"measured elsewhere by {result.tool}: {result.statistic}",
            protocol={"statistic": result.statistic, "notes": list(result.notes), "precision": result.precision},
            fingerprint={
                **dict(result.fingerprint),
                "tool": result.tool,
                "tool_version": result.tool_version,
                "device": result.device,
                "compute_units": result.compute_units,
                "placement": dict(result.placement),
            },
            summary={**dict(result.summary), "latency_ms": result.latency_ms},
            samples={"samples": [[list(result.samples_ns)]] if result.samples_ns else []},
            label=result.label,
        )
