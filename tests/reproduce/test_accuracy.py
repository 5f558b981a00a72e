from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import NetworkError
from bench.evaluate import imagenet_classes
from bench.evaluate.accuracy import Accuracy
from bench.networks.models import Model
from bench.reproduce import accuracy
from bench.reproduce.accuracy import accuracy_findings, check_weights, evaluate_published
from bench.reproduce.work import Work

from .pictures import model, work, write_pictures, write_weights


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of ImageNet with a picture each, and weights of the smallest MobileOne."""
    folder = tmp_path_factory.mktemp("data")
    write_pictures(folder / "val", imagenet_classes()[:2], count=1)
    write_weights(folder / "s0.safetensors", "mobileone_s0")
    return folder


def _work(data: Path, **changes: object) -> Work:
    return work(**{"imagenet": data / "val", "weights": data / "s0.safetensors", **changes})


def test_a_part_of_imagenet_is_not_judged(data: Path) -> None:
    """At the model's own resolution, where nothing else keeps it from being judged."""
    found = list(accuracy_findings(model("mobileone_s0"), _work(data)))
    assert {one.published for one in found} == {"71.4 (plain)", "71.398 (plain, mobileone_s0.apple_in1k)"}
    for one in found:
        assert one.quantity == "top-1 (%)"
        assert one.verdict == "not run: the whole benchmark (2 of 50,000 pictures)"
        assert one.measured.endswith("% of 2 pictures")
        assert one.values["pictures"] == 2.0
        assert "weights s0.safetensors; 224 px, crop 0.875, bilinear" in one.note


def test_the_whole_of_imagenet_is_judged(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that reproduces the plain figure is plainly trained, and kept counts say since when they are known."""
    counted = Accuracy(
        data="imagenet:val",
        fingerprint="x",
        num_classes=1000,
        num_pictures=50_000,
        num_top1=38_090,
        num_top5=46_000,
        unreadable=(),
        resumed_from="2026-01-02T03:04:05+00:00",
    )
    evaluated = accuracy._evaluated

    def count(model: Model, work: Work) -> tuple[object, Accuracy]:
        return evaluated(model, work)[0], counted

    monkeypatch.setattr(accuracy, "_evaluated", count)
    write_weights(data / "t8.safetensors", "fastvit_t8")
    found = list(accuracy_findings(model("fastvit_t8"), _work(data, weights=data / "t8.safetensors")))
    verdicts = {one.published: one.verdict for one in found}
    assert verdicts["76.2 (plain)"] == "reproduced"
    assert verdicts["76.184 (plain, fastvit_t8.apple_in1k)"] == "reproduced"
    assert verdicts["75.6 (plain)"] == "differs"
    assert verdicts["77.2 (distilled)"] == "not run: distilled weights"
    assert all("counted at 2026-01-02T03:04:05+00:00 and kept" in one.note for one in found)


@pytest.mark.parametrize(
    ("name", "changes", "missing"),
    [
        ("fastvit_t8", {}, "ImageNet (--imagenet DIR) and weights (--weights FILE, or --download)"),
        ("fastvit_t8", {"download": True}, "ImageNet (--imagenet DIR)"),
        ("fastvit_t8", {"imagenet": Path("x")}, "weights (--weights FILE, or --download)"),
        ("cmt_s", {"imagenet": Path("x"), "download": True}, "weights (--weights FILE; timm's hub has none of cmt_s)"),
    ],
)
def test_what_is_missing_is_named(name: str, changes: dict[str, object], missing: str) -> None:
    found = list(accuracy_findings(model(name), work(**changes)))
    assert found
    assert {one.verdict for one in found} == {f"not run: {missing}"}
    check_weights(model(name), work(**changes) if missing.startswith("weights") else work())


def test_an_accuracy_alone(data: Path) -> None:
    found = evaluate_published(model("mobileone_s0"), _work(data))
    assert (found.num_pictures, found.num_classes) == (2, 1000)


def test_a_bad_file_is_told_before_long_work(data: Path, tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_text("<html>")
    named = _work(data, weights=tmp_path / "x.pth")
    with pytest.raises(NetworkError, match="is no weights file"):
        check_weights(model("mobileone_s0"), named)
    check_weights(model("mobileone_s0"), work(weights=tmp_path / "x.pth"))  # nothing will be evaluated
    check_weights(model("mobileone_s0"), _work(data))
    with pytest.raises(NetworkError, match="holds weights of another network"):
        check_weights(model("mobileone_s1"), _work(data))
