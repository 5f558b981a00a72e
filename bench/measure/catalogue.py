"""The runtimes that can time an artifact: what each reads, where it runs, what it needs installed.

Data only, so that asking costs nothing; the code of a runtime is one file in `runtimes/`, which the child process
loads by path (`worker.RUNTIMES`).
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass

PRECISIONS = ("fp32", "fp16", "bf16")
RUNNERS = ("cpu", "cuda", "apple")


@dataclass(frozen=True)
class Runtime:
    """One inference runtime.

    Attributes:
        name: as in flags and in the store.
        file: in `bench/measure/runtimes`.
        formats: of artifacts that it reads, the usual one first.
        runners: where it can run.
        packages: distributions whose versions decide its speed; the first one must be installed.
        command: what installs it.
        systems: of `platform.system()`; empty is any.
        precisions: that can be chosen; a format that fixes its own precision has the one entry "fp32".
    """

    name: str
    file: str
    formats: tuple[str, ...]
    runners: tuple[str, ...]
    packages: tuple[str, ...]
    command: str
    systems: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ("fp32",)


RUNTIMES: Mapping[str, Runtime] = {
    runtime.name: runtime
    for runtime in (
        Runtime(
            name="onnxruntime",
            file="onnx_runtime.py",
            formats=("onnx",),
            runners=("cpu",),
            packages=("onnxruntime", "numpy"),
            command="pip install onnxruntime",
        ),
        Runtime(
            name="onnxruntime-cuda",
            file="onnx_runtime.py",
            formats=("onnx",),
            runners=("cuda",),
            packages=("onnxruntime-gpu", "numpy"),
            command="pip uninstall -y onnxruntime && pip install onnxruntime-gpu",
        ),
        Runtime(
            name="onnxruntime-tensorrt",
            file="onnx_runtime.py",
            formats=("onnx",),
            runners=("cuda",),
            packages=("onnxruntime-gpu", "tensorrt", "numpy"),
            command="pip uninstall -y onnxruntime && pip install onnxruntime-gpu tensorrt",
            precisions=("fp32", "fp16"),
        ),
        Runtime(
            name="torch",
            file="pytorch.py",
            formats=("safetensors",),
            runners=("cpu", "cuda"),
            packages=("torch", "numpy"),
            command="pip install torch",
            precisions=PRECISIONS,
        ),
        Runtime(
            name="torch-compile",
            file="pytorch.py",
            formats=("safetensors",),
            runners=("cpu", "cuda"),
            packages=("torch", "numpy"),
            command="pip install torch",
            precisions=PRECISIONS,
        ),
        Runtime(
            name="torch-cudagraph",
            file="pytorch.py",
            formats=("safetensors",),
            runners=("cuda",),
            packages=("torch", "numpy"),
            command="pip install torch",
            precisions=PRECISIONS,
        ),
        Runtime(
            name="litert",
            file="litert.py",
            formats=("tflite",),
            runners=("cpu",),
            packages=("ai-edge-litert", "numpy"),
            command="pip install 'bench[litert]'",
        ),
        Runtime(
            name="openvino",
            file="openvino_cpu.py",
            formats=("onnx",),
            runners=("cpu",),
            packages=("openvino", "numpy"),
            command="pip install 'bench[openvino]'",
            precisions=PRECISIONS,
        ),
        Runtime(
            name="executorch",
            file="executorch_xnnpack.py",
            formats=("pte",),
            runners=("cpu",),
            packages=("executorch", "numpy"),
            command="pip install 'bench[executorch]'",
        ),
        Runtime(
            name="coreml",
            file="core_ml.py",
            formats=("mlpackage",),
            runners=("apple",),
            packages=("coremltools", "numpy"),
            command="pip install 'bench[coreml]'",
            systems=("Darwin",),
            precisions=("fp16", "fp32"),
        ),
        Runtime(
            name="coreai",
            file="core_ai.py",
            formats=("aimodel",),
            runners=("apple",),
            packages=("coreai-core", "numpy"),
            command="pip install 'bench[coreai]'",
            systems=("Darwin",),
        ),
    )
}

# Distributions that hold all of another: the GPU build of ONNX Runtime has the CPU provider too.
STAND_INS: Mapping[str, tuple[str, ...]] = {"onnxruntime": ("onnxruntime-gpu",)}

DEFAULT_RUNTIME: Mapping[str, str] = {"cpu": "onnxruntime", "cuda": "torch", "apple": "coreml"}


def installed_version(package: str) -> str | None:
    """The version of a distribution, or of one that stands in for it; None where neither is installed."""
    for name in (package, *STAND_INS.get(package, ())):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None
