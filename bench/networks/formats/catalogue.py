"""The formats that a network can be written in: what each needs and how its files are named.

Data only, so that asking costs nothing.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass

from bench.errors import ExportError, nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format that a network can be written in.

    Attributes:
        name: as in flags.
        suffix: that its files (or folders) end in.
        format: of the artifact, as a job of `bench.measure` says it.
        module: in this package, with `write(source, path) -> Made`.
        packages: that have to be importable.
        command: what installs them.
        precisions: that can be chosen, the usual one first.
        fold_attention_norm: whether the norm before qkv is folded unless something else is asked for. ONNX Runtime
            fuses attention only where it is not.
    """

    name: str
    suffix: str
    format: str
    module: str
    packages: tuple[str, ...]
    command: str
    precisions: tuple[str, ...] = ("fp32",)
    fold_attention_norm: bool = True


FORMATS: Mapping[str, Format] = {
    entry.name: entry
    for entry in (
        Format(
            name="onnx",
            suffix=".onnx",
            format="onnx",
            module="onnx_file",
            packages=("onnx", "onnxruntime"),
            command="pip install onnx onnxruntime",
            fold_attention_norm=False,
        ),
        Format(
            name="coreml",
            suffix=".mlpackage",
            format="mlpackage",
            module="coreml",
            packages=("coremltools",),
            command="pip install 'bench[coreml]'",
            precisions=("fp16", "fp32"),
        ),
        Format(
            name="litert",
            suffix=".tflite",
            format="tflite",
            module="litert",
            packages=("litert_torch", "ai_edge_litert"),
            command="pip install 'bench[litert]'",
        ),
        Format(
            name="openvino",
            suffix=".xml",
            format="ir",
            module="openvino",
            packages=("openvino",),
            command="pip install 'bench[openvino]'",
            precisions=("fp32", "fp16"),
            fold_attention_norm=False,
        ),
        Format(
            name="executorch",
            suffix=".pte",
            format="pte",
            module="executorch",
            packages=("executorch",),
            command="pip install 'bench[executorch]'",
        ),
        Format(
            name="coreai",
            suffix=".aimodel",
            format="aimodel",
            module="coreai",
            packages=("coreai_torch", "coreai"),
            command="pip install 'bench[coreai]'",
        ),
        Format(
            name="torch",
            suffix=".safetensors",
            format="safetensors",
            module="torch_weights",
            packages=("safetensors",),
            command="pip install safetensors",
        ),
    )
}


def find_format(kind: str) -> Format:
    """The format of this name.

    Raises:
        ExportError: there is none.
    """
    if kind not in FORMATS:
        hint = nearest(kind, FORMATS) or "; use one of them"
        raise ExportError(f"unknown format {kind!r}; known: {', '.join(FORMATS)}{hint}")
    return FORMATS[kind]


def require(form: Format) -> None:
    """Say which package a format lacks.

    Raises:
        ExportError: one cannot be imported.
    """
    missing = [name for name in form.packages if importlib.util.find_spec(name) is None]
    if missing:
        raise ExportError(
            f"format {form.name!r} needs {' and '.join(missing)}, not installed here; "
            f"without an extra: onnx, torch; add it with: {form.command}"
        )


def checked_precision(form: Format, precision: str | None) -> str:
    """The precision that was asked for, or the usual one of the format.

    Raises:
        ExportError: the format does not have it.
    """
    if precision is None:
        return form.precisions[0]
    if precision not in form.precisions:
        raise ExportError(
            f"precision {precision!r} of format {form.name!r}; allowed: {', '.join(form.precisions)}; choose one"
        )
    return precision
