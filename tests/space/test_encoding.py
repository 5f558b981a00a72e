"""Decisions and features: round trips, stable names, numbers for models."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.errors import SpaceError
from bench.space import (
    Architecture,
    Decision,
    Space,
    all_decisions,
    at,
    compose,
    count,
    decisions,
    every,
    feature_names,
    features,
    load_space,
    parse_space,
)

FASTVIT = load_space("fastvit")


def test_decisions_is_the_inverse_of_compose_for_every_architecture(tricky: Space) -> None:
    for architecture in every(tricky):
        chosen = decisions(tricky, architecture)
        asked: list[str] = []

        def choose(decision: Decision, chosen: dict[str, int] = chosen, asked: list[str] = asked) -> int:
            asked.append(decision.name)
            return chosen[decision.name]

        assert compose(tricky, choose) == architecture
        assert asked == list(chosen)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, count(FASTVIT) - 1))
def test_round_trips_in_a_large_space(index: int) -> None:
    architecture = at(FASTVIT, index)
    chosen = decisions(FASTVIT, architecture)
    assert compose(FASTVIT, lambda decision: chosen[decision.name]) == architecture
    assert Architecture.from_dict(architecture.to_dict()).to_json() == architecture.to_json()
    assert FASTVIT.contains(architecture)


@settings(max_examples=100, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_answer_leads_to_an_architecture_of_the_space(tricky: Space, data: st.DataObject) -> None:
    answers: dict[str, int] = {}

    def choose(decision: Decision) -> int:
        answers[decision.name] = data.draw(st.integers(0, len(decision.choices) - 1))
        return answers[decision.name]

    architecture = compose(tricky, choose)
    assert tricky.contains(architecture)
    assert decisions(tricky, architecture) == answers


def test_equal_names_have_equal_choices(tricky: Space) -> None:
    for space in (tricky, FASTVIT):
        seen: dict[str, tuple[object, ...]] = {}
        for step in space.tree:
            for row in step.rows.values():
                if row.decision:
                    assert seen.setdefault(row.decision.name, row.decision.choices) == row.decision.choices
                    assert len(row.decision.choices) > 1
        assert list(seen) == [decision.name for decision in all_decisions(space)]


def test_names_carry_their_context_only_where_the_choices_depend_on_it(tricky: Space) -> None:
    known = {decision.name: decision.choices for decision in all_decisions(tricky)}
    assert known == {
        "stage1.width": (8, 12),
        "stem_width": ("stage1", 8),
        "stage3.depth": (1, 2, 3),
        "stage4.mixer": ("repmixer", "attention"),
        "stage4.width[mixer=repmixer]": (32, 40, 48),
        "stage4.width[mixer=attention]": (32, 48),
        "stage4.mixer_kernel": (3, 5),
        "stage4.head_dim": (16, 24),
        "stage4.position": ("none", "conditional"),
        "stage4.position_kernel": (3, 7),
    }


def test_numbers_are_ordered_and_words_are_not(tricky: Space) -> None:
    ordered = {decision.name: decision.is_ordered for decision in all_decisions(tricky)}
    assert ordered["stage4.head_dim"]
    assert not ordered["stage4.mixer"]
    assert not ordered["stem_width"]
    assert not {d.name: d.is_ordered for d in all_decisions(FASTVIT)}["head_squeeze_excite"]


def test_contexts_that_coincide_word_by_word_get_different_names() -> None:
    # Exclusive or: both tuples hold for depths 1 and 2 of stage 1 and of stage 2.
    text = """
name: xor
family: fastvit
every_stage: {depth: 1, width: 16, mlp_ratio: 2}
stages:
  - depth: [1, 2]
  - depth: [1, 2]
  - depth: {when: stage1.depth == stage2.depth, choices: [1, 2], otherwise: [3, 4]}
  - {}
"""
    space = parse_space(text, source="xor")
    names = [decision.name for decision in all_decisions(space)]
    assert names[2:] == [
        "stage3.depth[stage1.depth=1|2, stage2.depth=1|2]",
        "stage3.depth[stage1.depth=1|2, stage2.depth=1|2; choices=3|4]",
    ]
    assert count(space) == 8


def test_rules_do_not_change_decisions(tricky: Space) -> None:
    assert all_decisions(tricky.with_rules(["macs_g < 1"])) == all_decisions(tricky)


def test_an_index_that_is_no_choice_is_named(tricky: Space) -> None:
    with pytest.raises(SpaceError, match=r"choice 2 of stage1.width; it has 2; choose 0 to 1"):
        compose(tricky, lambda _: 2)


def test_an_architecture_outside_has_no_decisions(tricky: Space) -> None:
    with pytest.raises(SpaceError, match=r"is not in space 'tricky': input_resolution is 256; the space allows 32"):
        decisions(tricky, FASTVIT.reference_points["fastvit_t8"])


def test_features_tell_architectures_apart(tricky: Space) -> None:
    everything = list(every(tricky))
    data = features(tricky, everything)
    assert data.shape == (count(tricky), len(feature_names(tricky)))
    assert data.dtype == np.float64
    assert data.min() == 0.0
    assert data.max() == 1.0
    assert len(np.unique(data, axis=0)) == count(tricky)
    assert features(tricky, []).shape == (0, len(feature_names(tricky)))


def test_features_of_words_are_one_hot_and_numbers_are_scaled(tricky: Space) -> None:
    names = feature_names(tricky)
    assert "stage4.mixer=attention" in names
    assert "input_resolution" not in names
    chosen = {"stage4.mixer": 1, "stage4.width[mixer=attention]": 1}
    architecture = compose(tricky, lambda decision: chosen.get(decision.name, 0))
    row = dict(zip(names, features(tricky, [architecture])[0], strict=True))
    assert (row["stage4.mixer=repmixer"], row["stage4.mixer=attention"]) == (0.0, 1.0)
    assert row["stage4.width"] == 1.0
    assert row["stage4.mixer_kernel"] == 0.0


def test_features_of_architectures_outside_leave_the_unit_interval(tricky: Space) -> None:
    outside = FASTVIT.reference_points["fastvit_t8"]
    row = dict(zip(feature_names(tricky), features(tricky, [outside])[0], strict=True))
    assert row["stage4.width"] == (384 - 32) / (48 - 32)
