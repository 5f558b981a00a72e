from __future__ import annotations

import json
import pickle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.errors import DataError
from bench.evaluate.pictures import EvaluationReader, Pictures, find_validation, imagenet_classes, pictures_in_folders
from bench.proxies.decoding import Unreadable

from .made import CLASSES, WHOLE, png, write_shades

SHADES = {CLASSES[0]: [0, 30], CLASSES[4]: [100], CLASSES[9]: [225]}


def _write_table(path: Path, labels: list[int], *, names: list[str] | None) -> None:
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    cells = [{"bytes": png(25 * label), "path": f"{row}.png"} for row, label in enumerate(labels)]
    table = pa.table({"image": pa.array(cells, image), "label": pa.array(labels, pa.int64())})
    if names is not None:
        features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=3)


def _labels(pictures: Pictures) -> list[tuple[str, int]]:
    return [(picture.name, picture.label) for picture in pictures.pictures]


def _read(pictures: Pictures) -> list[object]:
    reader = EvaluationReader(contents=pictures.contents, preprocessing=WHOLE)
    copied: EvaluationReader = pickle.loads(pickle.dumps(reader))  # noqa: S301 - as it travels to the processes
    found = list(copied.read([picture.name for picture in pictures.pictures], WHOLE.resolution))
    return [item.reason if isinstance(item, Unreadable) else int(item[0, 0, 0]) for item in found]


@pytest.mark.parametrize("part", ["val", "validation", ""])
def test_class_folders_in_a_validation_folder_or_directly(tmp_path: Path, part: str) -> None:
    write_shades(tmp_path / part, SHADES)
    pictures = find_validation(tmp_path, CLASSES)
    prefix = f"{part}/" if part else ""
    assert _labels(pictures) == [
        (f"{prefix}n00000000/0.png", 0),
        (f"{prefix}n00000000/1.png", 0),
        (f"{prefix}n00000004/0.png", 4),
        (f"{prefix}n00000009/0.png", 9),
    ]
    assert pictures.outputs == tuple(range(10))
    assert pictures.num_classes == 10
    assert _read(pictures) == [0, 30, 100, 225]


def test_training_folders_are_not_evaluated(tmp_path: Path) -> None:
    write_shades(tmp_path / "train", SHADES)
    write_shades(tmp_path / "val", {CLASSES[1]: [25], CLASSES[2]: [50]})
    assert [label for _, label in _labels(find_validation(tmp_path, CLASSES))] == [1, 2]


@pytest.mark.parametrize("part", ["val", ""])
def test_flat_layout_with_a_file_of_its_classes(tmp_path: Path, part: str) -> None:
    (tmp_path / part).mkdir(exist_ok=True)
    truth = [4, 0, 9]
    for number, output in enumerate(truth, start=1):
        (tmp_path / part / f"ILSVRC2012_val_{number:08d}.JPEG").write_bytes(png(25 * output))
    lines = "".join(f"{CLASSES[output]}\n" for output in truth)
    (tmp_path / "imagenet_2012_validation_synset_labels.txt").write_text(lines)
    pictures = find_validation(tmp_path, CLASSES)
    assert [label for _, label in _labels(pictures)] == truth
    assert _read(pictures) == [100, 0, 225]


def test_flat_layout_without_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "ILSVRC2012_val_00000001.JPEG").write_bytes(png(0))
    with pytest.raises(DataError, match="flat validation pictures in val/ and no file with their classes"):
        find_validation(tmp_path, CLASSES)


@pytest.mark.parametrize(
    ("names", "outputs"),
    [
        (None, [3, 0, 9, 1]),  # numbers of all the network's outputs
        ([f"kind {number}, animal" for number in range(10)], [3, 0, 2, 1]),  # as many names of another kind
        ([CLASSES[7], CLASSES[5], CLASSES[2], CLASSES[9]], [9, 7, 2, 5]),  # the network's own names
    ],
)
def test_tables_are_labelled_by_name_or_by_number(tmp_path: Path, names: list[str] | None, outputs: list[int]) -> None:
    _write_table(tmp_path / "data" / "train-00000-of-00001.parquet", [1, 1], names=names)
    labels = [3, 0, 9, 1] if names is None else [3, 0, 2, 1]
    _write_table(tmp_path / "data" / "validation-00000-of-00001.parquet", labels, names=names)
    _write_table(tmp_path / "data" / "test-00000-of-00001.parquet", [-1, -1], names=names)
    pictures = find_validation(tmp_path, CLASSES)
    assert [label for _, label in _labels(pictures)] == outputs
    assert _labels(pictures)[0][0] == "data/validation-00000-of-00001.parquet#000000000"
    assert _read(pictures) == [25 * label for label in labels]


