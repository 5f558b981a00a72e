from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.agent.artifact_files import FOLDER_FORMATS, BlobFile, folder_hash
from bench.agent.failure import KINDS
from bench.agent.wire import (
    FILE_FORMATS,
    JobRefusedError,
    encode_measurements,
    files_of,
    finite,
    read_job,
    read_lease,
)
from bench.measure import FULL, Job, JobArtifact, Measurement
from bench.networks.formats.hashing import _FOLDERS, artifact_hash

from .conftest import MakeBody, body_of, lease_of, measurement

HERE = Path("/nowhere")
SHA = "ab" * 32

# Written without a fixture, for hypothesis.
PLAIN = body_of(
    Job(
        artifacts=(JobArtifact(label="a", path=__file__, format="onnx", sha256=SHA),),
        reference=JobArtifact(label="ref", path=__file__, format="onnx", sha256=SHA),
        resolution=64,
    )
)

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


def changed(**settings: Any) -> dict[str, Any]:
    """The plain body with other settings of its job."""
    return {**PLAIN, "job": {**PLAIN["job"], **settings}}


def with_artifact(**changes: Any) -> dict[str, Any]:
    """The plain body with another first artifact."""
    found = copy.deepcopy(PLAIN)
    found["job"]["artifacts"][0].update(changes)
    if "label" in changes:
        found["files"] = {str(changes["label"]): found["files"]["a"], "ref": found["files"]["ref"]}
    return found


def refusal(body: Any) -> str:
    with pytest.raises(JobRefusedError) as caught:
        read_job(body, HERE)
    assert caught.value.kind == "unsupported"
    assert "\n" not in str(caught.value)
    return str(caught.value)


# What is right.


def test_job_comes_out_as_it_went_in(body: MakeBody) -> None:
    found = body("a", "b", restarts=2, cpus=[0])
    job = read_job(json.loads(json.dumps(found)), HERE)
    assert [artifact.label for artifact in job.artifacts] == ["a", "b"]
    assert (job.restarts, job.cpus, job.reference.label) == (2, (0,), "reference")
    for artifact in (job.reference, *job.artifacts):
        assert artifact.path == str(HERE / artifact.sha256)


def test_no_job_can_say_that_a_file_is_checked() -> None:
    job = read_job(with_artifact(is_checked=True), HERE)
    assert not any(artifact.is_checked for artifact in (job.reference, *job.artifacts))


def test_defaults_need_not_be_sent() -> None:
    body = {**PLAIN, "job": {key: PLAIN["job"][key] for key in ("artifacts", "reference", "resolution")}}
    del body["priority"]
    assert read_job(body, HERE).restarts == 3


def test_settings_of_a_full_measurement_are_within_bounds() -> None:
    read_job(changed(**FULL, deadline_s=600.0), HERE)


def test_files_are_told_by_label() -> None:
    assert files_of(PLAIN)["a"] == (BlobFile(name="artifact", sha256=SHA, num_bytes=Path(__file__).stat().st_size),)


# What is wrong.

