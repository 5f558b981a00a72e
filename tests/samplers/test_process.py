from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad

from bench.samplers import process
from bench.samplers.axes import Axis
from bench.samplers.features import Encoder
from bench.samplers.process import Kernel, Process, fit_kernel

AXES = tuple(Axis(name=str(i), values=tuple(range(4 + i)), is_ordered=False) for i in range(5))
ENCODER = Encoder(AXES)
THETA = np.full(5, 0.5)


def draws(number: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.column_stack([random.integers(len(axis.values), size=number) for axis in AXES]).astype(float)


def truth(points: np.ndarray) -> np.ndarray:
    """The first axis decides, the next two talk to each other, the others do nothing."""
    return 0.6 * points[:, 0] + (points[:, 1] == points[:, 2]) - 1.0


def test_what_was_told_without_noise_is_known() -> None:
    points = draws(40, 0)
    kernel = Kernel(theta=THETA, amplitude=1.0, local=0.0, noise=1e-6)
    found = Process.of(kernel, ENCODER(points), truth(points), layout=ENCODER.layout)
    mean, deviation = found.predict(ENCODER(points))
    assert mean == pytest.approx(truth(points), abs=1e-3)
    assert deviation.max() < 0.01
    assert found.mean(ENCODER(points)) == pytest.approx(mean)


def test_far_from_everything_nothing_is_known() -> None:
    points = np.zeros((3, 5))
    kernel = Kernel(theta=np.full(5, 50.0), amplitude=2.0, local=0.0, noise=1e-6)
    found = Process.of(kernel, ENCODER(points[:1]), np.ones(1), layout=ENCODER.layout)
    mean, deviation = found.predict(ENCODER(points + 1))
    assert mean == pytest.approx(np.zeros(3), abs=1e-6)
    assert deviation == pytest.approx(np.full(3, np.sqrt(2.0)))


def test_axes_that_do_nothing_are_found_out() -> None:
    points = draws(80, 1)
    kernel = fit_kernel(ENCODER(points), truth(points), layout=ENCODER.layout)
    assert kernel.theta[:3].min() > 2 * kernel.theta[3:].max()
    mean, deviation = Process.of(kernel, ENCODER(points), truth(points), layout=ENCODER.layout).predict(
        ENCODER(draws(200, 2))
    )
    errors = mean - truth(draws(200, 2))
    assert np.sqrt((errors**2).mean()) < 0.45 * truth(draws(200, 2)).std()
    assert np.mean(np.abs(errors) < 2 * deviation + 0.02) > 0.85


def test_noise_is_found_out() -> None:
    points = np.repeat(draws(100, 3), 2, axis=0)  # each twice: what differs is noise
    noisy = truth(points) + 0.4 * np.random.default_rng(4).standard_normal(200)
    quiet, loud = (fit_kernel(ENCODER(points), each, layout=ENCODER.layout) for each in (truth(points), noisy))
    assert quiet.noise < 0.02
    assert 0.05 < loud.noise < 0.4


def test_the_gradient_is_that_of_the_density(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def keep(function, start, **options):  # type: ignore[no-untyped-def]
        seen["function"], seen["start"] = function, start
        return process.__dict__["_minimize"](function, start, **options)

    monkeypatch.setattr(process, "_minimize", process.minimize, raising=False)
    monkeypatch.setattr(process, "minimize", keep)
    points = draws(25, 5)
    fit_kernel(ENCODER(points), truth(points), layout=ENCODER.layout)
    function, start = seen["function"], seen["start"]
    for shift in (0.0, 0.7, -0.9):
        logs = start + shift
        error = check_grad(lambda x: function(x)[0], lambda x: function(x)[1], logs)
        assert error < 1e-3 * np.linalg.norm(function(logs)[1])


def test_the_same_observations_give_the_same_model() -> None:
    points = draws(30, 6)
    first, second = (fit_kernel(ENCODER(points), truth(points), layout=ENCODER.layout) for _ in range(2))
    assert (first.theta == second.theta).all()
    assert first.noise == second.noise


def test_seeing_more_is_the_same_as_having_seen_it_from_the_start() -> None:
    points, kernel = draws(20, 7), Kernel(theta=THETA, amplitude=1.0, local=0.0, noise=1e-3)
    whole = Process.of(kernel, ENCODER(points), truth(points), layout=ENCODER.layout)
    part = Process.of(kernel, ENCODER(points[:12]), truth(points)[:12], layout=ENCODER.layout)
    more = part.with_more(ENCODER(points[12:]), truth(points)[12:])
    columns = ENCODER(draws(30, 8))
    assert more.predict(columns)[0] == pytest.approx(whole.predict(columns)[0])
    assert more.predict(columns)[1] == pytest.approx(whole.predict(columns)[1])
