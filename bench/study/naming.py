"""What a study is called and where its files lie, before there is one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from bench.errors import ConfigError, SearchError
from bench.store import Reader, Store, studies_folder
from bench.study.config import StudyConfig


def new_name(config: StudyConfig) -> str:
    """A name from space and time."""
    space = re.sub(r"[^a-z0-9]+", "-", Path(config.space).stem.lower()).strip("-") or "study"
    return f"{space}-{datetime.now(UTC).strftime('%Y%m%d-%H%M%S')}"


def checked_name(name: str, store: Reader) -> str:
    """The name, which is free.

    Raises:
        ConfigError: it cannot be a study's.
        SearchError: it is taken.
    """
    # A name of digits alone would read as the id of a trial.
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name) or name.isdigit():
        raise ConfigError(
            f"study name {name!r}; letters, digits, '.', '_' and '-' are allowed, 80 at most and not digits alone; "
            "choose another"
        )
    for study in store.studies():
        if study.name == name:
            raise SearchError(
                f"there is a study {name!r} already ({study.status}); --resume {name} goes on with it; "
                "or choose another --name"
            )
    return name


def new_folder(config: StudyConfig, store: Store, name: str) -> Path:
    """Where the files of a new study will lie.

    Raises:
        SearchError: there are files.
    """
    folder = (
        Path(config.execution.folder).expanduser().resolve()
        if config.execution.folder
        else studies_folder(store) / name
    )
    if folder.is_dir() and any(folder.iterdir()):
        raise SearchError(
            f"{folder} holds files of another study; a new one needs an empty folder; "
            "choose another --name, or remove it"
        )
    return folder
