"""What is made before the first trial, at every resolution that a space has."""

from __future__ import annotations

from pathlib import Path

from scripted import CPU

from bench.content import folder
from bench.measure import JobArtifact, measure
from bench.networks.cost import cost_quantities
from bench.space import parse_space
from bench.study.config import StudyConfig
from bench.study.preflight import check
from bench.study.preparation import reference_artifacts
from bench.study.timing import make_artifacts, timing_job

SMOKE = (folder("search_spaces") / "smoke.yaml").read_text(encoding="utf-8")
# The first mention is the space's own; the others are its reference points'.
TWO_RESOLUTIONS = SMOKE.replace("input_resolution: 64", "input_resolution: [64, 96]", 1)


def test_a_space_of_two_resolutions_is_timed_beside_a_reference_of_each(tmp_path: Path) -> None:
    space = parse_space(TWO_RESOLUTIONS, source="two resolutions")
    config = StudyConfig.from_dict(
        {
            "space": "smoke",
            "data": {"source": "fractals", "classes": 2, "per_class": 4, "val_per_class": 2},
            "timing": {"restarts": 1, "blocks": 1, "iterations": 2},
        }
    )
    checked = check(config, tmp_path, space=space)
    assert checked.resolutions == (64, 96)
    references = reference_artifacts(config, checked.resolutions, tmp_path, (CPU,))
    assert set(references) == {"onnx"}
    assert set(references["onnx"]) == {"64", "96"}
    for resolution in checked.resolutions:
        reference = JobArtifact(**references["onnx"][str(resolution)])
        assert reference.architecture_id is not None
        point = next(iter(space.reference_points.values())).to_dict()
        settings = dict(point["settings"]) | {"input_resolution": resolution}
        architecture = type(checked.largest).from_dict({**point, "settings": settings})
        assert cost_quantities(architecture)["macs_g"] > 0
        made, update = make_artifacts(config, architecture, tmp_path, f"trial-{resolution}", (CPU,))
        assert update["resolution"] == resolution
        beside = references["onnx"][str(resolution)]
        job = timing_job(config, CPU, (made["cpu"],), beside, resolution=resolution)
        (found,) = measure(job)
        assert found.has_figures, found.reason


def test_where_nothing_is_timed_no_reference_is_made(tmp_path: Path) -> None:
    assert reference_artifacts(StudyConfig(), (64, 96), tmp_path, ()) == {}
    assert list(tmp_path.iterdir()) == []
