"""What Optuna asks of every sampler, and what a plain Optuna study may expect of this one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase, RelativeSamplerTestCase

from bench.samplers import ModelSampler


class TestModelSampler(BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        # A model from the third trial on, so that what is asked here reaches it.
        return lambda: ModelSampler(seed=0, num_starts=2)
