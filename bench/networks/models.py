"""Networks that users name: reference points of the shipped spaces, trials, and networks of timm."""

from __future__ import annotations

from dataclasses import dataclass

from bench.space import Architecture

_FASTVITS = ("t8", "t12", "s12", "sa12", "sa24", "sa36", "ma36")

# Reference point -> the same network's name in timm, where timm has it.
TIMM_NAMES = {
    **{f"fastvit_{variant}": f"fastvit_{variant}" for variant in _FASTVITS},
    **{f"mobileone_s{number}": f"mobileone_s{number}" for number in range(5)},
    **{f"efficientnet_b{number}": f"efficientnet_b{number}" for number in range(7)},
    "efficientnetv2_s": "efficientnetv2_s",
    "convnext_t": "convnext_tiny",
    "convnext_s": "convnext_small",
    "convnext_b": "convnext_base",
}

# Reference point -> the weights of timm's hub that its published accuracy is of. Always by their whole names: those
# that timm takes where none are named change with its versions, and are of other trainings (ImageNet-12k before, longer
# recipes). EfficientNets are Google's own weights, which need TensorFlow's padding; the paper's were trained with
# AutoAugment (`aa`). CMT is in no library.
TIMM_WEIGHTS = {
    **{f"fastvit_{variant}": f"fastvit_{variant}.apple_in1k" for variant in _FASTVITS},
    **{f"mobileone_s{number}": f"mobileone_s{number}.apple_in1k" for number in range(5)},
    **{f"efficientnet_b{number}": f"tf_efficientnet_b{number}.aa_in1k" for number in range(7)},
    "efficientnetv2_s": "tf_efficientnetv2_s.in1k",
    "convnext_t": "convnext_tiny.fb_in1k",
    "convnext_s": "convnext_small.fb_in1k",
    "convnext_b": "convnext_base.fb_in1k",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A network that is built here.

    Attributes:
        name: of the reference point, or STUDY/NUMBER.
        architecture: of it.
        resolution: that it is timed at; its deployment resolution unless the user says another.
    """

    name: str
    architecture: Architecture
    resolution: int

    @property
    def label(self) -> str:
        """The name, with the resolution where that is not the architecture's own."""
        is_own = self.resolution == int(self.architecture.settings["input_resolution"])
        return self.name if is_own else f"{self.name}@{self.resolution}"

    @property
    def timm_name(self) -> str | None:
        """What timm calls it; None where timm has no such network."""
        return TIMM_NAMES.get(self.name)

    @property
    def timm_weights(self) -> str | None:
        """What timm's hub calls its published weights; None where the hub has none."""
        return TIMM_WEIGHTS.get(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimmModel:
    """A network that timm builds, for comparisons; it belongs to no space.

    Attributes:
        timm_name: in timm.
        resolution: that it is timed at.
    """

    timm_name: str
    resolution: int

    @property
    def name(self) -> str:
        """As users write it."""
        return f"timm:{self.timm_name}"

    @property
    def label(self) -> str:
        """As users write it, with the resolution."""
        return f"{self.name}@{self.resolution}"
