"""Published parameters and multiply-adds against those of the network, form by form.

Papers and repositories count different forms and seldom say which: a published figure is looked for in each of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bench.networks import costs
from bench.networks.models import Model
from bench.reproduce.findings import DIFFERS, REPRODUCED, Finding
from bench.reproduce.published import Figure

_UNITS = {"params_m": 1e6, "macs_g": 1e9}
_NAMES = {"params_m": "parameters (M)", "macs_g": "multiply-adds (G)"}


def count_findings(model: Model, figures: tuple[Figure, ...]) -> Iterator[Finding]:
    """One finding for each published count of the model."""
    for figure in figures:
        if figure.quantity in _UNITS and figure.value is not None:
            yield _finding(figure, figure.value, forms(model, figure.quantity, figure.resolution))


def forms(model: Model, quantity: str, resolution: int | None = None) -> dict[str, float]:
    """`params_m` or `macs_g` of each form that people count."""
    field, unit = ("params", 1e6) if quantity == "params_m" else ("macs", 1e9)
    side = resolution or model.resolution
    found = {
        "train form": costs(model.architecture, form="train", resolution=side),
        "deploy form": costs(model.architecture, resolution=side),
    }
    counted = {name: getattr(cost, field) / unit for name, cost in found.items()}
    if quantity == "params_m" and (left := _timm_params(model)) is not None:
        counted["deploy form as timm folds it"] = left / unit
    return counted


def _timm_params(model: Model) -> int | None:
    """Parameters of timm's `reparameterize_model`, which leaves some norms and scales that are folded here."""
    if model.timm_name is None:
        return None
    import contextlib

    import timm
    import torch
    from timm.utils.model import reparameterize_model

    with torch.random.fork_rng(devices=[]), contextlib.redirect_stdout(None):
        folded = reparameterize_model(timm.create_model(model.timm_name, pretrained=False).eval())
    return sum(int(parameter.numel()) for parameter in folded.parameters())


def _finding(figure: Figure, published: float, counted: Mapping[str, float]) -> Finding:
    fitting = [name for name, value in counted.items() if figure.is_rounding_of(value)]
    measured = ", ".join(f"{value:.6g} {name}" for name, value in counted.items())
    at = f" at {figure.resolution} px" if figure.quantity == "macs_g" and figure.resolution else ""
    said = (
        f"{published:.{figure.decimals}f}"
        + (f" ({figure.form} form)" if figure.form in ("train", "deploy") else "")
        + at
    )
    if fitting:
        note = f"the published figure is of the {' and the '.join(fitting)}"
        if figure.form in ("train", "deploy") and not any(name.startswith(figure.form) for name in fitting):
            note += f", though the source says {figure.form} form"
    else:
        nearest = min(counted, key=lambda name: abs(counted[name] - published))
        off = 100 * (counted[nearest] / published - 1)
        note = f"no form of the network has it; the nearest is the {nearest}, {off:+.1f} %"
    if figure.note:
        note += f"; {figure.note}"
    return Finding(
        quantity=_NAMES[figure.quantity],
        published=said,
        measured=measured,
        verdict=REPRODUCED if fitting else DIFFERS,
        note=note,
        source=figure.source,
        values=dict(counted),
    )
