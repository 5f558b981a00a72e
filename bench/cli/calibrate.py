"""`bench calibrate`: measures networks on a runner, so that searches can skip what is hopeless there."""

from __future__ import annotations

import signal

import click

from bench.cli.options import db_option, json_option


@click.command(epilog="Example:  bench calibrate cpu --count 60   |   then:  bench search --rule 'latency_ms <= 15'")
@click.argument("runner", metavar="RUNNER")
@click.option("--runtime", help="What runs the networks there [default: by runner].")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Of the runtime.")
@click.option("--count", type=click.IntRange(10, 500), default=60, show_default=True, help="Networks to measure.")
@click.option("--space", "name", default="fastvit", show_default=True, help="Space that they are chosen from.")
@click.option("--rule", "rules", multiple=True, metavar="RULE", help="A further rule, such as 'macs_g <= 1.5'.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the choice.")
@db_option
@json_option
def calibrate(
    runner: str,
    runtime: str | None,
    threads: int,
    count: int,
    name: str,
    rules: tuple[str, ...],
    seed: int,
    db: str | None,
    as_json: bool,
) -> None:
    """Measure well-chosen networks on RUNNER (cpu, cuda, apple, or a registered one) and fit its latency model.

    What was measured is kept: interrupted, it goes on with the rest, and a larger --count adds to it. The model only
    ever skips candidates; its error on networks that it has not seen is shown here and with each search.
    """
    import json
    from dataclasses import asdict

    from bench.cli.progress import bar
    from bench.space import load_space
    from bench.store import open_store
    from bench.study.calibrating import calibrate as run
    from bench.study.conditions import registered_runners

    # Ctrl-C and a polite kill end the same way: what a registered runner was given is taken back.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    space = load_space(name).with_rules(rules)
    with (
        open_store(db) as store,
        registered_runners((runner,), db) as registered,
        bar(as_json=as_json) as shown,
    ):
        found = run(
            store,
            space,
            runner=runner,
            registered=registered.get(runner),
            runtime=runtime,
            threads=threads,
            count=count,
            seed=seed,
            progress=shown.progress,
            announce=shown.say,
        )
    if as_json:
        click.echo(json.dumps({"networks": len(found.model), **asdict(found.validation)}))
        return
    click.echo(f"latency model of {runner}: {len(found.model)} networks")
    click.echo(str(found.validation))
    on = "" if runner == "cpu" else f" --runner {runner}"
    click.echo(f"skip what is hopeless:  bench search{on} --rule 'latency_ms <= 15'")
