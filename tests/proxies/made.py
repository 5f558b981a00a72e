"""Made pictures and folders: small, quick to write, with every kind of file that real ones contain."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from PIL import Image

NUM_WNIDS = 1000
VAL_PER_WNID = 2


def jpeg(colour: tuple[int, ...] = (200, 30, 30), *, mode: str = "RGB", size: tuple[int, int] = (24, 16)) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, colour if len(colour) > 1 else colour[0]).save(buffer, "JPEG")
    return buffer.getvalue()


def left_red_right_blue(*, orientation: int | None = None) -> bytes:
    """A JPEG whose left half is red and right half is blue before its EXIF orientation counts."""
    image = Image.new("RGB", (64, 64), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, 32, 64))
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, exif=exif)
    return buffer.getvalue()


def wnid(index: int) -> str:
    return f"n{1_440_764 + 37 * index:08d}"


def val_classes() -> list[int]:
    """The class of each validation picture, in their order: neighbours differ, as in the real set."""
    return [(number * 7) % NUM_WNIDS for number in range(NUM_WNIDS * VAL_PER_WNID)]


def write_kaggle(path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ImageId", "PredictionString"])
        rows = list(enumerate(val_classes(), start=1))
        for number, index in reversed(rows):  # Kaggle's is not sorted
            writer.writerow([f"ILSVRC2012_val_{number:08d}", f"{wnid(index)} 1 2 3 4 {wnid(index)} 5 6 7 8 "])


def write_folder(root: Path, counts: dict[str, int], *, broken: int = 0) -> Path:
    """Class folders with so many pictures each; the first `broken` of the first class cannot be read."""
    for shade, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True)
        for number in range(count):
            content = jpeg((shade * 40 % 256, number % 256, 99))
            is_broken = shade == 0 and number < broken
            (root / name / f"{number:04d}.jpg").write_bytes(content[:40] if is_broken else content)
    return root
