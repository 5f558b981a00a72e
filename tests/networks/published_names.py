"""Our state dicts in the names of the original repositories, for what reads those."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import nn

State = dict[str, torch.Tensor]


def marked(network: nn.Module) -> State:
    """A state dict in which every tensor is filled with a number of its own and takes no memory."""
    shapes = {name: value.shape for name, value in network.state_dict().items()}
    return {name: torch.tensor(float(number)).expand(shape) for number, (name, shape) in enumerate(shapes.items())}


def mark(value: torch.Tensor) -> float:
    """The number that a tensor of `marked` is filled with."""
    return float(value[(0,) * value.ndim])


def apple_fastvit(state: State, depths: Sequence[int], *, has_position: bool) -> State:
    """github.com/apple/ml-fastvit: one flat list of stages, patch embeddings and position encodings."""
    places: dict[str, str] = {}
    flat = 0
    for stage in range(len(depths)):
        if stage:
            places[f"stages.{stage}.downsample.proj."] = f"network.{flat}.proj."
            flat += 1
        if has_position and stage == len(depths) - 1:
            places[f"stages.{stage}.pos_emb.pos_enc."] = f"network.{flat}.pe."
            flat += 1
        places[f"stages.{stage}.blocks."] = f"network.{flat}."
        flat += 1
    renamed = {}
    for original, value in state.items():
        name = original
        for prefix, other in places.items():
            if name.startswith(prefix):
                name = other + name.removeprefix(prefix)
        name = _replaced(
            name,
            ("stem.", "patch_embed."),
            ("conv_kxk", "rbr_conv"),
            ("conv_scale", "rbr_scale"),
            ("identity", "rbr_skip"),
            ("final_conv", "conv_exp"),
            ("large_conv", "lkb_origin"),
            ("mlp.", "convffn."),
            ("se.fc1", "se.reduce"),
            ("se.fc2", "se.expand"),
            ("head.fc.", "head."),
        )
        renamed[re.sub(r"(layer_scale(_[12])?)\.gamma", r"\1", name)] = value
    return renamed


def apple_mobileone(state: State) -> State:
    """github.com/apple/ml-mobileone."""
    renamed = {}
    for original, value in state.items():
        name = re.sub(r"^stages\.(\d)\.", lambda found: f"stage{int(found[1]) + 1}.", original)
        name = _replaced(
            name,
            ("stem.", "stage0."),
            ("conv_kxk", "rbr_conv"),
            ("conv_scale", "rbr_scale"),
            ("identity", "rbr_skip"),
            ("attn.fc1", "se.reduce"),
            ("attn.fc2", "se.expand"),
            ("head.fc.", "linear."),
        )
        renamed[name] = value
    return renamed


def facebook_convnext(state: State) -> State:
    """github.com/facebookresearch/ConvNeXt: all downsamplings in one list, the stem first."""
    renamed = {}
    for original, value in state.items():
        name = re.sub(r"^stem\.", "downsample_layers.0.", original)
        name = re.sub(r"^stages\.(\d)\.downsample\.", r"downsample_layers.\1.", name)
        name = re.sub(r"^stages\.(\d)\.blocks\.", r"stages.\1.", name)
        renamed[
            _replaced(
                name,
                ("conv_dw.", "dwconv."),
                ("mlp.fc1.", "pwconv1."),
                ("mlp.fc2.", "pwconv2."),
                ("head.norm.", "norm."),
                ("head.fc.", "head."),
            )
        ] = value
    return renamed


def authors_cmt(state: State) -> State:
    """github.com/ggjy/CMT.pytorch, cmt.py: stages are called a to d."""
    renamed = {}
    for original, value in state.items():
        name = original.replace("stages.0.patch_embed.stem_norm.", "stem_norm3.")
        for number, letter in enumerate("abcd"):
            name = _replaced(
                name,
                (f"stages.{number}.patch_embed.conv.", f"patch_embed_{letter}.proj."),
                (f"stages.{number}.patch_embed.norm.", f"patch_embed_{letter}.norm."),
                (f"stages.{number}.position_bias", f"relative_pos_{letter}"),
                (f"stages.{number}.blocks.", f"blocks_{letter}."),
            )
        renamed[
            _replaced(
                name,
                ("stem.0.conv.", "stem_conv1."),
                ("stem.0.norm.", "stem_norm1."),
                ("stem.1.conv.", "stem_conv2."),
                ("stem.1.norm.", "stem_norm2."),
                ("stem.2.", "stem_conv3."),
                ("attention.norm.", "norm1."),
                ("attention.reduce.conv.", "attn.sr.0."),
                ("attention.reduce.norm.", "attn.sr.1."),
                ("attention.", "attn."),
                ("ffn.norm.", "norm2."),
                ("ffn.expand.conv.", "mlp.conv1.0."),
                ("ffn.expand.norm.", "mlp.conv1.2."),
                ("ffn.local.conv.", "mlp.proj."),
                ("ffn.local_norm.", "mlp.proj_bn."),
                ("ffn.project.conv.", "mlp.conv2.0."),
                ("ffn.project.norm.", "mlp.conv2.1."),
                ("local.conv.", "proj."),
                ("final.0.conv.", "_fc."),
                ("final.0.norm.", "_bn."),
                ("head.fc.", "head."),
            )
        ] = value
    return renamed


def _replaced(name: str, *pairs: tuple[str, str]) -> str:
    for ours, theirs in pairs:
        name = name.replace(ours, theirs)
    return name
