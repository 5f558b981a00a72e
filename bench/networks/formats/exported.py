"""What goes into the writing of a file, what its writer tells, and what is known of it in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bench.networks.export import Exporter
    from bench.space import Architecture

INPUT, OUTPUT = "image", "logits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A network that is to be written.

    Attributes:
        train: its train form.
        deploy: its deploy form, float32, in eval mode.
        picture: the input that the file is checked with, 1 x 3 x H x W.
        expected: what `deploy` computes from it, 1 x classes.
        precision: "fp32" or "fp16".
        architecture: where it is known.
        exporter: of torch, where ONNX is written.
    """

    train: nn.Module
    deploy: nn.Module
    picture: Tensor
    expected: Tensor
    precision: str
    architecture: Architecture | None
    exporter: Exporter


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a writer tells of its file.

    Attributes:
        exporter: what wrote it.
        exporter_version: its release and torch's.
        versions: of the format, such as {"opset": 20}.
        operators: how many nodes of each type the file has, before any runtime optimises it.
        placement: how many of them are compiled for which backend, where that is decided in the file.
        error: relative difference from torch's output in float32; None where nothing could be computed.
        cosine: similarity to torch's output, likewise.
        unchecked: why nothing could be computed; None where it was.
    """

    exporter: str
    exporter_version: str
    versions: Mapping[str, int]
    operators: Mapping[str, int]
    placement: Mapping[str, int] | None = None
    error: float | None
    cosine: float | None
    unchecked: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported(Made):
    """A checked artifact and how it was made.

    Attributes:
        kind: the name of its format in `FORMATS`.
        format: as a job of `bench.measure` says it.
        sha256: of the file; of a folder or a pair of files see `artifact_hash`.
        bytes: of all files that are hashed.
        fold_error: relative, float64, proven on randomised statistics.
        fold_attention_norm: whether the norm before qkv was folded.
        logits: torch's output for `bench.networks.export.picture(resolution)`, which every runtime is held to.
    """

    path: Path
    kind: str
    format: str
    sha256: str
    bytes: int
    precision: str
    resolution: int
    fold_error: float
    fold_attention_norm: bool
    logits: tuple[float, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON, without the logits."""
        plain = asdict(self) | {
            "path": str(self.path),
            "versions": dict(self.versions),
            "operators": dict(self.operators),
            "placement": None if self.placement is None else dict(self.placement),
        }
        del plain["logits"]
        return plain
