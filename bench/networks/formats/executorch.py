"""ExecuTorch programs (.pte) whose operators are compiled for XNNPACK, as far as it takes them."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import torch

from bench.networks.formats.agreement import agreement
from bench.networks.formats.exported import Made, Source
from bench.networks.formats.silence import silenced


def write(source: Source, path: Path) -> Made:
    """Writes one .pte file."""
    with silenced():
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.devtools.backend_debug import get_delegation_info
        from executorch.exir import to_edge_transform_and_lower
        from executorch.runtime import Runtime

        program = torch.export.export(source.deploy, (source.picture,))
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        info = get_delegation_info(lowered.exported_program().graph_module)
        content = lowered.to_executorch().buffer
        path.write_bytes(content)
        method = Runtime.get().load_program(content).load_method("forward")
        found = method.execute([source.picture])[0]
    error, cosine = agreement(found, source)
    # What takes a delegate's output apart is no operator.
    nodes = {name: entry for name, entry in sorted(info.delegation_by_operator.items()) if name != "getitem"}
    places = {
        "XNNPACK": sum(entry.delegated for entry in nodes.values()),
        "CPU": sum(entry.non_delegated for entry in nodes.values()),
    }
    return Made(
        exporter="executorch",
        exporter_version=f"executorch {version('executorch')}, torch {torch.__version__}",
        versions={},
        operators={name: entry.delegated + entry.non_delegated for name, entry in nodes.items()},
        placement=places,
        error=error,
        cosine=cosine,
    )
