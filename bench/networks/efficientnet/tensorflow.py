"""EfficientNet as TensorFlow computes it, for weights that were trained there (timm's `tf_efficientnet_*`).

Two things differ, and no file of weights shows either: strided convolutions pad more behind than in front where the
size asks for an odd number of zeros ("same" padding), and batch norms have another epsilon. With PyTorch's padding
such weights still load, and compute something else.
"""

from __future__ import annotations

import re

from timm.layers import Conv2dSame
from torch import nn

_EPSILON = 1e-3  # timm's BN_EPS_TF_DEFAULT

_NAMES = re.compile(r"(^|[^a-z])tf_efficientnet")


def is_from_tensorflow(name: str) -> bool:
    """Whether weights of this name (timm's, or of a file that keeps it) were trained in TensorFlow."""
    return _NAMES.search(name.lower()) is not None


def compute_as_tensorflow(network: nn.Module) -> None:
    """Turns an EfficientNet in train form into TensorFlow's, in place; its weights stay."""
    for module in list(network.modules()):
        if isinstance(module, nn.BatchNorm2d):
            module.eps = _EPSILON
        for name, child in module.named_children():
            # With stride 1 and odd kernels both pad alike.
            if isinstance(child, nn.Conv2d) and child.stride != (1, 1):
                setattr(module, name, same_padded(child))


def same_padded(conv: nn.Conv2d) -> nn.Conv2d:
    """The convolution with TensorFlow's padding; it shares the weights."""
    # On the meta device nothing is drawn: torch's random state is left alone.
    padded: nn.Conv2d = Conv2dSame(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        stride=conv.stride,
        groups=conv.groups,
        bias=conv.bias is not None,
        device="meta",
    )
    padded.weight, padded.bias = conv.weight, conv.bias
    return padded
