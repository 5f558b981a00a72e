"""FastViT (Vasu et al. 2023, "FastViT: A Fast Hybrid Vision Transformer using Structural
Reparameterization").

The modules are written for a search: kernels, mixers, activation and head are choices. At the seven
published points the network is Apple's (github.com/apple/ml-fastvit), with the names of timm's
`timm/models/fastvit.py`, so that timm's weights load strictly. `folding.py` holds the deploy form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.networks import cpu_training
from bench.networks.blocks import ACTIVATIONS, Classifier, ConvNorm, LargeKernelConv, LayerScale, MobileOneBlock
from bench.networks.fastvit.plan import FastViTPlan, StagePlan, depthwise_multiplier, plan_fastvit, squeeze_width

if TYPE_CHECKING:
    from bench.space import Architecture


class RepMixer(nn.Module):
    """Token mixing without a skip connection in deploy form: x + scale * (mixer(x) - norm(x)).

    The paper prints DWConv(BN(x)) + x; this is the released code, whose weights mean something else.
    """

    def __init__(self, width: int, kernel: int, *, num_branches: int) -> None:
        super().__init__()
        self.norm = MobileOneBlock(width, width, kernel, groups=width, num_branches=0, has_scale=False)
        self.mixer = MobileOneBlock(width, width, kernel, groups=width, num_branches=num_branches)
        self.layer_scale = LayerScale(width)

    def forward(self, x: Tensor) -> Tensor:
        if cpu_training.applies(self, x):
            return self._train_on_cpu(x)
        return torch.addcmul(x, self.layer_scale.gamma, self.mixer(x) - self.norm(x))

    def _train_on_cpu(self, x: Tensor) -> Tensor:
        gamma = self.layer_scale.gamma.flatten()
        found = cpu_training.statistics(x)
        added, added_shift = cpu_training.normed_map(found, self.mixer.channel_wise())
        taken, taken_shift = cpu_training.normed_map(found, self.norm.channel_wise())
        out = cpu_training.apply_map(x, 1 + gamma * (added - taken), gamma * (added_shift - taken_shift))
        for branch in self.mixer.conv_branches():
            out += cpu_training.scaled_norm(branch.convolve(x), branch.bn, gamma)
        return out


class ConvFFN(nn.Module):
    """Feed-forward part with a large depthwise convolution and no activation behind that."""

    def __init__(self, width: int, hidden_width: int, kernel: int, activation: type[nn.Module]) -> None:
        super().__init__()
        self.conv = ConvNorm(width, width, kernel, groups=width)
        self.fc1 = nn.Conv2d(width, hidden_width, 1)
        self.act = activation()
        self.fc2 = nn.Conv2d(hidden_width, width, 1)
        for conv in (self.conv.conv, self.fc1, self.fc2):
            _draw_weights(conv)

    def forward(self, x: Tensor, gamma: Tensor) -> Tensor:
        """gamma * (what the part computes), for the layer scale behind it."""
        out: Tensor = self.conv(x)
        if cpu_training.applies(self, x):
            return cpu_training.linear(self.act(cpu_training.linear(out, self.fc1)), self.fc2, gamma.flatten())
        out = self.fc2(self.act(self.fc1(out)))
        return gamma * out


class Attention(nn.Module):
    """Multi-head self-attention over all positions of a feature map."""

    def __init__(self, width: int, head_dim: int, *, qkv_bias: bool = False) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.qkv = nn.Linear(width, 3 * width, bias=qkv_bias)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        n, width, height, breadth = x.shape
        tokens = height * breadth
        # In channels_last neither the way to tokens nor the way back copies anything.
        qkv = self.qkv(x.flatten(2).transpose(1, 2))
        heads = qkv.reshape(n, tokens, 3, width // self.head_dim, self.head_dim)
        mixed = _attend(*heads.permute(2, 0, 3, 1, 4).unbind(0), scale=self.head_dim**-0.5)
        out: Tensor = self.proj(mixed.transpose(1, 2).reshape(n, tokens, width))
        return out.transpose(1, 2).reshape(x.shape)


class PositionEncoding(nn.Module):
    """Conditional position encoding (Chu et al. 2023): a depthwise convolution beside the identity."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.pos_enc = nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.pos_enc(x)
        return out


