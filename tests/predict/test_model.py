from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from command import ROOT

from bench.errors import MeasureError
from bench.predict import LatencyModel
from bench.space import Architecture, load_space

from .rooflines import drawn, latencies_ms

KNOWN, UNSEEN = drawn(60), drawn(100, seed=1)


@pytest.fixture(scope="module")
def model() -> LatencyModel:
    return LatencyModel.fit(KNOWN, latencies_ms(KNOWN, noise=0.02))


def test_a_hidden_roofline_is_learned_from_sixty_noisy_measurements(model: LatencyModel) -> None:
    errors = np.abs(model.predict(UNSEEN).ms / latencies_ms(UNSEEN) - 1)
    assert np.median(errors) < 0.015  # found: 0.010; the noise of one measurement is 0.02
    assert np.quantile(errors, 0.9) < 0.04


@pytest.mark.parametrize("noise", [0.005, 0.02, 0.05])
def test_intervals_hold_nine_in_ten_measurements(noise: float) -> None:
    shares = []
    for seed in range(4):
        model = LatencyModel.fit(KNOWN, latencies_ms(KNOWN, noise=noise, seed=seed), seed=seed)
        found, measured = model.predict(UNSEEN), latencies_ms(UNSEEN, noise=noise, seed=100 + seed)
        shares.append(np.mean((found.low_ms <= measured) & (measured <= found.high_ms)))
    assert 0.85 <= np.mean(shares) <= 0.97


def test_intervals_hold_what_they_predict(model: LatencyModel) -> None:
    found = model.predict(UNSEEN)
    assert (found.low_ms < found.ms).all()
    assert (found.ms < found.high_ms).all()


def test_noisier_measurements_give_wider_intervals() -> None:
    widths = []
    for noise in (0.01, 0.05):
        found = LatencyModel.fit(KNOWN, latencies_ms(KNOWN, noise=noise)).predict(UNSEEN)
        widths.append(np.median(np.log(found.high_ms / found.low_ms)))
    assert widths[1] > 2 * widths[0]


def test_a_bad_measurement_hurts_less_where_its_interval_says_so() -> None:
    values, noise = latencies_ms(KNOWN, noise=0.01), np.full(60, 0.02)
    values[::6] *= 1.4
    noise[::6] = 0.6
    truth = latencies_ms(UNSEEN)
    errors = [
        np.median(np.abs(LatencyModel.fit(KNOWN, values, noise=told).predict(UNSEEN).ms / truth - 1))
        for told in (None, noise)
    ]
    assert errors[1] < 0.02 < errors[0]


def test_more_of_everything_takes_longer(model: LatencyModel) -> None:
    points = load_space("fastvit").reference_points
    order = ("fastvit_t8", "fastvit_t12", "fastvit_s12", "fastvit_sa24", "fastvit_sa36", "fastvit_ma36")
    assert (np.diff(model.predict([points[name] for name in order]).ms) > 0).all()
    deeper = []
    for architecture in UNSEEN[:20]:
        data = architecture.to_dict()
        stages = [{**stage, "depth": int(stage["depth"]) + 2} for stage in architecture.stages]
        deeper.append(Architecture.from_dict({**data, "stages": stages}))
    assert (model.predict(deeper).ms > model.predict(UNSEEN[:20]).ms).all()


def test_no_price_is_negative(model: LatencyModel) -> None:
    assert min(model.prices.values()) >= 0
    # A multiply-add of the slow kind takes 30 times as long as one of the fast kind on this runner.
    assert model.prices["expanding_gmacs"] > 5 * model.prices["dense_gmacs"] > 0


def test_same_data_and_seed_give_the_same_predictions(model: LatencyModel) -> None:
    again = LatencyModel.fit(KNOWN, latencies_ms(KNOWN, noise=0.02)).predict(UNSEEN)
    found = model.predict(UNSEEN)
    for name in ("ms", "low_ms", "high_ms"):
        assert getattr(found, name).tobytes() == getattr(again, name).tobytes()


def test_the_unit_does_not_matter(model: LatencyModel) -> None:
    seconds = LatencyModel.fit(KNOWN, latencies_ms(KNOWN, noise=0.02) / 1e3).predict(UNSEEN)
    np.testing.assert_allclose(seconds.high_ms * 1e3, model.predict(UNSEEN).high_ms, rtol=1e-6)


def test_a_model_comes_back_from_json(model: LatencyModel) -> None:
    again = LatencyModel.from_dict(json.loads(json.dumps(model.to_dict(), allow_nan=False)))
    assert len(again) == len(model) == 60
    assert again.predict(UNSEEN).ms.tobytes() == model.predict(UNSEEN).ms.tobytes()
    assert again.to_dict() == model.to_dict()


def test_a_mutilated_model_is_refused(model: LatencyModel) -> None:
    data = {key: value for key, value in model.to_dict().items() if key != "noise"}
    with pytest.raises(MeasureError, match=r"a latency model without 'noise'; .* are needed; fit it again"):
        LatencyModel.from_dict(data)


def test_nothing_asked_is_nothing_told(model: LatencyModel) -> None:
    assert model.predict([]).ms.shape == (0,)


def test_few_measurements_are_refused() -> None:
    few = KNOWN[:9]
    with pytest.raises(MeasureError, match=r"9 measured architectures; a latency model needs 10 or more, .* measure"):
        LatencyModel.fit(few * 3, np.tile(latencies_ms(few), 3))
    assert len(LatencyModel.fit(KNOWN[:10], latencies_ms(KNOWN[:10]))) == 10


def test_nothing_heavy_is_imported_until_a_model_is_fitted() -> None:
    code = "import sys, bench.predict; print({'torch', 'sklearn', 'sqlalchemy', 'ray'} & set(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.strip() == "set()"
