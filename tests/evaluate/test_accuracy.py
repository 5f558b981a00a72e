from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from torch import nn

from bench.errors import DataError, NetworkError
from bench.evaluate import accuracy
from bench.evaluate.accuracy import Accuracy, evaluate, fingerprint
from bench.evaluate.answers import BATCH, Classifier
from bench.evaluate.pictures import Pictures, find_validation, pictures_in_folders

from .made import CLASSES, SIDE, WHOLE, NearestShade, classifier, noise, png, write_shades

# Shade -> rank of its folder's class, by hand: class k is the grey 25 k, nearer classes come first.
SHADES = {
    CLASSES[0]: [0, 30, 200],  # right; after 25 and 50; after all nine others
    CLASSES[4]: [100, 110],  # right; right
    CLASSES[9]: [225, 130],  # right; after 125, 150, 100, 175, 75, 200 and 50
}
RANKS = [0, 2, 9, 0, 0, 0, 7]


class Small(nn.Module):
    """A real convolution, so that the arithmetic has something to round."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.head = nn.Linear(16, len(CLASSES))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert len(x) == BATCH
        out: torch.Tensor = self.head(self.conv(x).relu().mean(dim=(2, 3)))
        return out


class Placed(NearestShade):
    """Turns its outputs by the place of the picture in the batch, so that each place has another answer."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([row.roll(place) for place, row in enumerate(super().forward(x))])


class Constant(nn.Module):
    """The same output for every class."""

    def __init__(self, num_classes: int, value: float) -> None:
        super().__init__()
        self.num_classes, self.value = num_classes, value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.full((len(x), self.num_classes), self.value)


def _noisy(root: Path, *, count: int = 25, classes: int = 6) -> Path:
    for index, name in enumerate(CLASSES[:classes]):
        (root / name).mkdir(parents=True)
        for number in range(count):
            (root / name / f"{number:03d}.png").write_bytes(noise(1000 * index + number))
    return root


def _kept(folder: Path) -> list[int]:
    (path,) = folder.iterdir()
    ranks: list[int] = json.loads(path.read_text())["ranks"]
    return ranks


def _evaluate(pictures: Pictures, state_dir: Path, **more: object) -> Accuracy:
    small: Classifier = classifier(Small())
    return evaluate(small, pictures, state_dir=state_dir, **{"processes": 0, **more})  # type: ignore[arg-type]


def test_counts_are_those_worked_out_by_hand(tmp_path: Path) -> None:
    pictures = find_validation(write_shades(tmp_path / "val", SHADES), CLASSES)
    found = evaluate(classifier(), pictures, processes=0, state_dir=tmp_path / "state")
    assert _kept(tmp_path / "state") == RANKS
    assert (found.num_pictures, found.num_top1, found.num_top5, found.num_classes) == (7, 4, 5, 10)
    assert (found.top1, found.top5) == (pytest.approx(400 / 7), pytest.approx(500 / 7))
    assert found.unreadable == ()
    assert json.loads(json.dumps(found.to_dict()))["top1"] == pytest.approx(57.142857)


def test_answers_are_taken_among_the_outputs_of_the_benchmark(tmp_path: Path) -> None:
    """Among the greys 0, 100 and 225 the ranks are 0, 0, 2; 0, 0; 0, 1."""
    write_shades(tmp_path / "val", SHADES)
    pictures = pictures_in_folders(tmp_path / "val", CLASSES, label="x", only_present=True)
    found = evaluate(classifier(), pictures, processes=0, state_dir=tmp_path / "state")
    assert _kept(tmp_path / "state") == [0, 0, 2, 0, 0, 0, 1]
    assert (found.num_top1, found.num_top5, found.num_classes) == (5, 7, 3)


def test_equal_outputs_go_to_the_first_class(tmp_path: Path) -> None:
    pictures = find_validation(write_shades(tmp_path / "val", SHADES), CLASSES)
    found = evaluate(classifier(Constant(10, 1.0)), pictures, processes=0, state_dir=tmp_path / "state")
    assert _kept(tmp_path / "state") == [0, 0, 0, 4, 4, 9, 9]
    assert (found.num_top1, found.num_top5) == (3, 5)


def test_folders_and_tables_give_the_same_numbers(tmp_path: Path) -> None:
    folders = find_validation(write_shades(tmp_path / "a" / "val", SHADES), CLASSES)
    shades = [(shade, int(name[1:])) for name, values in SHADES.items() for shade in values]
    cells = pa.array([png(shade) for shade, _ in shades], pa.binary())
    (tmp_path / "b").mkdir()
    table = pa.table({"image": cells, "label": pa.array([label for _, label in shades], pa.int64())})
    pq.write_table(table, tmp_path / "b" / "validation.parquet")
    tables = find_validation(tmp_path / "b", CLASSES)
    counts = [(found.num_top1, found.num_top5, found.num_pictures) for found in _all([folders, tables])]
    assert counts == [(4, 5, 7)] * 2


