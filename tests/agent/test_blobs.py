from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench.agent.artifact_files import BlobFile, folder_hash
from bench.agent.blobs import BlobCache
from bench.agent.failure import DriverError
from bench.agent.transport import Hub
from bench.measure import Job, JobArtifact

from .scripted_hub import Answer, Asked, ScriptedHub, scripted_hub

MODEL, WEIGHTS = "Data/com.apple.CoreML/model.mlmodel", "Data/com.apple.CoreML/weights/weight.bin"
MANIFEST = json.dumps({"itemInfoEntries": {"1": {"path": "com.apple.CoreML/model.mlmodel"}}}).encode()
EVIL = json.dumps({"itemInfoEntries": {"1": {"path": "../../../etc/passwd"}}}).encode()

Files = dict[str, tuple[BlobFile, ...]]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Store:
    """What a hub holds; counts what is asked for."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.asked: list[str] = []

    def __call__(self, asked: Asked) -> Answer:
        name = asked.path.rpartition("/")[2]
        self.asked.append(name)
        if name not in self.contents:
            return Answer(404, {"error": "no such file"})
        return Answer(body=self.contents[name])

    def file(self, content: bytes, name: str = "artifact") -> BlobFile:
        digest = sha256(content)
        self.contents[digest] = content
        return BlobFile(name=name, sha256=digest, num_bytes=len(content))


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def server(store: Store) -> Iterator[ScriptedHub]:
    with scripted_hub(store) as found:
        yield found


@pytest.fixture
def gather(server: ScriptedHub) -> Iterator[Callable[[BlobCache, Job, Files], None]]:
    hub = Hub(server.url, sleep=lambda seconds: None, timeout_s=5.0)

    def gathered(cache: BlobCache, job: Job, files: Files) -> None:
        cache.gather(hub, job, files, is_cancelled=lambda: False)

    yield gathered
    hub.close()


Gather = Callable[[BlobCache, Job, Files], None]


def job_of(*contents: bytes) -> Job:
    """The first content is the reference."""
    artifacts = [
        JobArtifact(label=f"a{number}", path="", format="onnx", sha256=sha256(content))
        for number, content in enumerate(contents)
    ]
    return Job(artifacts=tuple(artifacts[1:]), reference=artifacts[0], resolution=64)


def files_of(store: Store, *contents: bytes) -> Files:
    return {f"a{number}": (store.file(content),) for number, content in enumerate(contents)}


def test_files_lie_under_their_hash(tmp_path: Path, store: Store, gather: Gather) -> None:
    cache = BlobCache(tmp_path / "blobs")
    gather(cache, job_of(b"ref", b"one", b"one"), files_of(store, b"ref", b"one", b"one"))
    assert (cache.folder / sha256(b"one")).read_bytes() == b"one"
    assert (cache.folder / sha256(b"one")).stat().st_mode & 0o777 == 0o600
    assert cache.folder.stat().st_mode & 0o077 == 0
    assert sorted(store.asked) == sorted([sha256(b"ref"), sha256(b"one")])  # each content once
    cache.clear()
    assert list(cache.folder.iterdir()) == []


def test_kept_files_are_hashed_again_before_they_are_used(tmp_path: Path, store: Store, gather: Gather) -> None:
    cache = BlobCache(tmp_path / "blobs", keep_bytes=100)
    job, files = job_of(b"ref", b"one"), files_of(store, b"ref", b"one")
    gather(cache, job, files)
    cache.clear()
    gather(cache, job, files)
    assert len(store.asked) == 2  # both were kept
    (cache.folder / sha256(b"one")).write_bytes(b"two")
    gather(cache, job, files)
    assert len(store.asked) == 3
    assert (cache.folder / sha256(b"one")).read_bytes() == b"one"


def test_link_in_place_of_a_file_is_not_followed(tmp_path: Path, store: Store, gather: Gather) -> None:
    own = tmp_path / "own"
    own.write_bytes(b"one")
    cache = BlobCache(tmp_path / "blobs", keep_bytes=100)
    (cache.folder / sha256(b"one")).symlink_to(own)
    gather(cache, job_of(b"ref", b"one"), files_of(store, b"ref", b"one"))
    assert not (cache.folder / sha256(b"one")).is_symlink()
    assert own.read_bytes() == b"one"


def test_space_that_is_kept_goes_to_what_was_used_last(tmp_path: Path, store: Store, gather: Gather) -> None:
    cache = BlobCache(tmp_path / "blobs", keep_bytes=7)
    gather(cache, job_of(b"ref", b"old"), files_of(store, b"ref", b"old"))
    cache.clear()
    gather(cache, job_of(b"ref", b"new"), files_of(store, b"ref", b"new"))
    cache.clear()
    kept = {path.name for path in cache.folder.iterdir()}
    assert kept == {sha256(b"ref"), sha256(b"new")}


def test_what_a_killed_agent_left_is_thrown_out(tmp_path: Path) -> None:
    folder = tmp_path / "blobs"
    (folder / "x.mlpackage" / "Data").mkdir(parents=True)
    folder.chmod(0o700)
    (folder / "half.part").write_text("x")
    assert list(BlobCache(folder, keep_bytes=100).folder.iterdir()) == []


def test_other_content_than_the_hash_names_is_not_used(tmp_path: Path, store: Store, gather: Gather) -> None:
    files = files_of(store, b"ref", b"one")
    store.contents[sha256(b"one")] = b"two"
    cache = BlobCache(tmp_path / "blobs")
    with pytest.raises(DriverError, match="something else") as caught:
        gather(cache, job_of(b"ref", b"one"), files)
    assert caught.value.kind == "unhealthy"
    assert not (cache.folder / sha256(b"one")).exists()
    cache.clear()


@pytest.mark.parametrize("content", [b"onetwo", b"on"])
def test_other_size_than_was_told_is_not_used(tmp_path: Path, store: Store, gather: Gather, content: bytes) -> None:
    files = files_of(store, b"ref", b"one")
    store.contents[sha256(b"one")] = content
    cache = BlobCache(tmp_path / "blobs")
    with pytest.raises(DriverError):
        gather(cache, job_of(b"ref", b"one"), files)
    assert {path.name for path in cache.folder.iterdir()} <= {sha256(b"ref")}


def test_file_that_the_hub_does_not_have_is_told(tmp_path: Path, store: Store, gather: Gather) -> None:
    files = files_of(store, b"ref", b"one")
    del store.contents[sha256(b"one")]
    with pytest.raises(DriverError, match="could not be fetched: no such file"):
        gather(BlobCache(tmp_path / "blobs"), job_of(b"ref", b"one"), files)


def test_hub_that_is_away_is_waited_for_as_long_as_the_lease_lives(tmp_path: Path, store: Store) -> None:
    answers = iter([Answer(503)] * 7)
    with scripted_hub(lambda asked: next(answers, None) or store(asked)) as server:
        hub = Hub(server.url, sleep=lambda seconds: None)
        files, job = files_of(store, b"ref", b"one"), job_of(b"ref", b"one")
        BlobCache(tmp_path / "a").gather(hub, job, files, is_cancelled=lambda: False)
        hub.close()
    gone = Hub(server.url, sleep=lambda seconds: None)
    looks = iter([False, False, True])
    with pytest.raises(DriverError, match="cancelled"):
        BlobCache(tmp_path / "b").gather(gone, job, files, is_cancelled=lambda: next(looks))


def test_full_disk_is_told(tmp_path: Path, store: Store, gather: Gather, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing has 1 EiB free.
    monkeypatch.setattr("bench.agent.blobs._LEAST_FREE", 1 << 60)
    with pytest.raises(DriverError, match="MiB are free on the device's disk"):
        gather(BlobCache(tmp_path / "blobs"), job_of(b"ref", b"one"), files_of(store, b"ref", b"one"))
    assert store.asked == []


def core_ml_job(store: Store, manifest: bytes) -> tuple[Job, Files]:
    contents = {MODEL: b"model", WEIGHTS: b"weights", "Manifest.json": manifest}
    entries = tuple(store.file(content, name) for name, content in contents.items())
    digest = folder_hash("mlpackage", entries)
    plain = JobArtifact(label="a0", path="", format="mlpackage", sha256=digest)
    job = Job(artifacts=(replace(plain, label="a1"),), reference=plain, resolution=64, runner="apple", runtime="coreml")
    return job, {"a0": entries, "a1": entries}


def test_folder_is_put_together_from_its_files(tmp_path: Path, store: Store, gather: Gather) -> None:
    job, files = core_ml_job(store, MANIFEST)
    cache = BlobCache(tmp_path / "blobs")
    gather(cache, job, files)
    folder = cache.folder / f"{job.reference.sha256}.mlpackage"
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {MODEL, WEIGHTS, "Manifest.json"}
    assert (folder / WEIGHTS).read_bytes() == b"weights"
    cache.clear()
    assert list(cache.folder.iterdir()) == []


@pytest.mark.parametrize("manifest", [EVIL, b"", b"[]", b'{"itemInfoEntries": {"1": {}}}', b"[" * 50_000])
def test_manifest_points_at_the_hashed_files_only(
    tmp_path: Path, store: Store, gather: Gather, manifest: bytes
) -> None:
    job, files = core_ml_job(store, manifest)
    with pytest.raises(DriverError, match="the manifest names") as caught:
        gather(BlobCache(tmp_path / "blobs"), job, files)
    assert caught.value.kind == "artifact_invalid"
