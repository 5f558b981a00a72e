"""`bench doctor`: what this machine can measure with, and whether it is fit to measure now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bench.cli.options import json_option

if TYPE_CHECKING:
    from bench.measure.doctor import RuntimeState


@click.command(epilog="Example:  bench doctor --seconds 5")
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 600),
    default=2.0,
    show_default=True,
    help="How long to look at what the machine does.",
)
@json_option
def doctor(seconds: float, as_json: bool) -> None:
    """List runtimes and devices, and say whether this machine is fit to measure now."""
    from bench.measure.doctor import examine

    report = examine(seconds=seconds)
    if as_json:
        click.echo(json.dumps(report.to_dict()))
        return
    click.echo("runtimes")
    click.echo(_aligned([(state.name, state.status, _runtime(state)) for state in report.runtimes]))
    click.echo("\ndevices")
    click.echo(_aligned([(device.runner, device.name, ", ".join(device.details)) for device in report.devices]))
    click.echo(f"\nthis machine now (looked at for {report.window.seconds:.1f} s)")
    lines = [
        (check.status, check.name, "; ".join(filter(None, (check.finding, check.advice)))) for check in report.checks
    ]
    click.echo(_aligned(lines))
    click.echo(f"\nfit to measure: {report.fit}")


def _runtime(state: RuntimeState) -> str:
    versions = ", ".join(f"{package} {version}" for package, version in state.versions.items() if version)
    on = "on " + ", ".join(state.runners) if state.status == "ready" else ""
    need = ": ".join(filter(None, (state.need, state.command)))
    return "; ".join(filter(None, (versions if on else "", on, need)))


def _aligned(rows: Sequence[tuple[str, str, str]]) -> str:
    widths = [max(len(row[place]) for row in rows) for place in range(2)]
    return "\n".join(f"  {row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}".rstrip() for row in rows)
