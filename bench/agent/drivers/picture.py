"""The picture that every network is shown, without NumPy: `default_rng(0).standard_normal((1, 3, n, n), float32)`.

A phone's host may have no NumPy, and what a network computes can be compared with its reference logits only from the
very same picture. NumPy does not promise its streams across releases; a test compares with the one that is installed.
PCG64 is O'Neill's (2014), seeded as NumPy's SeedSequence(0) seeds it; normal numbers are drawn by Marsaglia and
Tsang's ziggurat (2000) of 256 strips in single precision.
"""

from __future__ import annotations

import functools
import math
import struct
import sys
from array import array
from collections.abc import Iterator

# NumPy's PCG64(SeedSequence(0)).
_STATE = 35399562948360463058890781895381311971
_INCREMENT = 87136372517582989555478159403783844777
_MULTIPLIER = 47026247687942121848144207491837523525
_MASK_64 = (1 << 64) - 1
_MASK_128 = (1 << 128) - 1

_STRIPS = 256
# Where the tail begins, so that 256 strips have one area.
_TAIL = 3.6541528853610088
# Of a float: what is left of 32 bits after strip and sign.
_MANTISSA = 1 << 23


@functools.lru_cache(maxsize=2)
def picture(resolution: int) -> array[float]:
    """3 x n x n values, channel by channel; plain Python, so a second or so for a large one."""
    draw = _normals(_words())
    return array("f", (next(draw) for _ in range(3 * resolution * resolution)))


def as_bytes(resolution: int, *, channels_last: bool) -> bytes:
    """The picture as a file: float32, little-endian."""
    values = picture(resolution)
    if channels_last:
        plane = resolution * resolution
        turned = array("f", bytes(4 * len(values)))
        for channel in range(3):
            turned[channel::3] = values[channel * plane : (channel + 1) * plane]
        values = turned
    elif sys.byteorder == "big":
        values = array("f", values)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _words() -> Iterator[int]:
    """PCG64 (XSL RR 128/64) in words of 32 bits, the low one of each number first."""
    state = _STATE
    while True:
        state = (state * _MULTIPLIER + _INCREMENT) & _MASK_128
        folded, turn = (state >> 64) ^ (state & _MASK_64), state >> 122
        drawn = ((folded >> turn) | (folded << (64 - turn))) & _MASK_64
        yield drawn & 0xFFFFFFFF
        yield drawn >> 32


def _normals(words: Iterator[int]) -> Iterator[float]:
    limits, widths, heights = _tables()
    for word in words:
        strip, place = word & 0xFF, word >> 9
        value = place * widths[strip]
        if word & 0x100:
            value = -value
        # Nearly all end here.
        if place < limits[strip]:
            yield value
        elif strip == 0:
            yield _tail(words, is_negative=bool((place >> 8) & 1))
        else:
            value, span = _single(value), _single(heights[strip - 1] - heights[strip])
            if _single(_single(span * _uniform(words)) + heights[strip]) < math.exp(-0.5 * value * value):
                yield value


def _tail(words: Iterator[int], *, is_negative: bool) -> float:
    while True:
        beyond = _single(-_single(1 / _TAIL) * _single(math.log1p(-_uniform(words))))
        below = _single(-math.log1p(-_uniform(words)))
        if below + below > beyond * beyond:
            value = _single(_single(_TAIL) + beyond)
            return -value if is_negative else value


def _uniform(words: Iterator[int]) -> float:
    return (next(words) >> 8) / (1 << 24)


def _tables() -> tuple[list[int], list[float], list[float]]:
    """For each strip: below which place a point is inside for sure, width of a place, height of the curve."""
    area = _TAIL * math.exp(-0.5 * _TAIL**2) + math.sqrt(math.pi / 2) * math.erfc(_TAIL / math.sqrt(2))
    edges = [0.0] * _STRIPS
    edges[_STRIPS - 1] = _TAIL
    for strip in range(_STRIPS - 2, 0, -1):
        above = edges[strip + 1]
        edges[strip] = math.sqrt(-2 * math.log(area / above + math.exp(-0.5 * above * above)))
    # The lowest strip has the tail in it: as wide as a rectangle of its area.
    edges[0] = area / math.exp(-0.5 * _TAIL**2)
    limits = [int(_TAIL / edges[0] * _MANTISSA), 0]
    limits += [int(edges[strip - 1] / edges[strip] * _MANTISSA) for strip in range(2, _STRIPS)]
    heights = [1.0, *(_single(math.exp(-0.5 * edge * edge)) for edge in edges[1:])]
    return limits, [_single(edge / _MANTISSA) for edge in edges], heights


def _single(value: float) -> float:
    """Rounded to single precision."""
    return float(struct.unpack("f", struct.pack("f", value))[0])
