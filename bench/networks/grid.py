"""Resolutions that a network of a given total stride can take."""

from __future__ import annotations

from bench.errors import NetworkError


def check_resolution(resolution: int, stride: int) -> int:
    """`resolution` itself where it is a positive multiple of the network's total `stride`.

    Raises:
        NetworkError: it is not; the message names the nearest that is.
    """
    if resolution < stride or resolution % stride:
        near = nearest_resolution(resolution, stride)
        raise NetworkError(f"resolution is {resolution}; multiples of {stride} are allowed; use {near}")
    return resolution


def nearest_resolution(resolution: int, stride: int) -> int:
    """The positive multiple of `stride` that is nearest to `resolution`."""
    return max(stride, round(resolution / stride) * stride)
