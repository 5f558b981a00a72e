"""Names of weights in published files, turned into ours, which are timm's where timm has the network.

Known are the names of the original repositories: github.com/apple/ml-fastvit, github.com/apple/ml-mobileone,
github.com/facebookresearch/ConvNeXt and github.com/ggjy/CMT.pytorch (cmt.py, which is also cmt_pytorch/cmt.py of
github.com/huawei-noah/Efficient-AI-Backbones). Names that are ours already stay. No value is changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from torch import Tensor, nn

State = Mapping[str, Tensor]

_Rules = tuple[tuple[re.Pattern[str], str], ...]


def our_names(state: State, network: nn.Module, *, family: str) -> State:
    """The weights in `state` under the names that `network`, of that family, has for them.

    Raises:
        Exception: of any kind where the weights are another network's: converters of timm fail as they like.
    """
    return _CONVERTERS.get(family, _same)(state, network)


def _same(state: State, network: nn.Module) -> State:  # noqa: ARG001  (one signature for all)
    return state


def _fastvit(state: State, network: nn.Module) -> State:
    from timm.models.fastvit import checkpoint_filter_fn

    renamed: State = checkpoint_filter_fn(state, network)
    return renamed


def _convnext(state: State, network: nn.Module) -> State:
    from timm.models.convnext import checkpoint_filter_fn

    renamed: State = checkpoint_filter_fn(state, network)
    return renamed


def _rules(pairs: Iterable[tuple[str, str]]) -> _Rules:
    return tuple((re.compile(pattern), replacement) for pattern, replacement in pairs)


_MOBILEONE = _rules(
    (
        *((rf"^stage{number}\.", f"stages.{number - 1}.") for number in range(1, 5)),
        (r"^stage0\.", "stem."),
        (r"^linear\.", "head.fc."),
        (r"\brbr_conv\b", "conv_kxk"),
        (r"\brbr_scale\b", "conv_scale"),
        (r"\brbr_skip\b", "identity"),
        (r"\bse\.reduce\b", "attn.fc1"),
        (r"\bse\.expand\b", "attn.fc2"),
    )
)

_CMT = _rules(
    (
        (r"^stem_(conv|norm)1\.", r"stem.0.\1."),
        (r"^stem_(conv|norm)2\.", r"stem.1.\1."),
        (r"^stem_conv3\.", "stem.2."),
        # Ours stands where it folds: in front of the first patch embedding.
        (r"^stem_norm3\.", "stages.0.patch_embed.stem_norm."),
        *(
            rule
            for stage, letter in enumerate("abcd")
            for rule in (
                (rf"^patch_embed_{letter}\.proj\.", f"stages.{stage}.patch_embed.conv."),
                (rf"^patch_embed_{letter}\.norm\.", f"stages.{stage}.patch_embed.norm."),
                (rf"^relative_pos_{letter}$", f"stages.{stage}.position_bias"),
                (rf"^blocks_{letter}\.", f"stages.{stage}.blocks."),
            )
        ),
        (r"(\.blocks\.\d+)\.proj\.", r"\1.local.conv."),
        (r"(\.blocks\.\d+)\.norm1\.", r"\1.attention.norm."),
        (r"\.attn\.sr\.0\.", ".attention.reduce.conv."),
        (r"\.attn\.sr\.1\.", ".attention.reduce.norm."),
        (r"\.attn\.", ".attention."),
        (r"(\.blocks\.\d+)\.norm2\.", r"\1.ffn.norm."),
        (r"\.mlp\.conv1\.0\.", ".ffn.expand.conv."),
        (r"\.mlp\.conv1\.2\.", ".ffn.expand.norm."),
        (r"\.mlp\.proj\.", ".ffn.local.conv."),
        (r"\.mlp\.proj_bn\.", ".ffn.local_norm."),
        (r"\.mlp\.conv2\.0\.", ".ffn.project.conv."),
        (r"\.mlp\.conv2\.1\.", ".ffn.project.norm."),
        (r"^_fc\.", "final.0.conv."),
        (r"^_bn\.", "final.0.norm."),
        (r"^head\.", "head.fc."),
    )
)


def _mobileone(state: State, network: nn.Module) -> State:  # noqa: ARG001
    return _renamed(state, _MOBILEONE) if "stage0.rbr_conv.0.conv.weight" in state else state


def _cmt(state: State, network: nn.Module) -> State:  # noqa: ARG001
    return _renamed(state, _CMT) if "stem_conv1.weight" in state else state


def _renamed(state: State, rules: _Rules) -> State:
    return {_name(original, rules): value for original, value in state.items()}


def _name(original: str, rules: _Rules) -> str:
    name = original
    for pattern, replacement in rules:
        name = pattern.sub(replacement, name)
    return name


_CONVERTERS: dict[str, Callable[[State, nn.Module], State]] = {
    "fastvit": _fastvit,
    "convnext": _convnext,
    "mobileone": _mobileone,
    "cmt": _cmt,
}
