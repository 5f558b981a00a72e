"""TensorFlow Lite files by litert-torch (once ai-edge-torch), float32, the picture as 1 x 3 x H x W like all others."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from bench.networks.formats.agreement import agreement
from bench.networks.formats.exported import Made, Source
from bench.networks.formats.silence import silenced


def write(source: Source, path: Path) -> Made:
    """Writes one .tflite file."""
    with silenced():
        import litert_torch
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        litert_torch.convert(source.deploy, (source.picture,)).export(str(path))
        content = path.read_bytes()
        plain = Interpreter(
            model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        )
        operators = Counter(node["op_name"] for node in plain._get_ops_details())
        found = _run(Interpreter(model_content=content, num_threads=1), source)
    error, cosine = agreement(found, source)
    return Made(
        exporter="litert-torch",
        exporter_version=f"litert-torch {version('litert-torch')}, torch {torch.__version__}",
        versions={},
        operators=dict(sorted(operators.items())),
        error=error,
        cosine=cosine,
    )


def _run(interpreter: Any, source: Source) -> torch.Tensor:
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], source.picture.numpy())
    interpreter.invoke()
    return torch.from_numpy(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
