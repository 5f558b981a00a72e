"""`bench supernet`: one set of weights for all networks of a space; scores and networks out of it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import db_option, json_option
from bench.networks.formats import FORMATS

if TYPE_CHECKING:
    from bench.proxies.supernet import Supernet, SupernetSettings
    from bench.space import Architecture

_DEVICE = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True, help="Where it computes."
)


@click.group(epilog="Example:  bench supernet train --space fastvit --out supernet.pt")
def supernet() -> None:
    """Train weights that all FastViTs of a space share, and score or export networks with them."""


@supernet.command(
    epilog="Examples:  bench supernet train --space fastvit --data ~/pictures --images 200000 --out supernet.pt   |   "
    "bench supernet train --out supernet.pt --resume"
)
@click.option("--space", help="Space of the family fastvit, shipped or a YAML file [default: fastvit].")
@click.option("--rule", "rules", multiple=True, metavar="RULE", help="A further rule, such as 'macs_g <= 1.5'.")
@click.option("--data", metavar="SOURCE", help="Pictures, as of bench search [default: fractals].")
@click.option("--classes", type=int, help="Classes of the subset.")
@click.option("--per-class", type=int, help="Training pictures a class.")
@click.option("--val-per-class", type=int, help="Validation pictures a class.")
@click.option("--download", is_flag=True, help="Allow a data set to be downloaded.")
@click.option("--images", type=int, help="Pictures seen, each by all networks of its step [default: 64000].")
@click.option("--batch-size", type=int, help="Pictures in a step [default: 32].")
@click.option("--networks", type=int, help="Networks in a step: largest, smallest and drawn ones [default: 4].")
@click.option("--learning-rate", type=float, help="Peak learning rate [default: 0.005].")
@click.option("--resolution", type=int, help="Of the pictures [default: a quarter of the space's, 64 at least].")
@click.option("--seed", type=int, help="Of weights, pictures and drawn networks [default: 0].")
@click.option("--threads", type=click.IntRange(1), help="CPU threads [default: all].")
@_DEVICE
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File of the supernet.")
@click.option("--resume", "is_resumed", is_flag=True, help="Go on with the file, with the settings that it has.")
@json_option
def train(
    device: str,
    download: bool,
    threads: int | None,
    out: Path,
    is_resumed: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Train a supernet: in each step the largest network, the smallest and drawn ones, which learn from the largest.

    A checkpoint is written every minute and when Ctrl-C ends it; --resume goes on, on the CPU to the same weights.
    """
    from bench.cli.progress import bar
    from bench.errors import ConfigError
    from bench.proxies.supernet import read_supernet, train_supernet
    from bench.study.evaluation import cache_folder
    from bench.study.preflight import training_device
    from bench.study.worker import use_threads

    if not out.parent.is_dir():
        raise ConfigError(f"--out {out}: there is no folder {out.parent}; make it first")
    if threads is not None:
        use_threads(threads)
    given = {name: value for name, value in flags.items() if value is not None and value != ()}
    settings = _settings(given, read_supernet(out).settings if is_resumed else None)
    with bar(as_json=as_json, verb="training") as shown, _interruption() as is_stopped:
        found = train_supernet(
            settings,
            out,
            cache=cache_folder(),
            device=training_device(device),
            is_resumed=is_resumed,
            download=download,
            step_guard=_beside_timings,
            progress=shown.progress,
            say=shown.say,
            is_stopped=is_stopped,
        )
    if found.training is not None:
        click.echo(
            f"stopped after {found.images_seen:,} of {settings.training.images:,} pictures; nothing of them is lost. "
            f"Go on with:  bench supernet train --out {out} --resume",
            err=True,
        )
        raise KeyboardInterrupt
    if as_json:
        click.echo(json.dumps(_about(out, found)))
        return
    click.echo(f"{out}: a supernet of space {found.space.name}, {found.images_seen:,} pictures of {found.data['data']}")
    click.echo(f"score with it:  bench supernet score {out} MODEL   |   bench search --proxy supernet --supernet {out}")


