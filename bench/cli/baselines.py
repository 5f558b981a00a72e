"""`bench baselines`: trains and times published networks as a study's own candidates were."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from bench.cli.options import db_option, json_option


@click.command(
    epilog="Examples:  bench baselines mystudy   |   bench baselines mystudy --families mobileone,cmt   |   "
    "bench baselines mystudy --networks fastvit_t8,mobileone_s0"
)
@click.argument("study", metavar="STUDY")
@click.option(
    "--families",
    metavar="LIST",
    help="fastvit, mobileone, efficientnet, convnext, cmt [default: all; later those that were begun with].",
)
@click.option("--networks", metavar="LIST", help="Reference points by name, in place of families.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the study's front with its baselines as a page.")
@db_option
@json_option
def baselines(
    study: str, families: str | None, networks: str | None, out: Path | None, db: str | None, as_json: bool
) -> None:
    """Train and time published networks at STUDY's fidelity and on its runner, to read its front against them.

    They become a study of their own, STUDY-baselines, beside it. Interrupted, the same command goes on; with other
    --families or --networks later these are added.
    """
    from bench.cli.results import print_results
    from bench.errors import ConfigError
    from bench.report.figures import front_figure, write_page
    from bench.report.likeness import told_apart
    from bench.report.live import Display
    from bench.report.tables import baseline_sentences
    from bench.report.views import baselines_differences, study_view
    from bench.store import open_store
    from bench.study import baselines as study_baselines

    if families and networks:
        raise ConfigError("--families and --networks; one of the two; leave the other out")
    if out is not None and not out.parent.is_dir():
        raise ConfigError(f"--out {out}: there is no folder {out.parent}; make it first")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with open_store(db) as store, Display(as_json=as_json) as display:
        shown: dict[str, Any] = {"announce": display.begin, "listener": display.event, "progress": display.progress}
        try:
            found = study_baselines.run(store, study, families=_words(families), networks=_words(networks), **shown)
        except KeyboardInterrupt:
            display.close()
            again = _again(study, {"--families": families, "--networks": networks, "--out": out, "--db": db})
            click.echo(f"\ninterrupted; nothing finished is lost. Go on with:  {again}", err=True)
            raise
        display.close()
        print_results(store, found.name, out=None, as_json=as_json, db=db)
        if not as_json:
            differing = baselines_differences(store, study)
            of_study = baseline_sentences(study_view(store, study), study_view(store, found.name))
            sentences = [told_apart(differing, is_drawn=False)] if differing else of_study
            for sentence in (*sentences, *study_baselines.resolution_sentences(found)):
                click.echo(sentence)
        if out is not None:
            differing = baselines_differences(store, study)
            write_page(front_figure(study_view(store, study), study_view(store, found.name), differing=differing), out)
            if not as_json:
                click.echo(f"the front of {study} against them as a page:  {out}")


def _again(study: str, flags: Mapping[str, object]) -> str:
    """The same command, to be typed again."""
    given = [word for flag, value in flags.items() if value is not None for word in (flag, str(value))]
    return shlex.join(["bench", "baselines", study, *given])


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())
