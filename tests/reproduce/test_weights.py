from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch

from bench.errors import ConfigError, NetworkError, ReproduceError
from bench.evaluate import Preprocessing
from bench.networks import build
from bench.networks.fold import randomise
from bench.reproduce.weights import load_weights, missing_weights

from .pictures import model, work, write_weights

Asked = list[str]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """A hub that has every network of timm, with weights that nobody trained, and remembers what it was asked for."""
    asked: Asked = []

    def download(weights: str) -> dict[str, torch.Tensor]:
        asked.append(weights)
        network = timm.create_model(weights.partition(".")[0])
        randomise(network, seed=0)
        state: dict[str, torch.Tensor] = network.state_dict()
        return state

    monkeypatch.setattr("bench.networks.checkpoints.download_checkpoint", download)
    return asked


@pytest.mark.parametrize(
    ("name", "tag", "crop"),
    [
        ("fastvit_t8", "fastvit_t8.apple_in1k", 0.9),
        ("fastvit_sa36", "fastvit_sa36.apple_in1k", 0.9),  # its authors have 0.95
        ("mobileone_s0", "mobileone_s0.apple_in1k", 0.875),
        ("convnext_t", "convnext_tiny.fb_in1k", 0.875),
    ],
)
def test_what_is_downloaded_is_named_whole_and_shown_pictures_as_timm_does(
    name: str, tag: str, crop: float, hub: Asked
) -> None:
    found = load_weights(model(name), work(download=True))
    assert hub == [tag]
    assert found.source == f"{tag} of timm's hub"
    known = found.circumstances
    assert (known.weights, known.training, known.is_tensorflow) == (tag, "plain", False)
    assert (known.preprocessing.crop, known.preprocessing.mean) == (crop, (0.485, 0.456, 0.406))
    assert found.note == ""


@pytest.mark.parametrize(
    ("name", "tag", "resolution", "mean"),
    [
        ("efficientnet_b1", "tf_efficientnet_b1.aa_in1k", 240, (0.485, 0.456, 0.406)),
        ("efficientnetv2_s", "tf_efficientnetv2_s.in1k", 384, (0.5, 0.5, 0.5)),
    ],
)
def test_efficientnets_of_the_hub_pad_as_tensorflow(
    name: str, tag: str, resolution: int, mean: tuple[float, ...], hub: Asked
) -> None:
    found = load_weights(model(name), work(download=True))
    assert hub == [tag]
    assert found.circumstances.is_tensorflow
    assert (found.circumstances.preprocessing.resolution, found.circumstances.preprocessing.mean) == (resolution, mean)
    assert found.circumstances.preprocessing == found.circumstances.published
    assert found.note == "computed with TensorFlow's padding and epsilon, as these weights were trained"
    reference = timm.create_model(tag.partition(".")[0]).double().eval()
    reference.load_state_dict(found.network.state_dict(), strict=True)
    picture = torch.randn(1, 3, 65, 65, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(found.network.double()(picture), reference(picture), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("file", "is_tensorflow"), [("tf_efficientnet_b0_aa-827b6e33.safetensors", True), ("b0.pt", False)]
)
def test_a_file_of_an_efficientnet_says_by_its_name_how_it_pads(file: str, is_tensorflow: bool, tmp_path: Path) -> None:
    state = build(model("efficientnet_b0").architecture).state_dict()
    torch.save(state, tmp_path / file)
    found = load_weights(model("efficientnet_b0"), work(weights=tmp_path / file))
    assert (found.circumstances.is_tensorflow, found.source) == (is_tensorflow, file)
    assert found.circumstances.weights is None
    assert found.circumstances.training is None
    assert ("TensorFlow's padding" in found.note) is is_tensorflow
    assert ("the name of their file has to say what they are (tf_efficientnet_...)" in found.note) is not is_tensorflow


def test_pictures_are_shown_to_a_file_as_the_authors_do_or_as_is_said(tmp_path: Path) -> None:
    named = work(weights=write_weights(tmp_path / "weights.safetensors", "fastvit_t8"))
    assert load_weights(model("fastvit_t8"), named).circumstances.preprocessing.crop == 0.9
    found = load_weights(model("fastvit_t8@320"), named, crop=0.8, interpolation="bilinear").circumstances
    assert found.preprocessing == Preprocessing(resolution=320, crop=0.8, interpolation="bilinear")
    assert (found.published.resolution, found.published.crop) == (256, 0.9)


def test_a_network_that_nobody_published_needs_a_crop(tmp_path: Path) -> None:
    own = replace(model("fastvit_t8"), name="study/3")
    named = work(weights=write_weights(tmp_path / "weights.safetensors", "fastvit_t8"))
    with pytest.raises(ConfigError, match="no published preprocessing for 'study/3'"):
        load_weights(own, named)
    found = load_weights(own, named, crop=0.9, interpolation="bicubic").circumstances
    assert found.preprocessing == found.published == Preprocessing(resolution=256, crop=0.9, interpolation="bicubic")


@pytest.mark.parametrize("download", [False, True])
def test_where_the_hub_has_none_it_is_not_advised(download: bool) -> None:
    asked = work(download=download)
    assert missing_weights(model("cmt_s"), asked) == "weights (--weights FILE; timm's hub has none of cmt_s)"
    message = "no weights of cmt_s; they are needed, and timm's hub has none; give --weights FILE$"
    with pytest.raises(ReproduceError, match=message):
        load_weights(model("cmt_s"), asked)


def test_weights_that_are_missing_are_advised() -> None:
    assert missing_weights(model("fastvit_t8"), work()) == "weights (--weights FILE, or --download)"
    assert missing_weights(model("fastvit_t8"), work(download=True)) is None
    assert missing_weights(model("cmt_s"), work(weights=Path("x.pth"))) is None


def test_a_bad_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_text("<html>")
    with pytest.raises(NetworkError, match="is no weights file"):
        load_weights(model("fastvit_t8"), work(weights=tmp_path / "x.pth"))