@supernet.command(
    epilog="Examples:  bench supernet score supernet.pt fastvit_t8 fastvit_sa12 mystudy/7   |   "
    "bench supernet score supernet.pt --n 20 --json"
)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("models", nargs=-1, metavar="MODEL...")
@click.option("--n", type=click.IntRange(0), default=0, show_default=True, help="Score so many draws of its space too.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the draws.")
@_DEVICE
@db_option
@json_option
def score(file: Path, models: tuple[str, ...], n: int, seed: int, device: str, db: str | None, as_json: bool) -> None:
    """Accuracies of MODELs with the weights of the supernet FILE, their batch norms recalibrated.

    A MODEL is a reference point, a trial (STUDY/NUMBER), a .json file or JSON text of an architecture. Such an accuracy
    ranks networks of one supernet: it is not what a network reaches that is trained alone.
    """
    from bench.errors import ConfigError
    from bench.networks.cost import cost_quantities
    from bench.proxies.supernet import read_supernet, supernet_score
    from bench.report.tables import table
    from bench.study.evaluation import cache_folder
    from bench.study.preflight import training_device

    found = read_supernet(file)
    named = {name: _architecture(name, found, db) for name in models} | _draws(found, n, seed)
    if not named:
        raise ConfigError("no MODEL and no --n; name a reference point or a trial, or ask for draws of its space")
    place, data, rows = training_device(device), found.opened(cache_folder()), []
    for name, architecture in named.items():
        scored = supernet_score(found, architecture, data, device=place, step_guard=_beside_timings)
        costs = cost_quantities(architecture)
        if as_json:
            about = scored.to_dict()
            accuracy = about.pop("accuracy")
            told = {"name": name, "id": architecture.id, **costs, "supernet_accuracy": accuracy, **about}
            click.echo(json.dumps(told))
        figures = (f"{scored.accuracy:.4f}", f"{scored.loss:.3f}")
        rows.append((name, *figures, *(f"{costs[cost]:.3g}" for cost in _COSTS), f"{scored.seconds:.1f}"))
    if not as_json:
        click.echo(table(("network", "supernet accuracy", "loss", *_COSTS, "seconds"), rows))
        click.echo(
            f"{found.images_seen:,} pictures of {found.data['data']} at {found.settings.resolution} px; with shared "
            "weights: ranks networks of this supernet, and is no accuracy of a network trained alone"
        )


