"""`bench reproduce`: published figures and claims, checked on the machine at hand."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import db_option, json_option

if TYPE_CHECKING:
    from bench.cli.progress import Shown
    from bench.reproduce.work import Work
    from bench.store import Store


@click.command(
    epilog="Examples:  bench reproduce fastvit_t8   |   bench reproduce claims   |   bench reproduce all   |   "
    "bench reproduce fastvit_t8 --imagenet ~/imagenet --weights fastvit_t8.pth.tar"
)
@click.argument("what", metavar="MODEL|claims|table|all", required=False)
@click.option("--runner", "runners", multiple=True, help="Where: cpu, cuda; several times too [default: cpu].")
@click.option(
    "--runtime", "runtimes", multiple=True, help="What runs the models; several times too [default: by runner]."
)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Of the runtime.")
@click.option(
    "--imagenet", type=click.Path(path_type=Path), help="ImageNet's validation pictures (folders or Parquet)."
)
@click.option("--weights", type=click.Path(path_type=Path), help="Of the model: safetensors or .pth, of Apple or timm.")
@click.option("--download", is_flag=True, help="Fetch the published weights from timm's hub.")
@click.option("--limit", "limit_s", type=click.FloatRange(1), help="Seconds a session, after which no restart begins.")
@click.option("--out", type=click.Path(path_type=Path), help="The report as a page [default: reproduce-WHAT.html].")
@click.option("--resume", metavar="RUN", help="Go on with a run that was interrupted.")
@db_option
@json_option
def reproduce(
    what: str | None,
    runners: tuple[str, ...],
    runtimes: tuple[str, ...],
    threads: int,
    imagenet: Path | None,
    weights: Path | None,
    download: bool,
    limit_s: float | None,
    out: Path | None,
    resume: str | None,
    db: str | None,
    as_json: bool,
) -> None:
    """Check what was published of a model, the paper's claims, or its table, here.

    Counts, the fold, the output against timm's, the export, the latency beside the published opponents, and the
    accuracy where ImageNet and weights are given. Each line has a verdict: reproduced, differs, or not run and what is
    missing: a latency of a phone is not contradicted by a CPU. What is done is kept; --resume goes on.
    """
    from bench.cli.progress import bar
    from bench.errors import ConfigError
    from bench.measure import fingerprint
    from bench.reproduce import runs
    from bench.reproduce.pages import report_text, write_reports
    from bench.store import open_store

    options: dict[str, Any] = {
        "runners": runners or ("cpu",),
        "runtimes": runtimes,
        "threads": threads,
        "imagenet": None if imagenet is None else str(imagenet.expanduser().resolve()),
        "weights": None if weights is None else str(weights.expanduser().resolve()),
        "download": download,
        "limit_s": limit_s,
    }
    if (what is None) == (resume is None):
        raise ConfigError(
            "bench reproduce needs a model, 'claims', 'table' or 'all', or --resume RUN; give one of them"
        )
    if weights is not None and what in runs.WHOLE:
        raise ConfigError(f"--weights with {what!r}; weights belong to one model; name it")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with open_store(db) as store:
        if resume is not None:
            what, stored = runs.plan_of(store, resume)
            options = dict(stored)
        assert what is not None
        runs.parts_of(what)  # an unknown name is told before anything is kept
        page = out or Path(f"reproduce-{what.replace('@', '-')}.html")
        if not page.parent.is_dir():
            raise ConfigError(f"--out {page}: there is no folder {page.parent}; make it first")
        run = resume or runs.new_run(store, what, options, fingerprint())
        with bar(as_json=as_json) as shown:
            work = _work(options, store, shown)
            try:
                for report in runs.go(store, run, work, step=_step(shown, as_json=as_json)):
                    if not as_json:
                        click.echo(report_text(report) + "\n")
            except KeyboardInterrupt:
                click.echo(
                    f"\ninterrupted; what is done is kept. Go on with:  bench reproduce --resume {run}", err=True
                )
                raise
        found = runs.reports_of(store, run)
    write_reports(page, f"bench reproduce {what}", found)
    if as_json:
        click.echo(json.dumps({"run": run, "reports": [report.to_dict() for report in found]}))
        return
    click.echo(f"the report as a page:  {page}")


def _work(options: dict[str, Any], store: Store, shown: Shown) -> Work:
    from bench.reproduce.work import Work
    from bench.study.evaluation import cache_folder
    from bench.study.measuring import Conditions, keep

    places = tuple(
        Conditions(
            runner=runner,
            runtimes=(runtime,) if runtime else (),
            threads=(int(options["threads"]),),
            limit_s=options["limit_s"],
        )
        for runner in options["runners"]
        for runtime in options["runtimes"] or ("",)
    )
    for place in places:
        place.setups()  # what cannot run here is told before any work
    return Work(
        places=places,
        keep=lambda measurement: keep(store, measurement),
        imagenet=None if options["imagenet"] is None else Path(options["imagenet"]),
        weights=None if options["weights"] is None else Path(options["weights"]),
        download=bool(options["download"]),
        state=cache_folder() / "evaluations",
        announce=shown.say,
        progress=shown.progress,
    )


def _step(shown: Shown, *, as_json: bool) -> Any:
    def tell(number: int, total: int, subject: str) -> None:
        shown.say(subject)
        if total > 1 and not as_json:
            click.echo(f"part {number + 1} of {total}: {subject}", err=True)

    return tell
