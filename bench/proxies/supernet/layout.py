"""Which part of the shared weights a network uses: the layout of each of its tensors.

A dimension of a tensor is made of one axis or of several, the slowest first: the rows of qkv are (q, k or v; head;
channel of the head), the channels behind a depthwise convolution that widens are (channel read; its copy). A smaller
network has the same axes with smaller sizes and takes the first of each, of kernels the middle: so whole heads stay
heads, and the second copy of a channel stays that. Width, depth, MLP ratio and kernel are elastic this way (Cai et al.
2020, "Once-for-All"; the crop without a matrix per kernel is that of Yu et al. 2020, "BigNAS").

What is no part of something larger has weights of its own, which its key says:

- blocks of another token mixer (a RepMixer's feed-forward part stands behind another mixture than an attention's);
- the identity branch behind a depthwise convolution that makes m copies of a channel: another m joins other channels.

Activations have no weights: networks of all activations share the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from torch import Tensor, nn

from bench.errors import NetworkError
from bench.networks.blocks import ConvNorm, LargeKernelConv, MobileOneBlock
from bench.networks.fastvit.network import Attention, FastViT, MixerBlock, PatchEmbed, RepMixerBlock
from bench.space import Space

FAMILY = "fastvit"

_BLOCK = re.compile(r"(stages\.\d+)\.blocks\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a tensor; of a centred one a smaller network takes the middle, else the first."""

    size: int
    is_centred: bool = False


