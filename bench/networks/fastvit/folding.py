"""How the parts of a FastViT fold into their deploy form; see bench/networks/fold.py."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.networks.blocks import LayerScale
from bench.networks.fastvit.network import (
    Attention,
    ConvFFN,
    MixerBlock,
    Pooling,
    PositionEncoding,
    RepMixer,
    RepMixerBlock,
)
from bench.networks.fold import KeepsNorm, Residual, fold_module
from bench.networks.kernels import (
    add_kernels,
    affine,
    conv_norm_kernel,
    identity_kernel,
    mobileone_kernel,
    scale_kernel,
    scale_output,
    to_conv,
)


class NormedAttention(KeepsNorm):
    """Attention whose batch norm is not folded into qkv: ONNX Runtime fuses attention only without a bias there."""

    def __init__(self, norm: nn.BatchNorm2d, attention: Attention) -> None:
        super().__init__()
        self.norm, self.attention = norm, attention

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.attention(self.norm(x))
        return out


class ScaledPooling(nn.Module):
    """x + factor * (pooled x - x): a pooling's norm and layer scale in one factor a channel.

    Exact at borders too: the mean is over the neighbours that there are, so the norm's shift cancels.
    """

    def __init__(self, factor: Tensor) -> None:
        super().__init__()
        self.factor = nn.Parameter(factor.view(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        return torch.addcmul(x, self.factor, pooled - x)


@fold_module.register
def _(module: PositionEncoding, _: bool) -> nn.Module:
    conv = module.pos_enc
    assert conv.bias is not None
    kernel = (conv.weight.double(), conv.bias.double())
    return to_conv(add_kernels(kernel, identity_kernel(conv)), like=conv)


@fold_module.register
def _(module: RepMixer, _: bool) -> nn.Module:
    gamma = module.layer_scale.gamma.double().flatten()
    mixed = add_kernels(
        mobileone_kernel(module.mixer), scale_kernel(mobileone_kernel(module.norm), -torch.ones_like(gamma))
    )
    like = module.mixer.conv_branches()[0].conv
    return to_conv(add_kernels(scale_kernel(mixed, gamma), identity_kernel(like)), like=like)


@fold_module.register
def _(module: ConvFFN, _: bool) -> nn.Module:
    conv = to_conv(conv_norm_kernel(module.conv), like=module.conv.conv)
    return nn.Sequential(conv, module.fc1, module.act, module.fc2)


@fold_module.register
def _(module: RepMixerBlock, fold_attention_norm: bool) -> nn.Module:
    mixer = fold_module(module.token_mixer, fold_attention_norm)
    return nn.Sequential(mixer, _scaled_ffn(module.mlp, module.layer_scale))


@fold_module.register
def _(module: MixerBlock, fold_attention_norm: bool) -> nn.Module:
    mixer = module.token_mixer
    if isinstance(mixer, Attention):
        scale_output(mixer.proj, module.layer_scale_1.gamma)
        first: nn.Module = Residual(fold_module(NormedAttention(module.norm, mixer), fold_attention_norm))
    else:
        assert isinstance(mixer, Pooling)
        scale, _shift = affine(module.norm)
        factor = scale * module.layer_scale_1.gamma.double().flatten()
        first = ScaledPooling(factor.to(module.norm.weight.dtype))
    return nn.Sequential(first, _scaled_ffn(module.mlp, module.layer_scale_2))


@fold_module.register
def _(module: NormedAttention, fold_attention_norm: bool) -> nn.Module:
    if not fold_attention_norm:
        return module
    scale, shift = affine(module.norm)
    qkv = module.attention.qkv
    weight = qkv.weight.double()
    meta = nn.Linear(qkv.in_features, qkv.out_features, dtype=qkv.weight.dtype, device="meta")
    with_bias = meta.to_empty(device=qkv.weight.device)
    with_bias.weight.copy_(weight * scale)
    with_bias.bias.copy_(weight @ shift)
    module.attention.qkv = with_bias
    return module.attention


def _scaled_ffn(ffn: ConvFFN, layer_scale: LayerScale) -> nn.Module:
    scale_output(ffn.fc2, layer_scale.gamma)
    return Residual(fold_module(ffn, True))
