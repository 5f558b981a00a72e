"""Structural reparameterization: the deploy form of a network, and the proof that it computes the same.

Branches, batch norms and layer scales are linear at inference, so they fold into the convolutions beside them
(Ding et al. 2021, RepVGG). More is folded here than Apple's and timm's code does: also the norm in every
feed-forward part, every layer scale, and on request the norm before qkv, which adds a bias. That one is an
option because ONNX Runtime's attention fusion recognises only projections without a bias.

A rule turns one type of module into its deploy form, made of types that have no rule: folding twice is
folding once. Rules for the blocks that families share are here; a family registers its own with
`@fold_module.register` in `bench/networks/<family>/folding.py`. They are loaded with the first network that needs
them: without its rules a layer scale that is a bare parameter would stay, and the network be called folded.
"""

from __future__ import annotations

import copy
import re
from functools import singledispatch
from importlib import import_module

import torch
from torch import Tensor, nn

from bench.errors import FoldError
from bench.networks.blocks import ConvNorm, LargeKernelConv, LayerScale, MobileOneBlock
from bench.networks.kernels import add_kernels, conv_norm_kernel, mobileone_kernel, to_conv

LARGEST_ERROR = 1e-10  # relative, in float64; the error found is some 1e-15

# Where modules that a family folds are written: in its own package, or in timm.
_OWN = re.compile(r"bench\.networks\.(\w+)\.network")
_TIMM = {"timm.models.efficientnet": "efficientnet", "timm.models.convnext": "convnext"}


class Residual(nn.Module):
    """x + module(x)."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.module(x)
        return out


class KeepsNorm(nn.Module):
    """A module whose batch norm `norm` stays a node of its own in the deploy form; its class says why."""

    norm: nn.BatchNorm2d


def fold(network: nn.Module, *, fold_attention_norm: bool = True) -> nn.Module:
    """The deploy form of `network`, in eval mode; a new module, the input keeps all it had.

    Folding is idempotent. Arithmetic is float64 whatever the weights are, rounded once at the end.

    Args:
        fold_attention_norm: False keeps the batch norm before qkv as a node of its own.

    Raises:
        FoldError: a batch norm or layer scale has no rule that folds it.
    """
    _load_rules(network)
    with torch.no_grad():
        folded = fold_module(copy.deepcopy(network).eval(), fold_attention_norm)
    _refuse_leftovers(folded)
    # Rules make new modules, which torch begins in training mode.
    return folded.eval().requires_grad_(False)


def prove_fold(
    network: nn.Module, *, resolution: int | None = None, seed: int = 0, fold_attention_norm: bool = True
) -> float:
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
    network: nn.Module, *, resolution: int | None = None, seed: int = 0, fold_attention_norm: bool = True
) -> tuple[nn.Module, float]:
    """The deploy form in float64, and its relative error on one seeded picture of `resolution`.

    The proof is about the weights and statistics that `network` has. A small picture is enough: kernels and
    borders act alike at every resolution. A network that takes one resolution alone gets that
    (`fixed_resolution`, see bench.networks.families.build).

    Raises:
        FoldError: the error exceeds `LARGEST_ERROR`.
    """
    # fold() copies once more what it takes apart; whoever hands over float64 in eval mode pays for that copy only.
    is_ready = not network.training and all(value.dtype == torch.float64 for value in network.parameters())
    train_form = network if is_ready else copy.deepcopy(network).double().eval()
    folded = fold(train_form, fold_attention_norm=fold_attention_norm)
    generator = torch.Generator().manual_seed(seed)
    side = resolution or getattr(network, "fixed_resolution", None) or 64
    picture = torch.randn(1, 3, side, side, dtype=torch.float64, generator=generator)
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
    _load_rules(network)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            randomise_module(module, generator)


@singledispatch
def randomise_module(module: nn.Module, generator: torch.Generator) -> None:
    """Draws the statistics, norms and scales that `module` itself holds; without a rule it holds none."""


@randomise_module.register
def _(module: nn.BatchNorm2d, generator: torch.Generator) -> None:
    assert module.running_mean is not None
    assert module.running_var is not None
    draw(module.weight, 0.5, 1.5, generator)
    draw(module.bias, -0.4, 0.4, generator)
    draw(module.running_mean, -0.4, 0.4, generator)
    draw(module.running_var, 0.5, 1.5, generator)


@randomise_module.register
def _(module: nn.LayerNorm, generator: torch.Generator) -> None:
    if module.weight is not None:
        draw(module.weight, 0.5, 1.5, generator)
        draw(module.bias, -0.4, 0.4, generator)


@randomise_module.register
def _(module: LayerScale, generator: torch.Generator) -> None:
    draw(module.gamma, 0.1, 1, generator)


def draw(tensor: Tensor, low: float, high: float, generator: torch.Generator) -> None:
    """Fills `tensor` evenly between two bounds, alike on every device."""
    # Drawn on the CPU in one precision, so that a seed means the same values everywhere.
    tensor.copy_(torch.rand(tensor.shape, generator=generator, dtype=torch.float64) * (high - low) + low)


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


def _load_rules(network: nn.Module) -> None:
    """Registers the rules of every family that has a module in `network`."""
    places = {kind.__module__ for module in network.modules() for kind in type(module).__mro__}
    own = (found[1] for place in places if (found := _OWN.fullmatch(place)) is not None)
    for family in sorted({*own, *(_TIMM[place] for place in places if place in _TIMM)}):
        import_module(f"bench.networks.{family}.folding")


def _refuse_leftovers(folded: nn.Module) -> None:
    kept = {f"{name}.norm" for name, module in folded.named_modules() if isinstance(module, KeepsNorm)}
    for name, module in folded.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm | LayerScale) and name not in kept:
            raise FoldError(
                f"{type(module).__name__} {name!r} cannot be folded; "
                "a deploy form has none but what KeepsNorm says; register a rule for what holds it (fold_module)"
            )
