"""ONNX by `bench.networks.export`, which checks its file itself."""

from __future__ import annotations

from pathlib import Path

from bench.networks.export import export_onnx
from bench.networks.formats.exported import Made, Source


def write(source: Source, path: Path) -> Made:
    """Writes one ONNX file."""
    artifact = export_onnx(source.deploy, path, resolution=source.picture.shape[-1], exporter=source.exporter)
    return Made(
        exporter=artifact.exporter,
        exporter_version=artifact.exporter_version,
        versions={"opset": artifact.opset},
        operators=artifact.operators,
        error=artifact.error,
        cosine=None,
    )
