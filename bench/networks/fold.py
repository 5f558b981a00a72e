"""Structural reparameterization: the deploy form of a network, and the proof that it computes the same.

Branches, batch norms and layer scales are linear at inference, so they fold into the convolutions beside them
(Ding et al. 2021, RepVGG). More is folded here than Apple's and timm's code does: also the norm in every
feed-forward part, every layer scale, and on request the norm before qkv, which adds a bias. That one is an
option because ONNX Runtime's attention fusion recognises only projections without a bias.

A rule turns one type of module into its deploy form, made of types that have no rule: folding twice is
folding once. A new family registers its own rules beside its modules with `@fold_module.register`.
"""

from __future__ import annotations

import copy
from functools import singledispatch

import torch
from torch import Tensor, nn

from bench.errors import FoldError
from bench.networks.fastvit import (
    Attention,
    AttentionBlock,
    ConvFFN,
    PositionEncoding,
    RepMixer,
    RepMixerBlock,
)
from bench.networks.kernels import (
    add_kernels,
    affine,
    conv_norm_kernel,
    identity_kernel,
    mobileone_kernel,
    scale_kernel,
    to_conv,
)
from bench.networks.mobileone import ConvNorm, LargeKernelConv, LayerScale, MobileOneBlock

LARGEST_ERROR = 1e-10  # relative, in float64; the error found is some 1e-15


class Residual(nn.Module):
    """x + module(x)."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.module(x)
        return out


class NormedAttention(nn.Module):
    """Attention whose batch norm is not folded into qkv."""

    def __init__(self, norm: nn.BatchNorm2d, attention: Attention) -> None:
        super().__init__()
        self.norm, self.attention = norm, attention

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.attention(self.norm(x))
        return out


def fold(network: nn.Module, *, fold_attention_norm: bool = True) -> nn.Module:
    """The deploy form of `network`, in eval mode; a new module, the input keeps all it had.

    Folding is idempotent. Arithmetic is float64 whatever the weights are, rounded once at the end.

    Args:
        fold_attention_norm: False keeps the batch norm before qkv as a node of its own.

    Raises:
        FoldError: a batch norm or layer scale has no rule that folds it.
    """
    with torch.no_grad():
        folded = fold_module(copy.deepcopy(network).eval(), fold_attention_norm)
    _refuse_leftovers(folded)
    return folded.requires_grad_(False)


def prove_fold(network: nn.Module, *, resolution: int = 64, seed: int = 0, fold_attention_norm: bool = True) -> float:
    """The relative error of the deploy form against the train form, in float64 with randomised statistics.

    Works on a copy. Fresh weights would prove nothing: with layer scales of 1e-5, deleting every feed-forward
    part changes the output by 2e-9.

    Raises:
        FoldError: the error exceeds `LARGEST_ERROR`.
    """
    copied = copy.deepcopy(network).double()
    randomise(copied, seed=seed)
    return fold_proven(copied, resolution=resolution, seed=seed, fold_attention_norm=fold_attention_norm)[1]


def fold_proven(
    network: nn.Module, *, resolution: int = 64, seed: int = 0, fold_attention_norm: bool = True
) -> tuple[nn.Module, float]:
    """The deploy form in float64, and its relative error on one seeded picture of `resolution`.

    The proof is about the weights and statistics that `network` has. A small picture is enough: kernels and
    borders act alike at every resolution.

    Raises:
        FoldError: the error exceeds `LARGEST_ERROR`.
    """
    # fold() copies once more what it takes apart; whoever hands over float64 in eval mode pays for that copy only.
    is_ready = not network.training and all(value.dtype == torch.float64 for value in network.parameters())
    train_form = network if is_ready else copy.deepcopy(network).double().eval()
    folded = fold(train_form, fold_attention_norm=fold_attention_norm)
    generator = torch.Generator().manual_seed(seed)
    picture = torch.randn(1, 3, resolution, resolution, dtype=torch.float64, generator=generator)
    picture = picture.to(next(train_form.parameters()).device)
    with torch.inference_mode():
        expected, found = train_form(picture), folded(picture)
    error = float((found - expected).norm() / expected.norm())
    if not error <= LARGEST_ERROR:  # also refuses NaN
        raise FoldError(
            f"the deploy form differs from its train form by {error:.1e} (relative, float64); at most "
            f"{LARGEST_ERROR:.0e} is allowed; correct the folding rules of its modules"
        )
    return folded, error


def randomise(network: nn.Module, *, seed: int) -> None:
    """Give every batch norm and layer scale of `network` values of a trained network, in place."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                _draw(module.weight, 0.5, 1.5, generator)
                _draw(module.bias, -0.4, 0.4, generator)
                _draw(module.running_mean, -0.4, 0.4, generator)
                _draw(module.running_var, 0.5, 1.5, generator)
            elif isinstance(module, LayerScale):
                _draw(module.gamma, 0.1, 1, generator)


