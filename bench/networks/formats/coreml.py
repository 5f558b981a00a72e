"""Core ML packages (ML programs), converted from torch.export; macOS alone can run them.

Input and output are float32 whatever the arithmetic is: left to itself, the converter makes the output float16 and a
comparison of precisions would compare casts too. Elsewhere than on macOS what can be checked is checked: the
specification, the names and shapes of input and output, the operators.
"""

from __future__ import annotations

import platform
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.errors import ExportError
from bench.networks.formats.agreement import agreement
from bench.networks.formats.exported import INPUT, OUTPUT, Made, Source
from bench.networks.formats.silence import silenced

# iOS 16 and macOS 13: the first with float16 inputs and outputs, and old enough to run nearly everywhere.
SPECIFICATION = 7
UNCHECKED = "Core ML runs on macOS only"

_DATE = "com.github.apple.coremltools.conversion_date"


def write(source: Source, path: Path) -> Made:
    """Writes one .mlpackage folder."""
    with silenced():
        import coremltools

        model = _convert(source)
        model.user_defined_metadata.pop(_DATE, None)  # the same network gives the same bytes on any day
        model.save(str(path))
        # Of use to ExecuTorch alone, and nobody hashes it.
        (path / "executorch_debug_handle_mapping.json").unlink(missing_ok=True)
        specification = coremltools.utils.load_spec(str(path))
        found = _run(path, source) if platform.system() == "Darwin" else None
    operators = check_specification(specification, source)
    error, cosine = agreement(found, source) if found is not None else (None, None)
    return Made(
        exporter="coremltools",
        exporter_version=f"coremltools {coremltools.__version__}, torch {torch.__version__}",
        versions={"specification": int(specification.specificationVersion)},
        operators=operators,
        error=error,
        cosine=cosine,
        unchecked=UNCHECKED if found is None else None,
    )


def check_specification(specification: Any, source: Source) -> dict[str, int]:
    """How many operators of each type the package has, once its version, input and output are the right ones.

    Raises:
        ExportError: they are not.
    """
    wanted = (SPECIFICATION, [(INPUT, list(source.picture.shape))], [(OUTPUT, list(source.expected.shape))])
    description = specification.description
    found = (specification.specificationVersion, _signature(description.input), _signature(description.output))
    if found != wanted:
        raise ExportError(
            f"the package has version, inputs and outputs {found}; {wanted} are needed; "
            "export the network again, with the coremltools of constraints.txt"
        )
    function = specification.mlProgram.functions["main"]
    types = Counter(node.type for node in function.block_specializations[function.opset].operations)
    return {name: count for name, count in sorted(types.items()) if name != "const"}


def _convert(source: Source) -> Any:
    import coremltools

    # Traced modules fail with NumPy 2.4; exported ones convert in the dialect that the empty table leaves.
    program = torch.export.export(source.deploy, (source.picture,)).run_decompositions({})
    precision = coremltools.precision.FLOAT16 if source.precision == "fp16" else coremltools.precision.FLOAT32
    return coremltools.convert(
        program,
        inputs=[coremltools.TensorType(name=INPUT, shape=tuple(source.picture.shape), dtype=np.float32)],
        outputs=[coremltools.TensorType(name=OUTPUT, dtype=np.float32)],
        convert_to="mlprogram",
        compute_precision=precision,
        minimum_deployment_target=coremltools.target.iOS16,
        skip_model_load=True,
    )


def _run(path: Path, source: Source) -> torch.Tensor:
    import coremltools

    model = coremltools.models.MLModel(str(path), compute_units=coremltools.ComputeUnit.CPU_ONLY)
    return torch.from_numpy(np.asarray(model.predict({INPUT: source.picture.numpy()})[OUTPUT]))


def _signature(features: Any) -> list[tuple[str, list[int]]]:
    return [(feature.name, list(feature.type.multiArrayType.shape)) for feature in features]
