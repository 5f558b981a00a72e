from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import pytest

from bench.fleet.blobs import BlobStore, NoRoomError, WrongHashError
from bench.fleet.limits import Limits

from .examples import sha_of


def send(blobs: BlobStore, sha256: str, num_bytes: int, *parts: bytes) -> bool:
    with blobs.upload(sha256, num_bytes) as upload:
        for part in parts:
            upload.write(part)
        return upload.finish()


def keep(blobs: BlobStore, content: bytes) -> bool:
    return send(blobs, sha_of(content), len(content), content)


def read(blobs: BlobStore, content: bytes) -> bytes | None:
    found = blobs.open(sha_of(content))
    if found is None:
        return None
    file, size = found
    with file:
        assert size == len(content)
        return file.read()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_lies_under_its_hash_for_its_owner_alone(folder: Path) -> None:
    blobs = BlobStore(folder, Limits())
    assert keep(blobs, b"content")
    assert not keep(blobs, b"content")
    assert names(folder) == {sha_of(b"content")}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / sha_of(b"content")).stat().st_mode & 0o777 == 0o600
    assert read(blobs, b"content") == b"content"
    assert blobs.size(sha_of(b"content")) == 7
    assert blobs.missing([sha_of(b"content"), sha_of(b"other")]) == (sha_of(b"other"),)


def test_a_folder_that_others_could_read_is_closed(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    BlobStore(folder, Limits())
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("content", [b"conten", b"CONTENT", b""])
def test_another_content_than_was_announced_leaves_nothing(folder: Path, content: bytes) -> None:
    blobs = BlobStore(folder, Limits())
    with pytest.raises(WrongHashError):
        send(blobs, sha_of(b"content"), 7, content)
    assert names(folder) == set()
    assert blobs.size(sha_of(b"content")) is None


def test_more_than_was_announced_is_not_written(folder: Path) -> None:
    blobs = BlobStore(folder, Limits())
    with pytest.raises(WrongHashError, match="more than the 4 bytes"):
        send(blobs, sha_of(b"content"), 4, b"cont", b"ent")
    assert names(folder) == set()


def test_an_upload_that_breaks_off_leaves_nothing(folder: Path) -> None:
    blobs = BlobStore(folder, Limits(blobs_bytes=7))
    with blobs.upload(sha_of(b"content"), 7) as upload:
        upload.write(b"con")
        assert len(names(folder)) == 1
    assert names(folder) == set()
    upload.write(b"tent")  # of a thread that has not heard of it
    assert keep(blobs, b"content")  # the room is free again


def test_what_a_killed_hub_left_is_removed(folder: Path) -> None:
    blobs = BlobStore(folder, Limits())
    keep(blobs, b"content")
    (folder / ".partial-1234").write_bytes(b"half")
    again = BlobStore(folder, Limits())
    assert names(folder) == {sha_of(b"content")}
    assert read(again, b"content") == b"content"


def test_the_least_recently_used_make_room(folder: Path) -> None:
    blobs = BlobStore(folder, Limits(blobs_bytes=3))
    for content in (b"a", b"b", b"c"):
        keep(blobs, content)
    assert read(blobs, b"a") == b"a"
    keep(blobs, b"d")
    assert names(folder) == {sha_of(content) for content in (b"a", b"c", b"d")}


def test_the_order_of_use_outlives_the_hub(folder: Path) -> None:
    blobs = BlobStore(folder, Limits(blobs_bytes=3))
    for age, content in enumerate((b"a", b"b", b"c")):
        keep(blobs, content)
        os.utime(folder / sha_of(content), ns=(age, age))
    assert blobs.size(sha_of(b"a")) == 1
    keep(BlobStore(folder, Limits(blobs_bytes=3)), b"d")
    assert sha_of(b"b") not in names(folder)
    assert sha_of(b"a") in names(folder)


def test_what_a_job_waits_for_or_asks_for_stays(folder: Path) -> None:
    needed = {sha_of(b"a")}
    blobs = BlobStore(folder, Limits(blobs_bytes=3), needed=lambda: needed)
    for content in (b"a", b"b", b"c"):
        keep(blobs, content)
    with blobs.pinned([sha_of(b"b")]):
        keep(blobs, b"d")
        assert names(folder) == {sha_of(content) for content in (b"a", b"b", b"d")}
        with pytest.raises(NoRoomError, match="no room for 2 bytes"):
            blobs.upload(sha_of(b"ee"), 2)
    keep(blobs, b"ee")
    assert names(folder) == {sha_of(content) for content in (b"a", b"ee")}


def test_a_file_that_fits_nowhere_throws_nothing_out(folder: Path) -> None:
    blobs = BlobStore(folder, Limits(blobs_bytes=3))
    keep(blobs, b"abc")
    with pytest.raises(NoRoomError):
        blobs.upload(sha_of(b"abcd"), 4)
    assert names(folder) == {sha_of(b"abc")}


def test_a_file_that_is_known_is_there_whatever_makes_room_meanwhile(folder: Path) -> None:
    """A file that comes again is the least recently used one until it has come."""
    blobs = BlobStore(folder, Limits(blobs_bytes=2))
    over = threading.Event()

    def crowd() -> None:
        for index in range(60):
            with contextlib.suppress(NoRoomError):
                keep(blobs, f"{index % 10}".encode())
        over.set()

    thread = threading.Thread(target=crowd)
    thread.start()
    while not over.is_set():
        with contextlib.suppress(NoRoomError):
            keep(blobs, b"a")
    thread.join()
    contents = (b"a", *(f"{index}".encode() for index in range(10)))
    assert {sha_of(content) for content in contents if blobs.size(sha_of(content)) is not None} == names(folder)


def test_uploads_under_way_count(folder: Path) -> None:
    blobs = BlobStore(folder, Limits(blobs_bytes=3))
    with blobs.upload(sha_of(b"ab"), 2), pytest.raises(NoRoomError):
        blobs.upload(sha_of(b"cd"), 2)
    assert keep(blobs, b"cd")


def test_a_link_in_the_place_of_a_file_is_not_followed(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    blobs = BlobStore(folder, Limits())
    keep(blobs, b"content")
    place = folder / sha_of(b"content")
    place.unlink()
    place.symlink_to(secret)
    assert read(blobs, b"content") is None
    assert BlobStore(folder, Limits()).size(sha_of(b"content")) is None


def test_a_file_that_somebody_removed_is_missing(folder: Path) -> None:
    blobs = BlobStore(folder, Limits())
    keep(blobs, b"content")
    (folder / sha_of(b"content")).unlink()
    assert read(blobs, b"content") is None
    assert blobs.missing([sha_of(b"content")]) == (sha_of(b"content"),)
