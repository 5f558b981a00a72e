"""From a network to a checked file of any format: fold, proof, conversion, check of the output, and only then the name.

One small file for each format; ONNX has its own, `bench/networks/export.py`. A converter is imported when its
format is written, so that asking what there is costs nothing, and torch is needed by nobody who only asks.
"""

from __future__ import annotations

import importlib
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError, ExportError
from bench.networks.formats.catalogue import FORMATS, Format, checked_precision, find_format, require
from bench.networks.formats.exported import Exported, Made, Source
from bench.networks.formats.hashing import artifact_hash, payload_files
from bench.networks.formats.writing import check_target, unfinished

if TYPE_CHECKING:
    from torch import nn

    from bench.networks.export import Exporter
    from bench.space import Architecture

__all__ = [
    "FORMATS",
    "Exported",
    "Format",
    "artifact_hash",
    "export_as",
    "find_format",
    "load_exported",
    "payload_files",
    "require",
]


def export_as(
    network: nn.Module,
    path: Path | str,
    *,
    kind: str,
    resolution: int,
    precision: str | None = None,
    fold_attention_norm: bool | None = None,
    architecture: Architecture | None = None,
    exporter: Exporter = "torchscript",
    seed: int = 0,
) -> Exported:
    """Prove the fold of `network`, fold it, write it as `kind`, check the file, and name it `path`.

    `network` is in train form; one that is folded already is taken too, but by "torch", which keeps the train form.
    Nothing is at `path` unless every check has passed, and what was there before stays until then.

    Args:
        kind: a name in `FORMATS`.
        precision: of weights and arithmetic; None: the usual one of the format.
        fold_attention_norm: None: what suits the format.
        architecture: what `network` was built from; "torch" stores it with the weights.
        exporter: of torch, where ONNX is written or read on the way.
        seed: of the statistics that the fold is proven with.

    Raises:
        ExportError: an unknown or impossible request, a missing package, a converter that fails, or a file that
            computes something else than torch.
        FoldError: the fold is not exact.
    """
    form, path = find_format(kind), Path(path)
    precision = checked_precision(form, precision)
    check_target(path, form.suffix)
    require(form)
    if fold_attention_norm is None:
        fold_attention_norm = form.fold_attention_norm
    import torch

    from bench.networks.export import picture
    from bench.networks.fold import fold, prove_fold

    pixels = picture(resolution)
    fold_error = prove_fold(network, seed=seed, fold_attention_norm=fold_attention_norm)
    deploy = fold(network, fold_attention_norm=fold_attention_norm).float()
    with torch.inference_mode():
        expected = deploy(pixels)
    source = Source(
        train=network,
        deploy=deploy,
        picture=pixels,
        expected=expected,
        precision=precision,
        architecture=architecture,
        exporter=exporter,
    )
    with unfinished(path) as partial:
        made = _write(form, source, partial)
    return Exported(
        **{field.name: getattr(made, field.name) for field in fields(Made)},
        path=path,
        kind=kind,
        format=form.format,
        sha256=artifact_hash(path),
        bytes=sum(file.stat().st_size for file in payload_files(path)),
        precision=precision,
        resolution=resolution,
        fold_error=fold_error,
        fold_attention_norm=fold_attention_norm,
        logits=tuple(expected.flatten().tolist()),
    )


def load_exported(path: Path | str, *, fold_attention_norm: bool = True) -> nn.Module:
    """The network that `kind="torch"` wrote at `path`, in deploy form: weights and data, no code is run.

    Raises:
        ExportError: the file is missing, unreadable, or was not written by `export_as`.
    """
    from bench.networks.formats.torch_weights import load

    return load(Path(path), fold_attention_norm=fold_attention_norm)


def _write(form: Format, source: Source, path: Path) -> Made:
    module = importlib.import_module(f"{__name__}.{form.module}")
    try:
        made = module.write(source, path)
    except (BenchError, OSError, MemoryError):
        raise
    except Exception as error:  # converters share no class of errors
        raise ExportError(
            f"the converter of format {form.name!r} failed ({type(error).__name__}: {_first_line(error)}); "
            "every network of this package should convert; see the whole error with --verbose, or use another format"
        ) from error
    assert isinstance(made, Made)
    return made


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")[:200]
