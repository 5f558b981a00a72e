from __future__ import annotations

from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import Trial, TrialState

from bench.samplers import ModelSampler
from bench.samplers.axes import Candidates
from bench.samplers.model import Model

optuna.logging.set_verbosity(optuna.logging.ERROR)


def suggest(trial: Trial) -> dict[str, Any]:
    """Five choices and a depth, some only where another has a certain value."""
    found: dict[str, Any] = {f"op{i}": trial.suggest_categorical(f"op{i}", ["skip", "conv", "pool"]) for i in range(3)}
    found["depth"] = trial.suggest_int("depth", 1, 6)
    if found["op0"] == "conv":
        found["kernel"] = trial.suggest_categorical("kernel", [3, 5])
    return found


def values(found: dict[str, Any]) -> tuple[float, float]:
    """Accuracy and cost."""
    convs = sum(found[f"op{i}"] == "conv" for i in range(3))
    size = found["depth"] + 2 * convs + (found.get("kernel") == 5)
    return 50 + 10 * np.log(size + convs), 1.0 + size


def study_of(seed: int = 0, **options: Any) -> optuna.Study:
    return optuna.create_study(directions=["maximize", "minimize"], sampler=ModelSampler(seed=seed, **options))


def tell(study: optuna.Study, trial: Trial, params: dict[str, Any]) -> None:
    study.tell(trial, values(params))


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 1000), in_flight=st.integers(1, 4))
def test_nothing_is_proposed_twice_while_there_is_something_else(seed: int, in_flight: int) -> None:
    study = study_of(seed, num_starts=5)
    seen, running = set(), []
    for number in range(30):
        trial = study.ask()
        params = suggest(trial)
        seen.add(tuple(sorted(params.items())))
        running.append((trial, params))
        if len(running) == in_flight:
            first, found = running.pop(0)
            if number % 6 == 5:
                study.tell(first, state=TrialState.FAIL)
            else:
                tell(study, first, found)
    # Before any trial had a kernel nobody knew of that question, and the answer to it was drawn.
    assert len(seen) >= 29


def run(study: optuna.Study, number: int) -> list[dict[str, Any]]:
    found = []
    for _ in range(number):
        trial = study.ask()
        found.append(suggest(trial))
        tell(study, trial, found[-1])
    return found


def test_the_same_seed_proposes_the_same() -> None:
    assert run(study_of(3), 15) == run(study_of(3), 15)
    assert run(study_of(3), 15) != run(study_of(4), 15)


def test_a_proposal_follows_from_what_was_told_and_the_seed() -> None:
    told = study_of(0)
    run(told, 15)
    again = study_of(1)
    again.add_trials(told.get_trials())
    for study in (told, again):
        study.sampler = ModelSampler(seed=7)
    assert run(told, 1) == run(again, 1)


def test_the_model_is_doubted_at_one_proposal_in_four(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the trials there are, those under way as well, so that a study taken up again doubts where it would have."""
    told: list[tuple[int, float]] = []
    original = Model.gain
    study = study_of(0)

    def gain(self: Model, candidates: Candidates, *, doubt: float) -> np.ndarray:
        # The trial that is proposed is there already.
        told.append((len(study.get_trials(deepcopy=False)) - 1, doubt))
        return original(self, candidates, doubt=doubt)

    monkeypatch.setattr(Model, "gain", gain)
    run(study, 15)
    study.sampler = ModelSampler(seed=5)
    for _ in range(4):
        suggest(study.ask())
    assert [number for number, _ in told] == list(range(10, 19))
    assert {number for number, doubt in told if doubt == 3.0} == {11, 15}
    assert {doubt for number, doubt in told if number not in (11, 15)} == {1.0}


def test_a_search_finds_the_best_of_one_objective() -> None:
    study = optuna.create_study(sampler=ModelSampler(seed=1))
    study.optimize(
        lambda trial: (trial.suggest_float("x", -3, 3) - 1.2) ** 2 + trial.suggest_int("y", 0, 9), n_trials=40
    )
    assert study.best_value < 0.02


def test_infinite_values_and_pruned_trials_are_lived_with() -> None:
    study = study_of(2, num_starts=3)
    for number in range(12):
        trial = study.ask()
        params = suggest(trial)
        if number % 4 == 1:
            study.tell(trial, (float("-inf"), float("inf")))
        elif number % 4 == 2:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            tell(study, trial, params)
    assert len(study.get_trials()) == 12


def test_constraints_of_trials_are_heeded() -> None:
    found = []
    study = study_of(5, num_starts=8)
    for number in range(30):
        trial = study.ask()
        params = suggest(trial)
        trial.set_constraint("cost", values(params)[1] - 7.0)
        tell(study, trial, params)
        if number >= 8:
            found.append(values(params)[1] <= 7.0)
    assert np.mean(found) > 0.75


def test_when_everything_is_tried_it_goes_on_at_random() -> None:
    study = optuna.create_study(sampler=ModelSampler(seed=0, num_starts=2))
    study.optimize(lambda trial: float(trial.suggest_categorical("x", [1, 2, 3])), n_trials=6)
    assert {trial.params["x"] for trial in study.get_trials()} == {1, 2, 3}


def test_pending_trials_keep_others_away() -> None:
    """Four asked at once are as different as four asked one after the other."""
    study = study_of(6)
    run(study, 15)
    asked = [study.ask() for _ in range(4)]
    params = [suggest(trial) for trial in asked]
    assert len({tuple(sorted(found.items())) for found in params}) == 4


@pytest.mark.parametrize("objectives", [1, 3, 4])
def test_any_number_of_objectives(objectives: int) -> None:
    directions = ["minimize", "maximize", "minimize", "maximize"][:objectives]
    study = optuna.create_study(directions=directions, sampler=ModelSampler(seed=0, num_starts=4))
    for _ in range(14):
        trial = study.ask()
        accuracy, cost = values(suggest(trial))
        study.tell(trial, [cost, accuracy, cost**0.5 + len(trial.params), -cost][:objectives])
    assert len(study.best_trials) >= 1