class RepMixerBlock(nn.Module):
    """A MetaFormer block whose token mixer is a RepMixer."""

    def __init__(self, stage: StagePlan, kernel: int, *, num_branches: int, activation: type[nn.Module]) -> None:
        super().__init__()
        self.token_mixer = RepMixer(stage.width, kernel, num_branches=num_branches)
        self.mlp = ConvFFN(stage.width, stage.hidden_width, stage.ffn_kernel, activation)
        self.layer_scale = LayerScale(stage.width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.token_mixer(x)
        out: Tensor = x + self.mlp(x, self.layer_scale.gamma)
        return out


class Pooling(nn.Module):
    """Mean over 3 x 3 neighbours, borders counted as they are, minus the input (Yu et al. 2022, PoolFormer)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False) - x


class MixerBlock(nn.Module):
    """A MetaFormer block whose token mixer stands behind a batch norm."""

    def __init__(self, stage: StagePlan, token_mixer: nn.Module, *, activation: type[nn.Module]) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(stage.width)
        self.token_mixer = token_mixer
        self.layer_scale_1 = LayerScale(stage.width)
        self.mlp = ConvFFN(stage.width, stage.hidden_width, stage.ffn_kernel, activation)
        self.layer_scale_2 = LayerScale(stage.width)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.addcmul(x, self.layer_scale_1.gamma, self.token_mixer(self.norm(x)))
        out: Tensor = x + self.mlp(x, self.layer_scale_2.gamma)
        return out


class PatchEmbed(nn.Module):
    """Halves the resolution: a large depthwise convolution, then 1x1 to the exact width."""

    def __init__(
        self, in_width: int, width: int, kernel: int, *, num_branches: int, activation: type[nn.Module]
    ) -> None:
        super().__init__()
        middle = in_width * depthwise_multiplier(in_width, width)
        self.proj = nn.Sequential(
            LargeKernelConv(in_width, middle, kernel, stride=2),
            MobileOneBlock(middle, width, 1, num_branches=num_branches, activation=activation),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.proj(x)
        return out


class Stage(nn.Module):
    """Downsampling and position encoding where the plan has them, then the blocks."""

    def __init__(self, stage: StagePlan, in_width: int, plan: FastViTPlan) -> None:
        super().__init__()
        activation, num_branches = ACTIVATIONS[plan.activation], plan.train_branches
        self.downsample: nn.Module = nn.Identity()
        if stage.downsample_kernel is not None:
            self.downsample = PatchEmbed(
                in_width,
                stage.width,
                stage.downsample_kernel,
                num_branches=num_branches,
                activation=activation,
            )
        self.pos_emb: nn.Module = nn.Identity()
        if stage.position_kernel is not None:
            self.pos_emb = PositionEncoding(stage.width, stage.position_kernel)
        self.blocks = nn.Sequential(*(_block(stage, plan) for _ in range(stage.depth)))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.blocks(self.pos_emb(self.downsample(x)))
        return out


class FastViT(nn.Module):
    """The whole network in train form. Takes (n, 3, r, r) with r a multiple of 32, gives (n, num_classes)."""

    def __init__(self, plan: FastViTPlan, *, num_classes: int) -> None:
        super().__init__()
        self.stem = _stem(plan)
        in_widths = (plan.stages[0].width, *(stage.width for stage in plan.stages))
        self.stages = nn.Sequential(
            *(Stage(stage, in_width, plan) for stage, in_width in zip(plan.stages, in_widths, strict=False))
        )
        width = plan.stages[-1].width
        self.final_conv = MobileOneBlock(
            width,
            plan.head_width,
            3,
            groups=width,
            num_branches=plan.train_branches,
            squeezed=squeeze_width(plan.head_width) if plan.head_squeeze_excite else None,
            activation=ACTIVATIONS[plan.activation],
        )
        self.head = Classifier(plan.head_width, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                _draw_weights(module)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.final_conv(self.stages(self.stem(x))))
        return logits


def build(architecture: Architecture, *, num_classes: int, resolution: int) -> nn.Module:  # noqa: ARG001  (one signature for all)
    """See `bench.networks.families.build`."""
    return FastViT(plan_fastvit(architecture), num_classes=num_classes)


def _attend(q: Tensor, k: Tensor, v: Tensor, *, scale: float) -> Tensor:
    if torch.onnx.is_in_onnx_export():
        # ONNX Runtime recognises attention in this form, not in the one torch makes of its fused operator.
        return torch.softmax((q * scale) @ k.transpose(-2, -1), dim=-1) @ v
    return F.scaled_dot_product_attention(q, k, v, scale=scale)


def _stem(plan: FastViTPlan) -> nn.Sequential:
    stem, first = plan.stem_width, plan.stages[0].width
    activation, num_branches = ACTIVATIONS[plan.activation], plan.train_branches
    return nn.Sequential(
        MobileOneBlock(3, stem, 3, stride=2, num_branches=num_branches, activation=activation),
        MobileOneBlock(stem, stem, 3, stride=2, groups=stem, num_branches=num_branches, activation=activation),
        # Where the first stage is wider than the stem, this 1x1 convolution changes the width.
        MobileOneBlock(stem, first, 1, num_branches=num_branches, activation=activation),
    )


def _block(stage: StagePlan, plan: FastViTPlan) -> nn.Module:
    activation = ACTIVATIONS[plan.activation]
    if stage.mixer == "pooling":
        return MixerBlock(stage, Pooling(), activation=activation)
    if stage.head_dim is not None:
        return MixerBlock(stage, Attention(stage.width, stage.head_dim), activation=activation)
    assert stage.mixer_kernel is not None
    return RepMixerBlock(stage, stage.mixer_kernel, num_branches=plan.train_branches, activation=activation)


def _draw_weights(layer: nn.Conv2d | nn.Linear) -> None:
    nn.init.trunc_normal_(layer.weight, std=0.02)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
