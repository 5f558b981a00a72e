"""Exports what a search found: trained weights where they were kept, a fresh head where one is asked for."""

from __future__ import annotations

from pathlib import Path

from bench.errors import ExportError
from bench.networks import build
from bench.networks.export import Exporter
from bench.networks.fold import randomise
from bench.networks.formats import Exported, export_as, find_format, require
from bench.networks.weights import load_weights, replace_head
from bench.space import Architecture
from bench.store import open_store, study_folder

IMAGENET_CLASSES = 1000


def stored_weights(trial: str, db: str | None) -> tuple[Architecture, Path | None, int | None]:
    """Architecture of a stored trial, the file of its trained weights and their number of classes, if kept.

    Raises:
        StoreError: no such trial.
        ExportError: the weights should be there and are not.
    """
    with open_store(db, read_only=True) as store:
        record = store.find_trial(trial)
        scores = store.scores(record.id)
        folder = study_folder(store, store.study(record.study_name))
    architecture = Architecture.from_dict(record.architecture)
    if record.weights_path is None:
        return architecture, None, None
    path = folder / record.weights_path
    if not path.is_file():
        raise ExportError(
            f"the weights of trial {record.label} are not at {path}; "
            "bring them back, or run this on the machine of the search"
        )
    return architecture, path, int(scores[-1].fidelity["classes"])


def export_architecture(
    architecture: Architecture,
    out: Path,
    *,
    weights: Path | None,
    trained_classes: int | None,
    head: int | None = None,
    resolution: int | None = None,
    kind: str = "onnx",
    precision: str | None = None,
    exporter: Exporter = "torchscript",
    fold_attention_norm: bool | None = None,
) -> tuple[Exported, tuple[str, ...]]:
    """Builds, loads, proves, folds, exports and checks; gives the artifact and what a user should know of it."""
    require(find_format(kind))
    notes = []
    side = resolution or int(architecture.settings["input_resolution"])
    classes = trained_classes or head or IMAGENET_CLASSES
    network = build(architecture, num_classes=classes, seed=0, resolution=side)
    if weights is not None:
        load_weights(network, weights)
        notes.append(f"weights: trained in the search, {trained_classes} classes")
        if getattr(network, "fixed_resolution", None) is not None:
            notes.append(
                f"position bias: trained at the short training's resolution and resized to {side} px; train it on"
            )
        if head is not None:
            replace_head(network, head, seed=0)
            notes.append(
                f"head: fresh, {head} classes, not trained: it has to be trained before its answers mean anything"
            )
    else:
        notes.append("weights: fresh, not trained (right for timing, not for answers)")
        if kind != "torch":
            # With layer scales of 1e-5 a check of the output would say nothing of most of the network; a training
            # that starts from exported weights wants them as they are.
            randomise(network, seed=0)
    exported = export_as(
        network.eval(),
        out,
        kind=kind,
        resolution=side,
        precision=precision,
        fold_attention_norm=fold_attention_norm,
        architecture=architecture,
        exporter=exporter,
    )
    notes.append(f"fold: proven in float64, relative error {exported.fold_error:.1e}")
    if exported.unchecked is not None:
        notes.append(f"output not checked here: {exported.unchecked}")
    return exported, tuple(notes)
