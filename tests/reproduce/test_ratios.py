from __future__ import annotations

from dataclasses import replace

import pytest

from bench.reproduce.published import figures
from bench.reproduce.ratios import latencies, printed_latency, published_ratios


def words(other: str, side: int, name: str, own: int) -> list[str]:
    return [ratio.words for ratio in published_ratios(other, side, name, own)]


def test_like_is_divided_by_like() -> None:
    """MobileOne's published 0.79 ms is a minimum, FastViT-T8's 0.8 a mean: like for like both ratios are 1.06."""
    found = words("mobileone_s0", 224, "fastvit_t8", 256)
    assert found[:2] == [
        "1.06 = 0.790 ms / 0.744 ms (iPhone 12 Pro, Core ML (ModelBench app), minimum)",
        "1.07 = 0.868 ms / 0.815 ms (iPhone 12 Pro, Core ML (ModelBench app), mean)",
    ]
    assert "0.09 = 4.2 ms / 49.3 ms (Pixel 6 CPU)" in found
    assert not any("mixed" in text or "Hexagon" in text for text in found)


def test_phone_and_graphics_card_stand_side_by_side() -> None:
    assert words("convnext_b", 224, "fastvit_ma36", 256) == [
        "1.87 = 8.4 ms / 4.5 ms (iPhone 12 Pro Max, Core ML (coremltools 6.0; iOS 16))",
        "2.03 = 13.6 ms / 6.7 ms (RTX 2080 Ti, TensorRT 8.0.1.6, batch 8, median)",
    ]


def test_each_network_counts_at_its_resolution() -> None:
    assert [ratio.ours.value for ratio in published_ratios("nfnet_f1", 320, "fastvit_ma36", 384)] == [9.2, 16.5]
    assert published_ratios("nfnet_f1", 320, "fastvit_ma36", 320) == ()


def test_an_unlike_pair_is_told_where_there_is_no_other_with_what_is_mixed_in_it() -> None:
    assert words("efficientformer_l7", 224, "fastvit_sa24", 256) == [
        "2.69 = 7.0 ms / 2.6 ms (iPhone 12 Pro Max, Core ML (coremltools 6.0; iOS 16); mixed: device iPhone 12 against "
        "iPhone 12 Pro Max, runtime Core ML against Core ML (coremltools 6.0; iOS 16))"
    ]
    (mixed,) = published_ratios("mobileone_s1", 224, "fastvit_t8", 256)
    assert mixed.mixed == ("statistic",)


def test_a_number_with_fewer_digits_repeats_another() -> None:
    found = [printed_latency(figure) for figure in latencies("mobileone_s0", 224)][:2]
    assert found == [
        "0.790 ms (iPhone 12 Pro, Core ML (ModelBench app), minimum)",
        "0.868 ms (iPhone 12 Pro, Core ML (ModelBench app), mean)",
    ]
    # The paper's 0.8 is of another phone than the README's.
    assert [figure.value for figure in latencies("fastvit_t8", 256)][:3] == [0.8, 0.815, 0.744]
    assert [figure.value for figure in latencies("fastvit_ma36", 384)] == [9.2, 16.5]


def test_a_ratio_of_roundings_is_a_range() -> None:
    (mixed,) = published_ratios("efficientformer_l7", 224, "fastvit_sa24", 256)
    assert mixed.printed == pytest.approx((6.95 / 2.65, 7.05 / 2.55))
    assert replace(mixed, theirs=figures("fastvit_t8")[0]).value == pytest.approx(3.6 / 2.6)
