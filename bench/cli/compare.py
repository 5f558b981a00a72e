"""`bench compare`: models side by side: counts, paired latency, accuracy where known, a chart."""

from __future__ import annotations

import json
import signal
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import click

from bench.cli.options import db_option, json_option


@click.command(
    epilog="Examples:  bench compare fastvit_t8 mobileone_s0 mystudy/7   |   bench compare fastvit_t8 other.onnx "
    "--out compare.html"
)
@click.argument("models", nargs=-1, required=True, metavar="MODEL MODEL...")
@click.option("--runner", default="cpu", show_default=True, help="Where: cpu, cuda, apple, or a registered runner.")
@click.option("--runtime", help="What runs them [default: by runner].")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Of the runtime.")
@click.option("--resolution", type=click.IntRange(32), help="Input height and width [default: each model's own].")
@click.option("--quick", is_flag=True, help="Three restarts and 3 % in place of six and 1 %.")
@click.option("--limit", "limit_s", type=click.FloatRange(1), help="Seconds after which no further restart begins.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the comparison with its chart as a page.")
@click.option("--store/--no-store", default=True, show_default=True, help="Keep the samples in the database.")
@db_option
@json_option
def compare(
    models: tuple[str, ...],
    runner: str,
    runtime: str | None,
    threads: int,
    resolution: int | None,
    quick: bool,
    limit_s: float | None,
    out: Path | None,
    store: bool,
    db: str | None,
    as_json: bool,
) -> None:
    """Compare models: reference points, trials (STUDY/NUMBER), networks of timm (timm:NAME), .onnx or .tflite files.

    All are timed interleaved in one session, so that the ratios to the first are paired and have intervals of their
    own. Counts are of the form that is timed. An accuracy is the one published for that resolution, or that of a
    trial's short training.
    """
    from bench.cli.progress import bar
    from bench.errors import ConfigError
    from bench.report.comparison import comparison_data, comparison_section, comparison_table
    from bench.reproduce.comparing import is_trial, rows
    from bench.store import open_store
    from bench.study.conditions import Conditions, registered_runners
    from bench.study.keeping import keep
    from bench.study.measuring import measure_models
    from bench.study.models import find_model

    if len(models) < 2:
        raise ConfigError(f"one model ({models[0]}); two or more are compared; name another, or use bench measure")
    if out is not None and not out.parent.is_dir():
        raise ConfigError(f"--out {out}: there is no folder {out.parent}; make it first")
    conditions = Conditions(
        runner=runner,
        runtimes=(runtime,) if runtime else (),
        threads=(threads,),
        resolution=resolution,
        is_quick=quick,
        limit_s=limit_s,
    )
    # Ctrl-C and a polite kill end the same way: what a registered runner was given is taken back.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    found = [find_model(name, db=db) for name in models]
    with ExitStack() as stack:
        # Opened first: a database that cannot be written is told before minutes of measuring.
        writable = stack.enter_context(open_store(db)) if store else None
        readable = writable
        if writable is None and any(is_trial(model) for model in found):
            readable = stack.enter_context(open_store(db, read_only=True))
        registered = stack.enter_context(registered_runners((runner,), db))
        conditions = replace(conditions, registered=registered.get(runner))
        with bar(as_json=as_json) as shown:
            measurements = measure_models(found, conditions, progress=shown.progress, announce=shown.say)
        if writable is not None:
            for measurement in measurements:
                keep(writable, measurement)
        compared = rows(found, measurements, readable)
    click.echo(json.dumps(comparison_data(compared)) if as_json else comparison_table(compared))
    if out is not None:
        from bench.report.page import write_report

        write_report(out, "bench compare " + " ".join(models), [comparison_section(compared)])
        if not as_json:
            click.echo(f"the comparison as a page:  {out}")
    if not any(measurement.has_figures for measurement in measurements):
        raise click.exceptions.Exit(1)
