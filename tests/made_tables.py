"""Small tables of networks that were never trained, made by a formula: complete, seeded, with equal networks."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.space import TableSpace, load_space, read_table

OPERATORS = ("none", "skip", "conv1", "conv3")
HEADING = ("op0", "op1", "op2", "width", "network", "accuracy", "accuracy_low", "latency_ms", "macs_m")
SPACE = """name: made
family: table
columns:
  op0: &op [none, skip, conv1, conv3]
  op1: *op
  op2: *op
  width: {from: 8, to: 32, step: 8}
ordered: [width]
identity: network
known: [macs_m]
"""


def made_rows() -> list[dict[str, Any]]:
    """256 rows. What follows a `none` has no effect, so rows that differ in it alone are one network."""
    random = np.random.default_rng(7)
    strength = dict(zip(OPERATORS, (0.0, 1.0, 4.0, 7.0), strict=True))
    rows: list[dict[str, Any]] = []
    figures: dict[str, dict[str, Any]] = {}
    for *operators, width in itertools.product(OPERATORS, OPERATORS, OPERATORS, (8, 16, 24, 32)):
        alive = list(itertools.takewhile(lambda operator: operator != "none", operators))
        network = "-".join((*alive, str(width)))
        if network not in figures:
            power = sum(strength[operator] * weight for operator, weight in zip(alive, (1.0, 0.8, 0.6), strict=False))
            macs = (1.0 + power) * width / 8
            accuracy = 40 + 30 * (1 - np.exp(-macs / 20)) + random.normal(0, 1.5)
            figures[network] = {
                "network": network,
                "accuracy": round(accuracy, 3),
                "accuracy_low": round(accuracy - 15 + random.normal(0, 2), 3),
                "latency_ms": round(1 + macs * (1.5 if "conv3" in alive else 1.0) + random.uniform(0, 2), 4),
                "macs_m": round(macs, 4),
            }
        rows.append(dict(zip(HEADING, (*operators, width), strict=False)) | figures[network])
    return rows


def write_table(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """As CSV, gzipped where the name ends so."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_made(folder: Path, *, rows: Sequence[dict[str, Any]] | None = None, space: str = SPACE) -> tuple[Path, Path]:
    """The space file and the table."""
    (folder / "made.yaml").write_text(space)
    return folder / "made.yaml", write_table(folder / "made.csv", made_rows() if rows is None else rows)


def made_space(folder: Path, *, rows: Sequence[dict[str, Any]] | None = None, space: str = SPACE) -> TableSpace:
    file, table = write_made(folder, rows=rows, space=space)
    found = load_space(str(file))
    assert isinstance(found, TableSpace)
    return found.bind(read_table(table))
