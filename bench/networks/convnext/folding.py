"""How the parts of a ConvNeXt fold into their deploy form; see bench/networks/fold.py.

Every layer norm but the stem's is read by one unpadded linear map, which takes over its scale and shift; a block's
layer scale goes into the linear layer before it. Modules keep their types and names and lose these parameters, so
that folding again finds nothing to move.
"""

from __future__ import annotations

import torch
from timm.models.convnext import ConvNeXtBlock
from torch import nn

from bench.networks.convnext.network import Classifier, ConvNeXt, Stage
from bench.networks.fold import draw, fold_module, randomise_module
from bench.networks.kernels import scale_output


@fold_module.register
def _(module: Stage, fold_attention_norm: bool) -> nn.Module:
    if isinstance(module.downsample, nn.Sequential):
        _absorb_norm(*module.downsample)
    module.blocks = fold_module(module.blocks, fold_attention_norm)
    return module


@fold_module.register
def _(module: ConvNeXtBlock, fold_attention_norm: bool) -> nn.Module:
    block: nn.Module = module
    _absorb_norm(module.norm, module.mlp.fc1)
    if module.gamma is not None:
        scale_output(module.mlp.fc2, module.gamma)
        block.register_parameter("gamma", None)
    block.mlp = fold_module(module.mlp, fold_attention_norm)
    return block


@fold_module.register
def _(module: Classifier, _: bool) -> nn.Module:
    _absorb_norm(module.norm, module.fc)
    return module


@randomise_module.register
def _(module: ConvNeXtBlock, generator: torch.Generator) -> None:
    if module.gamma is not None:
        draw(module.gamma, 0.1, 1, generator)


@randomise_module.register
def _(module: ConvNeXt, generator: torch.Generator) -> None:
    # Fresh biases are zero, and one that a rule forgot would not be missed.
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert layer.bias is not None
            draw(layer.bias, -0.1, 0.1, generator)


def _absorb_norm(norm: nn.Module, layer: nn.Module) -> None:
    """Moves scale and shift of `norm` into `layer`, which alone reads it and pads nothing."""
    assert isinstance(norm, nn.LayerNorm)
    assert isinstance(layer, nn.Linear | nn.Conv2d)
    if norm.weight is None:
        return
    assert layer.bias is not None
    per_input = (1, -1, *[1] * (layer.weight.ndim - 2))
    weight = layer.weight.double()
    shift = (weight * norm.bias.double().view(per_input)).flatten(1).sum(1)
    layer.bias.copy_(layer.bias.double() + shift)
    layer.weight.copy_(weight * norm.weight.double().view(per_input))
    norm.register_parameter("weight", None)
    norm.register_parameter("bias", None)
    norm.elementwise_affine = False