Dimension = tuple[Axis, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How one tensor of a network lies in the shared one.

    Attributes:
        key: of the shared tensor.
        dimensions: the axes of each dimension.
    """

    key: str
    dimensions: tuple[Dimension, ...]

    @property
    def axes(self) -> Dimension:
        """All axes, of the first dimension first."""
        return tuple(axis for dimension in self.dimensions for axis in dimension)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor."""
        return tuple(prod(axis.size for axis in dimension) for dimension in self.dimensions)


def shareable(space: object) -> Space:
    """The space, if weights can be shared over it.

    Raises:
        NetworkError: it is of another family, or several spaces or a list.
    """
    if type(space) is Space and space.family == FAMILY:
        return space
    raise NetworkError(
        f"space {getattr(space, 'name', space)!r} is not of the family {FAMILY}; a supernet holds those of one "
        "space of that family; name such a space"
    )


def layouts(network: nn.Module) -> dict[str, Layout]:
    """The layout of each parameter of a FastViT in train form, by the parameter's name.

    Raises:
        NetworkError: another network.
    """
    if not isinstance(network, FastViT):
        raise NetworkError(
            f"weights of a {type(network).__name__} cannot be shared; a supernet holds networks of the family "
            f"{FAMILY}; name a space of that family"
        )
    found: dict[str, tuple[Dimension, ...]] = {}
    copies: dict[str, int] = {}
    for path, module in network.named_modules():
        found |= _own(path, module)
    for path, module in network.named_modules():
        found |= _joined(path, module)
        if isinstance(module, PatchEmbed):
            copies[f"{path}.proj.1.identity."] = _channels(_depthwise(module))[1].size
    kinds = _kinds(network)
    return {
        name: Layout(key=_key(name, kinds, copies), dimensions=found[name]) for name, _ in network.named_parameters()
    }


def part(whole: Tensor, of: Layout, layout: Layout) -> Tensor:
    """What a network with `layout` uses of the shared tensor `whole`, which lies as `of` says; gradients flow back.

    Nothing is copied but where several axes make a dimension and not all of each is used.

    Raises:
        NetworkError: the network is larger than what is shared.
    """
    return view(whole, of, layout).reshape(layout.shape)


def view(whole: Tensor, of: Layout, layout: Layout) -> Tensor:
    """As `part`, with one dimension an axis, and never a copy."""
    seen = whole.view([axis.size for axis in of.axes])
    for place, (shared, own) in enumerate(zip(of.axes, layout.axes, strict=True)):
        if own.size > shared.size:
            raise NetworkError(
                f"{layout.key} needs {own.size} where the supernet has {shared.size}; the networks of its space are "
                "allowed; take one of these, or train a supernet of a wider space"
            )
        if own.size < shared.size:
            start = (shared.size - own.size) // 2 if own.is_centred else 0
            seen = seen.narrow(place, start, own.size)
    return seen


def covering(first: Layout, second: Layout) -> Layout:
    """The smallest layout that holds both."""
    dimensions = tuple(
        tuple(max(pair, key=lambda axis: axis.size) for pair in zip(*both, strict=True))
        for both in zip(first.dimensions, second.dimensions, strict=True)
    )
    return Layout(key=first.key, dimensions=dimensions)


def _plain(*sizes: int) -> tuple[Dimension, ...]:
    return tuple((Axis(size),) for size in sizes)


def _own(path: str, module: nn.Module) -> dict[str, tuple[Dimension, ...]]:
    """The parameters that `module` itself holds, as far as it alone says how they lie."""
    found = {f"{path}.{name}": _plain(*value.shape) for name, value in module.named_parameters(recurse=False)}
    if isinstance(module, nn.Conv2d):
        height, width = module.kernel_size
        found[f"{path}.weight"] = (
            _channels(module),
            (Axis(module.in_channels // module.groups),),
            (Axis(height, is_centred=True),),
            (Axis(width, is_centred=True),),
        )
        if module.bias is not None:
            found[f"{path}.bias"] = (_channels(module),)
    return found


def _joined(path: str, module: nn.Module) -> dict[str, tuple[Dimension, ...]]:
    """The parameters below `module` that lie as something beside them does."""
    match module:
        case ConvNorm():
            return _norm(f"{path}.bn", _channels(module.conv))
        case MobileOneBlock():
            channels = (Axis(module.groups), Axis(module.width[1] // module.groups))
            found = {} if module.identity is None else _norm(f"{path}.identity", channels)
            if not isinstance(module.se, nn.Identity):
                squeezed: Dimension = (Axis(1), Axis(module.se.fc1.out_channels))
                found[f"{path}.se.fc1.weight"] = (squeezed, channels, *_plain(1, 1))
                found[f"{path}.se.fc2.weight"] = (channels, (squeezed[1],), *_plain(1, 1))
                found[f"{path}.se.fc2.bias"] = (channels,)
            return found
        case PatchEmbed():
            read = _channels(_depthwise(module))
            pointwise = module.proj[1]
            assert isinstance(pointwise, MobileOneBlock)
            width: Dimension = (Axis(1), Axis(pointwise.width[1]))
            branches = pointwise.conv_branches()
            return {
                f"{path}.proj.1.conv_kxk.{i}.conv.weight": (width, read, *_plain(1, 1)) for i in range(len(branches))
            }
        case Attention():
            inner = (Axis(module.proj.in_features // module.head_dim), Axis(module.head_dim))
            rows = (Axis(3), *inner)
            bias = {} if module.qkv.bias is None else {f"{path}.qkv.bias": (rows,)}
            return {
                f"{path}.qkv.weight": (rows, (Axis(module.qkv.in_features),)),
                f"{path}.proj.weight": ((Axis(module.proj.out_features),), inner),
                **bias,
            }
        case FastViT():
            last = module.final_conv
            read = (Axis(last.groups), Axis(last.width[1] // last.groups))
            return {"head.fc.weight": ((Axis(module.head.fc.out_features),), read)}
        case _:
            return {}


def _channels(conv: nn.Conv2d) -> Dimension:
    """What a convolution writes: its groups, and the channels of each."""
    return Axis(conv.groups), Axis(conv.out_channels // conv.groups)


def _depthwise(module: PatchEmbed) -> nn.Conv2d:
    large = module.proj[0]
    assert isinstance(large, LargeKernelConv)
    return large.large_conv.conv


def _norm(path: str, channels: Dimension) -> dict[str, tuple[Dimension, ...]]:
    return {f"{path}.weight": (channels,), f"{path}.bias": (channels,)}


def _kinds(network: nn.Module) -> dict[str, str]:
    """The token mixer of each block, by the path of the block."""
    found = {}
    for path, module in network.named_modules():
        if isinstance(module, RepMixerBlock | MixerBlock):
            found[f"{path}."] = type(module.token_mixer).__name__.lower()
    return found


def _key(name: str, kinds: Mapping[str, str], copies: Mapping[str, int]) -> str:
    if (block := _BLOCK.match(name)) is not None:
        return f"{block[1]}.{kinds[block[0]]}.{block[2]}.{name[block.end() :]}"
    for prefix, number in copies.items():
        if name.startswith(prefix):
            return f"{prefix}of_{number}.{name[len(prefix) :]}"
    return name
