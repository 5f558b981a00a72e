"""`bench evaluate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import timm
import torch
from PIL import Image

from bench.evaluate import imagenet_classes

from .here import Here, files


def _pictures(folder: Path, names: tuple[str, ...]) -> None:
    for number, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for place in range(2):
            colour = (40 * number + 10 * place, 200 - 30 * number, 90)
            Image.new("RGB", (80, 60), colour).save(folder / name / f"{place}.png")


def test_weights_are_evaluated_on_what_is_given(here: Here, tmp_path: Path) -> None:
    """The second time nothing is left to count, and the report says since when it is known."""
    classes = imagenet_classes()
    _pictures(tmp_path / "val", classes[:3])
    _pictures(tmp_path / "a", classes[5:8])
    torch.save(timm.create_model("mobileone_s0").state_dict(), tmp_path / "weights.pth")
    words = ("mobileone_s0", "--weights", "weights.pth", "--imagenet", "val", "--imagenet-a", "a")
    ended = here("evaluate", *words, "--json")
    assert ended.code == 0, ended.err
    findings = json.loads(ended.out)["findings"]
    plain = [finding for finding in findings if finding["quantity"] == "imagenet: top-1"]
    assert plain[0]["values"]["pictures"] == 6
    assert {finding["verdict"] for finding in plain} == {"not run: the whole benchmark (6 of 50,000 pictures)"}
    shifted = [finding for finding in findings if finding["quantity"] == "imagenet-a: top-1"]
    assert shifted[0]["verdict"].startswith("not run: the whole benchmark (missing classes (199): n01531178, ")
    assert "3 of 200 classes" in shifted[0]["verdict"]
    again = json.loads(here("evaluate", *words, "--json").out)["findings"]
    assert [finding["values"] for finding in again] == [finding["values"] for finding in findings]
    assert all("counted at 20" in finding["note"] for finding in again)
    assert not any("counted at" in finding["note"] for finding in findings)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["fastvit_t8", "--imagenet", "x"],
            "no weights of fastvit_t8; they are needed; give --weights FILE, or --down",
        ),
        (["cmt_s", "--imagenet", "x", "--download"], "no weights of cmt_s; they are needed, and timm's hub has none"),
        (["fastvit_t8", "--weights", "x.pth"], "nothing to evaluate on; a folder of pictures is needed"),
        (["timm:resnet18", "--weights", "x.pth"], "a reference point is evaluated"),
        (["fastvit_t8", "--weights", "x.pth", "--imagenet", "x", "--device", "cuda"], "torch sees no GPU"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(
    here: Here, words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    ended = here("evaluate", *words)
    assert ended.code == 1
    assert message in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert files(tmp_path) == set()
