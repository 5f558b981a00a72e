"""Flags that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def db_option(command: Command) -> Command:
    """`--db`: which database."""
    return click.option(
        "--db",
        envvar="BENCH_DB",
        metavar="PATH|URL",
        help="Database: a SQLite file or any SQLAlchemy URL [default: results/bench.db; or BENCH_DB].",
    )(command)


def json_option(command: Command) -> Command:
    """`--json`: for machines."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")(command)
