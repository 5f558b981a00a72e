"""`bench dashboard` and `bench plot`: studies in a browser, as one page, as an image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.options import db_option

if TYPE_CHECKING:
    from bench.dashboard.source import Source


@click.command(
    epilog="Examples:  bench dashboard   |   bench dashboard --study mystudy --export front.html   |   "
    "bench dashboard --host 192.168.1.5 --token-file dashboard.token"
)
@click.option("--study", metavar="NAME", help="Study to open first, or to export [default: the newest].")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of this machine to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8750, show_default=True, help="Port; 0 takes a free one."
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    help="File with the token that opens it, made where it is missing [default: none on 127.0.0.1, "
    "elsewhere a new one each time].",
)
@click.option(
    "--tls-cert",
    "certificate",
    type=click.Path(path_type=Path),
    help="PEM certificate [default: one that is made here, except on 127.0.0.1].",
)
@click.option("--tls-key", "key", type=click.Path(path_type=Path), help="Its key, without a password.")
@click.option("--export", type=click.Path(path_type=Path), help="Write the page of one study as a file, and end.")
@click.option("--open/--no-open", "opens", default=True, show_default=True, help="Open a browser.")
@db_option
def dashboard(
    study: str | None,
    host: str,
    port: int,
    token_file: Path | None,
    certificate: Path | None,
    key: Path | None,
    export: Path | None,
    opens: bool,
    db: str | None,
) -> None:
    """Show studies in a browser while they run, until Ctrl-C; with --export as one file that works without a network.

    It only reads. On 127.0.0.1 it speaks plain HTTP, to this machine alone; on any other address it needs the token in
    the address that it prints, and TLS: a certificate of yours, or one that it makes.
    """
    from bench.dashboard.source import Source

    with Source(db, study=study) as source:
        if export is not None:
            _export(source, export)
            return
        from bench.dashboard.listening import listening
        from bench.dashboard.serving import DashboardServer
        from bench.fleet.folder import fleet_folder

        where = listening(
            host,
            port,
            token_file=token_file,
            certificate=certificate,
            key=key,
            folder=lambda: fleet_folder(db),
        )
        server = DashboardServer(source, where)

        def tell() -> None:
            click.echo(f"the dashboard answers at {server.address}; Ctrl-C ends it")
            if opens:
                _open(server.address)

        server.serve_forever(tell)


@click.command(epilog="Examples:  bench plot mystudy --out front.html   |   bench plot mystudy --out front.svg")
@click.argument("study", metavar="STUDY")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("front.html"),
    show_default=True,
    help="File: .html (works without a network), .svg, .png or .pdf (drawn by Chrome or Chromium).",
)
@click.option("--x", metavar="FIGURE", help="Across, such as params_m [default: the study's first cost].")
@click.option("--y", metavar="FIGURE", help="Up [default: accuracy].")
@db_option
def plot(study: str, out: Path, x: str | None, y: str | None, db: str | None) -> None:
    """Write a study's front, with its baselines, as a page or as an image."""
    from bench.report.figures import front_figure, write_page
    from bench.report.views import baselines_differences, baselines_view, study_view
    from bench.store import open_store

    if x is None and y is None:
        with open_store(db, read_only=True) as store:
            differing = baselines_differences(store, study)
            figure = front_figure(study_view(store, study), baselines_view(store, study), differing=differing)
    else:
        from bench.plots import pareto

        figure = pareto(study, x=x, y=y, db=db)
    if out.suffix.lower() in (".html", ".htm"):
        write_page(figure, out)
    else:
        from bench.dashboard.images import write_image

        write_image(figure, out)
    click.echo(f"wrote {out}")


def _export(source: Source, path: Path) -> None:
    from bench.dashboard.snapshot import write_snapshot
    from bench.errors import StoreError

    chosen = source.studies()["chosen"]
    if chosen is None:
        raise StoreError("the database has no studies yet; one is exported; run bench search first")
    write_snapshot(source, chosen, path)
    click.echo(f"wrote {path} ({source.study_name(chosen)})")


def _open(address: str) -> None:
    """A browser, where there is one; a terminal without a display must not start one inside itself."""
    import os
    import sys
    import webbrowser

    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    webbrowser.open(address)