def test_numbers_of_a_part_of_the_classes_say_nothing(tmp_path: Path) -> None:
    """The ten classes of Imagenette are numbered from 0, and are not the first ten of ImageNet."""
    _write_table(tmp_path / "validation.parquet", [3, 0, 2, 1], names=None)
    message = (
        r"has 4 classes such as '0'; names such as 'n00000000' are allowed, or numbers of all 10 classes of the "
        r"network; give the table's labels names, or name another folder"
    )
    with pytest.raises(DataError, match=message):
        find_validation(tmp_path, CLASSES)


def test_tables_need_no_training_part(tmp_path: Path) -> None:
    _write_table(tmp_path / "validation" / "0000.parquet", [1, 9], names=None)
    assert [label for _, label in _labels(find_validation(tmp_path, CLASSES))] == [1, 9]


def test_tables_without_a_split_in_their_names(tmp_path: Path) -> None:
    _write_table(tmp_path / "part-0.parquet", [1, 9], names=None)
    assert len(find_validation(tmp_path, CLASSES).pictures) == 2


def test_tables_with_other_classes_are_refused(tmp_path: Path) -> None:
    _write_table(tmp_path / "validation.parquet", [0, 1], names=["cat", "dog"])
    with pytest.raises(DataError, match=r"has 2 classes such as 'cat'; names such as 'n00000000' are allowed"):
        find_validation(tmp_path, CLASSES)


def test_text_labels_are_matched_by_name_only(tmp_path: Path) -> None:
    cells = pa.array([png(0)] * 10, pa.binary())
    table = pa.table({"image": cells, "label": [f"c{number}" for number in range(10)]})
    pq.write_table(table, tmp_path / "val.parquet")
    with pytest.raises(DataError, match="has 10 classes such as 'c0'"):
        find_validation(tmp_path, CLASSES)


def test_pictures_named_by_a_table_lie_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(25))
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    cells = [{"bytes": None, "path": path} for path in ("a.png", "b.png", "../a.png", None)]
    table = pa.table({"image": pa.array(cells, image), "label": pa.array([1, 1, 1, 9], pa.int64())})
    pq.write_table(table, tmp_path / "val.parquet")
    assert _read(find_validation(tmp_path, CLASSES)) == [
        25,
        "FileNotFoundError: No such file or directory",
        "its path leaves the data set's folder",
        "the row holds no picture",
    ]


def test_unknown_class_folders_are_refused(tmp_path: Path) -> None:
    write_shades(tmp_path, {CLASSES[0]: [0], "cat": [1], "dog": [2]})
    with pytest.raises(DataError, match=r"2 of 3 class folders of imagenet:.* are no classes .*, such as 'cat'"):
        find_validation(tmp_path, CLASSES)


def test_a_folder_without_pictures_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match=r"has no validation pictures: .* holds 0 folders and 1 files \(notes.txt\)"):
        find_validation(tmp_path, CLASSES)
    with pytest.raises(DataError, match=r"'.*absent' is not there; a folder of pictures is needed"):
        find_validation(tmp_path / "absent", CLASSES)
    for name in CLASSES[:2]:
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="has no pictures in its classes"):
        find_validation(tmp_path, CLASSES)


def test_only_the_classes_present_take_part_where_that_is_asked(tmp_path: Path) -> None:
    write_shades(tmp_path, SHADES)
    pictures = pictures_in_folders(tmp_path, CLASSES, label="x", only_present=True)
    assert pictures.outputs == (0, 4, 9)
    assert [label for _, label in _labels(pictures)] == [0, 0, 1, 2]
    assert pictures.num_classes == 10


def test_the_list_has_an_address(tmp_path: Path) -> None:
    """Of the pictures; where they lie and what the folder is called is not in it."""
    first = find_validation(write_shades(tmp_path / "a", SHADES), CLASSES)
    same = find_validation(write_shades(tmp_path / "elsewhere" / "b", SHADES), CLASSES)
    more = find_validation(write_shades(tmp_path / "c", SHADES | {CLASSES[1]: [25]}), CLASSES)
    assert first.label != same.label
    assert first.hash() == same.hash()
    assert first.hash() != more.hash()


def test_the_address_depends_on_what_the_answer_is_taken_from(tmp_path: Path) -> None:
    write_shades(tmp_path, {CLASSES[0]: [0], CLASSES[1]: [25]})
    among_all, among_two = (
        pictures_in_folders(tmp_path, CLASSES, label="x", only_present=only_present) for only_present in (False, True)
    )
    assert among_all.pictures == among_two.pictures
    assert among_all.hash() != among_two.hash()


def test_imagenet_has_a_thousand_sorted_classes() -> None:
    classes = imagenet_classes()
    assert len(classes) == 1000
    assert classes == tuple(sorted(classes))
    assert (classes[0], classes[-1]) == ("n01440764", "n15075141")
