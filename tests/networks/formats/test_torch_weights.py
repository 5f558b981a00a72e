from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from bench.errors import ExportError, NetworkError
from bench.networks import build
from bench.networks.export import picture
from bench.networks.fold import fold
from bench.networks.formats import export_as, load_exported
from bench.networks.weights import load_weights
from bench.space import Architecture

from .made import RESOLUTION, architecture, exported, network


def contents(path: Path) -> Any:
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["bench"])


def rewritten(folder: Path, **changes: Any) -> Path:
    """The file with another description of what its weights are."""
    source, path = exported("torch").path, folder / "changed.safetensors"
    save_file(load_file(source), path, metadata={"bench": json.dumps(contents(source) | changes)})
    return path


def test_a_file_holds_the_train_form_and_what_it_is() -> None:
    path = exported("torch").path
    found = contents(path)
    assert Architecture.from_dict(found["architecture"]) == architecture()
    assert (found["num_classes"], found["resolution"]) == (1000, RESOLUTION)
    again = build(architecture(), seed=5)
    load_weights(again, path)
    expected = network().state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in again.state_dict().items())


@pytest.mark.parametrize("fold_attention_norm", [True, False])
def test_what_is_loaded_is_the_deploy_form(fold_attention_norm: bool) -> None:
    loaded = load_exported(exported("torch").path, fold_attention_norm=fold_attention_norm)
    expected = fold(network(), fold_attention_norm=fold_attention_norm)
    with torch.inference_mode():
        assert torch.equal(loaded(picture(RESOLUTION)), expected(picture(RESOLUTION)))


def test_weights_without_their_architecture_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"format 'torch' without an architecture; .*; pass architecture="):
        export_as(network(), tmp_path / "x.safetensors", kind="torch", resolution=RESOLUTION)
    assert list(tmp_path.iterdir()) == []


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="cannot be read"):
        load_exported(tmp_path / "missing.safetensors")
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"no safetensors")
    with pytest.raises(ExportError, match=r"cannot be read .* a safetensors file is needed; export"):
        load_exported(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(
        ExportError, match="has no architecture in it; a file of `bench export --format torch` is needed"
    ):
        load_exported(path)


@pytest.mark.parametrize("value", [None, {}, [], {"family": "resnet", "settings": {}, "stages": []}])
def test_an_architecture_that_is_none_is_refused(value: object, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="has no usable architecture in it"):
        load_exported(rewritten(tmp_path, architecture=value))


def test_a_few_bytes_cannot_ask_for_a_huge_network(tmp_path: Path) -> None:
    path = rewritten(tmp_path, num_classes=10**9)
    with pytest.raises(ExportError, match=r"has \d{6} bytes; its architecture has \d{12} bytes of weights"):
        load_exported(path)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="do not fit the network"):
        load_exported(rewritten(tmp_path, num_classes=10))
