from __future__ import annotations

import pytest

from bench.reproduce.independent import independent_findings, independent_latencies


def test_others_measured_t8_beside_mobileone_s0() -> None:
    (found,) = independent_findings("fastvit_t8", "mobileone_s0")
    assert found.published.startswith("Pixel 6 CPU: 0.09 (49.3 ms and 4.2 ms); Pixel 8 EdgeTPU: 0.54 ")
    assert "Pixel 4 Hexagon DSP: no ratio (did not run and 2.9 ms)" in found.published
    assert found.values["Galaxy S23 GPU"] == pytest.approx(1.7 / 24.7)
    assert "Pixel 4 Hexagon DSP" not in found.values
    assert found.source == "MobileNetV4 paper (arXiv 2404.10518) Table 6"
    assert (found.measured, found.verdict) == ("", "")


def test_networks_of_two_studies_are_no_pair() -> None:
    assert list(independent_findings("fastvit_ma36", "cmt_s")) == []
    # SA24 on an iPhone 13 by one, EfficientFormer-L7 on an iPhone 12 by another.
    assert independent_latencies("fastvit_sa24")
    assert independent_latencies("efficientformer_l7")
    assert list(independent_findings("fastvit_sa24", "efficientformer_l7")) == []


def test_what_the_authors_measured_is_not_independent() -> None:
    devices = {figure.device for figure in independent_latencies("fastvit_t8")}
    assert "Pixel 6 CPU" in devices
    assert "iPhone 12 Pro" not in devices
