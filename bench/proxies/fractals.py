"""Pictures drawn by formula: fractal categories that need no download and no licence.

A category is an iterated function system, a handful of contracting affine maps whose attractor is its shape
(Kataoka et al., "Pre-training without Natural Images", ACCV 2020); the maps are drawn through their
singular values, so that each is contracting (Anderson and Farrell, "Improving Fractal Pre-training", WACV
2022). A picture is one attractor of its category with the maps disturbed, turned, mirrored, scaled and
moved, painted with a random 3 x 3 brush in a gradient of colours that leans to its category's own, over a
dark, noisy ground with a fragment of another category in it.

The bytes depend on the picture's name and the resolution alone: only uniform doubles of a PCG64 stream and
correctly rounded arithmetic are used, and the few sines are rounded before they count.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.proxies.decoding import Unreadable
from bench.proxies.subset import SPLITS, Picture, SplitName

NUM_CATEGORIES = 1000
VERSION = 2  # raised whenever a byte of any picture changes

# How hard the categories are to tell apart. The colours are learned first and the shapes later, so that a
# network is above chance after one or two thousand pictures and far from perfect after eight.
_MAP_JITTER = 0.15  # relative, of every number of every map
_MAX_TURN = 0.5  # radians, either way
_COLOUR_HINT = 0.65  # how far a picture's colour is drawn to that of its category: 0 not at all, 1 all the way
_GRADIENT = 0.5  # how far the colour at the bottom may be from that at the top
_GROUND = 0.35  # brightest ground
_CLUTTER = 0.7  # how opaque the fragment of another category is
_NOISE = 0.3  # largest amplitude of the ground's noise

_NUM_CHAINS = 512
_POINTS_PER_PIXEL = 2.0  # of the square that a shape is drawn into
_NUM_SETTLING = 8  # steps before a chain is on the attractor to well under a pixel
_MIN_FILL = 0.12  # share of a 32 x 32 raster that a category must touch to have a shape at all

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FractalSource:
    """The generated data set: `num_train` and `num_val` pictures of each category."""

    num_train: int
    num_val: int

    @property
    def label(self) -> str:
        return "fractals"

    def class_names(self) -> tuple[str, ...]:
        return tuple(f"fractal_{index:03d}" for index in range(NUM_CATEGORIES))

    def splits(self) -> tuple[SplitName, ...]:
        return SPLITS

    def stamp(self) -> str:
        return f"fractals {VERSION} {self.num_train} {self.num_val}"

    def pictures(self, split: SplitName, labels: Sequence[int]) -> Iterator[Picture]:
        count = self.num_train if split == "train" else self.num_val
        for label in labels:
            for number in range(count):
                yield Picture(f"fractal/{VERSION}/{split}/{label:03d}/{number:06d}", label, 0)

    def read(self, names: Sequence[str], resolution: int) -> Iterator[NDArray[np.uint8] | Unreadable]:
        for name in names:
            _, _, split, category, number = name.split("/")
            yield render(int(category), (SPLITS.index(split), int(number)), resolution=resolution)


def render(category: int, instance: tuple[int, int], *, resolution: int) -> NDArray[np.uint8]:
    """One picture (resolution, resolution, 3) of `category`; `instance` numbers it within its category."""
    random = _stream(1, category, *instance)
    mass = _draw_shape(random, _maps(category), resolution, scale=0.55 + 0.4 * random.random())
    other = _draw_shape(
        random, _maps(int(random.random() * NUM_CATEGORIES)), resolution, scale=0.15 + 0.25 * random.random()
    )
    ground, first, second = random.random((3, 3))
    first = first + _COLOUR_HINT * (_colour(category) - first)
    ramp = np.linspace(0.0, 1.0, resolution)[:, None, None]
    ground = _GROUND * ground
    second = first + _GRADIENT * (second - first)
    ink = first + ramp * (second - first)
    clutter = random.random(3)
    image = ground + (random.random((resolution, resolution, 1)) - 0.5) * (_NOISE * random.random())
    image = image + _CLUTTER * other[:, :, None] * (clutter - image)
    image = image + mass[:, :, None] * (ink - image)
    return np.asarray(np.floor(np.clip(image, 0.0, 1.0) * 255.0 + 0.5), dtype=np.uint8)


def _draw_shape(random: np.random.Generator, maps: Floats, resolution: int, *, scale: float) -> Floats:
    """Coverage (resolution, resolution) in [0, 1) of one disturbed attractor, placed at random."""
    disturbed = maps * (1.0 + _MAP_JITTER * (2.0 * random.random(maps.shape) - 1.0))
    points = _attractor(random, disturbed, num_points=math.ceil(_POINTS_PER_PIXEL * (scale * resolution) ** 2))
    points = _turn(points, angle=_MAX_TURN * (2.0 * random.random() - 1.0), mirrored=random.random() < 0.5)
    low, high = points.min(axis=1), points.max(axis=1)
    size = scale * (resolution - 3)
    corner = random.random(2) * (resolution - 3 - size)
    step = size / max(float((high - low).max()), 1e-9)
    columns, rows = np.floor((points - low[:, None]) * step + corner[:, None]).astype(np.int64)
    counts = np.bincount((rows + 1) * resolution + columns + 1, minlength=resolution * resolution)
    return _paint(counts.reshape(resolution, resolution).astype(np.float64), brush=random.random((3, 3)) < 0.5)


def _attractor(random: np.random.Generator, maps: Floats, *, num_points: int) -> Floats:
    """Points (2, n) of the attractor by the chaos game, many chains side by side."""
    areas = np.abs(maps[:, 0] * maps[:, 3] - maps[:, 1] * maps[:, 2]) + 0.01
    edges = np.cumsum(areas / areas.sum())[:-1]
    num_steps = -(-num_points // _NUM_CHAINS)
    uniform = random.random((_NUM_SETTLING + num_steps, _NUM_CHAINS))
    choices = np.sum([uniform >= edge for edge in edges], axis=0)
    points = np.empty((2, num_steps, _NUM_CHAINS))
    x, y = np.zeros(_NUM_CHAINS), np.zeros(_NUM_CHAINS)
    columns = np.ascontiguousarray(maps.T)
    for step, choice in enumerate(choices, start=-_NUM_SETTLING):
        a, b, c, d, e, f = columns[:, choice]
        x, y = a * x + b * y + e, c * x + d * y + f
        if step >= 0:
            points[0, step], points[1, step] = x, y
    return points.reshape(2, -1)


def _turn(points: Floats, *, angle: float, mirrored: bool) -> Floats:
    cosine, sine = round(math.cos(angle), 6), round(math.sin(angle), 6)
    x, y = (-points[0] if mirrored else points[0]), points[1]
    return np.stack((cosine * x - sine * y, sine * x + cosine * y))


def _paint(counts: Floats, *, brush: NDArray[np.bool_]) -> Floats:
    """Spreads each point over its 3 x 3 neighbourhood with the brush; more points, more ink."""
    size = len(counts)
    padded = np.pad(counts, 1)
    ink = counts.copy()
    for row, column in np.argwhere(brush):
        ink += padded[row : row + size, column : column + size]
    return np.asarray(ink / (ink + 2.0))


@functools.lru_cache(maxsize=NUM_CATEGORIES)
def _maps(category: int) -> Floats:
    """The maps (n, 6) of a category: x' = a x + b y + e, y' = c x + d y + f."""
    for attempt in range(1000):
        random = _stream(0, category, attempt)
        maps = np.array([_contraction(random.random(7)) for _ in range(2 + int(3 * random.random()))])
        if _fill(_attractor(random, maps, num_points=4096)) >= _MIN_FILL:
            return maps
    raise AssertionError(f"category {category} found no shape")  # about one draw in three has one


@functools.lru_cache(maxsize=NUM_CATEGORIES)
def _colour(category: int) -> Floats:
    return _stream(2, category).random(3)


def _contraction(u: Floats) -> tuple[float, float, float, float, float, float]:
    """Turn, stretch, turn again; both stretches lie in 0.3 to 0.85."""
    (c1, s1), (c2, s2) = ((round(math.cos(t), 6), round(math.sin(t), 6)) for t in 2.0 * math.pi * u[:2])
    long, short = 0.45 + 0.4 * u[2], 0.3 + 0.4 * u[3]
    short = short if u[4] < 0.5 else -short
    a, b = c1 * long * c2 - s1 * short * s2, -c1 * long * s2 - s1 * short * c2
    c, d = s1 * long * c2 + c1 * short * s2, -s1 * long * s2 + c1 * short * c2
    return a, b, c, d, 2.0 * u[5] - 1.0, 2.0 * u[6] - 1.0


def _fill(points: Floats) -> float:
    low, span = points.min(axis=1), np.ptp(points, axis=1)
    columns, rows = np.minimum((points - low[:, None]) / np.maximum(span[:, None], 1e-9) * 32, 31).astype(np.int64)
    return len(np.unique(rows * 32 + columns)) / (32.0 * 32.0)


def _stream(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(key))