@supernet.command(
    epilog="Examples:  bench supernet export supernet.pt fastvit_t8 --out t8.safetensors   |   "
    "bench supernet export supernet.pt mystudy/7 --format onnx --out best.onnx"
)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("model", metavar="MODEL")
@click.option(
    "--format", "kind", type=click.Choice(list(FORMATS)), default="torch", show_default=True, help="Of the artifact."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File (or folder) to write.")
@click.option("--resolution", type=click.IntRange(32), help="Input height and width [default: the architecture's].")
@_DEVICE
@db_option
def export(file: Path, model: str, kind: str, out: Path, resolution: int | None, device: str, db: str | None) -> None:
    """Write MODEL with its part of the weights of the supernet FILE, as a network of its own.

    "torch" is its train form as safetensors, to train on or to evaluate; every other format is folded and checked. The
    classifier is that of the supernet's classes.
    """
    from bench.cli.export import how
    from bench.networks.formats import export_as
    from bench.networks.formats.writing import check_target
    from bench.proxies.supernet import read_supernet, subnet
    from bench.study.evaluation import cache_folder
    from bench.study.preflight import training_device

    check_target(out, FORMATS[kind].suffix)
    found = read_supernet(file)
    architecture = _architecture(model, found, db)
    data = found.opened(cache_folder())
    network = subnet(found, architecture, data, device=training_device(device), step_guard=_beside_timings).cpu()
    side = resolution or int(architecture.settings["input_resolution"])
    with _beside_timings():
        exported = export_as(network, out, kind=kind, resolution=side, architecture=architecture)
    click.echo(f"wrote {out}: {kind}, {exported.bytes / 1e6:.2f} MB, sha256 {exported.sha256}")
    click.echo(how(exported))
    click.echo(
        f"weights: of the supernet after {found.images_seen:,} pictures at {found.settings.resolution} px, "
        f"{found.weights.num_classes} classes; not trained alone"
    )


_COSTS = ("params_m", "macs_g")


def _settings(given: dict[str, Any], known: SupernetSettings | None) -> SupernetSettings:
    """The settings of the flags; what they leave out is as in the file that is gone on with, or usual."""
    from dataclasses import asdict, replace

    from bench.proxies.data_spec import absolute_spec
    from bench.proxies.supernet import Pictures, SupernetSettings
    from bench.proxies.supernet.layout import shareable
    from bench.proxies.training import TrainingConfig
    from bench.space import load_space

    training = {name: given[name] for name in ("images", "batch_size", "learning_rate", "seed") if name in given}
    pictures: dict[str, Any] = {
        name: given[name] for name in ("classes", "per_class", "val_per_class") if name in given
    }
    if "data" in given:
        pictures["source"] = absolute_spec(given["data"])
    if known is not None and not {"space", "rules"} & given.keys():
        text, side = known.space_text, known.resolution
    else:
        space = shareable(load_space(given.get("space", "fastvit")).with_rules(given.get("rules", ())))
        text, side = space.text, _usual_resolution(space)
    if known is None:
        usual = TrainingConfig(images=64_000, batch_size=32)
        known = SupernetSettings(space_text=text, pictures=Pictures(), resolution=side, networks=4, training=usual)
    return replace(
        known,
        space_text=text,
        resolution=given.get("resolution", known.resolution),
        networks=given.get("networks", known.networks),
        pictures=Pictures(**{**asdict(known.pictures), **pictures}),
        training=replace(known.training, **training),
    )


def _usual_resolution(space: Any) -> int:
    """As a search trains the networks of the space; of several resolutions the largest."""
    from bench.space import describe
    from bench.study.evaluation import proxy_resolution

    found = [value for row in describe(space) if row.word == "input_resolution" for value in row.values]
    return proxy_resolution(max(int(value) for value in found if value is not None))


def _architecture(name: str, supernet: Supernet, db: str | None) -> Architecture:
    from bench.errors import ConfigError, SpaceError
    from bench.networks.models import Model
    from bench.space import Architecture
    from bench.study.models import find_model

    if name in supernet.space.reference_points:
        return supernet.space.reference_points[name]
    if name.lstrip().startswith("{") or name.endswith(".json"):
        try:
            text = name if name.lstrip().startswith("{") else Path(name).read_text(encoding="utf-8")
            return Architecture.from_dict(_described(json.loads(text)))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise SpaceError(
                f"{name[:80]!r} is no JSON ({error}); an architecture as bench space sample prints it is needed; "
                "correct it"
            ) from error
    found = find_model(name, db=db)
    if not isinstance(found, Model):
        raise ConfigError(
            f"{name!r} is no network of this family; a reference point, a trial (STUDY/NUMBER) or JSON is scored; name "
            "one"
        )
    return found.architecture


def _described(data: Any) -> Any:
    """The architecture in a line of `bench space sample`, which has its id and costs besides."""
    words = ("family", "settings", "stages")
    return {word: data[word] for word in words if word in data} if isinstance(data, dict) else data


def _draws(supernet: Supernet, n: int, seed: int) -> dict[str, Architecture]:
    import numpy as np

    from bench.networks.cost import cost_quantities
    from bench.space import draw

    random = np.random.default_rng(seed)
    drawn = (draw(supernet.space, random, cost_quantities) for _ in range(n))
    return {architecture.id: architecture for architecture in drawn}


def _about(path: Path, found: Supernet) -> dict[str, Any]:
    return {
        "file": str(path),
        "space": found.space.name,
        "space_hash": found.space.hash,
        "data": dict(found.data),
        "images_seen": found.images_seen,
        "digest": found.digest,
        "settings": found.settings.to_dict(),
    }


def _beside_timings() -> AbstractContextManager[float]:
    """Held around each step, so that nothing is computed while something is timed on this machine."""
    from bench.measure.exclusive import cpu_lock_folder, shared

    return shared(cpu_lock_folder())


@contextmanager
def _interruption() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and a polite kill are noted, so that the step under way ends and is kept; a second one ends at once."""
    is_asked = False

    def note(number: int, frame: Any) -> None:
        nonlocal is_asked
        if is_asked:
            signal.default_int_handler(number, frame)
        is_asked = True

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: is_asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
