"""`bench reproduce`, `bench compare` and `bench evaluate` as users run them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import timm
import torch
from command import bench
from PIL import Image

from bench.store import open_store

from .here import Here


def test_a_published_model_is_checked_and_kept(tmp_path: Path) -> None:
    """The whole command with the least of timing; the figures of a full run are under results/measured."""
    ended = bench("reproduce", "mobileone_s0", "--limit", 1, "--json", cwd=tmp_path)
    assert ended.code == 0, ended.err
    (data,) = ended.lines
    (report,) = data["reports"]
    found = {finding["quantity"]: finding for finding in report["findings"]}
    assert found["fold"]["verdict"] == "reproduced"
    assert found["same output as timm"]["verdict"] == "reproduced"
    assert found["same output as timm"]["values"]["deploy form error"] < 1e-10
    assert found["latency, cpu, onnxruntime"]["values"]["ms"] > 0
    assert found["latency of fastvit_t8"]["values"]["ratio"] > 0
    assert found["top-1 (%)"]["verdict"].startswith("not run: ImageNet (--imagenet DIR) and weights")
    assert "0.79 (iPhone 12 Pro, " in found["latency elsewhere (ms)"]["published"]
    assert found["latency elsewhere (ms)"]["verdict"].startswith("not run: iPhone 12 Pro")
    page = (tmp_path / "reproduce-mobileone_s0.html").read_text(encoding="utf-8")
    assert "Plotly.newPlot" in page
    with open_store(tmp_path / "results" / "bench.db", read_only=True) as store:
        kept = store.reports(run=data["run"])
        assert [record.kind for record in kept] == ["plan", "model"]
        assert len(store.all_measurements()) >= 3
    again = bench("reproduce", "--resume", data["run"], cwd=tmp_path)
    assert again.code == 0, again.err
    assert "mobileone_s0: published and found here" in again.out


def test_models_are_compared_in_pairs(tmp_path: Path) -> None:
    words = ("fastvit_t8", "mobileone_s0", "timm:resnet18@64", "--resolution", 64, "--quick", "--out", "compare.html")
    ended = bench("compare", *words, cwd=tmp_path)
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[2].startswith("fastvit_t8")
    assert " 76.2" in lines[2]
    assert lines[4].startswith("timm:resnet18@64")
    assert "fastvit_t8@64" not in ended.out
    assert "top-1 on ImageNet, as published" in ended.out
    page = (tmp_path / "compare.html").read_text(encoding="utf-8")
    assert "Plotly.newPlot" in page


def _pictures(folder: Path, names: list[str]) -> None:
    for number, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for place in range(2):
            colour = (40 * number + 10 * place, 200 - 30 * number, 90)
            Image.new("RGB", (80, 60), colour).save(folder / name / f"{place}.png")


def test_weights_are_evaluated_on_what_is_given(tmp_path: Path) -> None:
    from timm.data import ImageNetInfo

    classes = ImageNetInfo().label_names()
    _pictures(tmp_path / "val", classes[:3])
    _pictures(tmp_path / "a", classes[5:8])
    torch.save(timm.create_model("mobileone_s0").state_dict(), tmp_path / "weights.pth")
    words = ("mobileone_s0", "--weights", "weights.pth", "--imagenet", "val", "--imagenet-a", "a", "--resolution", 64)
    ended = bench("evaluate", *words, "--json", cwd=tmp_path)
    assert ended.code == 0, ended.err
    findings = json.loads(ended.out)["findings"]
    plain = [finding for finding in findings if finding["quantity"] == "imagenet: top-1"]
    assert plain[0]["values"]["pictures"] == 6
    shifted = [finding for finding in findings if finding["quantity"] == "imagenet-a: top-1"]
    assert shifted[0]["verdict"] == "not run: the whole benchmark"
    assert "3 classes; the benchmark has 200" in shifted[0]["note"]
    again = bench("evaluate", *words, "--json", cwd=tmp_path)
    assert json.loads(again.out)["findings"] == findings


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["reproduce"], "needs a model, 'claims', 'table' or 'all', or --resume RUN"),
        (["reproduce", "fastvit_t9"], "no reference point 'fastvit_t9' in a shipped space"),
        (["reproduce", "claims", "--weights", "x.pth"], "--weights with 'claims'; weights belong to one model"),
        (["reproduce", "--resume", "claims-1"], "no run 'claims-1'; the last ones: none"),
        (["reproduce", "fastvit_t8", "--out", "no/where.html"], "there is no folder no"),
        (["reproduce", "fastvit_t8", "--runner", "phone"], "phone"),
        (["compare", "fastvit_t8"], "one model (fastvit_t8); two or more are compared"),
        (["compare", "fastvit_t8", "fastvit_t9"], "no reference point 'fastvit_t9'"),
        (["evaluate", "fastvit_t8", "--imagenet", "x"], "no weights of fastvit_t8; they are needed"),
        (["evaluate", "fastvit_t8", "--weights", "x.pth"], "nothing to evaluate on; a folder of pictures is needed"),
        (["evaluate", "timm:resnet18", "--weights", "x.pth"], "a reference point is evaluated"),
        (["baselines", "nothing"], "no study 'nothing'"),
        (["baselines", "x", "--families", "cmt", "--networks", "cmt_ti"], "--families and --networks; one of the two"),
    ],
)
def test_what_cannot_be_done_is_one_line(here: Here, words: list[str], message: str) -> None:
    ended = here(*words)
    assert ended.code == 1
    assert message in ended.err
    assert len(ended.err.strip().splitlines()) == 1
