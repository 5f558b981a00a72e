from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from bench.errors import DataError
from bench.proxies.decoding import Decoded, Unreadable, decode, decode_all, decoders

from .made import jpeg, left_red_right_blue


@dataclass(frozen=True)
class Shades:
    """A source of single-coloured squares named by their shade; some names do something else."""

    def read(self, names: Sequence[str], resolution: int) -> Iterator[Decoded]:
        for name in names:
            if name == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if name == "print":
                print("this must not reach the parent's replies", flush=True)
            if name == "raise":
                raise DataError("the table is torn")
            if name == "broken":
                yield Unreadable("broken on purpose")
            else:
                shade = int(name) if name.isdigit() else 0
                yield np.full((resolution, resolution, 3), shade, np.uint8)


def _decoded(content: bytes, resolution: int = 8) -> np.ndarray:
    image = decode(content, resolution)
    assert not isinstance(image, Unreadable), image
    assert image.shape == (resolution, resolution, 3)
    assert image.dtype == np.uint8
    return image


@pytest.mark.parametrize(
    ("content", "colour"),
    [
        (jpeg((200, 30, 30)), (200, 30, 30)),
        (jpeg((120,), mode="L"), (120, 120, 120)),
        (jpeg((0, 255, 255, 0), mode="CMYK"), (255, 0, 0)),
    ],
)
def test_every_colour_space_becomes_rgb(content: bytes, colour: tuple[int, int, int]) -> None:
    np.testing.assert_allclose(_decoded(content).mean(axis=(0, 1)), colour, atol=3)


@pytest.mark.parametrize(("mode", "value"), [("P", 1), ("RGBA", (9, 8, 7, 255)), ("LA", (5, 255)), ("1", 1)])
def test_png_modes_are_read(mode: str, value: int | tuple[int, ...]) -> None:
    buffer = io.BytesIO()
    Image.new(mode, (9, 9), value).save(buffer, "PNG")
    _decoded(buffer.getvalue())


def test_sixteen_bit_grey_keeps_its_shades() -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.full((9, 9), 100 * 256, np.uint16)).save(buffer, "PNG")
    assert (_decoded(buffer.getvalue()) == 100).all()


@pytest.mark.parametrize(
    ("orientation", "red_side"),
    [
        (None, "left"),
        (1, "left"),
        (2, "right"),
        (3, "right"),
        (4, "left"),
        (5, "top"),
        (6, "top"),
        (7, "bottom"),
        (8, "bottom"),
    ],
)
def test_pictures_stand_upright(orientation: int | None, red_side: str) -> None:
    red = _decoded(left_red_right_blue(orientation=orientation), 16)[:, :, 0] > 128
    sides = {"left": red[:, :7], "right": red[:, 9:], "top": red[:7], "bottom": red[9:]}
    opposite = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}[red_side]
    assert sides[red_side].all()
    assert not sides[opposite].any()


def test_centre_square_of_the_shorter_side_is_taken() -> None:
    image = Image.new("RGB", (300, 100), (0, 0, 255))
    image.paste((255, 0, 0), (90, 0, 210, 100))  # wider than the square by the reach of the resizer
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    np.testing.assert_array_equal(_decoded(buffer.getvalue(), 20), np.broadcast_to([255, 0, 0], (20, 20, 3)))


def test_small_pictures_are_enlarged() -> None:
    assert _decoded(jpeg(size=(3, 2)), 32).shape == (32, 32, 3)


def test_draft_mode_stays_close_to_a_full_decode() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((400, 400), Image.Resampling.BICUBIC)
    buffer, png = io.BytesIO(), io.BytesIO()
    image.save(buffer, "JPEG", quality=95)
    image.save(png, "PNG")
    difference = _decoded(buffer.getvalue(), 32).astype(int) - _decoded(png.getvalue(), 32)
    assert np.abs(difference).mean() < 3


@pytest.mark.parametrize("content", [b"", b"text", left_red_right_blue()[:300], b"\x89PNG\r\n\x1a\n" + b"0" * 50])
def test_broken_files_are_told_not_raised(content: bytes) -> None:
    result = decode(content, 8)
    assert isinstance(result, Unreadable)
    assert "Error" in result.reason


def test_batch_leaves_out_what_is_unreadable() -> None:
    batch = decode_all(Shades(), ["1", "broken", "3"], 8)
    assert batch.images[:, 0, 0, 0].tolist() == [1, 3]
    assert batch.unreadable == ((1, "broken on purpose"),)
    assert decode_all(Shades(), ["broken"], 8).images.shape == (0, 8, 8, 3)


@pytest.mark.parametrize("processes", [0, 2])
def test_answers_come_in_order(processes: int) -> None:
    requests = [[str(shade), "print"] for shade in range(30)]
    with decoders(Shades(), 8, processes=processes) as run:
        shades = [int(batch.images[0, 0, 0, 0]) for batch in run(requests)]
    assert shades == list(range(30))


def test_dead_worker_is_an_error_that_names_its_pictures() -> None:
    with (
        pytest.raises(DataError, match=r"a decoding process ended with code -9 between 'die' and '7'"),
        decoders(Shades(), 8, processes=1) as run,
    ):
        list(run([["1"], ["die", "7"], ["2"]]))


def test_worker_hands_over_errors_of_the_source() -> None:
    with pytest.raises(DataError, match="the table is torn"), decoders(Shades(), 8, processes=1) as run:
        list(run([["raise"]]))
