"""Published networks as something that can be built: reference points, networks of timm, and those that are neither."""

from __future__ import annotations

import functools

from bench.reproduce.published import Figure, figures
from bench.study.models import reference_points

# Networks of the papers that are in no space here -> the same network in timm. RegNetY and RSB-ResNet by their variant
# and depth: weights and training do not matter to a latency.
TIMM = {
    **{f"poolformer_{variant}": f"poolformer_{variant}" for variant in ("s12", "s24", "s36", "m36", "m48")},
    "deit_s": "deit_small_patch16_224",
    "deit_b": "deit_base_patch16_224",
    "regnety_8g": "regnety_080",
    "regnety_16g": "regnety_160",
    **{f"rsb_resnet_{depth}": f"resnet{depth}" for depth in (50, 101, 152)},
    **{f"nfnet_{variant}": f"nfnet_{variant}" for variant in ("f0", "f1")},
    **{f"efficientformer_{variant}": f"efficientformer_{variant}" for variant in ("l1", "l3", "l7")},
    "swin_t": "swin_tiny_patch4_window7_224",
    "mobilevit_s": "mobilevit_s",
}
# Networks of the papers' tables that nothing here can build.
ABSENT = ("litv2_b",)


def buildable(name: str, resolution: int) -> str | None:
    """A published network as `bench measure` takes it; None where it cannot be built here."""
    if name in reference_points():
        return f"{name}@{resolution}"
    return f"timm:{TIMM[name]}@{resolution}" if name in TIMM else None


@functools.cache
def own_resolution(name: str) -> int | None:
    """A network's own resolution in pixels: a reference point's, or the first that was published; None: neither is."""
    if (architecture := reference_points().get(name)) is not None:
        return int(architecture.settings["input_resolution"])
    return next((figure.resolution for figure in figures(name) if figure.resolution is not None), None)


def is_at(figure: Figure, resolution: int | None) -> bool:
    """Whether a figure is of its network at a resolution; one that does not say counts at the network's own."""
    return (figure.resolution or own_resolution(figure.model)) == resolution


def at_its_resolution(name: str, resolution: int) -> str:
    """The name, with the resolution where it is another than the network's own."""
    return name if resolution == own_resolution(name) else f"{name}@{resolution}"