def _all(lists: list[Pictures]) -> list[Accuracy]:
    return [evaluate(classifier(), pictures, processes=0) for pictures in lists]


def test_the_number_of_processes_changes_nothing(tmp_path: Path) -> None:
    pictures = find_validation(_noisy(tmp_path / "val"), CLASSES)
    found = [_evaluate(pictures, tmp_path / str(processes), processes=processes) for processes in (0, 1, 3)]
    assert found[0] == found[1] == found[2]
    ranks = [_kept(tmp_path / str(processes)) for processes in (0, 1, 3)]
    assert ranks[0] == ranks[1] == ranks[2]
    assert len(set(ranks[0])) > 3


def test_a_picture_keeps_its_place_when_one_before_it_cannot_be_read(tmp_path: Path) -> None:
    _noisy(tmp_path / "a" / "val")
    _noisy(tmp_path / "b" / "val")
    (tmp_path / "b" / "val" / CLASSES[0] / "003.png").write_bytes(b"no picture")
    found = [
        evaluate(
            classifier(Placed()),
            find_validation(tmp_path / part, CLASSES),
            processes=0,
            state_dir=tmp_path / f"{part}-state",
        )
        for part in ("a", "b")
    ]
    whole, torn = _kept(tmp_path / "a-state"), _kept(tmp_path / "b-state")
    assert torn == [-1 if place == 3 else rank for place, rank in enumerate(whole)]
    assert whole[4] != whole[5]
    assert (found[0].num_pictures, found[1].num_pictures) == (150, 149)
    assert [name for name, _ in found[1].unreadable] == [f"val/{CLASSES[0]}/003.png"]
    assert "UnidentifiedImageError" in found[1].unreadable[0][1]
    assert found[1].num_top1 == found[0].num_top1 - (whole[3] == 0)


