"""`bench validate-proxy`: does a search's score rank networks as a longer training, or other pictures, would?"""

from __future__ import annotations

import json
import signal
from pathlib import Path

import click

from bench.cli.options import json_option


@click.command(
    epilog="Examples:  bench validate-proxy --space fastvit --n 24   |   bench validate-proxy --data fractals "
    "--against-data ~/pictures   |   bench validate-proxy --supernet supernet.pt   |   "
    "bench validate-proxy --n 12 --images 2000 --longer 4 --limit 1800"
)
@click.option("--space", default="fastvit", show_default=True, help="Space that the networks are drawn from.")
@click.option("--rule", "rules", multiple=True, metavar="RULE", help="A further rule, such as 'macs_g <= 1.5'.")
@click.option("--n", type=int, default=24, show_default=True, help="Networks, spread over the space by their MACs.")
@click.option("--seeds", type=int, default=2, show_default=True, help="Trainings of each; two or more tell the noise.")
@click.option("--data", default="fractals", show_default=True, metavar="SOURCE", help="Pictures, as of bench search.")
@click.option("--against-data", metavar="SOURCE", help="Other pictures, to see whether these rank networks alike.")
@click.option("--classes", type=int, help="Classes of each.")
@click.option("--per-class", type=int, help="Training pictures a class.")
@click.option("--val-per-class", type=int, help="Validation pictures a class.")
@click.option("--images", type=int, default=8000, show_default=True, help="Pictures seen by the short training.")
@click.option("--longer", type=float, default=8.0, show_default=True, help="Times as many in the long training.")
@click.option("--rungs", type=int, default=4, show_default=True, help="Fidelities along the short training.")
@click.option("--batch-size", type=int, default=32, show_default=True, help="Pictures in a training step.")
@click.option(
    "--resolution", type=int, help="Of all trainings [default: a quarter of each network's own, 64 at least]."
)
@click.option("--supernet", metavar="FILE", help="Of bench supernet train: judge its scores as well.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw of networks.")
@click.option("--concurrency", type=click.IntRange(1), help="Trainings at a time [default: one a core, one on a GPU].")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True, help="Trains.")
@click.option("--limit", "limit_s", type=click.FloatRange(0), help="Seconds after which no further training begins.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("results/validate-proxy.json"),
    show_default=True,
    help="File of the findings; finished trainings are kept beside it.",
)
@json_option
def validate_proxy(
    space: str,
    rules: tuple[str, ...],
    n: int,
    seeds: int,
    data: str,
    against_data: str | None,
    classes: int | None,
    per_class: int | None,
    val_per_class: int | None,
    images: int,
    longer: float,
    rungs: int,
    batch_size: int,
    resolution: int | None,
    supernet: str | None,
    seed: int,
    concurrency: int | None,
    device: str,
    limit_s: float | None,
    out: Path,
    as_json: bool,
) -> None:
    """Train networks of a space shortly and at length, and say how far the short training ranks them as the long one.

    Beside that: what two seeds agree on (no proxy can do better), the cheapest fidelity that keeps tau >= 0.7, and
    whether zero-cost proxies, or a supernet, are worth more than counting multiply-adds. Whatever ends it, the same
    command goes on with what is left; with --limit the findings are of what is done.
    """
    from bench.cli.progress import bar
    from bench.report.page import write_whole
    from bench.study.config import DataConfig, ProxyConfig
    from bench.study.validation import Validation, findings_text, validate
    from bench.study.validation.running import journal_path

    # Ctrl-C and a polite kill end the same way.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sources = [
        DataConfig(source=source, classes=classes, per_class=per_class, val_per_class=val_per_class)
        for source in (data, against_data)
        if source is not None
    ]
    validation = Validation(
        space=space,
        rules=rules,
        n=n,
        seeds=seeds,
        longer=longer,
        data=sources[0],
        against=sources[1] if len(sources) > 1 else None,
        proxy=ProxyConfig(images=images, rungs=rungs, batch_size=batch_size),
        resolution=resolution,
        supernet=supernet,
        seed=seed,
    )
    with bar(as_json=as_json, verb="training") as shown:
        found = validate(
            validation,
            journal_path(out),
            device=device,
            concurrency=concurrency,
            limit_s=limit_s,
            progress=shown.progress,
            say=shown.say,
        )
    write_whole(out, json.dumps(found, indent=1) + "\n")
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(findings_text(found))
    click.echo(f"\nthe findings:  {out}")
