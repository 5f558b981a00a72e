"""Augmentation of whole batches as tensors: uint8 pictures in, normalised floats out.

A batch is cheap to augment at proxy resolution, so this runs in the training process itself: no worker
processes, nothing to wait for, and the same seed gives the same batch.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

# Mean and standard deviation of ImageNet's pictures, which every published FastViT was trained with.
MEAN = (0.485, 0.456, 0.406)
STANDARD_DEVIATION = (0.229, 0.224, 0.225)


def normalise(images: torch.Tensor) -> torch.Tensor:
    """uint8 (n, r, r, 3) to float (n, 3, r, r) in channels_last memory, ImageNet mean and deviation."""
    values = images.permute(0, 3, 1, 2).float()  # NHWC bytes seen as NCHW are channels_last already
    scale = torch.tensor(STANDARD_DEVIATION, device=images.device) * 255.0
    mean = torch.tensor(MEAN, device=images.device) * 255.0
    return (values - mean.view(1, 3, 1, 1)) / scale.view(1, 3, 1, 1)


def augment(images: torch.Tensor, generator: torch.Generator, *, strength: float) -> torch.Tensor:
    """Random scaled crop, horizontal flip, brightness and contrast, and an erased square in some pictures.

    Args:
        images: float (n, 3, r, r), normalised.
        generator: a CPU generator; its state is all the randomness there is.
        strength: 0 only flips; 1 crops down to 60 % of a side, changes brightness and contrast by up to 30 % and
            erases a square in a quarter of the pictures, as for a training of many epochs.
    """
    n = len(images)
    images = _crop(images, generator, least=1.0 - 0.4 * strength)
    gain = 1.0 + (_uniform(n, generator) - 0.5) * 0.6 * strength
    shift = (_uniform(n, generator) - 0.5) * 0.6 * strength
    images = images * gain.view(n, 1, 1, 1).to(images) + shift.view(n, 1, 1, 1).to(images)
    return _erase(images, generator, share=0.25 * strength)


def _crop(images: torch.Tensor, generator: torch.Generator, *, least: float) -> torch.Tensor:
    """A crop of `least` to all of each side, flipped half of the time, as one affine resampling."""
    n = len(images)
    scale = least + (1.0 - least) * _uniform(n, generator)
    shift_x = (2.0 * _uniform(n, generator) - 1.0) * (1.0 - scale)
    shift_y = (2.0 * _uniform(n, generator) - 1.0) * (1.0 - scale)
    flip = torch.where(_uniform(n, generator) < 0.5, -1.0, 1.0)
    zero = torch.zeros(n)
    transform = torch.stack(
        [torch.stack([scale * flip, zero, shift_x], dim=1), torch.stack([zero, scale, shift_y], dim=1)], dim=1
    )
    grid = F.affine_grid(transform.to(images), list(images.shape), align_corners=False)
    resampled = F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return resampled.contiguous(memory_format=torch.channels_last)


def _erase(images: torch.Tensor, generator: torch.Generator, *, share: float) -> torch.Tensor:
    """Sets a square of a quarter of the side to the mean, in a `share` of the pictures."""
    n, _, _, side = images.shape
    size = side // 4
    top = (_uniform(n, generator) * (side - size)).long().view(n, 1)
    left = (_uniform(n, generator) * (side - size)).long().view(n, 1)
    chosen = (_uniform(n, generator) < share).view(n, 1, 1)
    position = torch.arange(side).view(1, side)
    rows = (position >= top) & (position < top + size)
    columns = (position >= left) & (position < left + size)
    hole = (rows.unsqueeze(2) & columns.unsqueeze(1) & chosen).unsqueeze(1)
    return images.masked_fill(hole.to(images.device), 0.0)


def _uniform(n: int, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(n, generator=generator)
