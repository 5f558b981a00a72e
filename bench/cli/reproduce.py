"""`bench reproduce`: published figures and claims, checked on the machine at hand."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import db_option, json_option

if TYPE_CHECKING:
    from bench.cli.progress import Shown
    from bench.reproduce.work import Work
    from bench.store import Store
    from bench.study.conditions import Registered

# Setting of a run -> its flag; a flag that was not given is None, empty or false.
_FLAGS = {
    "runners": "--runner",
    "runtimes": "--runtime",
    "threads": "--threads",
    "imagenet": "--imagenet",
    "weights": "--weights",
    "download": "--download",
    "limit_s": "--limit",
}
_PATHS = ("imagenet", "weights")


@click.command(
    epilog="Examples:  bench reproduce fastvit_t8   |   bench reproduce claims   |   bench reproduce all   |   "
    "bench reproduce fastvit_t8 --imagenet ~/imagenet --weights fastvit_t8.pth.tar"
)
@click.argument("what", metavar="MODEL|claims|table|all", required=False)
@click.option(
    "--runner",
    "runners",
    multiple=True,
    help="Where: cpu, cuda, apple, or a registered runner; several times too [default: cpu].",
)
@click.option(
    "--runtime", "runtimes", multiple=True, help="What runs the models; several times too [default: by runner]."
)
@click.option("--threads", type=click.IntRange(1), help="Of the runtime [default: 1].")
@click.option(
    "--imagenet", type=click.Path(path_type=Path), help="ImageNet's validation pictures (folders or Parquet)."
)
@click.option("--weights", type=click.Path(path_type=Path), help="Of the model: safetensors or .pth, of Apple or timm.")
@click.option("--download", is_flag=True, help="Fetch the published weights from timm's hub.")
@click.option("--limit", "limit_s", type=click.FloatRange(1), help="Seconds a session, after which no restart begins.")
@click.option("--out", type=click.Path(path_type=Path), help="The report as a page [default: reproduce-WHAT.html].")
@click.option("--resume", metavar="RUN", help="Go on with a run that was interrupted, as it was begun.")
@db_option
@json_option
def reproduce(
    what: str | None,
    out: Path | None,
    resume: str | None,
    db: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Check what was published of a model, the paper's claims, or its table, here.

    Counts, the fold, the output against timm's, the export, the latency beside the published opponents, and the
    accuracy where ImageNet and weights are given. Each line has a verdict: reproduced, differs, or not run and what is
    missing: a latency of a phone is not contradicted by a CPU. What is done is kept; --resume goes on.
    """
    from bench.cli.progress import bar
    from bench.errors import ConfigError
    from bench.reproduce import runs
    from bench.reproduce.pages import report_text, write_reports
    from bench.reproduce.sessions import circumstances
    from bench.store import open_store
    from bench.study.conditions import registered_runners

    _refuse_mixture(what, resume, flags)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with open_store(db) as store:
        what, options = _plan(store, what, resume, flags)
        runs.parts_of(what)  # an unknown name is told before anything is kept
        page = out or Path(f"reproduce-{what.replace('@', '-')}.html")
        if not page.parent.is_dir():
            raise ConfigError(f"--out {page}: there is no folder {page.parent}; make it first")
        with registered_runners(options["runners"], db) as registered, bar(as_json=as_json) as shown:
            work = _work(options, store, shown, registered)
            run = resume or runs.new_run(store, what, options, circumstances(work.places))
            try:
                for report in runs.go(store, run, work, step=_step(shown, as_json=as_json)):
                    if not as_json:
                        click.echo(report_text(report) + "\n")
            except KeyboardInterrupt:
                click.echo(f"\ninterrupted; what is done is kept. Go on with:  {_go_on(run, db, store)}", err=True)
                raise
        found = runs.reports_of(store, run)
    write_reports(page, f"bench reproduce {what}", found)
    if as_json:
        click.echo(json.dumps({"run": run, "reports": [report.to_dict() for report in found]}))
        return
    click.echo(f"the report as a page:  {page}")


def _refuse_mixture(what: str | None, resume: str | None, flags: Mapping[str, Any]) -> None:
    """Settings come from the run that goes on or from flags, and each flag has to be of use for what is asked."""
    from bench.errors import ConfigError
    from bench.reproduce.runs import WHOLE

    if what is None and resume is None:
        raise ConfigError(
            "bench reproduce needs a model, 'claims', 'table' or 'all', or --resume RUN; give one of them"
        )
    given = [name for name in _FLAGS if flags[name]]
    if resume is not None and given:
        raise ConfigError(
            f"--resume with {', '.join(_FLAGS[name] for name in given)}; a run goes on as it was begun, beside it only "
            "--db, --out and --json are allowed; leave the others out, or begin another run"
        )
    if what not in WHOLE:
        return
    if "weights" in given:
        raise ConfigError(f"--weights with {what!r}; weights belong to one model; name it")
    if what == "table" and {"imagenet", "download"} & set(given):
        raise ConfigError("--imagenet or --download with 'table'; it evaluates nothing; leave them out, or name 'all'")
    if ("imagenet" in given) != ("download" in given):
        here, there = ("--imagenet", "--download") if "imagenet" in given else ("--download", "--imagenet DIR")
        raise ConfigError(
            f"{here} without {there} with {what!r}; accuracies need the pictures and everybody's weights; give both, "
            "or neither"
        )


def _plan(store: Store, what: str | None, resume: str | None, flags: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """What is done with which settings: of the run that goes on, or as the flags say.

    Raises:
        ConfigError: the run was begun for something else.
        ReproduceError: there is no such run.
    """
    from bench.errors import ConfigError
    from bench.reproduce import runs

    if resume is None:
        assert what is not None
        paths = {name: None if flags[name] is None else str(flags[name].expanduser().resolve()) for name in _PATHS}
        settings = {"runners": flags["runners"] or ("cpu",), "threads": flags["threads"] or 1}
        return what, {**flags, **settings, **paths}
    begun, options = runs.plan_of(store, resume)
    if what not in (None, begun):
        raise ConfigError(f"{what!r} with --resume {resume}; that run is of {begun!r}; name this, or nothing")
    return begun, dict(options)


def _go_on(run: str, db: str | None, store: Store) -> str:
    """The command that takes a run up again, with the database where one was named; a password in it is not shown."""
    where = "" if db is None else f" --db {shlex.quote(str(store.location))}"
    return f"bench reproduce --resume {run}{where}"


def _work(options: Mapping[str, Any], store: Store, shown: Shown, registered: Mapping[str, Registered]) -> Work:
    from bench.reproduce.work import Work
    from bench.study.conditions import Conditions
    from bench.study.evaluation import cache_folder
    from bench.study.keeping import keep

    places = tuple(
        Conditions(
            runner=runner,
            registered=registered.get(runner),
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


def _step(shown: Shown, *, as_json: bool) -> Callable[[int, int, str], None]:
    def tell(number: int, total: int, subject: str) -> None:
        shown.say(subject)
        if total > 1 and not as_json:
            click.echo(f"part {number + 1} of {total}: {subject}", err=True)

    return tell
