"""How zero-cost proxies look at a network without leaving a trace in it.

Everything runs through `torch.func.functional_call` on stand-ins: weights that share the network's memory but have
gradients of their own, and copies of its running statistics. What has to be changed on the modules themselves (mode,
hooks, forwards) is changed inside a `with` and put back.

Two things are seen otherwise than they stand in a fresh network:

- Layer scales count as one. They are drawn as 1e-5 (FastViT) or 1e-6 (ConvNeXt), which hides every block behind its
  skip connection: all networks of one stem and one head would look alike. Trained ones grow to between 0.1 and 1.
- A reparameterized block counts as one layer, since its branches fold into one convolution, and of several equal
  branches one counts: a block with four of them computes no more than with one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call

from bench.networks.blocks import LargeKernelConv, MobileOneBlock

# What stands between linear parts; gates (sigmoid, hard sigmoid) and softmax are no activations here.
ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Hardswish)
NORMS = (nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)
_LAYERS = (nn.Conv2d, nn.Linear)
_BRANCHES = ("conv_kxk", "conv_scale", "large_conv", "small_conv")
_FURTHER_BRANCH = re.compile(r"conv_kxk\.[1-9]")

Tensors = dict[str, Tensor]


def stand_ins(network: nn.Module, change: Callable[[str, Tensor], Tensor] | None = None) -> Tensors:
    """Weights by name as leaves with gradients of their own, layer scales as one.

    Args:
        change: makes another tensor of a name and its weight; None: they share the network's memory.
    """
    found = {}
    for name, value in network.named_parameters():
        seen = torch.ones_like(value) if is_layer_scale(name) else value.detach()
        found[name] = (seen if change is None else change(name, seen)).detach().requires_grad_()
    return found


def num_equal_branches(network: nn.Module) -> Mapping[str, int]:
    """Of each weight that has equal branches beside it: how many they are with it, by its name."""
    return {
        f"{name}.conv_kxk.{branch}.conv.weight": len(module.conv_kxk)
        for name, module in network.named_modules()
        if isinstance(module, MobileOneBlock)
        for branch in range(len(module.conv_kxk))
    }


def is_layer_scale(name: str) -> bool:
    """Whether a parameter of that name is a layer scale, in whichever family."""
    return name.rpartition(".")[2] == "gamma"


def look(network: nn.Module, weights: Tensors, images: Tensor) -> Tensor:
    """Logits (n, classes) of `network` with these weights; its running statistics stay as they are."""
    buffers = {name: value.clone() for name, value in network.named_buffers()}
    logits: Tensor = functional_call(network, {**weights, **buffers}, (images,), tie_weights=False)
    return logits


def layers(network: nn.Module) -> Mapping[str, tuple[str, ...]]:
    """Names of the weights of each convolution and linear layer that count, by the name of the layer."""
    blocks = {name for name, module in network.named_modules() if isinstance(module, MobileOneBlock | LargeKernelConv)}
    found: dict[str, list[str]] = {}
    for name, module in network.named_modules():
        if isinstance(module, _LAYERS) and not _FURTHER_BRANCH.search(name):
            found.setdefault(_layer_of(name, blocks), []).append(f"{name}.weight")
    return {name: tuple(weights) for name, weights in found.items()}


@contextmanager
def in_mode(network: nn.Module, *, training: bool) -> Iterator[None]:
    """All modules in train or in eval mode, each in its own again afterwards; random numbers are left alone."""
    before = [(module, module.training) for module in network.modules()]
    with torch.random.fork_rng(devices=[]):
        network.train(training)
        try:
            yield
        finally:
            for module, was_training in before:
                module.training = was_training


@contextmanager
def before_each(
    network: nn.Module, kinds: tuple[type[nn.Module], ...], see: Callable[[Tensor], None]
) -> Iterator[None]:
    """Shows `see` the input of every module of these kinds."""
    with ExitStack() as stack:
        for module in network.modules():
            if isinstance(module, kinds):
                handle = module.register_forward_pre_hook(lambda _, inputs: see(inputs[0]))
                stack.callback(handle.remove)
        yield


@contextmanager
def passing_through(network: nn.Module, kinds: tuple[type[nn.Module], ...]) -> Iterator[None]:
    """Modules of these kinds give what they get, with whatever they hold inside."""
    changed = [module for module in network.modules() if isinstance(module, kinds)]
    try:
        for module in changed:
            # On the instance, in front of that of its class.
            module.forward = _identity
        yield
    finally:
        for module in changed:
            del module.forward


def _identity(x: Tensor) -> Tensor:
    return x


def _layer_of(name: str, blocks: set[str]) -> str:
    words = name.split(".")
    for place, word in enumerate(words):
        if word in _BRANCHES and ".".join(words[:place]) in blocks:
            return ".".join(words[:place])
    return name
