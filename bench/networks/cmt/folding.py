"""How the parts of a CMT fold into their deploy form; see bench/networks/fold.py.

Its attention stands behind a layer norm, of which the scale and shift fold and the rest never does, and all its
projections have biases anyway: the choice whether to fold the norm before qkv means nothing here.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from bench.networks.cmt.network import (
    CMT,
    Attention,
    ConvActNorm,
    DepthwiseResidual,
    FeedForward,
    PatchEmbed,
    UnpaddedConvNorm,
    attend,
    join_heads,
    split_heads,
)
from bench.networks.fold import KeepsNorm, draw, fold_module, randomise_module
from bench.networks.kernels import Kernel, add_kernels, affine, identity_kernel, scale_kernel, to_conv

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)
Norm = TypeVar("Norm", bound=nn.LayerNorm)


class NormBeforePadding(KeepsNorm):
    """A batch norm between an activation and a zero-padded convolution, with what is in front of it.

    It stays: behind it zeros are padded, which no weights of that convolution can tell from normed positions, so that
    its shift would be wrong at borders.
    """

    def __init__(self, conv: nn.Conv2d, act: nn.Module, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.conv, self.act, self.norm = conv, act, norm

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.norm(self.act(self.conv(x)))
        return normed


class MergedAttention(nn.Module):
    """Attention with one projection of all that sees the same tokens; scales and shifts are in its weights.

    Args:
        from_tokens: makes q, and k and v too where nothing is reduced.
        reduce: makes the feature map that keys and values see; None: they see the tokens.
        from_reduced: makes k and v of that map.
    """

    def __init__(
        self,
        norm: nn.LayerNorm,
        from_tokens: nn.Linear,
        reduce: nn.Conv2d | None,
        from_reduced: nn.Linear | None,
        proj: nn.Linear,
        *,
        head_dim: int,
    ) -> None:
        super().__init__()
        self.norm, self.from_tokens, self.proj = norm, from_tokens, proj
        self.reduce, self.from_reduced = reduce, from_reduced
        self.head_dim, self.num_heads = head_dim, proj.in_features // head_dim

    def forward(self, x: Tensor, position_bias: Tensor) -> Tensor:
        tokens = self.norm(x.permute(0, 2, 3, 1))
        if self.reduce is None or self.from_reduced is None:
            q, k, v = torch.split(split_heads(self.from_tokens(tokens), self.head_dim), self.num_heads, dim=1)
        else:
            seen = self.reduce(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
            q = split_heads(self.from_tokens(tokens), self.head_dim)
            k, v = torch.split(split_heads(self.from_reduced(seen), self.head_dim), self.num_heads, dim=1)
        out: Tensor = self.proj(join_heads(attend(q, k, v, position_bias), tokens))
        return out.permute(0, 3, 1, 2)


@fold_module.register
def _(module: ConvActNorm, _: bool) -> nn.Module:
    return NormBeforePadding(module.conv, module.act, module.norm)


@fold_module.register
def _(module: UnpaddedConvNorm, _: bool) -> nn.Module:
    return _written(module.conv, _before_norm(_kernel(module.conv), module.norm))


@fold_module.register
def _(module: DepthwiseResidual, _: bool) -> nn.Module:
    return to_conv(add_kernels(_kernel(module.conv), identity_kernel(module.conv)), like=module.conv)


@fold_module.register
def _(module: PatchEmbed, _: bool) -> nn.Module:
    # Its own norm stays whole: the padded convolution behind it cannot take the shift.
    if module.stem_norm is not None:
        _written(module.conv, _behind_affine(_kernel(module.conv), *affine(module.stem_norm)))
    return nn.Sequential(module.conv, module.norm)


@fold_module.register
def _(module: FeedForward, fold_attention_norm: bool) -> nn.Module:
    _written(module.expand.conv, _behind_affine(_kernel(module.expand.conv), *_layer_affine(module.norm)))
    project = module.project.conv
    behind = _behind_affine(_kernel(project), *affine(module.local_norm))
    return nn.Sequential(
        _without_affine(module.norm),
        fold_module(module.expand, fold_attention_norm),
        fold_module(module.local, fold_attention_norm),
        module.act,
        _written(project, _before_norm(behind, module.project.norm)),
    )


@fold_module.register
def _(module: Attention, _: bool) -> nn.Module:
    norm = _layer_affine(module.norm)
    weight, bias = _behind_affine(_kernel(module.q), *norm)
    scale = module.head_dim**-0.5
    tokens, seen = [(weight * scale, bias * scale)], [_kernel(module.k), _kernel(module.v)]
    reduce = None
    if module.reduce is None:
        tokens += [_behind_affine(kernel, *norm) for kernel in seen]
    else:
        conv = module.reduce.conv
        reduce = _written(conv, _before_norm(_behind_affine(_kernel(conv), *norm), module.reduce.norm))
    return MergedAttention(
        _without_affine(module.norm),
        _stacked(tokens, like=module.q),
        reduce,
        None if reduce is None else _stacked(seen, like=module.k),
        module.proj,
        head_dim=module.head_dim,
    )


@randomise_module.register
def _(module: CMT, generator: torch.Generator) -> None:
    # Every bias of a fresh CMT is zero: a fold that loses one would go unseen.
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
            draw(layer.bias, -0.2, 0.2, generator)


def _kernel(layer: nn.Conv2d | nn.Linear) -> Kernel:
    assert layer.bias is not None
    return layer.weight.double(), layer.bias.double()


def _layer_affine(norm: nn.LayerNorm) -> Kernel:
    return norm.weight.double(), norm.bias.double()


def _before_norm(kernel: Kernel, norm: nn.BatchNorm2d) -> Kernel:
    """The map with a batch norm behind it."""
    scale, shift = affine(norm)
    weight, bias = scale_kernel(kernel, scale)
    return weight, bias + shift


def _behind_affine(kernel: Kernel, scale: Tensor, shift: Tensor) -> Kernel:
    """The map of `scale` x + `shift`, channel by channel, as a map of x; only right where nothing is padded."""
    weight, bias = kernel
    is_depthwise = weight.shape[1] != len(scale)
    shape = (-1 if is_depthwise else 1, 1 if is_depthwise else -1, *[1] * (weight.ndim - 2))
    return weight * scale.view(shape), bias + (weight * shift.view(shape)).flatten(1).sum(1)


def _written(layer: Layer, kernel: Kernel) -> Layer:
    assert layer.bias is not None
    layer.weight.copy_(kernel[0])
    layer.bias.copy_(kernel[1])
    return layer


def _stacked(kernels: list[Kernel], *, like: nn.Linear) -> nn.Linear:
    """One projection that gives the outputs of several, one after the other."""
    weights, biases = zip(*kernels, strict=True)
    # On the meta device nothing is drawn: folding leaves torch's random state alone.
    meta = nn.Linear(like.in_features, sum(map(len, weights)), dtype=like.weight.dtype, device="meta")
    return _written(meta.to_empty(device=like.weight.device), (torch.cat(weights), torch.cat(biases)))


def _without_affine(norm: Norm) -> Norm:
    return type(norm)(norm.normalized_shape, eps=norm.eps, elementwise_affine=False)
