"""Published numbers of networks: counts, accuracies, latencies."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from bench.reproduce.published.rows import Row, columns_of, read_rows, reference_folder

FIGURE_FILES = ("figures.csv", "latency_independent.csv", "robustness.csv")

# Quantity -> its unit.
QUANTITIES = {
    "params_m": "1e6",
    "macs_g": "1e9",
    "top1": "percent",
    "latency_ms": "ms",
    "backbone_latency_ms": "ms",
    "imagenet_a_top1": "percent",
    "imagenet_r_top1": "percent",
    "imagenet_sketch_top1": "percent",
    "imagenet_v2_top1": "percent",
    "imagenet_real_top1": "percent",
    "imagenet_c_mce": "percent",
}
FORMS = ("train", "deploy", "unstated")
STATISTICS = ("mean", "minimum", "median", "unstated")
TRAININGS = ("plain", "distilled", "unstated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One published number.

    Attributes:
        model: a reference point, or another network of the papers.
        quantity: one of `QUANTITIES`, which has its unit.
        value: `None` where the source says that the network did not run.
        decimals: that the source prints; 3.6 is said of anything from 3.55 to 3.65.
        form: of counts and latencies, one of `FORMS`; `None` of accuracies.
        statistic: of latencies, one of `STATISTICS`.
        device: of latencies, as the source names it; `runtime` likewise.
        resolution: of the picture in pixels; `None` where the source does not say. `batch` likewise.
        training: of accuracies, one of `TRAININGS`.
        weights: of accuracies, as the source names them; `None` where it does not.
        crop: of accuracies, the part of the resized side that was kept; `None` where the source does not say.
        source: where it can be read.
        note: what has to be known about it; may be empty.
    """

    model: str
    quantity: str
    value: float | None
    decimals: int
    unit: str
    form: str | None
    statistic: str | None
    device: str | None
    runtime: str | None
    resolution: int | None
    batch: int | None
    training: str | None
    weights: str | None
    crop: float | None
    source: str
    note: str

    def is_rounding_of(self, value: float) -> bool:
        """Whether `value`, written with as many decimals as the source prints, is the published number."""
        # Half a unit in the last place, and a little for values such as 0.285 that binary cannot hold.
        return self.value is not None and abs(value - self.value) <= (0.5 + 1e-9) * 10.0**-self.decimals


def figures(model: str, *, place: Path | None = None) -> tuple[Figure, ...]:
    """All published figures of a network, in the order of the files; none for one that nobody published.

    Args:
        place: the folder that has the files; `None` takes the one that is shipped.

    Raises:
        ContentError: a file is missing, or a row is malformed; the message names file and line.
    """
    return tuple(figure for figure in all_figures(place) if figure.model == model)


def models(*, place: Path | None = None) -> tuple[str, ...]:
    """Networks that have published figures, in the order of the files."""
    return tuple(dict.fromkeys(figure.model for figure in all_figures(place)))


@functools.cache
def all_figures(place: Path | None = None) -> tuple[Figure, ...]:
    """The rows of all files of figures; read once in a process.

    Raises:
        ContentError: as `figures`.
    """
    columns = columns_of(Figure, "decimals")
    return tuple(
        figure for name in FIGURE_FILES for figure in read_rows(reference_folder(place) / name, _figure, columns)
    )


def _figure(row: Row) -> Figure:
    quantity = row.one_of("quantity", QUANTITIES)
    is_latency, is_count = quantity.endswith("latency_ms"), quantity in ("params_m", "macs_g")
    is_accuracy = not is_latency and not is_count
    if not is_accuracy:
        row.empty("weights")
        row.empty("crop")
    return Figure(
        model=row.text("model"),
        quantity=quantity,
        value=row.number("value") if row.maybe("value") or not is_latency else None,
        decimals=row.decimals("value"),
        unit=row.one_of("unit", (QUANTITIES[quantity],)),
        form=row.one_of("form", ("",) if is_accuracy else FORMS) or None,
        statistic=row.one_of("statistic", STATISTICS if is_latency else ("",)) or None,
        device=row.text("device") if is_latency else row.one_of("device", ("",)) or None,
        runtime=row.text("runtime") if is_latency else row.one_of("runtime", ("",)) or None,
        resolution=row.maybe_count("resolution"),
        batch=row.maybe_count("batch"),
        training=row.one_of("training", TRAININGS if is_accuracy else ("",)) or None,
        weights=row.maybe("weights"),
        crop=row.maybe_share("crop"),
        source=row.text("source"),
        note=row.maybe("note") or "",
    )
