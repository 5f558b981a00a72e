"""`bench doctor`: what this machine can measure with, and whether it is fit to measure now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import db_option, json_option

if TYPE_CHECKING:
    from bench.measure.doctor import RuntimeState
    from bench.store.fleet_records import RunnerRecord

# As bench.store.location has it, which is not loaded to ask whether there is one.
_DEFAULT_DB = Path("results") / "bench.db"


@click.command(epilog="Example:  bench doctor --seconds 5")
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 600),
    default=2.0,
    show_default=True,
    help="How long to look at what the machine does.",
)
@db_option
@json_option
def doctor(seconds: float, db: str | None, as_json: bool) -> None:
    """List runtimes and devices, registered runners too, and say whether this machine is fit to measure now."""
    from bench.measure.doctor import examine

    runners = _registered(db)
    report = examine(seconds=seconds)
    if as_json:
        click.echo(json.dumps(report.to_dict() | {"runners": [_plain(runner) for runner in runners]}))
        return
    click.echo("runtimes")
    click.echo(_aligned([(state.name, state.status, _runtime(state)) for state in report.runtimes]))
    click.echo("\ndevices")
    click.echo(_aligned([(device.runner, device.name, ", ".join(device.details)) for device in report.devices]))
    if runners:
        click.echo("\nregistered runners (now: bench runners list)")
        click.echo(_aligned([(runner.name, runner.status, _about(runner)) for runner in runners]))
    click.echo(f"\nthis machine now (looked at for {report.window.seconds:.1f} s)")
    lines = [
        (check.status, check.name, "; ".join(filter(None, (check.finding, check.advice)))) for check in report.checks
    ]
    click.echo(_aligned(lines))
    click.echo(f"\nfit to measure: {report.fit}")


def _registered(db: str | None) -> tuple[RunnerRecord, ...]:
    """Those that the database knows; where there is none, nothing is made or loaded to find out."""
    if db is None and not _DEFAULT_DB.is_file():
        return ()
    from bench.errors import StoreError
    from bench.store import open_store
    from bench.store.fleet import open_fleet

    try:
        open_store(db, read_only=True).close()  # one that is not there, or not ours, is neither made nor changed
        with open_fleet(db) as fleet:
            return tuple(runner for runner in fleet.runners() if runner.status != "removed")
    except StoreError as error:
        click.echo(f"registered runners are not known: {error}", err=True)
        return ()


def _plain(runner: RunnerRecord) -> dict[str, Any]:
    return {
        "name": runner.name,
        "status": runner.status,
        "reason": runner.reason,
        "capabilities": dict(runner.capabilities),
        "last_seen_at": runner.last_seen_at.isoformat(),
    }


def _about(runner: RunnerRecord) -> str:
    from bench.cli.runner_words import device_of

    runtimes = ", ".join(runner.capabilities.get("runtimes") or ()) or "no runtime"
    seen = f"last seen {runner.last_seen_at:%Y-%m-%d %H:%M} UTC"
    return "; ".join((device_of(runner.capabilities.get("device") or {}), runtimes, seen))


def _runtime(state: RuntimeState) -> str:
    versions = ", ".join(f"{package} {version}" for package, version in state.versions.items() if version)
    on = "on " + ", ".join(state.runners) if state.status == "ready" else ""
    need = ": ".join(filter(None, (state.need, state.command)))
    return "; ".join(filter(None, (versions if on else "", on, need)))


def _aligned(rows: Sequence[tuple[str, str, str]]) -> str:
    widths = [max(len(row[place]) for row in rows) for place in range(2)]
    return "\n".join(f"  {row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}".rstrip() for row in rows)
