"""A made ImageNet: 1,000 WNIDs, with the odd files that the real one has."""

from __future__ import annotations

from pathlib import Path

import pytest

from .made import NUM_WNIDS, VAL_PER_WNID, jpeg, left_red_right_blue, val_classes, wnid


@pytest.fixture(scope="session")
def imagenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,000 WNIDs with 3 training pictures each and flat validation pictures, without a file of their classes."""
    root = tmp_path_factory.mktemp("imagenet")
    plain = [jpeg((40 * i, 90, 200 - 40 * i)) for i in range(5)]
    special = {
        0: jpeg((120,), mode="L"),
        1: jpeg((10, 200, 60, 20), mode="CMYK"),
        2: left_red_right_blue(orientation=6),
        3: b"no picture at all",
        4: left_red_right_blue()[:300],  # a download that broke off
    }
    for index in range(NUM_WNIDS):
        folder = root / "train" / wnid(index)
        folder.mkdir(parents=True)
        for number in range(3):
            content = special.get(index, plain[index % 5]) if number == 0 else plain[number]
            (folder / f"{wnid(index)}_{number}.JPEG").write_bytes(content)
    (root / "val").mkdir()
    for number in range(1, NUM_WNIDS * VAL_PER_WNID + 1):
        (root / "val" / f"ILSVRC2012_val_{number:08d}.JPEG").write_bytes(plain[number % 5])
    return root


@pytest.fixture
def labelled_imagenet(imagenet: Path, tmp_path: Path) -> Path:
    """The same with the simple synset label file, in a folder of its own."""
    root = tmp_path / "labelled"
    root.mkdir()
    for part in ("train", "val"):
        (root / part).symlink_to(imagenet / part)
    lines = "".join(f"{wnid(index)}\n" for index in val_classes())
    (root / "imagenet_2012_validation_synset_labels.txt").write_text(lines)
    return root
