from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import NetworkError, SpaceError, StoreError
from bench.networks.models import TIMM_NAMES, Model, TimmModel
from bench.study.models import find_model, reference_point, reference_points


def test_reference_points_of_all_shipped_spaces_have_names_of_their_own() -> None:
    points = reference_points()
    assert list(points)[:7] == [name for name in TIMM_NAMES if name.startswith("fastvit")]
    assert set(TIMM_NAMES) <= set(points)
    assert {"cmt_ti", "cmt_xs", "cmt_s", "cmt_b"} <= set(points)
    assert len({point.id for point in points.values()}) == len(points)


def test_a_name_of_timm_finds_our_network() -> None:
    found = find_model("convnext_tiny")
    assert isinstance(found, Model)
    assert (found.name, found.timm_name, found.resolution) == ("convnext_t", "convnext_tiny", 224)
    assert found == find_model("convnext_t")


def test_a_resolution_can_be_said_behind_the_name() -> None:
    found = find_model("fastvit_ma36@384")
    assert isinstance(found, Model)
    assert (found.resolution, found.label) == (384, "fastvit_ma36@384")
    own = find_model("fastvit_ma36@256")
    assert isinstance(own, Model)
    assert own.label == "fastvit_ma36"


def test_networks_of_timm_and_files_are_told_apart() -> None:
    assert find_model("timm:efficientformer_l1") == TimmModel(timm_name="efficientformer_l1", resolution=224)
    assert find_model("timm:resnet18@160") == TimmModel(timm_name="resnet18", resolution=160)
    assert find_model("some/where.onnx") == Path("some/where.onnx")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("fastvit_t9", SpaceError, r"no reference point 'fastvit_t9' in a shipped space; .*did you mean 'fastvit_t8'"),
        ("fastvit_t8@large", NetworkError, "behind '@' stands a resolution from 32 to 4096"),
        ("fastvit_t8@8", NetworkError, "behind '@' stands a resolution from 32 to 4096"),
        ("timm:resnet19", NetworkError, r"timm has no network 'resnet19'; did you mean 'resnet1"),
        ("study/1", StoreError, "no"),
    ],
)
def test_an_unknown_name_is_refused(
    name: str, error: type[Exception], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_DB", raising=False)
    with pytest.raises(error, match=message):
        find_model(name)


def test_a_space_can_be_asked_alone() -> None:
    assert reference_point("smoke_repmixer", "smoke").settings["input_resolution"] == 64
    with pytest.raises(SpaceError, match="no reference point 'fastvit_t8' in space 'smoke'"):
        reference_point("fastvit_t8", "smoke")
