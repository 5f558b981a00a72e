"""The picture without NumPy is NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

from bench.agent.drivers.picture import as_bytes, picture


@pytest.mark.parametrize("resolution", [8, 64, 160])
def test_it_is_the_one_that_every_runtime_is_shown(resolution: int) -> None:
    wanted = np.random.default_rng(0).standard_normal((1, 3, resolution, resolution), dtype=np.float32).ravel()
    found = np.array(picture(resolution), dtype=np.float32)
    # A logarithm in single precision may end in another digit in the tail; a draw more or less would move all others.
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert np.count_nonzero(found != wanted) <= found.size / 1000


def test_file_has_the_channels_where_the_network_wants_them() -> None:
    first = np.frombuffer(as_bytes(4, channels_last=False), "<f4").reshape(3, 4, 4)
    last = np.frombuffer(as_bytes(4, channels_last=True), "<f4").reshape(4, 4, 3)
    np.testing.assert_array_equal(first.transpose(1, 2, 0), last)
    np.testing.assert_array_equal(first.ravel(), np.array(picture(4), np.float32))
