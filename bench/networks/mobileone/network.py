"""MobileOne (Vasu et al. 2023, "MobileOne: An Improved One millisecond Mobile Backbone").

A stem and four stages of MobileOne blocks, by turns depthwise and pointwise, and a linear classifier. Names of
submodules are those of timm's `mobileone_s0` to `mobileone_s4` (`timm/models/byobnet.py`), whose weights load
strictly. Weights are drawn as torch draws them: with timm's initialisation the activations of a fresh S0 grow to 8e14,
whose squares float32 cannot hold; in training only batch statistics hide it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from bench.networks.blocks import ACTIVATIONS, Classifier, MobileOneBlock, SqueezeExcite
from bench.networks.mobileone.plan import BlockPlan, MobileOnePlan, plan_mobileone

if TYPE_CHECKING:
    from bench.space import Architecture


class Block(MobileOneBlock):
    """A MobileOne block as the plan has it; its squeeze-excite is called as in `byobnet`."""

    def __init__(self, block: BlockPlan, activation: type[nn.Module]) -> None:
        super().__init__(
            block.in_width,
            block.width,
            block.kernel,
            stride=block.stride,
            groups=block.groups,
            num_branches=block.num_branches,
            activation=activation,
        )
        self.attn = nn.Identity() if block.squeezed is None else SqueezeExcite(block.width, block.squeezed)

    def forward(self, x: Tensor) -> Tensor:
        activated: Tensor = self.act(self.attn(self.sum_branches(x)))
        return activated


class MobileOne(nn.Module):
    """The whole network in train form. Takes (n, 3, r, r) with r a multiple of 32, gives (n, num_classes)."""

    def __init__(self, plan: MobileOnePlan, *, num_classes: int) -> None:
        super().__init__()
        activation = ACTIVATIONS[plan.activation]
        self.stem = Block(plan.stem, activation)
        self.stages = nn.Sequential(
            *(nn.Sequential(*(Block(block, activation) for block in stage)) for stage in plan.stages)
        )
        self.head = Classifier(plan.stages[-1][-1].width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.stages(self.stem(x)))
        return logits


def build(architecture: Architecture, *, num_classes: int, resolution: int) -> nn.Module:  # noqa: ARG001  (one signature for all)
    """See `bench.networks.families.build`."""
    return MobileOne(plan_mobileone(architecture), num_classes=num_classes)
