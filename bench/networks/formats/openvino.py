"""OpenVINO's intermediate representation: NAME.xml and its weights NAME.bin.

It is read from the ONNX file that `bench.networks.export` writes and checks, so the graph is the one that the runtime
of OpenVINO times. `openvino.convert_model` is not used on purpose: on torch modules it goes through `torch.jit.trace`,
which torch has deprecated, and it reports its use to Intel unless a user has declined (openvino_telemetry).
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from bench.networks.export import export_onnx
from bench.networks.formats.agreement import agreement
from bench.networks.formats.exported import OUTPUT, Made, Source
from bench.networks.formats.silence import silenced


def write(source: Source, path: Path) -> Made:
    """Writes NAME.xml and NAME.bin; "fp16" stores float16 weights, how they are computed with is the runtime's."""
    with tempfile.TemporaryDirectory() as folder, silenced():
        import openvino

        resolution = source.picture.shape[-1]
        artifact = export_onnx(
            source.deploy, Path(folder) / "network.onnx", resolution=resolution, exporter=source.exporter
        )
        model = openvino.Core().read_model(artifact.path.read_bytes())
        _name_nodes(model)
        openvino.save_model(model, str(path), compress_to_fp16=source.precision == "fp16")
        found = _run(path, source)
        operators = Counter(node.get_type_name() for node in model.get_ordered_ops())
    error, cosine = agreement(found, source)
    return Made(
        exporter="openvino",
        exporter_version=f"openvino {openvino.__version__}, {artifact.exporter_version}",
        versions={"opset": artifact.opset},
        operators=dict(sorted(operators.items())),
        error=error,
        cosine=cosine,
    )


def _name_nodes(model: Any) -> None:
    """Names nodes by their place: OpenVINO counts them through the whole process, and the bytes would differ."""
    for index, node in enumerate(model.get_ordered_ops()):
        if node.get_friendly_name() == node.get_name():
            node.set_friendly_name(f"{node.get_type_name()}_{index}")


def _run(path: Path, source: Source) -> torch.Tensor:
    import openvino

    # Float32 has to be asked for: the default is bfloat16 where the CPU has instructions for it.
    config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = openvino.Core().compile_model(str(path), "CPU", config)
    return torch.from_numpy(compiled([source.picture.numpy()])[OUTPUT].copy())
