"""What the figures of a study have to agree in: the conditions of a runner, the fidelity of a rung, the pictures.

Figures of different conditions never stand on one front. The first of each kind decides; later ones that differ fail
their trial.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.errors import SearchError
from bench.measure import same_conditions
from bench.store import Reader, StudyRecord
from bench.study.provenance import fidelity_differences

# Of what differs, the first few are told.
_NUM_TOLD = 3


class Consistency:
    """The conditions that the figures of a study were found under so far.

    Args:
        store: where the study's figures are read.
        study: its record.
        data_hashes: content of the packed pictures by their resolution.

    Raises:
        SearchError: the pictures have changed since the study's scores were found.
    """

    def __init__(self, store: Reader, study: StudyRecord, data_hashes: Mapping[int, str]) -> None:
        self._conditions: dict[str, Mapping[str, Any]] = {}
        self._fidelities: dict[int, Mapping[str, Any]] = {}
        for score in store.study_scores(study.id):
            self._fidelities.setdefault(score.rung, score.fidelity)
            packed = data_hashes.get(int(score.fidelity["resolution"]))
            if packed is not None and packed != score.fidelity["data_hash"]:
                raise SearchError(
                    f"the pictures of study {study.name!r} have changed since it began (hash {packed}, then "
                    f"{score.fidelity['data_hash']}); its scores and new ones are not comparable; bring them back, "
                    "or --repeat it under a new name"
                )
        for found in store.study_measurements(study.id):
            if found.summary:
                self._conditions.setdefault(found.runner, _steady(found.fingerprint))

    def timing_fault(self, measurement: Mapping[str, Any]) -> str | None:
        """Why a measurement that has figures (`Measurement.to_dict`) may not stand beside the others; None: it may."""
        found = _steady(measurement["fingerprint"])
        differences = same_conditions(self._conditions.setdefault(measurement["runner"], found), found)
        if not differences:
            return None
        return f"timed under other conditions than the trials before: {'; '.join(differences[:_NUM_TOLD])}"

    def score_fault(self, fidelity: Mapping[str, Any], rung: int) -> str | None:
        """Why a score may not stand beside the others of its rung; None: it may."""
        differences = fidelity_differences(self._fidelities.setdefault(rung, fidelity), fidelity)
        return f"trained at another fidelity than the trials before: {'; '.join(differences)}" if differences else None


def _steady(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """What has to stay the same within a study; the reference may have another resolution, as the network beside it."""
    reference = {name: value for name, value in (fingerprint.get("reference") or {}).items() if name != "resolution"}
    return {**fingerprint, "reference": reference}
