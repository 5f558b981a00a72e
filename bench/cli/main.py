"""Entry point: finds the command, runs it, turns errors into one line.

`bench --help` must answer at once, so a command's file is imported when it is used, and torch, Ray and Plotly only
inside the command.
"""

from __future__ import annotations

import importlib
import sys
import traceback

import click

from bench.errors import BenchError, nearest
from bench.version import __version__

# Command -> (module, function, one line of help).
COMMANDS: dict[str, tuple[str, str, str]] = {
    "search": ("bench.cli.search", "search", "Search a space and end with a measured Pareto front."),
    "baselines": ("bench.cli.baselines", "baselines", "Train and time published networks as a study's candidates."),
    "reproduce": ("bench.cli.reproduce", "reproduce", "Check published figures and claims on this machine."),
    "compare": ("bench.cli.compare", "compare", "Compare models: counts, paired latency, accuracy."),
    "evaluate": ("bench.cli.evaluate", "evaluate", "Top-1 and robustness of weights on ImageNet and its variants."),
    "space": ("bench.cli.space", "space", "Show, count, draw from and check spaces."),
    "simulate": ("bench.cli.simulate", "simulate", "Search a table of trained networks, to judge a sampler."),
    "compare-samplers": (
        "bench.cli.compare_samplers",
        "compare_samplers",
        "Plot hypervolume against evaluations: several samplers, bands over seeds.",
    ),
    "export-table": ("bench.cli.export_table", "export_table", "Write a study as a table for bench simulate."),
    "studies": ("bench.cli.show", "studies", "List the studies of a database."),
    "show": ("bench.cli.show", "show", "Show a study's front, or one trial."),
    "replay": ("bench.cli.show", "replay", "Check that a study's proposals follow from what it stored."),
    "dashboard": ("bench.cli.dashboard", "dashboard", "Show studies in a browser while they run, or as one file."),
    "plot": ("bench.cli.dashboard", "plot", "Write a study's front as a page or an image."),
    "validate-proxy": (
        "bench.cli.validate_proxy",
        "validate_proxy",
        "Train networks at length; say how well a search's score ranks them.",
    ),
    "proxies": ("bench.cli.proxies", "proxies", "Score networks without training them."),
    "supernet": ("bench.cli.supernet", "supernet", "Train weights that all FastViTs of a space share; score by them."),
    "measure": ("bench.cli.measure", "measure", "Time models side by side, with intervals and verdicts."),
    "runners": ("bench.cli.runners", "runners", "Register devices that measure, and look after them."),
    "hub": ("bench.cli.hub", "hub", "Run the hub of registered runners; make tokens for it."),
    "calibrate": ("bench.cli.calibrate", "calibrate", "Measure networks on a runner for its latency model."),
    "export": ("bench.cli.export", "export", "Export a reference point or a trial as a checked artifact."),
    "doctor": ("bench.cli.doctor", "doctor", "List runtimes and devices; say whether this machine is fit to measure."),
}


class _LazyGroup(click.Group):
    """Knows its commands by name and imports one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            known = ", ".join(COMMANDS)
            ctx.fail(f"unknown command {args[0]!r}; known: {known}{nearest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog='Example:  bench search --space fastvit --budget 24 --rule "macs_g <= 1.5"',
)
@click.version_option(__version__, prog_name="bench")
@click.option("--verbose", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(ctx: click.Context, verbose: bool) -> None:
    """Hardware-aware architecture search and benchmarking around FastViT."""
    ctx.obj = {"verbose": verbose}


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line; exits 0 when done, 1 on an error, 2 on wrong usage, 130 when interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # Wherever it stands, as people put it last.
    is_verbose = "--verbose" in arguments
    arguments = [argument for argument in arguments if argument != "--verbose"]
    try:
        # Of a command that raises `Exit`: without its standalone mode, click gives the status back and goes on.
        if status := cli.main(args=arguments, prog_name="bench", standalone_mode=False):
            sys.exit(int(status))
    except click.ClickException as error:
        _fail(error.format_message(), 2, is_verbose)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted", 130, False)
    except BenchError as error:
        _fail(str(error), 1, is_verbose)
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:
        place = error.filename or "a file"
        _fail(
            f"cannot read or write {place} ({error.strerror or error}); check the path and its permissions",
            1,
            is_verbose,
        )


def _fail(message: str, code: int, is_verbose: bool) -> None:
    if is_verbose:
        traceback.print_exc()
    print(f"bench: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