BOUNDS = {
    "resolution": (1, 4096),
    "threads": (1, 1024),
    "restarts": (1, 1000),
    "most_restarts": (1, 1000),
    "blocks": (1, 1000),
    "iterations": (1, 2000),
    "warmup_window": (1, 1000),
    "memory_mib": (64, 1 << 20),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_whole_numbers_have_bounds(name: str) -> None:
    low, high = BOUNDS[name]
    least: dict[str, Any] = {"restarts": 1, "most_restarts": 1, "blocks": 1, "iterations": 1}
    for value in (low, high):
        assert getattr(read_job(changed(**{**least, name: value}), HERE), name) == value
    for value in (low - 1, high + 1, -1, 10**40, 1.5, True, "1", None, [1]):
        assert name in refusal(changed(**{**least, name: value}))


@pytest.mark.parametrize("name", ["visit_ms", "warmup_least_ms", "warmup_ms", "target", "limit_s", "deadline_s"])
@given(value=ANY)
def test_other_numbers_are_finite_and_bounded(name: str, value: Any) -> None:
    try:
        job = read_job(changed(**{name: value, "restarts": 1, "most_restarts": 1}), HERE)
    except JobRefusedError:
        return
    found = getattr(job, name)
    assert type(found) in (int, float)
    assert 0 <= found <= 6 * 3600 * 1000
    assert math.isfinite(found)


def test_runs_of_a_job_are_bounded_together() -> None:
    assert "split the job" in refusal(changed(restarts=1000, most_restarts=1000, blocks=1000, iterations=100))
    assert "split the job" in refusal(changed(most_restarts=1000, blocks=1000, visit_ms=1.0))


@given(value=ANY, data=st.data())
def test_nothing_but_a_refusal_comes_of_a_damaged_body(value: Any, data: st.DataObject) -> None:
    body = copy.deepcopy(PLAIN)
    place: Any = body
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        inner = place[key]
        if not isinstance(inner, (dict, list)) or not inner or data.draw(st.booleans()):
            break
        place = inner
    if data.draw(st.booleans()):
        place[key] = value
    else:
        del place[key]
    try:
        job = read_job(body, HERE)
    except JobRefusedError as refused:
        error = refused
    else:
        assert all(artifact.path == str(HERE / artifact.sha256) for artifact in (job.reference, *job.artifacts))
        return
    assert error.kind in KINDS
    assert error.reason
    assert error.reason.isprintable()


@given(body=ANY)
def test_nothing_but_a_refusal_comes_of_anything_else(body: Any) -> None:
    with pytest.raises(JobRefusedError):
        read_job(body, HERE)


@pytest.mark.parametrize("label", ["", "a\nb", "\x1b[2J", "x" * 201, "ref (again)", "ref", 5])
def test_labels_are_short_printable_and_different(label: Any) -> None:
    assert refusal(with_artifact(label=label))


@pytest.mark.parametrize("path", ["/etc/passwd", "../agent.json", "x", None])
def test_paths_do_not_travel(path: Any) -> None:
    assert "path" in refusal(with_artifact(path=path))


@pytest.mark.parametrize("kind", ["pte", "pt", "engine", "pkl", "so", "zip", "exe", ""])
def test_other_formats_do_not_travel(kind: str) -> None:
    assert kind not in (*FILE_FORMATS, *FOLDER_FORMATS)
    assert refusal(with_artifact(format=kind, setup={"runtime": "executorch"} if kind == "pte" else None))


@pytest.mark.parametrize(
    "name", ["hf-hub:someone/model", "hf_hub:someone/model", "local-dir:/home", "a/b", "../x", "", 5, "a.b.c"]
)
def test_models_of_timm_are_plain_names(name: Any) -> None:
    weights = {"format": "safetensors", "architecture": {"timm": name}, "form": "timm", "setup": {"runtime": "torch"}}
    assert "timm" in refusal(with_artifact(**weights))
    read_job(with_artifact(**{**weights, "architecture": {"timm": "fastvit_t8.apple_in1k"}}), HERE)


@pytest.mark.parametrize("logits", [[math.nan], [math.inf], ["1"], [True], [10**400], [0.0] * 100_001, 5])
def test_logits_are_finite_numbers(logits: Any) -> None:
    assert refusal(with_artifact(logits=logits))


def test_documents_and_options_are_small() -> None:
    assert refusal(with_artifact(architecture={"x": "y" * 300_000}))
    assert refusal(with_artifact(export=[1]))
    assert refusal(with_artifact(setup={"runtime": "onnxruntime", "options": [["a", "b"]] * 17}))
    assert refusal(with_artifact(setup={"runtime": "onnxruntime", "options": [["a", "b" * 101]]}))
    assert refusal(with_artifact(setup={"runtime": "onnxruntime", "library": "x.so"}))


def test_unknown_keys_are_refused() -> None:
    assert "'command'" in refusal({**PLAIN, "command": "rm"})
    assert "command" in refusal(changed(command="rm"))
    assert refusal(with_artifact(command="rm"))


@pytest.mark.parametrize("cpus", [[-1], [4096], [0, 0], ["0"], [True], [0.0], 3])
def test_cpus_are_numbers_of_cpus(cpus: Any) -> None:
    assert refusal(changed(cpus=cpus))


# Files.


def with_files(entries: Any, **changes: Any) -> dict[str, Any]:
    found = with_artifact(**changes)
    found["files"]["a"] = entries
    return found


@pytest.mark.parametrize(
    "entries",
    [
        [],
        {},
        [{"name": "artifact", "sha256": SHA, "bytes": 1}] * 2,
        [{"name": "../artifact", "sha256": SHA, "bytes": 1}],
        [{"name": "artifact", "sha256": "cd" * 32, "bytes": 1}],
        [{"name": "artifact", "sha256": SHA.upper(), "bytes": 1}],
        [{"name": "artifact", "sha256": "../" + SHA, "bytes": 1}],
        [{"name": "artifact", "sha256": SHA, "bytes": -1}],
        [{"name": "artifact", "sha256": SHA, "bytes": True}],
        [{"name": "artifact", "sha256": SHA, "bytes": (256 << 20) + 1}],
        [{"name": "artifact", "sha256": SHA, "bytes": 1, "url": "http://x"}],
        [{"name": "artifact", "sha256": SHA}],
    ],
)
def test_single_file_is_the_artifact_and_nothing_else(entries: Any) -> None:
    assert refusal(with_files(entries))


def test_files_are_those_of_the_labels() -> None:
    body = copy.deepcopy(PLAIN)
    body["files"]["b"] = body["files"]["a"]
    assert "labels" in refusal(body)
    del body["files"]["b"], body["files"]["a"]
    assert "labels" in refusal(body)


def folder_of(path: Path, contents: dict[str, bytes]) -> list[dict[str, Any]]:
    """Writes a folder and lists its files as they travel."""
    for name, content in contents.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return [
        {"name": name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in contents.items()
    ]


MANIFEST = json.dumps({"itemInfoEntries": {"1": {"path": "com.apple.CoreML/model.mlmodel"}}}).encode()
PACKAGE = {
    "Data/com.apple.CoreML/model.mlmodel": b"model",
    "Data/com.apple.CoreML/weights/weight.bin": b"weights",
    "Manifest.json": MANIFEST,
}


def test_folders_are_hashed_as_everywhere_else(tmp_path: Path) -> None:
    assert {f".{kind}": lists for kind, lists in FOLDER_FORMATS.items()} == _FOLDERS
    for kind, contents in (("mlpackage", PACKAGE), ("aimodel", {"main.mlirb": b"x", "metadata.json": b"{}"})):
        path = tmp_path / f"network.{kind}"
        entries = folder_of(path, contents)
        files = [BlobFile(name=item["name"], sha256=item["sha256"], num_bytes=item["bytes"]) for item in entries]
        assert folder_hash(kind, files) == artifact_hash(path)


def test_folder_travels_as_its_files(tmp_path: Path) -> None:
    entries = folder_of(tmp_path / "n.mlpackage", PACKAGE)
    digest = artifact_hash(tmp_path / "n.mlpackage")
    body = core_ml(entries, digest)
    job = read_job(body, HERE)
    assert job.artifacts[0].path == str(HERE / f"{digest}.mlpackage")


def core_ml(entries: list[dict[str, Any]], digest: str) -> dict[str, Any]:
    """The plain body with a package in place of both files."""
    found = copy.deepcopy(PLAIN)
    found["job"].update(runner="apple", runtime="coreml")
    for artifact in (found["job"]["reference"], *found["job"]["artifacts"]):
        artifact.update(format="mlpackage", sha256=digest)
    found["files"] = {"a": entries, "ref": entries}
    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda files: [*files, {"name": "../../.bashrc", "sha256": SHA, "bytes": 1}],
        lambda files: [*files, {"name": "Data/evil.so", "sha256": SHA, "bytes": 1}],
        lambda files: [*files, files[0]],
        lambda files: files[1:],
        lambda files: files[:2],
        lambda files: [{**files[0], "sha256": SHA}, *files[1:]],
        lambda files: [{**files[0], "name": "/" + files[0]["name"]}, *files[1:]],
    ],
    ids=["traversal", "foreign", "twice", "no model", "no manifest", "other content", "absolute"],
)
def test_folder_of_other_files_is_refused(
    tmp_path: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
) -> None:
    entries = folder_of(tmp_path / "n.mlpackage", PACKAGE)
    assert refusal(core_ml(change(entries), artifact_hash(tmp_path / "n.mlpackage")))


