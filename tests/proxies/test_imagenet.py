from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from bench.errors import DataError
from bench.proxies.datasets import open_data
from bench.proxies.imagenet import ImageNetSource, find_imagenet, read_truth

from .made import NUM_WNIDS, VAL_PER_WNID, val_classes, wnid, write_kaggle

LABELS = "imagenet_2012_validation_synset_labels.txt"
TRUTH = "ILSVRC2012_validation_ground_truth.txt"


def _relabel(root: Path) -> ImageNetSource:
    return find_imagenet(root, label="imagenet:x")


def _ids() -> list[int]:
    """ILSVRC2012_ID of each class: a fixed shuffle, as the kit's order is not the alphabetical one."""
    return [int(i) + 1 for i in np.random.RandomState(3).permutation(NUM_WNIDS)]


def _write_ground_truth(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    ids = _ids()
    (folder / TRUTH).write_text("".join(f"{ids[index]}\n" for index in val_classes()))


def _write_meta(path: Path) -> None:
    ids = _ids()
    rows = [(ids[i], wnid(i)) for i in range(NUM_WNIDS)] + [(1001, "n00001740")]  # an inner node of the hierarchy
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O")]
    savemat(path, {"synsets": np.array(rows, dtype=kind).reshape(-1, 1)})


def _check_truth(root: Path) -> None:
    expected = {number: wnid(index) for number, index in enumerate(val_classes(), start=1)}
    assert dict(read_truth(root, "val")) == expected


def test_synset_label_file(labelled_imagenet: Path) -> None:
    _check_truth(labelled_imagenet)
    source = _relabel(labelled_imagenet)
    assert len(source.class_names()) == NUM_WNIDS
    pictures = list(source.pictures("val", range(NUM_WNIDS)))
    assert Counter(p.label for p in pictures) == dict.fromkeys(range(NUM_WNIDS), VAL_PER_WNID)
    first = min(pictures)
    assert (first.name, first.label) == ("val/ILSVRC2012_val_00000001.JPEG", val_classes()[0])
    assert [p.label for p in source.pictures("val", [7])] == [7, 7]


def test_kaggle_solution(labelled_imagenet: Path) -> None:
    (labelled_imagenet / LABELS).unlink()
    write_kaggle(labelled_imagenet / "LOC_val_solution.csv")
    _check_truth(labelled_imagenet)


def test_kaggle_archive_layout(imagenet: Path, tmp_path: Path) -> None:
    (tmp_path / "ILSVRC" / "Data" / "CLS-LOC").mkdir(parents=True)
    for part in ("train", "val"):
        (tmp_path / "ILSVRC" / "Data" / "CLS-LOC" / part).symlink_to(imagenet / part)
    write_kaggle(tmp_path / "LOC_val_solution.csv")
    source = _relabel(tmp_path)
    assert len(list(source.pictures("val", range(NUM_WNIDS)))) == NUM_WNIDS * VAL_PER_WNID


def test_development_kit_with_meta(labelled_imagenet: Path) -> None:
    (labelled_imagenet / LABELS).unlink()
    kit = labelled_imagenet / "ILSVRC2012_devkit_t12" / "data"
    _write_ground_truth(kit)
    _write_meta(kit / "meta.mat")
    _check_truth(labelled_imagenet)


def test_development_kit_with_a_list_in_id_order(labelled_imagenet: Path) -> None:
    (labelled_imagenet / LABELS).unlink()
    _write_ground_truth(labelled_imagenet)
    by_id = sorted(range(NUM_WNIDS), key=lambda index: _ids()[index])
    (labelled_imagenet / "synsets.txt").write_text("".join(f"{wnid(index)} some words\n" for index in by_id))
    _check_truth(labelled_imagenet)


def test_alphabetical_list_beside_ids_is_refused(labelled_imagenet: Path) -> None:
    (labelled_imagenet / LABELS).unlink()
    _write_ground_truth(labelled_imagenet)
    (labelled_imagenet / "synsets.txt").write_text("".join(f"{wnid(index)}\n" for index in range(NUM_WNIDS)))
    with pytest.raises(DataError, match=r"synsets.txt is in alphabetical order; the IDs of .* are not; copy"):
        read_truth(labelled_imagenet, "val")


def test_ids_without_their_meaning(labelled_imagenet: Path) -> None:
    (labelled_imagenet / LABELS).unlink()
    _write_ground_truth(labelled_imagenet)
    with pytest.raises(DataError, match=r"holds IDs, and nothing beside it says which WNIDs they are; .*meta.mat"):
        read_truth(labelled_imagenet, "val")


def test_flat_validation_without_classes_is_refused_early(imagenet: Path) -> None:
    with pytest.raises(DataError, match=rf"flat validation pictures in val/ .*; known: {LABELS}, LOC_val"):
        _relabel(imagenet)


def test_short_label_file(labelled_imagenet: Path) -> None:
    (labelled_imagenet / LABELS).write_text(f"{wnid(0)}\n" * 10)
    with pytest.raises(DataError, match=r"has no class in the truth file of imagenet:x, which has 10"):
        list(_relabel(labelled_imagenet).pictures("val", range(NUM_WNIDS)))


def test_malformed_label_file(labelled_imagenet: Path) -> None:
    (labelled_imagenet / LABELS).write_text("tench\n")
    with pytest.raises(DataError, match=r"holds 'tench'; a WNID such as n01440764 for each picture"):
        read_truth(labelled_imagenet, "val")


def test_missing_parts_are_named(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(DataError, match=r"imagenet:x has no val/ folder: it holds 1 folders and 0 files \(train/\)"):
        _relabel(tmp_path)
    (tmp_path / "val").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "train" / name).mkdir()
    with pytest.raises(DataError, match=r"has 0 classes named by WNID: .* \(cat/, dog/\); names such as n01440764"):
        _relabel(tmp_path)


def test_folders_by_wnid_in_validation(imagenet: Path, tmp_path: Path) -> None:
    for part in ("train", "val"):
        (tmp_path / part).mkdir()
        for index in range(5):
            (tmp_path / part / wnid(index)).symlink_to(imagenet / "train" / wnid(index))
    source = _relabel(tmp_path)
    assert not source.is_val_flat
    assert len(list(source.pictures("val", [2, 3]))) == 6


def test_whole_made_imagenet_is_packed(labelled_imagenet: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    data = open_data(
        str(labelled_imagenet),
        resolution=16,
        seed=0,
        cache_dir=tmp_path / "cache",
        val_per_class=VAL_PER_WNID,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert len(data.classes) == NUM_WNIDS
    assert data.train.images.shape == (2998, 16, 16, 3)
    assert data.val.images.shape == (2000, 16, 16, 3)
    assert sorted(data.skipped) == [f"train/{wnid(i)}/{wnid(i)}_0.JPEG" for i in (3, 4)]
    assert seen[-1] == (5000, 5000)
    assert Counter(data.val.labels.tolist()) == dict.fromkeys(range(NUM_WNIDS), VAL_PER_WNID)
    by_label = {label: data.train.images[data.train.labels == label][0] for label in (0, 1, 2)}
    np.testing.assert_allclose(by_label[0], 120, atol=3)  # grey
    assert np.ptp(by_label[1].reshape(-1, 3).mean(axis=0)) > 50  # CMYK, with its colours
    assert (by_label[2][:7, :, 0] > 128).all()  # turned upright: red is on top
    assert (by_label[2][9:, :, 2] > 128).all()
    assert data.description()["skipped_pictures"] == 2


def test_subset_by_name(labelled_imagenet: Path, tmp_path: Path) -> None:
    data = open_data(
        f"imagenet:{labelled_imagenet}",
        resolution=16,
        seed=5,
        cache_dir=tmp_path / "cache",
        classes=100,
        train_per_class=2,
        val_per_class=1,
        processes=0,
    )
    assert len(data.classes) == 100
    assert set(data.classes) < {wnid(index) for index in range(NUM_WNIDS)}
    assert len(data.val.labels) == 100
    assert data.name == "imagenet:labelled"
