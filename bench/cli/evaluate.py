"""`bench evaluate`: top-1 and robustness of weights on ImageNet and its variants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.options import db_option, json_option

if TYPE_CHECKING:
    from bench.evaluate.preprocessing import Interpolation

_FOLDER = click.Path(path_type=Path)


@click.command(
    epilog="Examples:  bench evaluate fastvit_t8 --weights t8.pth.tar --imagenet ~/imagenet   |   "
    "bench evaluate fastvit_sa12 --download --imagenet-a ~/imagenet-a --imagenet-c ~/imagenet-c"
)
@click.argument("model", metavar="MODEL")
@click.option("--weights", type=_FOLDER, help="Of the model: safetensors or .pth, in its authors' or timm's naming.")
@click.option("--download", is_flag=True, help="Fetch the published weights from timm's hub.")
@click.option("--imagenet", type=_FOLDER, help="Validation pictures: class folders, the official layout, or Parquet.")
@click.option("--imagenet-a", type=_FOLDER, help="ImageNet-A: class folders (200 classes).")
@click.option("--imagenet-r", type=_FOLDER, help="ImageNet-R: class folders (200 classes).")
@click.option("--imagenet-sketch", type=_FOLDER, help="ImageNet-Sketch: class folders.")
@click.option("--imagenet-c", type=_FOLDER, help="ImageNet-C: corruption/severity/class folders.")
@click.option("--form", type=click.Choice(["deploy", "train"]), default="deploy", show_default=True, help="Evaluated.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Of the network.")
@click.option("--resolution", type=click.IntRange(32), help="Input height and width [default: as published].")
@click.option(
    "--crop", type=click.FloatRange(0.01, 1), help="Part of the resized side that is kept [default: as published]."
)
@click.option(
    "--interpolation", type=click.Choice(["bilinear", "bicubic"]), help="Of the resizing [default: as published]."
)
@db_option
@json_option
def evaluate(
    model: str,
    weights: Path | None,
    download: bool,
    imagenet: Path | None,
    imagenet_a: Path | None,
    imagenet_r: Path | None,
    imagenet_sketch: Path | None,
    imagenet_c: Path | None,
    form: str,
    device: str,
    resolution: int | None,
    crop: float | None,
    interpolation: Interpolation | None,
    db: str | None,
    as_json: bool,
) -> None:
    """Evaluate weights of MODEL with its own crop and interpolation, published values beside the result.

    Pictures are shown to weights of a file as the network's authors do, to those of timm's hub as timm does. Decoding
    takes all cores. Interrupted, the same command goes on with the pictures that are left.
    """
    from dataclasses import replace

    from bench.cli.progress import bar
    from bench.errors import ReproduceError
    from bench.networks.models import Model
    from bench.reproduce.evaluating import Folders, check_evaluation, evaluate_model
    from bench.reproduce.pages import report_text
    from bench.reproduce.runs import keep_report
    from bench.reproduce.work import Work
    from bench.store import open_store
    from bench.study.evaluation import cache_folder
    from bench.study.models import find_model

    found = find_model(model if resolution is None else f"{model.split('@')[0]}@{resolution}", db=db)
    if not isinstance(found, Model):
        raise ReproduceError(f"{model!r} is a file or a network of timm; a reference point is evaluated; name one")
    shifted = {"imagenet-a": imagenet_a, "imagenet-r": imagenet_r, "imagenet-sketch": imagenet_sketch}
    folders = Folders(
        imagenet=imagenet,
        shifted=tuple((name, folder) for name, folder in shifted.items() if folder is not None),
        corrupted=imagenet_c,
    )
    work = Work(
        places=(),
        keep=lambda measurement: None,
        weights=weights,
        download=download,
        state=cache_folder() / "evaluations",
    )
    check_evaluation(found, folders, work, device=device)
    with open_store(db) as store, bar(as_json=as_json, verb="evaluating") as shown:
        report = evaluate_model(
            found,
            folders,
            replace(work, announce=shown.say, progress=shown.progress),
            device=device,
            form=form,
            crop=crop,
            interpolation=interpolation,
        )
        keep_report(store, report)
    click.echo(json.dumps(report.to_dict()) if as_json else report_text(report))
