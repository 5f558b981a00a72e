from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.content import folder
from bench.errors import ContentError
from bench.reproduce.published import (
    FIGURE_FILES,
    all_figures,
    claims,
    compare,
    figures,
    models,
)

REFERENCE_POINTS = (
    *(f"fastvit_{name}" for name in ("t8", "t12", "s12", "sa12", "sa24", "sa36", "ma36")),
    *(f"mobileone_s{number}" for number in range(5)),
    *(f"efficientnet_b{number}" for number in range(7)),
    "efficientnetv2_s",
    *(f"convnext_{name}" for name in ("t", "s", "b")),
    *(f"cmt_{name}" for name in ("ti", "xs", "s", "b")),
)


def _values(model: str, quantity: str, **wanted: object) -> set[float | None]:
    found = [figure for figure in figures(model) if figure.quantity == quantity]
    return {figure.value for figure in found if all(getattr(figure, name) == value for name, value in wanted.items())}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A copy of the shipped files, to be spoilt."""
    return Path(shutil.copytree(folder("results") / "reference", tmp_path / "reference"))


def _spoil(path: Path, line: int, old: str, new: str) -> None:
    lines = path.read_text().splitlines()
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    path.write_text("\n".join(lines) + "\n")


def test_every_reference_point_has_figures() -> None:
    assert set(REFERENCE_POINTS) <= set(models())
    for model in REFERENCE_POINTS:
        assert _values(model, "top1"), model


def test_every_row_stands_once_and_has_a_source() -> None:
    rows = all_figures()
    assert len(rows) == len(set(rows)) > 700
    assert all(row.source for row in rows)


def test_figures_that_disagree_stand_side_by_side() -> None:
    assert _values("fastvit_t8", "params_m", form="train") >= {4.026232}
    assert _values("fastvit_t8", "params_m", form="deploy") == {3.99604}
    assert _values("fastvit_t8", "params_m", form="unstated") == {3.6}
    assert {75.6, 76.2} <= _values("fastvit_t8", "top1", training="plain")
    assert {4.5, 4.6} <= _values("fastvit_ma36", "latency_ms", resolution=256, batch=1)
    assert {25.1, 26.25616} <= _values("cmt_s", "params_m")


def test_statistics_are_told_apart() -> None:
    assert _values("mobileone_s0", "latency_ms", statistic="minimum") == {0.79}
    assert _values("mobileone_s0", "latency_ms", statistic="mean") == {0.868}
    assert 0.815 in _values("fastvit_t8", "latency_ms", statistic="mean")
    assert _values("fastvit_t8", "latency_ms", statistic="median") == set()


def test_a_network_that_did_not_run_has_no_value() -> None:
    assert _values("fastvit_t8", "latency_ms", device="Pixel 4 Hexagon DSP") == {None}


def test_a_published_number_stands_for_what_rounds_to_it() -> None:
    figure = next(row for row in figures("fastvit_t8") if row.value == 3.6)
    assert (figure.decimals, figure.unit) == (1, "1e6")
    assert figure.is_rounding_of(3.551)
    assert figure.is_rounding_of(3.65)
    assert not figure.is_rounding_of(3.99604)
    failed = next(row for row in figures("fastvit_t8") if row.value is None)
    assert not failed.is_rounding_of(3.6)


def test_digits_are_those_of_the_source(place: Path) -> None:
    _spoil(place / "figures.csv", 2, ",3.6,", ",3.60,")
    assert next(row for row in figures("fastvit_t8", place=place) if row.value == 3.6).decimals == 2


def test_nobody_published_an_unknown_network() -> None:
    assert figures("fastvit_t9") == ()


def test_claims_follow_from_published_values() -> None:
    assert len(claims()) == 14
    for claim in claims():
        found = compare(claim.comparison, claim.model_value, claim.opponent_value)
        assert found == pytest.approx(claim.arithmetic, abs=0.05), claim.name
        sides = (
            (claim.model, claim.model_value, claim.model_resolution),
            (claim.opponent, claim.opponent_value, claim.opponent_resolution),
        )
        for model, value, resolution in sides:
            assert value in _values(model, claim.quantity, resolution=resolution), (claim.name, model)


def test_one_claim_does_not_follow_from_its_figure() -> None:
    off = [claim.name for claim in claims() if abs(claim.published - claim.arithmetic) > 0.11]
    assert off == ["mobileone_s4_gpu"]


def test_comparisons() -> None:
    assert compare("speedup", 2.0, 7.0) == 3.5
    assert compare("saving", 3.0, 4.0) == 25.0
    assert compare("points", 76.2, 71.4) == pytest.approx(4.8)
    with pytest.raises(ValueError, match="unknown comparison 'ratio'; known: speedup, saving, points"):
        compare("ratio", 1.0, 1.0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",3.6,", ',"3,6",', r"figures.csv, line 2 has value '3,6'; a number such as 3.6 is allowed; correct it"),
        (",3.6,", ",3,6,", r"figures.csv, line 2 has 16 cells; 15 are allowed; quote a cell that has a comma"),
        (",3.6,", ",nan,", r"line 2 has value 'nan'; a number from 0 to a million is allowed"),
        (",3.6,", ",,", r"line 2 has value ''; a number such as 3.6 is allowed"),
        ("params_m", "param_m", r"has quantity 'param_m'; allowed: params_m, .*; did you mean 'params_m'\?"),
        ("1e6", "1e9", r"line 2 has unit '1e9'; allowed: 1e6"),
        ("unstated", "folded", r"line 2 has form 'folded'; allowed: train, deploy, unstated"),
        (",256,", ",0,", r"line 2 has resolution '0'; a whole number from 1 is allowed"),
        ("FastViT paper (arXiv 2303.14189) Table 2", "", r"line 2 has source ''; something has to be there"),
        (",,,FastViT paper", ",x,,FastViT paper", r"line 2 has weights 'x'; allowed: an empty cell; correct it"),
        (",,,FastViT paper", ",,0.9,FastViT paper", r"line 2 has crop '0.9'; allowed: an empty cell; correct it"),
    ],
)
def test_a_malformed_row_is_named(place: Path, old: str, new: str, message: str) -> None:
    _spoil(place / "figures.csv", 2, old, new)
    with pytest.raises(ContentError, match=message):
        figures("fastvit_t8", place=place)


@pytest.mark.parametrize("crop", ["0", "1.1", "nan", "most"])
def test_a_crop_is_a_share(place: Path, crop: str) -> None:
    _spoil(place / "robustness.csv", 2, ",0.900,", f",{crop},")
    with pytest.raises(ContentError, match=rf"robustness.csv, line 2 has crop '{crop}'; a number .* is allowed"):
        figures("fastvit_t8", place=place)


def test_evaluations_of_timm_name_weights_and_crop() -> None:
    found = [row for row in all_figures() if "pytorch-image-models results/results-" in row.source and row.training]
    assert len(found) == 222
    for row in found:
        assert row.weights is not None
        assert row.crop is not None
        assert ("_dist_" in row.weights) == (row.training == "distilled")
        assert "weights" not in row.note
        assert "crop" not in row.note


def test_mean_corruption_errors_can_be_added(place: Path) -> None:
    rows = (place / "robustness.csv").read_text().splitlines()
    rows.append("fastvit_t8,imagenet_c_mce,70.1,percent,,,,,256,,plain,,,a paper,")
    (place / "robustness.csv").write_text("\n".join(rows) + "\n")
    (found,) = [row for row in figures("fastvit_t8", place=place) if row.quantity == "imagenet_c_mce"]
    assert (found.value, found.weights, found.crop) == (70.1, None, None)


def test_wrong_columns_are_named(place: Path) -> None:
    _spoil(place / "robustness.csv", 1, "quantity", "what")
    with pytest.raises(ContentError, match=r"robustness.csv, line 1 has the columns model, what, .*; allowed: model"):
        figures("fastvit_t8", place=place)


def test_a_missing_file_is_named(place: Path) -> None:
    (place / FIGURE_FILES[1]).unlink()
    with pytest.raises(ContentError, match=r"cannot read .*latency_independent.csv \(No such file.*reinstall bench"):
        figures("fastvit_t8", place=place)


def test_text_in_another_encoding_is_an_error(place: Path) -> None:
    (place / "figures.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(ContentError, match=r"figures.csv is no table \(.*\); comma-separated text is allowed"):
        figures("fastvit_t8", place=place)


def test_claims_have_different_ids(place: Path) -> None:
    _spoil(place / "claims.csv", 3, "efficientnet,", "cmt,")
    with pytest.raises(ContentError, match=r"claims.csv has two claims with the id 'cmt'; one is allowed"):
        claims(place)
