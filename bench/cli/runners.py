"""`bench runners`: devices that measure for this one, from their registration to their removal."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.options import db_option, json_option

if TYPE_CHECKING:
    from bench.fleet.client import HubClient
    from bench.study.conditions import Registered


@click.group(
    epilog="Examples:  bench runners register pi5   |   bench runners list   |   bench runners test pi5   |   "
    "then:  bench search --runner pi5"
)
def runners() -> None:
    """Register devices that measure (phones, boards, GPU boxes), and look after them.

    A device runs one file, the agent, which asks the hub for work and listens on nothing. What measures here measures
    there with --runner NAME.
    """


@runners.command(epilog="Example:  bench runners register pi5")
@click.argument("name", metavar="NAME")
@db_option
@json_option
def register(name: str, db: str | None, as_json: bool) -> None:
    """Print how to start the agent on a device that will be called NAME; waits for nothing.

    The line holds a code that is good once and for ten minutes. A NAME that is registered already gets a new agent,
    and the old one's token is dead.
    """
    from bench.cli.runner_words import agent_path, register_lines
    from bench.errors import ConfigError
    from bench.fleet.embedding import hub_client
    from bench.fleet.remote_runner import is_local

    if is_local(name):
        raise ConfigError(f"{name!r} is a runner of this machine; registered ones have other names; choose another")
    with hub_client(db) as client:
        is_known = any(state.name == name for state in client.runners())
        code, expires_s = client.add_enrolment(name)
        address, is_embedded = client.address, client.is_embedded
    url, mark, fingerprint = str(address).partition("#")
    enrolment = f"BENCH_ENROL={shlex.quote(f'{url}#{code}{mark}{fingerprint}')}"
    if as_json:
        start = f"{enrolment} python3 agent.py"
        told = {"name": name, "start": start, "agent": str(agent_path()), "expires_s": expires_s, "hub": str(address)}
        click.echo(json.dumps(told | {"is_hub_running": not is_embedded, "is_known": is_known}))
        return
    if is_known:
        click.echo(f"{name} is registered already; this gives it a new agent, and the old one ends")
    if is_embedded:
        click.echo(f"start the hub first, in another terminal:  bench hub serve{_where(db)}")
    for text in register_lines(name, enrolment, expires_s, is_here=address.is_loopback, where=_where(db)):
        click.echo(text)


@runners.command("list", epilog="Example:  bench runners list")
@db_option
@json_option
def list_runners(db: str | None, as_json: bool) -> None:
    """List registered runners: device, runtimes, when they were last seen, what waits, noise, temperature."""
    from dataclasses import asdict

    from bench.cli.runner_words import HEADING, row
    from bench.report.tables import table

    with _client_of_known(db) as client:
        states = () if client is None else client.runners()
    if as_json:
        click.echo(json.dumps([asdict(state) for state in states]))
    elif not states:
        click.echo("no runners yet; register one:  bench runners register NAME")
    else:
        click.echo(table(HEADING, [row(state) for state in states]))


@runners.command(epilog="Example:  bench runners show pi5")
@click.argument("name", metavar="NAME")
@db_option
@json_option
def show(name: str, db: str | None, as_json: bool) -> None:
    """Show all that is known of a runner, and what became of the last jobs that it was given."""
    from dataclasses import asdict

    from bench.cli.runner_words import ATTEMPTS_HEADING, attempt_row, details
    from bench.fleet.embedding import hub_client
    from bench.report.tables import table

    with hub_client(db, runners=(name,)) as client:
        state, attempts = client.runner(name), client.attempts(name)
    if as_json:
        click.echo(json.dumps(asdict(state) | {"attempts": [asdict(attempt) for attempt in attempts]}))
        return
    click.echo(table((f"runner {state.name}", ""), details(state)))
    click.echo()
    if attempts:
        click.echo(table(ATTEMPTS_HEADING, [attempt_row(attempt) for attempt in attempts]))
    else:
        click.echo(f"it was given no job yet; try it with:  bench runners test {state.name}")


@runners.command(epilog="Example:  bench runners test pi5")
@click.argument("name", metavar="NAME")
@click.option("--runtime", help="What runs the network there [default: by runner].")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Of the runtime.")
@db_option
@json_option
def test(name: str, runtime: str | None, threads: int, db: str | None, as_json: bool) -> None:
    """Have a runner time FastViT-T8 beside itself: is the output right, how noisy is it, how fast.

    The test goes before everything that waits for the runner, and to a quarantined one too. Ends with status 1 where
    the output is wrong, nothing could be timed, or the noise is above what a runner may have.
    """
    from dataclasses import asdict

    from bench.cli.progress import bar
    from bench.measure import summarise
    from bench.study.checkup import check_up
    from bench.study.conditions import Conditions, registered_runners

    # Ctrl-C and a polite kill end the same way: what a registered runner was given is taken back.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with registered_runners((name,), db, is_test=True) as registered, bar(as_json=as_json) as shown:
        place = Conditions(
            runner=name,
            registered=_own(registered.get(name), name),
            runtimes=(runtime,) if runtime else (),
            threads=(threads,),
        )
        found = check_up(place, progress=shown.progress, announce=shown.say)
    if as_json:
        measurement = found.measurement
        told = {
            "runner": name,
            "runtime": found.runtime,
            "is_output_right": found.is_output_right,
            "noise": found.noise,
            "verdict": measurement.verdict,
            "reason": measurement.reason,
            "summary": asdict(summarise(measurement)) if measurement.has_figures else None,
            "is_sound": found.is_sound,
        }
        click.echo(json.dumps(told))
    else:
        for line in found.lines():
            click.echo(line)
    if not found.is_sound:
        raise click.exceptions.Exit(1)


@runners.command(epilog="Example:  bench runners drain pi5 --reason 'new battery'")
@click.argument("name", metavar="NAME")
@click.option("--reason", help="Why, for whoever looks at it.")
@db_option
def drain(name: str, reason: str | None, db: str | None) -> None:
    """Let a runner end what it measures, and give it nothing else until it is resumed."""
    _set(name, "drain", reason, db, told="ends what it measures and gets nothing else")


@runners.command(epilog="Example:  bench runners resume pi5")
@click.argument("name", metavar="NAME")
@db_option
def resume(name: str, db: str | None) -> None:
    """Give a drained or quarantined runner jobs again."""
    _set(name, "resume", None, db, told="gets jobs again")


@runners.command(epilog="Example:  bench runners remove pi5")
@click.argument("name", metavar="NAME")
@click.option("--reason", help="Why, for whoever looks at it.")
@db_option
def remove(name: str, reason: str | None, db: str | None) -> None:
    """Remove a runner: its jobs are cancelled and its agent's token is dead. What it measured stays."""
    _set(name, "remove", reason, db, told="is removed; its agent ends by itself")


