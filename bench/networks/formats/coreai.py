"""Core AI assets (.aimodel), a beta of Apple's; its reference runtime computes them on any system, slowly.

The bytes are not repeatable: private functions get random names (coreai-torch 0.4.3).
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import torch

from bench.networks.formats.agreement import agreement
from bench.networks.formats.exported import INPUT, OUTPUT, Made, Source
from bench.networks.formats.silence import silenced


def write(source: Source, path: Path) -> Made:
    """Writes one .aimodel folder."""
    with silenced():
        from coreai_torch import TorchConverter, get_decomp_table

        program = torch.export.export(source.deploy, (source.picture,)).run_decompositions(get_decomp_table())
        converter = TorchConverter().add_exported_program(program, input_names=[INPUT], output_names=[OUTPUT])
        converted = converter.to_coreai()
        converted.save_asset(path)
        found = asyncio.run(_run(path, source))
        # The program has no list of its nodes; its text names each operator behind an equals sign.
        operators = Counter(re.findall(r"= \"?coreai\.([\w.]+)", str(converted._module)))
    error, cosine = agreement(found, source)
    del operators["constant"]
    return Made(
        exporter="coreai-torch",
        exporter_version=f"coreai-torch {version('coreai-torch')}, torch {torch.__version__}",
        versions={},
        operators=dict(sorted(operators.items())),
        error=error,
        cosine=cosine,
    )


async def _run(path: Path, source: Source) -> torch.Tensor:
    from coreai.authoring import AIModelAsset
    from coreai.runtime import NDArray

    async with AIModelAsset.load(path).executable() as model:
        function = model.load_function(model.function_names[0])
        outputs = await function({INPUT: NDArray(source.picture.numpy())})
        return torch.from_numpy(outputs[OUTPUT].numpy().copy())
