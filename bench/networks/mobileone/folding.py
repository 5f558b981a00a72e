"""How the blocks of a MobileOne fold into their deploy form; see bench/networks/fold.py."""

from __future__ import annotations

from torch import nn

from bench.networks.fold import fold_module
from bench.networks.kernels import mobileone_kernel, to_conv
from bench.networks.mobileone.network import Block


@fold_module.register
def _(module: Block, _: bool) -> nn.Module:
    conv = to_conv(mobileone_kernel(module), like=module.conv_branches()[0].conv)
    return nn.Sequential(*(part for part in (conv, module.attn, module.act) if not isinstance(part, nn.Identity)))
