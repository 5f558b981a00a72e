"""Published parameters and multiply-adds against those of the network, form by form.

Papers and repositories count different forms and seldom say which: a published figure is looked for in each of them.
One whose source names a form is reproduced by that form alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bench.errors import NetworkError
from bench.networks import costs
from bench.networks.models import Model
from bench.reproduce.findings import DIFFERS, REPRODUCED, Finding, failed
from bench.reproduce.published import Figure

_NAMES = {"params_m": "parameters (M)", "macs_g": "multiply-adds (G)"}
_STATED = ("train", "deploy")
TIMM_FOLDED = "deploy form as timm folds it"


def count_findings(model: Model, figures: tuple[Figure, ...]) -> Iterator[Finding]:
    """One finding for each published count of the model, counted at the resolution that it was published for."""
    for figure in figures:
        if figure.quantity not in _NAMES or figure.value is None:
            continue
        try:
            yield _finding(figure, figure.value, forms(model, figure.quantity, figure.resolution), model.resolution)
        except NetworkError as error:
            yield Finding(
                quantity=_NAMES[figure.quantity],
                published=_said(figure, model.resolution),
                verdict=failed(error),
                source=figure.source,
            )


def forms(model: Model, quantity: str, resolution: int | None = None) -> dict[str, float]:
    """`params_m` or `macs_g` of each form that people count.

    Raises:
        NetworkError: a resolution that the network cannot take.
    """
    field, unit = ("params", 1e6) if quantity == "params_m" else ("macs", 1e9)
    side = resolution or model.resolution
    found = {
        "train form": costs(model.architecture, form="train", resolution=side),
        "deploy form": costs(model.architecture, resolution=side),
    }
    counted = {name: getattr(cost, field) / unit for name, cost in found.items()}
    if quantity == "params_m" and (left := _timm_params(model)) is not None and left != found["train form"].params:
        counted[TIMM_FOLDED] = left / unit
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


def _finding(figure: Figure, published: float, counted: Mapping[str, float], resolution: int) -> Finding:
    fitting = [name for name, value in counted.items() if figure.is_rounding_of(value)]
    is_stated = figure.form in _STATED
    is_reproduced = any(not is_stated or name.startswith(str(figure.form)) for name in fitting)
    if fitting:
        note = f"the published figure is of the {' and the '.join(fitting)}"
        if not is_reproduced:
            note += f", though the source says {figure.form} form"
    else:
        nearest = min(counted, key=lambda name: abs(counted[name] - published))
        off = 100 * (counted[nearest] / published - 1)
        note = f"no form of the network has it; the nearest is the {nearest}, {off:+.1f} %"
    if figure.note:
        note += f"; {figure.note}"
    return Finding(
        quantity=_NAMES[figure.quantity],
        published=_said(figure, resolution),
        measured=", ".join(f"{value:.6g} {name}" for name, value in counted.items()),
        verdict=REPRODUCED if is_reproduced else DIFFERS,
        note=note,
        source=figure.source,
        values=dict(counted),
    )


def _said(figure: Figure, resolution: int) -> str:
    """The published count with its form, and its resolution where that decides it or is another than the model's."""
    form = f" ({figure.form} form)" if figure.form in _STATED else ""
    is_told = figure.resolution is not None and (figure.quantity == "macs_g" or figure.resolution != resolution)
    return f"{figure.value:.{figure.decimals}f}{form}" + (f" at {figure.resolution} px" if is_told else "")
