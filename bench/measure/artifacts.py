"""From an architecture to a file that a runtime can load, with the logits that it has to compute.

Weights are random with statistics as of a trained network: fresh ones would make the fold's proof and the comparison
of outputs vacuous, since layer scales of 1e-5 hide most of what a network computes.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import MeasureError
from bench.measure.catalogue import RUNTIMES
from bench.measure.job import JobArtifact

if TYPE_CHECKING:
    from torch import nn

    from bench.networks.export import Artifact, Prepared
    from bench.space import Architecture

_LARGEST_FILE = 2 << 30

# The pinned network that everything is timed beside.
REFERENCE = "fastvit_t8"


def reference_architecture(resolution: int) -> Architecture:
    """The pinned network at a resolution, or at the nearest one that it can take."""
    from bench.networks.fastvit.plan import STRIDE
    from bench.networks.grid import nearest_resolution
    from bench.space import Architecture, load_space

    published = load_space("fastvit").reference_points[REFERENCE].to_dict()
    side = nearest_resolution(resolution, STRIDE)
    settings = {**dict(published["settings"]), "input_resolution": side}  # type: ignore[call-overload]
    return Architecture.from_dict({**published, "settings": settings})


def make_artifact(
    architecture: Architecture,
    folder: Path,
    label: str,
    *,
    runtime: str,
    seed: int = 0,
    resolution: int | None = None,
    precision: str = "fp32",
) -> tuple[JobArtifact, Prepared]:
    """The deploy form as a checked file in `folder`, in the format that `runtime` reads.

    Every format begins with the ONNX artifact: it proves the fold, and a search tells its size.

    Raises:
        ExportError, FoldError: as bench.networks has it.
    """
    from bench.networks.export import prepare

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{_file_name(label)}.onnx"
    prepared = prepare(architecture, path, seed=seed, resolution=resolution)
    found = _of_onnx(prepared.artifact, label, architecture.id, architecture.to_dict())
    kind = RUNTIMES[runtime].formats[0]
    if kind == "onnx":
        return found, prepared
    side = prepared.artifact.resolution
    network = _randomised(architecture, seed, side)
    if kind == "safetensors":
        return _as_weights(network, found, path.with_suffix(".safetensors")), prepared
    return _converted(network, found, kind, path.with_suffix(f".{kind}"), side=side, precision=precision), prepared


def make_form(
    architecture: Architecture | None,
    folder: Path,
    label: str,
    *,
    form: str,
    runtime: str,
    timm_name: str | None = None,
    seed: int = 0,
    resolution: int | None = None,
) -> JobArtifact:
    """A network in train form, or as timm builds and folds it (`reparameterize_model`), to be timed beside others.

    Args:
        architecture: None: a network of timm that is none of ours; it has form "timm" alone, and a resolution.

    Raises:
        MeasureError: a runtime that has no such file, or the "timm" form of a network that timm does not have.
    """
    from bench.networks.export import export_onnx, picture

    assert resolution is not None or architecture is not None
    side = resolution or int(architecture.settings["input_resolution"])  # type: ignore[union-attr]
    kind = RUNTIMES[runtime].formats[0]
    if kind not in ("onnx", "safetensors"):
        raise MeasureError(
            f"form {form!r} for runtime {runtime!r}; torch and ONNX Runtime time other forms than deploy; choose one"
        )
    folder.mkdir(parents=True, exist_ok=True)
    if form == "timm":
        if timm_name is None:
            raise MeasureError(
                f"{label!r}: timm has no such network; its published ones have a timm form; take another"
            )
        network = _timm_network(timm_name, seed)
        mapping: Mapping[str, Any] = {"timm": timm_name}
    else:
        assert architecture is not None
        network, mapping = _randomised(architecture, seed, side), architecture.to_dict()
    identity = None if architecture is None else architecture.id
    path = folder / f"{_file_name(label)}.{kind}"
    if kind == "onnx":
        deployed = _timm_deployed(network) if form == "timm" else network.eval()
        made = _of_onnx(export_onnx(deployed, path, resolution=side), label, identity, mapping)
        return replace(made, form=form)
    return _as_weights(
        network,
        JobArtifact(
            label=label,
            path=str(path),
            format=kind,
            sha256="0" * 64,
            architecture_id=identity,
            architecture=mapping,
            form=form,
            logits=_logits(network, picture(side)),
            is_checked=True,
        ),
        path,
    )


def file_artifact(path: Path, *, label: str | None = None) -> JobArtifact:
    """A file of unknown origin: it is looked into before it is loaded.

    Raises:
        MeasureError: it is missing, or of a format that no runtime reads.
    """
    kind = path.suffix.removeprefix(".").lower()
    readable = ("onnx", "tflite")
    if kind not in readable:
        raise MeasureError(f"{path}: a file named .{kind or '?'}; {', '.join(readable)} files are timed; export it so")
    try:
        # A pipe would hang, and a device has no end.
        if path.exists() and not path.is_file():
            raise MeasureError(f"{path} is no plain file; one is needed; copy it into one")
        if (size := path.stat().st_size) > _LARGEST_FILE:
            raise MeasureError(f"{path} has {size >> 20} MiB; at most {_LARGEST_FILE >> 20} MiB are timed; export less")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MeasureError(f"{path} cannot be read ({error.strerror}); a file is needed; check the path") from error
    return JobArtifact(label=label or path.name, path=str(path), format=kind, sha256=digest)


def _of_onnx(
    artifact: Artifact, label: str, architecture_id: str | None, architecture: Mapping[str, Any]
) -> JobArtifact:
    return JobArtifact(
        label=label,
        path=str(artifact.path),
        format="onnx",
        sha256=artifact.sha256,
        architecture_id=architecture_id,
        architecture=architecture,
        logits=artifact.logits,
        is_checked=True,
        export=_export(artifact),
    )


def _export(artifact: Artifact) -> Mapping[str, Any]:
    return {"exporter": artifact.exporter, "version": artifact.exporter_version, "opset": artifact.opset}


def _as_weights(network: nn.Module, artifact: JobArtifact, path: Path) -> JobArtifact:
    from bench.networks.weights import save_weights

    save_weights(network, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return replace(artifact, path=str(path), format="safetensors", sha256=digest, export=None)


def _converted(
    network: nn.Module, artifact: JobArtifact, kind: str, path: Path, *, side: int, precision: str
) -> JobArtifact:
    """Another format, which has the logits of the ONNX artifact: both are of the same weights."""
    from bench.networks.formats import FORMATS, export_as

    entry = next(found for found in FORMATS.values() if found.format == kind)
    chosen = precision if precision in entry.precisions else None
    made = export_as(network, path, kind=entry.name, resolution=side, precision=chosen)
    return replace(
        artifact,
        path=str(made.path),
        format=kind,
        sha256=made.sha256,
        export={"exporter": made.exporter, "version": made.exporter_version, **made.versions},
    )


def _randomised(architecture: Architecture, seed: int, resolution: int) -> nn.Module:
    """The same weights as `prepare` gives: drawn, then given the statistics of a trained network."""
    from bench.networks import build
    from bench.networks.fold import randomise

    network = build(architecture, seed=seed, resolution=resolution)
    randomise(network, seed=seed)
    return network.eval()


def _timm_network(name: str, seed: int) -> nn.Module:
    import timm
    import torch

    from bench.networks.fold import randomise

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network: nn.Module = timm.create_model(name, pretrained=False)
    randomise(network, seed=seed)
    return network.eval()


def _timm_deployed(network: nn.Module) -> nn.Module:
    from timm.utils.model import reparameterize_model

    with contextlib.redirect_stdout(None):
        folded: nn.Module = reparameterize_model(network)
    return folded.eval()


def _logits(network: nn.Module, pixels: Any) -> tuple[float, ...]:
    import torch

    with torch.inference_mode():
        return tuple(network(pixels).flatten().tolist())


def _file_name(label: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in label)