# Leases.


def test_lease_is_read() -> None:
    lease = read_lease(lease_of(PLAIN, fence=7))
    assert (lease.fence, lease.attempt, lease.job_id, lease.heartbeat_s) == (7, 1, "job7", 15.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fence", 0),
        ("fence", "1"),
        ("fence", True),
        ("attempt", None),
        ("job_id", "../x"),
        ("job_id", ""),
        ("job_id", 5),
        ("heartbeat_s", 0),
        ("heartbeat_s", math.nan),
        ("heartbeat_s", 1e9),
        ("max_s", -1),
        ("max_s", math.inf),
        ("max_s", 1e6),
        ("body", []),
    ],
)
def test_lease_that_makes_no_sense_is_refused(name: str, value: Any) -> None:
    with pytest.raises(JobRefusedError):
        read_lease(lease_of(PLAIN, **{name: value}))
    found = lease_of(PLAIN)
    del found[name]
    with pytest.raises(JobRefusedError):
        read_lease(found)


# Results.


def test_measurements_travel_without_what_json_has_not() -> None:
    one = dataclasses.replace(measurement(), protocol={"output": {"errors": [math.inf, math.nan, 1e-7]}, "x": (1, 2)})
    found = json.loads(encode_measurements([one]))["measurements"][0]
    assert found["protocol"] == {"output": {"errors": [None, None, 1e-7]}, "x": [1, 2]}
    assert Measurement.from_dict(found).samples == one.samples
    assert encode_measurements([one]) == encode_measurements([one])


@given(value=ANY)
def test_finite_is_json(value: Any) -> None:
    json.dumps(finite(value), allow_nan=False)
