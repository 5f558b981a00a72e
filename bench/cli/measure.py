"""`bench measure`: times models, trials and files side by side, and takes in results made elsewhere."""

from __future__ import annotations

import json
import signal
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import click

from bench.cli.options import db_option, json_option


@click.command(
    epilog="Examples:  bench measure fastvit_t8 fastvit_sa12   |   bench measure fastvit_t8 --runtime onnxruntime "
    "--runtime torch   |   bench measure mystudy/7 other.onnx --threads 2 --out strip.html   |   "
    "bench measure fastvit_t8 --runner pi5"
)
@click.argument("models", nargs=-1, metavar="MODEL...")
@click.option("--runner", default="cpu", show_default=True, help="Where: cpu, cuda, apple, or a registered runner.")
@click.option("--runtime", "runtimes", multiple=True, help="What runs them; several times for several rows.")
@click.option(
    "--threads", type=click.IntRange(1), multiple=True, help="Of the runtime; several times too [default: 1]."
)
@click.option("--precision", help="fp32, fp16 or bf16, where a runtime can choose [default: its usual].")
@click.option("--channels-last", is_flag=True, help="Memory format of torch.")
@click.option(
    "--form",
    "forms",
    type=click.Choice(["deploy", "train", "timm"]),
    multiple=True,
    help="Deploy form, train form, or folded as timm does; several times for several rows [default: deploy].",
)
@click.option("--resolution", type=click.IntRange(32), help="Input height and width [default: each model's own].")
@click.option("--cpus", metavar="LIST", help="Pin the timed processes, such as 0,1 [default: free].")
@click.option("--option", "options", metavar="KEY=VALUE", multiple=True, help="Of the runtime's own.")
@click.option("--quick", is_flag=True, help="Three restarts and 3 % in place of six and 1 %.")
@click.option("--target", type=click.FloatRange(0.01, 100), help="Percent that the ratio's interval may be off.")
@click.option("--limit", "limit_s", type=click.FloatRange(1), help="Seconds after which no further restart begins.")
@click.option("--space", help="Space whose reference points are named [default: all shipped ones].")
@click.option("--out", type=click.Path(path_type=Path), help="Write every run as a strip plot (HTML).")
@click.option("--import", "imported", type=click.Path(path_type=Path), help="Take in results made elsewhere.")
@click.option("--store/--no-store", default=True, show_default=True, help="Keep the samples in the database.")
@db_option
@json_option
def measure(
    models: tuple[str, ...],
    runner: str,
    runtimes: tuple[str, ...],
    threads: tuple[int, ...],
    precision: str | None,
    channels_last: bool,
    forms: tuple[str, ...],
    resolution: int | None,
    cpus: str | None,
    options: tuple[str, ...],
    quick: bool,
    target: float | None,
    limit_s: float | None,
    space: str | None,
    out: Path | None,
    imported: Path | None,
    store: bool,
    db: str | None,
    as_json: bool,
) -> None:
    """Time models beside each other and beside FastViT-T8, and say how far the figures can be believed.

    A MODEL is a reference point, a trial (STUDY/NUMBER), a network of timm (timm:NAME), or an .onnx or .tflite file;
    networks take a resolution, as in fastvit_t8@384. Everything is interleaved in
    fresh processes; the machine's health is watched meanwhile. With --runner NAME all of it happens on a registered
    device (bench runners), and files are sent there. An Xcode performance report, trtexec's or LiteRT's
    results are taken in by --import, with their own fingerprint.
    """
    from bench.errors import ConfigError, MeasureError

    if imported is not None:
        if models:
            raise ConfigError("--import takes in a file and measures nothing; leave the models out, or --import")
        _import(imported, db, store=store, as_json=as_json)
        return
    if not models:
        raise MeasureError("nothing to measure; a reference point, STUDY/NUMBER or a file is needed; name one")
    if out is not None and not out.parent.is_dir():
        raise ConfigError(f"--out {out}: there is no folder {out.parent}; make it first")
    from bench.cli.progress import bar
    from bench.report.measurements import session_data, session_table
    from bench.store import open_store
    from bench.study.conditions import Conditions, registered_runners
    from bench.study.keeping import keep
    from bench.study.measuring import measure_models
    from bench.study.models import find_model

    conditions = Conditions(
        runner=runner,
        runtimes=runtimes,
        threads=threads or (1,),
        precision=precision,
        channels_last=channels_last,
        forms=forms or ("deploy",),
        resolution=resolution,
        cpus=_cpus(cpus),
        options=_options(options),
        is_quick=quick,
        target=None if target is None else target / 100,
        limit_s=limit_s,
    )
    # Ctrl-C and a polite kill end the same way: what a registered runner was given is taken back.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    found = [find_model(name, db=db, space=space) for name in models]
    with ExitStack() as stack:
        # Opened first: a database that cannot be written is told before minutes of measuring.
        opened = stack.enter_context(open_store(db)) if store else None
        registered = stack.enter_context(registered_runners((runner,), db))
        conditions = replace(conditions, registered=registered.get(runner))
        with bar(as_json=as_json) as shown:
            measurements = measure_models(found, conditions, progress=shown.progress, announce=shown.say)
        click.echo(json.dumps(session_data(measurements)) if as_json else session_table(measurements))
        if opened is not None:
            for measurement in measurements:
                keep(opened, measurement)
    if out is not None:
        from bench.report.figures import write_page
        from bench.report.strip import strip_figure

        write_page(strip_figure(measurements), out)
        if not as_json:
            click.echo(f"every run as a page:  {out}")
    if not any(measurement.has_figures for measurement in measurements):
        raise click.exceptions.Exit(1)


def _import(path: Path, db: str | None, *, store: bool, as_json: bool) -> None:
    from bench.measure.imports import read_results
    from bench.report.imports import imported_data, imported_table
    from bench.store import open_store
    from bench.study.importing import keep_imported

    results = read_results(path)
    if store:
        with open_store(db) as opened:
            keep_imported(opened, results)
    click.echo(json.dumps(imported_data(results)) if as_json else imported_table(results))


def _cpus(text: str | None) -> tuple[int, ...] | None:
    from bench.errors import ConfigError

    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"--cpus {text!r}; numbers with commas are needed, such as 0,1; write it so") from error


def _options(texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    from bench.errors import ConfigError

    pairs = [text.split("=", 1) for text in texts]
    for text, pair in zip(texts, pairs, strict=True):
        if len(pair) != 2:
            raise ConfigError(f"--option {text!r}; KEY=VALUE is needed, such as compute_units=all; write it so")
    return tuple((key, value) for key, value in pairs)