@runners.command(epilog="Example:  bench runners agent --out agent.py")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("agent.py"), show_default=True, help="Where to put it."
)
def agent(out: Path) -> None:
    """Write the one file that a device runs; it needs Python 3.9 and a runtime, and nothing else."""
    from bench.cli.runner_words import agent_path
    from bench.errors import ConfigError

    if not out.parent.is_dir():
        raise ConfigError(f"--out {out}: there is no folder {out.parent}; make it first")
    if out.is_dir():
        raise ConfigError(f"--out {out} is a folder; a file is written; give --out {out / 'agent.py'}")
    shutil.copyfile(agent_path(), out)
    click.echo(f"wrote {out}; `python3 {out.name} --doctor` on the device tells what it can measure")


def _where(db: str | None) -> str:
    return f" --db {shlex.quote(db)}" if db else ""


def _set(name: str, action: str, reason: str | None, db: str | None, *, told: str) -> None:
    from bench.fleet.embedding import hub_client

    with hub_client(db, runners=(name,)) as client:
        client.set_runner(name, action, reason=reason)
    click.echo(f"{name} {told}")


@contextmanager
def _client_of_known(db: str | None) -> Iterator[HubClient | None]:
    """The hub's client; None where there can be no runner yet, so that asking makes nothing."""
    from bench.fleet.embedding import VARIABLE, hub_client, registered_names

    if not os.environ.get(VARIABLE) and not registered_names(db):
        yield None
        return
    with hub_client(db) as client:
        yield client


def _own(found: Registered | None, name: str) -> Registered:
    from bench.errors import ConfigError

    if found is None:
        raise ConfigError(f"{name!r} is this machine's own; registered runners are tried; look at it with bench doctor")
    return found
