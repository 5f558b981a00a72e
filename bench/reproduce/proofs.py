"""What can be proven of a published network without data: its fold, its equality with timm's, its export."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.errors import BenchError
from bench.networks.models import Model
from bench.reproduce.findings import DIFFERS, REPRODUCED, Finding, not_run

# Relative, in float64; two orders that add in another order differ by some 1e-15.
LARGEST_ERROR = 1e-10
# Deep enough that the last stage has more than one position, small enough to take a second.
_SIDE = 96


def proof_findings(model: Model) -> Iterator[Finding]:
    """The fold against the train form, the network against timm's on the same weights, the artifact against torch."""
    yield _fold(model)
    yield _timm(model)
    yield _export(model)


def _fold(model: Model) -> Finding:
    from bench.networks import build
    from bench.networks.fold import prove_fold

    try:
        error = prove_fold(build(model.architecture), seed=1)
    except BenchError as refused:
        return Finding(quantity="fold", measured=str(refused), verdict=DIFFERS)
    return Finding(
        quantity="fold",
        published="the deploy form computes what the train form does",
        measured=f"relative error {error:.1e} in float64, statistics randomised",
        verdict=REPRODUCED,
        values={"fold_error": error},
    )


def _timm(model: Model) -> Finding:
    if model.timm_name is None:
        return Finding(quantity="same output as timm", verdict=not_run("timm has no such network"))
    import timm
    import torch

    from bench.networks import build
    from bench.networks.fold import fold, randomise

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        theirs = timm.create_model(model.timm_name, pretrained=False).double().eval()
    ours = build(model.architecture).double().eval()
    randomise(ours, seed=1)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    pixels = torch.randn(1, 3, _SIDE, _SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = theirs(pixels)
        errors = {
            "train form": float((ours(pixels) - expected).norm() / expected.norm()),
            "deploy form": float((fold(ours)(pixels) - expected).norm() / expected.norm()),
        }
    is_equal = max(errors.values()) <= LARGEST_ERROR
    return Finding(
        quantity="same output as timm",
        published=f"timm {timm.__version__}, {model.timm_name}, the same weights",
        measured=", ".join(f"{name} {error:.1e}" for name, error in errors.items()) + " (relative, float64)",
        verdict=REPRODUCED if is_equal else DIFFERS,
        values={f"{name} error": error for name, error in errors.items()},
    )


def _export(model: Model) -> Finding:
    from bench.networks.export import prepare

    with tempfile.TemporaryDirectory(prefix="bench-reproduce-") as folder:
        try:
            prepared = prepare(model.architecture, Path(folder) / "model.onnx", seed=0, resolution=model.resolution)
        except BenchError as refused:
            return Finding(quantity="export", measured=str(refused), verdict=DIFFERS)
    artifact = prepared.artifact
    return Finding(
        quantity="export",
        measured=f"ONNX opset {artifact.opset}, {artifact.bytes / 1e6:.2f} MB, relative error against torch "
        f"{artifact.error:.1e} (fp32), {sum(artifact.operators.values())} operators",
        values={"bytes": artifact.bytes, "export_error": artifact.error},
    )
