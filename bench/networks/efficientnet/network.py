"""EfficientNet (Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks") and
EfficientNetV2 (Tan and Le 2021, "EfficientNetV2: Smaller Models and Faster Training").

Made of timm's own modules (`timm/models/efficientnet.py`), so that its weights load strictly. At the published
points the network is timm's: symmetric padding instead of TensorFlow's, PyTorch's constants in every batch norm.
`folding.py` holds the deploy form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from timm.models.efficientnet import EfficientNet, decode_arch_def
from torch import nn

from bench.networks.blocks import ACTIVATIONS
from bench.networks.efficientnet.plan import REDUCTION, StagePlan, plan_efficientnet

if TYPE_CHECKING:
    from bench.space import Architecture

_TIMM_NAMES = {"depthwise_separable": "ds", "inverted": "ir", "fused": "er", "convolution": "cn"}


def build(architecture: Architecture, *, num_classes: int, resolution: int) -> nn.Module:  # noqa: ARG001  (one signature for all)
    """See `bench.networks.families.build`."""
    plan = plan_efficientnet(architecture)
    network: nn.Module = EfficientNet(
        block_args=decode_arch_def([[_definition(stage)] for stage in plan.stages]),
        num_classes=num_classes,
        num_features=plan.head_width,
        stem_size=plan.stem_width,
        # timm turns strides beyond this total into dilations; the stem and seven stages stay below it.
        output_stride=2**8,
        act_layer=ACTIVATIONS[plan.activation],
    )
    return network


def _definition(stage: StagePlan) -> str:
    """The stage in the notation of `timm/models/_efficientnet_builder.py`; "skip": x + block(x) where shapes allow.

    timm rounds widths to multiples of 8, which all of ours are.
    """
    squeeze = f"_se{1 / REDUCTION}" if stage.squeeze_excite else ""
    return (
        f"{_TIMM_NAMES[stage.block]}_r{stage.depth}_k{stage.kernel}_s{stage.stride}_e{stage.expansion}"
        f"_c{stage.width}{squeeze}_skip"
    )
