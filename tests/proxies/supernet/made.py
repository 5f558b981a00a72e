"""A space with everything that weights are shared over, and a supernet of the smallest space, trained for a moment."""

from __future__ import annotations

from pathlib import Path

from bench.proxies.supernet import Pictures, SupernetSettings
from bench.proxies.training import TrainingConfig
from bench.space import load_space, parse_space

ODD = parse_space(
    """
name: odd
family: fastvit
description: everything that weights are shared over, in networks that are built in a moment
settings:
  input_resolution: 64
  stem_width: [8, stage1]
  activation: [gelu, relu]
  head_squeeze_excite: [true, false]
  head_expansion: [1, 2]
  train_branches: [1, 2]
every_stage:
  mlp_ratio: [1, 2]
  mixer_kernel: [3, 5]
  ffn_kernel: [3, 7]
  downsample_kernel: [3, 7]
  head_dim: [8, 16]
  position: {when: mixer == attention, choices: [none, conditional], otherwise: none}
  position_kernel: [3, 7]
stages:
  - {depth: [2, 1], width: [8, 12]}
  - {depth: 1, width: [8, 16, 24]}
  - {depth: 1, width: [16, 32, 48], mixer: [repmixer, pooling, attention]}
  - {depth: [1, 2], width: [16, 32], mixer: [attention, repmixer]}
rules: [params_m <= 0.1, macs_g <= 0.003]
""",
    source="tests",
)
SMOKE = load_space("smoke")
PICTURES = Pictures(source="fractals", classes=2, per_class=24, val_per_class=8)


def settings_of(*, images: int = 64, networks: int = 3, seed: int = 0) -> SupernetSettings:
    training = TrainingConfig(images=images, batch_size=16, seed=seed)
    return SupernetSettings(
        space_text=SMOKE.text, pictures=PICTURES, resolution=64, networks=networks, training=training
    )


def cache_of(folder: Path) -> Path:
    return folder / "cache"
