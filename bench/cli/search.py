"""`bench search`: from a space to a measured Pareto front."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import db_option

if TYPE_CHECKING:
    from bench.study.config import StudyConfig

# Flag -> setting, where the names differ; the rest are settings of the study by their own names.
_SETTINGS = {
    "rule": "rules",
    "constraint": "constraints",
    "data": "data.source",
    "classes": "data.classes",
    "per_class": "data.per_class",
    "val_per_class": "data.val_per_class",
    "download": "data.download",
    "proxy": "proxy.kind",
    "supernet": "proxy.supernet",
    "images": "proxy.images",
    "rungs": "proxy.rungs",
    "retrain_seeds": "retrain.seeds",
    "retrain_images": "retrain.images",
    "batch_size": "proxy.batch_size",
    "learning_rate": "proxy.learning_rate",
    "runtime": "timing.runtime",
    "threads": "timing.threads",
    "concurrency": "execution.concurrency",
    "device": "execution.device",
    "ray_address": "execution.ray_address",
    "references": "try_reference_points",
}


@click.command(
    epilog="Examples:  bench search --space fastvit --budget 200   |   bench search --space my.yaml --data ~/pictures "
    '--rule "params_m <= 5"   |   bench search --runner pixel8 --runner pi5   |   bench search --resume NAME'
)
@click.option("--space", metavar="NAME|FILE", help="Space to search: a shipped one or a YAML file [default: fastvit].")
@click.option("--budget", type=int, help="Distinct architectures to try [default: 24].")
@click.option(
    "--rule",
    multiple=True,
    metavar="RULE",
    help="A rule for this search, such as 'macs_g <= 1.5'; repeatable.",
)
@click.option(
    "--objectives",
    metavar="A,B",
    help="accuracy (or whatever --proxy scores by) and costs: latency, latency:RUNNER, params, macs, size "
    "[default: accuracy,latency].",
)
@click.option(
    "--constraint",
    multiple=True,
    metavar="BOUND",
    help="A bound of an objective or a known quantity, such as 'latency_ms<=12' or 'artifact_mb<=8'; repeatable. "
    "Networks that break it are kept off the front, and the sampler models where they lie.",
)
@click.option(
    "--warm-start",
    multiple=True,
    metavar="STUDY[@DATABASE]",
    help="Learn from an earlier study of the same space, on another device or other pictures; repeatable, the one most "
    "like this search last.",
)
@click.option("--sampler", help="Who proposes: model, tpe, nsga2, random [default: model].")
@click.option("--seed", type=int, help="Seed of everything random [default: 0].")
@click.option(
    "--references/--no-references",
    default=None,
    help="Try the space's reference points first [default: yes].",
)
@click.option(
    "--data",
    metavar="SOURCE",
    help="fractals, a folder, imagenet:DIR, parquet:DIR, timm:NAME [default: fractals].",
)
@click.option("--classes", type=int, help="Classes of the subset.")
@click.option("--per-class", type=int, help="Training pictures a class [default: 10,000 in all; 400 of fractals].")
@click.option("--val-per-class", type=int, help="Validation pictures a class [default: 1,000 in all; 50 of fractals].")
@click.option("--download", is_flag=True, default=None, help="Allow a data set to be downloaded.")
@click.option(
    "--proxy",
    help="What scores candidates: training; supernet, by weights that all share (with --supernet); or zero-cost, which "
    "trains nothing and is no accuracy [default: training].",
)
@click.option("--supernet", metavar="FILE", help="Of bench supernet train, for --proxy supernet.")
@click.option("--images", type=int, help="Pictures seen at the top rung [default: 8000].")
@click.option("--rungs", type=int, help="Rungs of successive halving; 1 trains all to the top [default: 3].")
@click.option(
    "--retrain-seeds",
    type=int,
    help="Fresh seeds that the front is trained again with at the end [default: 1 from 16 candidates on, 2 from 48, 3 "
    "from 100].",
)
@click.option("--retrain-images", type=int, help="Pictures seen by these trainings [default: as the top rung].")
@click.option("--no-retrain", is_flag=True, default=None, help="End with the provisional front.")
@click.option("--batch-size", type=int, help="Pictures in a training step [default: 32].")
@click.option("--learning-rate", type=float, help="Peak learning rate [default: 0.005].")
@click.option(
    "--runner",
    multiple=True,
    help="Where candidates are timed: cpu, cuda, apple, or a registered runner; several times for a latency on each "
    "[default: cpu].",
)
@click.option("--runtime", help="What runs them there: onnxruntime, torch, litert, ... [default: by runner].")
@click.option("--threads", type=int, help="Threads of the timed runtime [default: 1].")
@click.option("--concurrency", type=int, help="Trials at a time [default: one a core].")
@click.option("--device", help="Where candidates are trained: auto, cpu, cuda [default: auto].")
@click.option("--ray-address", metavar="HOST:PORT", help="A running Ray cluster [default: a local Ray of its own].")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="Settings from a YAML file; flags override it.",
)
@click.option("--name", help="Name of the study [default: space and time].")
@click.option("--resume", metavar="NAME", help="Go on with an unfinished study.")
@click.option("--repeat", metavar="NAME", help="Run a stored study again, from its database alone, under a new name.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("front.html"),
    show_default=True,
    help="Page with the front.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line instead of a live view.")
@db_option
def search(
    config_file: Path | None,
    name: str | None,
    resume: str | None,
    repeat: str | None,
    out: Path,
    as_json: bool,
    db: str | None,
    **flags: Any,
) -> None:
    """Search a space and end with a measured Pareto front.

    Each candidate is built, its deploy form proven and exported, timed beside FastViT-T8 in fresh processes, and
    trained shortly; the more promising ones are trained longer. Ctrl-C ends cleanly; --resume goes on. Registered
    runners (bench runners) time while others are trained; one that goes away is waited for.
    """
    from bench.cli.results import print_results
    from bench.errors import ConfigError
    from bench.report.live import Display
    from bench.store import open_store
    from bench.study import search as study_search

    given = {_SETTINGS.get(key, key): value for key, value in flags.items() if value is not None and value != ()}
    if given.pop("no_retrain", False):
        if "retrain.seeds" in given:
            raise ConfigError("--no-retrain beside --retrain-seeds; one of them decides; leave the other out")
        given["retrain.seeds"] = 0
    if "runner" in given:
        names = given.pop("runner")
        given |= {"timing.runner": names[0], "timing.runners": () if len(names) == 1 else names}
    if "objectives" in given:
        given["objectives"] = tuple(word.strip() for word in given["objectives"].split(",") if word.strip())
    _refuse_mixture(resume, repeat, name, config_file, given)
    if not out.parent.is_dir():
        raise ConfigError(f"--out {out}: there is no folder {out.parent}; make it first")
    config = None if resume or repeat else _config(config_file, given)
    # Ctrl-C and a polite kill end the same way.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with open_store(db) as store, Display(as_json=as_json) as display:
        shown: dict[str, Any] = {
            "announce": display.begin,
            "listener": display.event,
            "progress": display.progress,
        }
        try:
            if resume:
                execution = {key.removeprefix("execution."): value for key, value in given.items()}
                study = study_search.resume(store, resume, execution=execution, **shown)
            elif repeat:
                study = study_search.repeat(store, repeat, name=name, **shown)
            else:
                assert config is not None
                study = study_search.start(config, store, name=name, **shown)
        except KeyboardInterrupt:
            display.close()
            if display.study_name:
                where = f" --db {shlex.quote(db)}" if db else ""
                again = f"bench search --resume {display.study_name}{where}"
                click.echo(f"\ninterrupted; nothing finished is lost. Go on with:  {again}", err=True)
            raise
        display.close()
        print_results(store, study.name, out=out, as_json=as_json, db=db)
        if store.study(study.name).status == "stopped":  # a script has to know that somebody is needed
            click.get_current_context().exit(1)


def _refuse_mixture(
    resume: str | None, repeat: str | None, name: str | None, config_file: Path | None, given: dict[str, Any]
) -> None:
    """Settings come from the database or from flags, not from both."""
    from bench.errors import ConfigError

    is_allowed = set(given) <= {"execution.concurrency", "execution.ray_address"}
    if resume and (repeat or name or config_file or not is_allowed):
        raise ConfigError(
            "--resume goes on with the stored settings; beside it only --concurrency, --ray-address, --db, --out and "
            "--json are allowed; leave the others out, or start a new study"
        )
    if repeat and (config_file or given):
        raise ConfigError(
            "--repeat takes the stored settings; beside it only --name, --db, --out and --json are allowed; "
            "leave the others out, or start a new study"
        )


def _config(config_file: Path | None, given: dict[str, Any]) -> StudyConfig:
    from bench.study.config import StudyConfig, load_config, override

    return override(load_config(config_file) if config_file else StudyConfig(), given)
