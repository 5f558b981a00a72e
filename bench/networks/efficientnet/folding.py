"""How the parts of an EfficientNet fold into their deploy form; see bench/networks/fold.py.

timm keeps an activation in the batch norm before it; the deploy form has it as a module of its own. Stochastic depth
and dropout do nothing at inference and are left out.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from timm.layers import BatchNormAct2d, Conv2dSame
from timm.models._efficientnet_blocks import ConvBnAct, DepthwiseSeparableConv, EdgeResidual, InvertedResidual
from timm.models.efficientnet import EfficientNet
from torch import nn

from bench.networks.efficientnet.tensorflow import same_padded
from bench.networks.fold import Residual, fold_module, randomise_module
from bench.networks.kernels import affine, to_conv


@fold_module.register
def _(module: EfficientNet, fold_attention_norm: bool) -> nn.Module:
    conv_stem, act_stem = _layer(module.conv_stem, module.bn1)
    conv_head, act_head = _layer(module.conv_head, module.bn2)
    return nn.Sequential(
        OrderedDict(
            conv_stem=conv_stem,
            act_stem=act_stem,
            blocks=fold_module(module.blocks, fold_attention_norm),
            conv_head=conv_head,
            act_head=act_head,
            global_pool=module.global_pool,
            classifier=module.classifier,
        )
    )


@fold_module.register
def _(module: ConvBnAct, _: bool) -> nn.Module:
    return _block(*_layer(module.conv, module.bn1), has_skip=module.has_skip)


@fold_module.register
def _(module: DepthwiseSeparableConv, _: bool) -> nn.Module:
    depthwise, pointwise = _layer(module.conv_dw, module.bn1), _layer(module.conv_pw, module.bn2)
    return _block(*depthwise, module.se, *pointwise, has_skip=module.has_skip)


@fold_module.register
def _(module: InvertedResidual, _: bool) -> nn.Module:
    expand, depthwise = _layer(module.conv_pw, module.bn1), _layer(module.conv_dw, module.bn2)
    return _block(*expand, *depthwise, module.se, *_layer(module.conv_pwl, module.bn3), has_skip=module.has_skip)


@fold_module.register
def _(module: EdgeResidual, _: bool) -> nn.Module:
    expand, project = _layer(module.conv_exp, module.bn1), _layer(module.conv_pwl, module.bn2)
    return _block(*expand, module.se, *project, has_skip=module.has_skip)


@randomise_module.register
def _(module: EfficientNet, _generator: torch.Generator) -> None:
    # timm draws weights for batch norms that undo their gain of up to 12 a block; those of a deploy form do not. In B5
    # activations grew until one rounding error in float64 became 1e-7 at the output.
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.mul_(layer.weight[0].numel() ** -0.5 / layer.weight.std())


def _layer(conv: nn.Conv2d, norm: BatchNormAct2d) -> tuple[nn.Module, nn.Module]:
    """A convolution that has taken up the batch norm behind it, and the activation behind that."""
    scale, shift = affine(norm)
    folded = to_conv((conv.weight.double() * scale.view(-1, 1, 1, 1), shift), like=conv)
    return same_padded(folded) if isinstance(conv, Conv2dSame) else folded, norm.act


def _block(*parts: nn.Module, has_skip: bool) -> nn.Module:
    block = nn.Sequential(*(part for part in parts if not isinstance(part, nn.Identity)))
    return Residual(block) if has_skip else block
