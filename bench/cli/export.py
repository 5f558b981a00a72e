"""`bench export`: a reference point or a trial as an artifact that was checked against its network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.options import db_option

if TYPE_CHECKING:
    from bench.networks.export import Exporter
    from bench.space import Architecture


@click.command(
    epilog="Examples:  bench export fastvit_t8 --out t8.onnx   |   bench export mystudy/7 --head 1000 --out best.onnx"
)
@click.argument("what", metavar="NAME|TRIAL")
@click.option(
    "--format", "kind", type=click.Choice(["onnx"]), default="onnx", show_default=True, help="Of the artifact."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File to write.")
@click.option(
    "--head", type=click.IntRange(1), help="A fresh classifier of so many classes; without it a trial keeps its own."
)
@click.option("--resolution", type=click.IntRange(32), help="Input height and width [default: the architecture's].")
@click.option(
    "--exporter",
    type=click.Choice(["torchscript", "dynamo"]),
    default="torchscript",
    show_default=True,
    help="Of torch.",
)
@click.option(
    "--fold-attention-norm", is_flag=True, help="Fold the norm before attention too (ONNX Runtime then fuses less)."
)
@click.option("--space", default="fastvit", show_default=True, help="Space whose reference point NAME is.")
@db_option
def export(
    what: str,
    kind: str,
    out: Path,
    head: int | None,
    resolution: int | None,
    exporter: Exporter,
    fold_attention_norm: bool,
    space: str,
    db: str | None,
) -> None:
    """Export a reference point or a trial (STUDY/NUMBER), folded and checked.

    A trial that reached the top rung is exported with its trained weights. Reference points and other trials have
    fresh weights, which the command says.
    """
    from bench.errors import ExportError
    from bench.study.exporting import export_architecture, stored_weights

    if not out.parent.is_dir():
        raise ExportError(f"--out {out}: there is no folder {out.parent}; make it first")
    weights, classes = None, None
    if "/" in what or what.isdigit():
        architecture, weights, classes = stored_weights(what, db)
    else:
        architecture = _reference_point(what, space)
    artifact, notes = export_architecture(
        architecture,
        out,
        weights=weights,
        trained_classes=classes,
        head=head,
        resolution=resolution,
        exporter=exporter,
        fold_attention_norm=fold_attention_norm,
    )
    click.echo(f"wrote {out}: {kind}, {artifact.bytes / 1e6:.2f} MB, sha256 {artifact.sha256}")
    click.echo(
        f"opset {artifact.opset}, {artifact.exporter} exporter of {artifact.exporter_version}, "
        f"input 1x3x{artifact.resolution}x{artifact.resolution}, relative error against torch {artifact.error:.1e}"
    )
    for note in notes:
        click.echo(note)


def _reference_point(name: str, space: str) -> Architecture:
    from bench.errors import SpaceError, nearest
    from bench.space import load_space

    points = load_space(space).reference_points
    if name not in points:
        known = ", ".join(points) or "none"
        raise SpaceError(
            f"no reference point {name!r} in space {space!r}; known: {known}{nearest(name, points)}; "
            "a trial is STUDY/NUMBER"
        )
    return points[name]
