"""Every command explains itself."""

from __future__ import annotations

import click
import pytest

from bench.cli.main import COMMANDS, cli
from bench.version import __version__

from .here import Here


def commands() -> list[tuple[str, ...]]:
    """All commands and those below them."""
    found: list[tuple[str, ...]] = [()]
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        found += below((name,), command)
    return found


def below(words: tuple[str, ...], command: click.Command) -> list[tuple[str, ...]]:
    found = [words]
    if isinstance(command, click.Group):
        for name, other in command.commands.items():
            found += below((*words, name), other)
    return found


@pytest.mark.parametrize("words", commands(), ids=lambda words: " ".join(words) or "bench")
def test_every_command_has_help_with_an_example(here: Here, words: tuple[str, ...]) -> None:
    text = here(*words, "--help").out
    assert f"Usage: bench {' '.join(words)}".rstrip() in text
    assert "Example" in text
    assert " ".join(("bench", *words)) in text.partition("Example")[2]
    assert text == here(*words, "-h").out
    assert text.isascii()


def test_every_option_is_explained() -> None:
    for words in commands():
        command: click.Command | None = cli
        for word in words:
            assert isinstance(command, click.Group)
            command = command.get_command(click.Context(command), word)
        assert command is not None
        assert command.help, words
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (words, parameter.name)


def test_one_line_of_help_in_the_list_for_each(here: Here) -> None:
    text = here("--help").out
    for name, (_, _, line) in COMMANDS.items():
        assert name in text
        assert line.split()[0] in text


def test_the_version_is_told(here: Here) -> None:
    assert here("--version").out.strip() == f"bench, version {__version__}"


def test_space_commands(here: Here) -> None:
    assert "fastvit_t8" in here("space", "show", "fastvit").out
    assert "56 of them obey the rules" in here("space", "count", "smoke").out
    assert len(here("space", "sample", "smoke", "--n", 3, "--seed", 1).out.splitlines()) == 3
    assert "smoke is valid: 96 networks, 56 obey the rules" in here("space", "check", "smoke").out
    nothing = here("space", "check", "smoke", "--rule", "params_m <= 0.0001").out
    assert "no architecture obeys the rules: a search would refuse to start" in nothing
