"""ConvNeXt (Liu et al. 2022, "A ConvNet for the 2020s").

Blocks and norms are timm's (`timm/models/convnext.py`), put together here because all stages have one MLP ratio there.
Names of submodules are timm's too, so that weights of `convnext_tiny`, `_small` and `_base` load strictly,
and weights are drawn in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from timm.layers import LayerNorm, LayerNorm2d
from timm.models.convnext import ConvNeXtBlock
from torch import Tensor, nn

from bench.networks.blocks import ACTIVATIONS
from bench.networks.convnext.plan import PATCH, ConvNeXtPlan, StagePlan, plan_convnext

if TYPE_CHECKING:
    from bench.space import Architecture


class Stage(nn.Module):
    """Downsampling where the plan has it, then the blocks."""

    def __init__(self, stage: StagePlan, activation: type[nn.Module]) -> None:
        super().__init__()
        self.downsample: nn.Module = nn.Identity()
        if stage.has_downsampling:
            self.downsample = nn.Sequential(
                LayerNorm2d(stage.in_width), nn.Conv2d(stage.in_width, stage.width, 2, stride=2)
            )
        self.blocks: nn.Module = nn.Sequential(
            *(
                ConvNeXtBlock(stage.width, kernel_size=stage.kernel, mlp_ratio=stage.mlp_ratio, act_layer=activation)
                for _ in range(stage.depth)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.blocks(self.downsample(x))
        return out


class Classifier(nn.Module):
    """Mean over space, a layer norm, then a linear layer."""

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.norm = LayerNorm(width)
        self.fc = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.norm(x.mean((2, 3))))
        return logits


class ConvNeXt(nn.Module):
    """The whole network in train form. Takes (n, 3, r, r) with r a multiple of 32, gives (n, num_classes)."""

    def __init__(self, plan: ConvNeXtPlan, *, num_classes: int) -> None:
        super().__init__()
        width = plan.stages[0].width
        self.stem = nn.Sequential(nn.Conv2d(3, width, PATCH, stride=PATCH), LayerNorm2d(width))
        self.stages = nn.Sequential(*(Stage(stage, ACTIVATIONS[plan.activation]) for stage in plan.stages))
        self.head = Classifier(plan.stages[-1].width, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.stages(self.stem(x)))
        return logits


def build(architecture: Architecture, *, num_classes: int, resolution: int) -> nn.Module:  # noqa: ARG001  (one signature for all)
    """See `bench.networks.families.build`."""
    return ConvNeXt(plan_convnext(architecture), num_classes=num_classes)
