"""`bench export`: a reference point or a trial as an artifact that was checked against its network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.options import db_option
from bench.networks.formats import FORMATS

if TYPE_CHECKING:
    from bench.networks.export import Exporter
    from bench.networks.formats import Exported

_PRECISIONS = sorted({precision for form in FORMATS.values() for precision in form.precisions})


@click.command(
    epilog="Examples:  bench export fastvit_t8 --out t8.onnx   |   bench export mystudy/7 --head 1000 --out best.onnx"
    "   |   bench export fastvit_sa12 --format coreml --out sa12.mlpackage"
)
@click.argument("what", metavar="NAME|TRIAL")
@click.option(
    "--format", "kind", type=click.Choice(list(FORMATS)), default="onnx", show_default=True, help="Of the artifact."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File (or folder) to write.")
@click.option(
    "--head", type=click.IntRange(1), help="A fresh classifier of so many classes; without it a trial keeps its own."
)
@click.option("--resolution", type=click.IntRange(32), help="Input height and width [default: the architecture's].")
@click.option(
    "--precision",
    type=click.Choice(_PRECISIONS),
    help="Of weights and arithmetic; coreml and openvino have both [default: fp16 for coreml, else fp32].",
)
@click.option(
    "--exporter",
    type=click.Choice(["torchscript", "dynamo"]),
    default="torchscript",
    show_default=True,
    help="Of torch, to ONNX.",
)
@click.option(
    "--fold-attention-norm/--keep-attention-norm",
    default=None,
    help="Fold the norm before attention too [default: kept for onnx, since ONNX Runtime then fuses more, and for "
    "openvino, which is read from it].",
)
@click.option("--space", help="Space whose reference point NAME is [default: all shipped ones].")
@db_option
def export(
    what: str,
    kind: str,
    out: Path,
    head: int | None,
    resolution: int | None,
    precision: str | None,
    exporter: Exporter,
    fold_attention_norm: bool | None,
    space: str | None,
    db: str | None,
) -> None:
    """Export a reference point or a trial (STUDY/NUMBER), folded and checked.

    A trial that reached the top rung is exported with its trained weights. Reference points and other trials have
    fresh weights, which the command says. "torch" keeps the train form, as safetensors with its architecture.
    """
    from bench.networks.formats.writing import check_target
    from bench.study.exporting import export_architecture, stored_weights
    from bench.study.models import reference_point

    check_target(out, FORMATS[kind].suffix)
    weights, classes = None, None
    if "/" in what or what.isdigit():
        architecture, weights, classes = stored_weights(what, db)
    else:
        architecture = reference_point(what, space)
    exported, notes = export_architecture(
        architecture,
        out,
        weights=weights,
        trained_classes=classes,
        head=head,
        resolution=resolution,
        kind=kind,
        precision=precision,
        exporter=exporter,
        fold_attention_norm=fold_attention_norm,
    )
    click.echo(f"wrote {out}: {kind}, {exported.bytes / 1e6:.2f} MB, sha256 {exported.sha256}")
    click.echo(how(exported))
    for note in notes:
        click.echo(note)


def how(exported: Exported) -> str:
    """What wrote the file, as what, and how near it came to torch."""
    side = exported.resolution
    parts = [f"{name} {number}" for name, number in exported.versions.items()]
    parts += [f"{exported.exporter} exporter of {exported.exporter_version}", f"input 1x3x{side}x{side}"]
    if exported.precision != "fp32":
        parts.append(exported.precision)
    if exported.error is not None:
        parts.append(f"relative error against torch {exported.error:.1e}")
    return ", ".join(parts)
