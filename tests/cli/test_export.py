"""`bench export` as users run it, format by format; `test_search.py` has the trials of a study."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
import torch
from networks.formats.made import needs

from bench.networks.formats import FORMATS, artifact_hash, load_exported

from .here import Here, files

POINT = ("export", "smoke_attention", "--space", "smoke")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_reference_point_is_exported(here: Here, tmp_path: Path, kind: str) -> None:
    needs(kind)
    out = f"point{FORMATS[kind].suffix}"
    ended = here(*POINT, "--format", kind, "--out", out, "--head", 7)
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    digest = artifact_hash(tmp_path / out)
    assert re.fullmatch(rf"wrote {out}: {kind}, 0\.\d\d MB, sha256 {digest}", lines[0])
    assert re.search(r"exporter of .*\d, input 1x3x64x64", lines[1])
    assert (", fp16" in lines[1]) == (FORMATS[kind].precisions[0] == "fp16")
    assert "weights: fresh, not trained (right for timing, not for answers)" in lines
    assert re.search(r"^fold: proven in float64, relative error [\d.]+e-1\d$", ended.out, re.MULTILINE)
    checked = re.search(r"relative error against torch [\d.]+e[+-]\d\d", lines[1])
    assert checked or "output not checked here: Core ML runs on macOS only" in lines


def test_weights_of_torch_can_be_loaded_again(here: Here, tmp_path: Path) -> None:
    here(*POINT, "--format", "torch", "--out", "point.safetensors", "--head", 7)
    network = load_exported(tmp_path / "point.safetensors")
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 7)


def test_precision_is_chosen(here: Here, tmp_path: Path) -> None:
    needs("coreml")
    ended = here(*POINT, "--format", "coreml", "--out", "point.mlpackage", "--precision", "fp32")
    assert ended.code == 0, ended.err
    assert re.fullmatch(r"specification 7, .*, input 1x3x64x64", ended.out.splitlines()[1])


@pytest.mark.parametrize("flag", ["--fold-attention-norm", "--keep-attention-norm"])
def test_the_norm_before_attention_is_folded_on_request(here: Here, tmp_path: Path, flag: str) -> None:
    import onnx

    ended = here(*POINT, flag, "--out", "point.onnx")
    assert ended.code == 0, ended.err
    kinds = {node.op_type for node in onnx.load(tmp_path / "point.onnx").graph.node}
    assert ("BatchNormalization" in kinds) == (flag == "--keep-attention-norm")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--format", "coreml", "--out", "point.onnx"),
            r"'point.onnx' ends in '.onnx'; .* end in '.mlpackage'; rename",
        ),
        (("--format", "torch", "--out", "nowhere/x.safetensors"), "there is no folder nowhere; make it first"),
        (("--format", "coreml", "--out", "taken.mlpackage"), "taken.mlpackage is a folder of something else"),
        (("--precision", "fp16", "--out", "x.onnx"), "precision 'fp16' of format 'onnx'; allowed: fp32; choose one"),
        (("--resolution", 50, "--out", "x.onnx"), r"resolution is 50; multiples of 32 are allowed; use 64"),
    ],
    ids=["suffix", "folder", "taken", "precision", "resolution"],
)
def test_what_cannot_be_written_is_one_line(
    here: Here, tmp_path: Path, words: tuple[object, ...], message: str
) -> None:
    (tmp_path / "taken.mlpackage").mkdir()
    (tmp_path / "taken.mlpackage" / "mine.txt").touch()
    before = files(tmp_path)
    ended = here(*POINT, *words)
    assert (ended.code, ended.out) == (1, "")
    assert re.fullmatch(f"bench: .*{message}.*\n", ended.err), ended.err
    assert files(tmp_path) == before


@pytest.mark.parametrize("kind", FORMATS)
def test_a_missing_package_is_named_with_its_command(here: Here, tmp_path: Path, kind: str) -> None:
    form = FORMATS[kind]
    missing = [name for name in form.packages if importlib.util.find_spec(name) is None]
    if not missing:
        pytest.skip(f"{', '.join(form.packages)} are installed here")
    ended = here(*POINT, "--format", kind, "--out", f"x{form.suffix}")
    assert ended.code == 1
    assert f"format '{kind}' needs {' and '.join(missing)}, not installed here" in ended.err
    assert f"add it with: {form.command}" in ended.err
    assert files(tmp_path) == set()