@singledispatch
def fold_module(module: nn.Module, fold_attention_norm: bool) -> nn.Module:
    """The deploy form of `module`, which is a private copy that the rule may take apart.

    Without a rule for its type a module stays, with its children folded.
    """
    for name, child in module.named_children():
        setattr(module, name, fold_module(child, fold_attention_norm))
    return module


@fold_module.register
def _(_module: nn.Dropout, _: bool) -> nn.Module:
    return nn.Identity()


@fold_module.register
def _(module: ConvNorm, _: bool) -> nn.Module:
    return to_conv(conv_norm_kernel(module), like=module.conv)


@fold_module.register
def _(module: MobileOneBlock, _: bool) -> nn.Module:
    conv = to_conv(mobileone_kernel(module), like=module.conv_branches()[0].conv)
    return nn.Sequential(*(part for part in (conv, module.se, module.act) if not isinstance(part, nn.Identity)))


@fold_module.register
def _(module: LargeKernelConv, _: bool) -> nn.Module:
    large = conv_norm_kernel(module.large_conv)
    if module.small_conv is not None:
        large = add_kernels(large, conv_norm_kernel(module.small_conv))
    return to_conv(large, like=module.large_conv.conv)


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
def _(module: AttentionBlock, fold_attention_norm: bool) -> nn.Module:
    _scale_output(module.token_mixer.proj, module.layer_scale_1)
    attention = fold_module(NormedAttention(module.norm, module.token_mixer), fold_attention_norm)
    return nn.Sequential(Residual(attention), _scaled_ffn(module.mlp, module.layer_scale_2))


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


def _draw(tensor: Tensor, low: float, high: float, generator: torch.Generator) -> None:
    # Drawn on the CPU in one precision, so that a seed means the same values everywhere.
    tensor.copy_(torch.rand(tensor.shape, generator=generator, dtype=torch.float64) * (high - low) + low)


def _scaled_ffn(ffn: ConvFFN, layer_scale: LayerScale) -> nn.Module:
    _scale_output(ffn.fc2, layer_scale)
    return Residual(fold_module(ffn, True))


def _scale_output(layer: nn.Linear | nn.Conv2d, layer_scale: LayerScale) -> None:
    assert layer.bias is not None
    gamma = layer_scale.gamma.double().flatten()
    layer.bias.copy_(layer.bias.double() * gamma)
    layer.weight.copy_(layer.weight.double() * gamma.view(-1, *[1] * (layer.weight.ndim - 1)))


def _refuse_leftovers(folded: nn.Module) -> None:
    kept = {f"{name}.norm" for name, module in folded.named_modules() if isinstance(module, NormedAttention)}
    for name, module in folded.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm | LayerScale) and name not in kept:
            raise FoldError(
                f"{type(module).__name__} {name!r} cannot be folded; "
                "a deploy form has none but the norm before qkv; register a rule for what holds it (fold_module)"
            )
