from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.evaluate.accuracy import evaluate
from bench.evaluate.pictures import find_validation

from .made import CLASSES, NearestShade, classifier, write_shades


class Watching(NearestShade):
    """Remembers how float32 is multiplied while it is asked, and may fail."""

    seen: list[tuple[str, str]]

    def __init__(self, seen: list[tuple[str, str]], *, fails: bool = False) -> None:
        super().__init__()
        self.seen, self.fails = seen, fails

    def __deepcopy__(self, memo: object) -> Watching:
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(_precision())
        if self.fails:
            raise RuntimeError("out of memory")
        return super().forward(x)


def _precision() -> tuple[str, str]:
    return torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision


@pytest.mark.parametrize("fails", [False, True])
def test_float32_is_whole_while_answers_are_asked(tmp_path: Path, fails: bool) -> None:
    pictures = find_validation(write_shades(tmp_path / "val", {CLASSES[0]: [0], CLASSES[1]: [25]}), CLASSES)
    before, seen = _precision(), []
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    try:
        changed = _precision()
        watching = classifier(Watching(seen, fails=fails))
        if fails:
            with pytest.raises(RuntimeError, match="out of memory"):
                evaluate(watching, pictures, processes=0)
        else:
            evaluate(watching, pictures, processes=0)
        assert seen == [("ieee", "ieee")]
        assert _precision() == changed
    finally:
        torch.backends.cuda.matmul.fp32_precision = before[0]
    assert _precision() == before