def test_too_many_unreadable_pictures_end_the_evaluation(tmp_path: Path) -> None:
    write_shades(tmp_path / "val", SHADES)
    (tmp_path / "val" / CLASSES[0] / "1.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"1 of 7 pictures of imagenet:.* are unreadable, such as val/n00000000/1\.png"):
        evaluate(classifier(), find_validation(tmp_path, CLASSES), processes=0)


def test_an_evaluation_that_was_broken_off_goes_on(tmp_path: Path) -> None:
    pictures = find_validation(_noisy(tmp_path / "val"), CLASSES)
    seen: list[tuple[int, int]] = []

    def stop_at_64(done: int, total: int) -> None:
        seen.append((done, total))
        if done >= 64:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _evaluate(pictures, tmp_path / "state", progress=stop_at_64, processes=2)
    assert seen == [(0, 150), (32, 150), (64, 150)]
    assert len(_kept(tmp_path / "state")) == 64
    seen.clear()
    found = _evaluate(pictures, tmp_path / "state", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(64, 150), (96, 150), (128, 150), (150, 150)]
    assert found == _evaluate(pictures, tmp_path / "other")
    assert _kept(tmp_path / "state") == _kept(tmp_path / "other")
    seen.clear()
    assert found == _evaluate(pictures, tmp_path / "state", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(150, 150)]


def test_counts_belong_to_network_preprocessing_and_pictures(tmp_path: Path) -> None:
    pictures = find_validation(write_shades(tmp_path / "a" / "val", SHADES), CLASSES)
    more = find_validation(write_shades(tmp_path / "b" / "val", SHADES | {CLASSES[1]: [25]}), CLASSES)
    other, shifted = NearestShade(), NearestShade()
    shifted.shades.add_(1.0)  # type: ignore[operator]
    smoother = replace(classifier(), preprocessing=replace(WHOLE, interpolation="bicubic"))
    runs = [
        evaluate(classifier(), pictures, processes=0),
        evaluate(classifier(other), pictures, processes=0),
        evaluate(classifier(shifted), pictures, processes=0),
        evaluate(classifier(Constant(10, 1.0)), pictures, processes=0),
        evaluate(smoother, pictures, processes=0),
        evaluate(classifier(), more, processes=0),
    ]
    assert runs[0].fingerprint == runs[1].fingerprint
    assert len({found.fingerprint for found in runs}) == 5


def test_counts_belong_to_library_and_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them can turn a near tie; the name of the folder cannot."""
    pictures = find_validation(write_shades(tmp_path / "a" / "val", SHADES), CLASSES)
    moved = find_validation(write_shades(tmp_path / "b" / "val", SHADES), CLASSES)
    first = fingerprint(classifier(), pictures, device="cpu")
    assert fingerprint(classifier(), moved, device="cpu") == first
    seen = {first}
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        seen.add(fingerprint(classifier(), pictures, device="cpu"))
    finally:
        torch.set_num_threads(threads)
    for name in ("torch", "PIL"):
        with monkeypatch.context() as patch:
            patch.setattr(f"{name}.__version__", "0.0")
            seen.add(fingerprint(classifier(), pictures, device="cpu"))
    with monkeypatch.context() as patch:
        patch.setattr(accuracy, "machine_fingerprint", lambda: {"machine": {"cpu": "another"}})
        seen.add(fingerprint(classifier(), pictures, device="cpu"))
    assert len(seen) == 5


def test_it_is_told_when_kept_counts_were_counted(tmp_path: Path) -> None:
    pictures = find_validation(write_shades(tmp_path / "val", SHADES), CLASSES)
    first, again = (evaluate(classifier(), pictures, processes=0, state_dir=tmp_path / "state") for _ in range(2))
    assert first.resumed_from is None
    (path,) = (tmp_path / "state").iterdir()
    assert again.resumed_from == json.loads(path.read_text())["counted"]
    assert datetime.fromisoformat(again.resumed_from).utcoffset() == timedelta(0)
    assert first == again


def test_a_picture_that_was_away_is_counted_when_it_is_back(tmp_path: Path) -> None:
    """With its whole batch, so that it stands at its place; the rest is not counted again."""
    _noisy(tmp_path / "val")
    pictures = find_validation(tmp_path / "val", CLASSES)
    whole = _evaluate(pictures, tmp_path / "other")
    away = tmp_path / "val" / CLASSES[1] / "015.png"  # the 41st of the list, in the second batch
    away.rename(tmp_path / "away.png")
    found = _evaluate(pictures, tmp_path / "state")
    assert (found.num_pictures, [name for name, _ in found.unreadable]) == (149, [f"{CLASSES[1]}/015.png"])
    (tmp_path / "away.png").rename(away)
    seen: list[tuple[int, int]] = []
    again = _evaluate(pictures, tmp_path / "state", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(118, 150), (150, 150)]
    assert again == whole
    assert _kept(tmp_path / "state") == _kept(tmp_path / "other")


@pytest.mark.parametrize("resolution", [256, 528])
def test_decoded_pictures_that_wait_are_bounded(resolution: int) -> None:
    most = accuracy._most_batches(resolution)
    assert most * BATCH * 3 * resolution**2 <= 2**30 < (most + 1) * BATCH * 3 * resolution**2
    assert accuracy._most_batches(10_000) == 1


def test_fewer_batches_wait_than_there_are_processes_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = find_validation(_noisy(tmp_path / "val"), CLASSES)
    asked: list[int] = []

    def in_turns(run: object, names: list[object], *, at_once: int) -> Iterator[object]:
        asked.append(at_once)
        return iter(run(names))  # type: ignore[operator]

    monkeypatch.setattr(accuracy, "_in_turns", in_turns)
    monkeypatch.setattr(accuracy, "_HELD_BYTES", 3 * BATCH * 3 * SIDE**2)
    _evaluate(pictures, tmp_path / "state", processes=2)
    assert asked == [3]


def test_the_network_is_left_as_it_was(tmp_path: Path) -> None:
    network = Small().train()
    pictures = find_validation(write_shades(tmp_path / "val", SHADES), CLASSES)
    evaluate(classifier(network), pictures, processes=0)
    assert network.training
    assert all(value.requires_grad for value in network.parameters())


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Constant(5, 1.0), r"outputs of shape \(5,\); 10 classes are needed; build it with as many"),
        (Constant(10, float("nan")), r"outputs for pictures from n00000000/0\.png on are not finite"),
    ],
)
def test_a_network_that_cannot_be_right_is_an_error(tmp_path: Path, network: nn.Module, message: str) -> None:
    pictures = find_validation(write_shades(tmp_path / "val", SHADES), CLASSES)
    with pytest.raises(NetworkError, match=message):
        evaluate(classifier(network), pictures, processes=0)


def test_pictures_are_cropped_as_the_network_wants_them(tmp_path: Path) -> None:
    """A white frame around grey 100: with crop 0.5 only the middle is seen."""
    framed = Image.new("L", (16, 16), 255)
    framed.paste(100, (3, 3, 13, 13))
    buffer = io.BytesIO()
    framed.save(buffer, "PNG")
    write_shades(tmp_path / "val", {CLASSES[4]: [100] * 2, CLASSES[5]: [125]})
    (tmp_path / "val" / CLASSES[4] / "1.png").write_bytes(buffer.getvalue())
    pictures = find_validation(tmp_path, CLASSES)
    middle = replace(classifier(), preprocessing=replace(WHOLE, crop=0.5))
    assert evaluate(middle, pictures, processes=0).num_top1 == 3
    assert evaluate(classifier(), pictures, processes=0).num_top1 == 2
