from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path

import pytest

from bench.networks.formats import artifact_hash, payload_files


def package(folder: Path, name: str = "a.mlpackage", *, weights: bytes = b"weights") -> Path:
    """A Core ML package as coremltools lays it out."""
    path = folder / name
    inner = path / "Data" / "com.apple.CoreML"
    (inner / "weights").mkdir(parents=True)
    (inner / "model.mlmodel").write_bytes(b"model")
    (inner / "weights" / "weight.bin").write_bytes(weights)
    entries = {
        str(uuid.uuid4()): {"path": f"com.apple.CoreML/{part}", "name": part, "author": "com.apple.CoreML"}
        for part in ("model.mlmodel", "weights")
    }
    (path / "Manifest.json").write_text(json.dumps({"fileFormatVersion": "1.0.0", "itemInfoEntries": entries}))
    return path


def test_a_file_has_its_plain_sha256(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    path.write_bytes(b"content")
    assert artifact_hash(path) == hashlib.sha256(b"content").hexdigest()
    assert payload_files(path) == (path,)


def test_a_package_is_hashed_without_its_random_identifiers(tmp_path: Path) -> None:
    first, second = package(tmp_path), package(tmp_path, "b.mlpackage")
    assert (first / "Manifest.json").read_bytes() != (second / "Manifest.json").read_bytes()
    assert artifact_hash(first) == artifact_hash(second)
    assert artifact_hash(package(tmp_path, "c.mlpackage", weights=b"other")) != artifact_hash(first)


def test_a_file_that_does_not_belong_into_a_package_is_refused(tmp_path: Path) -> None:
    path = package(tmp_path)
    (path / "executorch_debug_handle_mapping.json").write_text("{}")
    before = artifact_hash(path)
    (path / "Data" / "com.apple.CoreML" / "other.mlmodel").write_bytes(b"another model")
    with pytest.raises(ValueError, match=r"a.mlpackage holds Data/com.apple.CoreML/other.mlmodel; allowed: .*; export"):
        artifact_hash(path)
    (path / "Data" / "com.apple.CoreML" / "other.mlmodel").unlink()
    assert artifact_hash(path) == before


@pytest.mark.parametrize("name", ["Data/com.apple.CoreML/weights/weight.bin", "Data/com.apple.CoreML/weights"])
def test_a_link_in_a_package_is_refused(name: str, tmp_path: Path) -> None:
    path = package(tmp_path)
    moved = tmp_path / "elsewhere"
    (path / name).rename(moved)
    (path / name).symlink_to(moved)
    with pytest.raises(ValueError, match=f"a.mlpackage holds {name}; allowed"):
        artifact_hash(path)


def test_a_manifest_that_names_another_file_is_refused(tmp_path: Path) -> None:
    path = package(tmp_path)
    manifest = (path / "Manifest.json").read_text().replace("com.apple.CoreML/model.mlmodel", "../../other.mlmodel")
    (path / "Manifest.json").write_text(manifest)
    with pytest.raises(ValueError, match=r"the manifest of a.mlpackage names \.\./\.\./other.mlmodel, "):
        artifact_hash(path)


def test_an_asset_is_hashed_without_its_date(tmp_path: Path) -> None:
    path = tmp_path / "a.aimodel"
    path.mkdir()
    (path / "main.mlirb").write_bytes(b"program")
    (path / "metadata.json").write_text('{"creationDate": "20261122T171223Z"}')
    before = artifact_hash(path)
    (path / "metadata.json").write_text('{"creationDate": "20261123T171223Z"}')
    assert artifact_hash(path) == before


def test_weights_beside_a_file_belong_to_it(tmp_path: Path) -> None:
    path, weights = tmp_path / "a.xml", tmp_path / "a.bin"
    path.write_bytes(b"graph")
    weights.write_bytes(b"weights")
    first = artifact_hash(path)
    assert payload_files(path) == (path, weights)
    weights.write_bytes(b"others")
    assert artifact_hash(path) != first
    weights.rename(tmp_path / "b.bin")
    assert artifact_hash(path.rename(tmp_path / "b.xml")) != first  # of other weights; a name alone changes nothing
    (tmp_path / "b.bin").write_bytes(b"weights")
    assert artifact_hash(tmp_path / "b.xml") == first


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"is a folder; folders that end in .mlpackage, .aimodel are allowed; name a file"
    ):
        artifact_hash(tmp_path)
