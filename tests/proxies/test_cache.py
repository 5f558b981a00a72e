from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bench
from bench.errors import DataError
from bench.proxies.cache import check_space, open_pack, pack
from bench.proxies.datasets import open_data
from bench.proxies.folders import find_folders
from bench.proxies.subset import Source, Subset, draw_subset

from .made import write_folder

_ENV = {**os.environ, "PYTHONPATH": str(Path(bench.__file__).resolve().parents[1])}
_OPEN = """
import sys
from pathlib import Path
from bench.proxies.datasets import open_data
def progress(done, total):
    if len(sys.argv) > 3:
        print("decoding", flush=True)
        sys.stdin.read()
data = open_data(sys.argv[1], resolution=16, seed=0, cache_dir=Path(sys.argv[2]), progress=progress, processes=1)
print(data.hash, int(data.train.images.astype("int64").sum()))
"""


def _child(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _OPEN, *map(str, arguments)]
    return subprocess.Popen(command, env=_ENV, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _drawn(root: Path) -> tuple[Source, Subset]:
    source = find_folders(root, label="folder:x")
    options = {"num_classes": None, "train_per_class": None, "val_per_class": None}
    return source, draw_subset(source, seed=0, **options)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "pictures", {"cat": 60, "dog": 60, "emu": 60})


def test_pack_is_a_read_only_memory_map_in_the_order_of_the_list(pictures: Path, tmp_path: Path) -> None:
    source, subset = _drawn(pictures)
    data = open_pack(tmp_path, pack(source, subset, resolution=16, cache_dir=tmp_path), name="x", seed=0)
    for split, listed in ((data.train, subset.train), (data.val, subset.val)):
        assert isinstance(split.images, np.memmap)
        assert not split.images.flags.writeable
        assert split.labels.dtype == np.int64
        expected = np.stack(list(source.read([p.name for p in listed], 16)))
        np.testing.assert_array_equal(split.images, expected)
        assert split.labels.tolist() == [p.label for p in listed]


def test_list_is_stored_beside_the_pictures(pictures: Path, tmp_path: Path) -> None:
    source, subset = _drawn(pictures)
    digest = pack(source, subset, resolution=16, cache_dir=tmp_path, processes=0)
    lists = json.loads((tmp_path / digest / "pictures.json").read_text())
    assert lists["train"] == [list(p) for p in subset.train]
    assert json.loads((tmp_path / digest / "pack.json").read_text())["hash"] == digest == subset.hash(16)


def test_bytes_do_not_depend_on_the_number_of_processes(pictures: Path, tmp_path: Path) -> None:
    source, subset = _drawn(pictures)
    packs = []
    for processes in (0, 1, 3):
        cache = tmp_path / str(processes)
        digest = pack(source, subset, resolution=16, cache_dir=cache, processes=processes)
        packs.append({path.name: path.read_bytes() for path in (cache / digest).iterdir()})
    assert packs[0] == packs[1] == packs[2]


def test_one_per_cent_of_unreadable_pictures_is_skipped_and_named(tmp_path: Path) -> None:
    source, subset = _drawn(write_folder(tmp_path / "a", {"cat": 100, "dog": 100}, broken=2))
    data = open_pack(tmp_path, pack(source, subset, resolution=16, cache_dir=tmp_path), name="x", seed=0)
    assert sorted(data.skipped) == ["cat/0000.jpg", "cat/0001.jpg"]
    assert len(data.train.labels) + len(data.val.labels) == 198
    assert len(data.train.images) == len(data.train.labels)


def test_more_is_an_error_that_names_the_first(tmp_path: Path) -> None:
    source, subset = _drawn(write_folder(tmp_path / "a", {"cat": 100, "dog": 100}, broken=9))
    message = r"9 of the first \d+ pictures of folder:x are unreadable, such as cat/.*\.jpg \(.*\); at most 1%"
    with pytest.raises(DataError, match=message):
        pack(source, subset, resolution=16, cache_dir=tmp_path / "cache")
    assert [p.name for p in (tmp_path / "cache").iterdir() if p.is_dir()] == []


def test_concurrent_writers_make_one_pack(pictures: Path, tmp_path: Path) -> None:
    children = [_child(pictures, tmp_path / "cache") for _ in range(4)]
    answers = {child.communicate(timeout=60)[0] for child in children}
    assert [child.returncode for child in children] == [0] * 4
    assert len(answers) == 1
    folders = [p.name for p in (tmp_path / "cache").iterdir() if p.is_dir() and p.name != "requests"]
    assert folders == [answers.pop().split()[0]]


def test_killed_writer_leaves_a_usable_cache(pictures: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    killed = _child(pictures, cache, "stop in the middle")
    assert killed.stdout is not None
    assert killed.stdout.readline() == "decoding\n"
    waiting = _child(pictures, cache)  # waits for the lock, or comes after it
    killed.kill()
    killed.communicate(timeout=60)
    assert len(waiting.communicate(timeout=60)[0].split()) == 2
    data = open_data(str(pictures), resolution=16, seed=0, cache_dir=cache)
    assert len(data.train.images) == 3 * 54
    assert not list(cache.glob(".*.part-*"))


def test_full_disk_leaves_nothing_behind(pictures: Path, tmp_path: Path) -> None:
    source, subset = _drawn(pictures)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))  # writes beyond fail, as on a full disk
    try:
        with pytest.raises(DataError, match=r"cannot write packed pictures to .*; make room or name another"):
            pack(source, subset, resolution=16, cache_dir=tmp_path / "cache", processes=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not [p for p in (tmp_path / "cache").iterdir() if p.is_dir()]
    pack(source, subset, resolution=16, cache_dir=tmp_path / "cache", processes=0)


def test_too_little_room_is_known_before(pictures: Path, tmp_path: Path) -> None:
    _, subset = _drawn(pictures)
    with pytest.raises(
        DataError, match=r"packing 180 pictures at 9000000 px needs .* MB; .* has .* MB free; make room"
    ):
        check_space(subset, resolution=9_000_000, cache_dir=tmp_path)


def test_cache_folder_that_cannot_be_made(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write packed pictures to"):
        check_space(_drawn(pictures)[1], resolution=16, cache_dir=tmp_path / "file" / "cache")


def test_damaged_pack_says_what_to_delete(pictures: Path, tmp_path: Path) -> None:
    source, subset = _drawn(pictures)
    digest = pack(source, subset, resolution=16, cache_dir=tmp_path, processes=0)
    os.truncate(tmp_path / digest / "train_images.npy", 1000)
    with pytest.raises(DataError, match=rf"packed data in .*{digest} is damaged .*delete it"):
        open_pack(tmp_path, digest, name="x", seed=0)
    shutil.rmtree(tmp_path / digest)
    assert pack(source, subset, resolution=16, cache_dir=tmp_path, processes=0) == digest
