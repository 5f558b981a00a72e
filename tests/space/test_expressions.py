"""Rules and conditions: what they compute, and that every mistake is named at its word."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import SpaceError
from bench.space.compiler import FUNCTIONS
from bench.space.expressions import compile_condition, compile_rule
from bench.space.vocabulary import FASTVIT

VALUES = {
    "params_m": 4.0,
    "macs_g": 0.7,
    "activation": "gelu",
    "head_squeeze_excite": True,
    "stem_width": 48,
    **{f"stage{i}.width": width for i, width in enumerate((48, 96, 192, 384), start=1)},
    **{f"stage{i}.depth": depth for i, depth in enumerate((2, 2, 4, 2), start=1)},
    **{f"stage{i}.mixer": "repmixer" for i in (1, 2, 3)},
    **{f"stage{i}.mixer_kernel": 3 for i in (1, 2, 3)},
    "stage4.mixer": "attention",
    "stage4.head_dim": 32,
}


@pytest.mark.parametrize(
    "rule",
    [
        "params_m <= 45",
        "0.5 < macs_g < 1",
        "non_decreasing(width)",
        "not non_increasing(width)",
        "sum(depth) == 10 and max(depth) == 4 and min(depth) == 2",
        "max(stage1.width, stage2.width) == 96",
        "stage4.width == 2 * stage3.width",
        "stage4.width - 2 * stage3.width + 1 > 0",
        "stage4.width // 100 == 3 and stage4.width % 100 == 84 and stage4.width / 2 == 192",
        "-stage1.depth < 0",
        "activation == gelu",
        "'gelu' == activation",
        "activation != relu or params_m > 100",
        "activation in [relu, gelu]",
        "stage1.width not in [8, 16]",
        "stage4.mixer == attention",
        "count(mixer, attention) == 1",
        "count(depth, 2) == 3",
        "head_squeeze_excite",
        "head_squeeze_excite == true and not false",
        # The mixer kernel of stage 4 does not apply.
        "max(mixer_kernel) == 3 and sum(mixer_kernel) == 9",
        "stage4.mixer_kernel != 3",
        "not stage4.mixer_kernel == 3",
        "not stage4.mixer_kernel < 3",
        "not stage4.mixer_kernel + 1 > 0",
        "stage4.mixer_kernel not in [3]",
        "sum(position_kernel) != 0",
        "\n  params_m\n  <= 45\n",
    ],
)
def test_true_rules_hold(rule: str) -> None:
    assert compile_rule(rule, FASTVIT).holds(VALUES)
    assert not compile_rule(f"not ({' '.join(rule.split())})", FASTVIT).holds(VALUES)


def test_names_are_full() -> None:
    assert compile_rule("max(depth) < stem_width", FASTVIT).names == {
        "stem_width",
        *(f"stage{i}.depth" for i in (1, 2, 3, 4)),
    }
    assert compile_condition("mixer == attention", FASTVIT, stage=2).names == {"stage3.mixer"}
    assert compile_rule("macs_g < 1", FASTVIT).needs_costs
    assert not compile_rule("sum(depth) < 8", FASTVIT).needs_costs


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("parms_m <= 45", "unknown word 'parms_m' at column 1 of 'parms_m <= 45'; known: params_m, .*'params_m'"),
        ("non_decreasing(widht)", "unknown word 'widht' at column 16 of .*; did you mean 'width'?"),
        ("stage5.width > 8", "unknown word 'stage5' at column 1 .*; known: stage1, stage2, stage3, stage4"),
        ("stage4.widht > 8", "unknown word 'stage4.widht' .*; did you mean 'stage4.width'?"),
        ("medium(width) > 8", "unknown word 'medium' at column 1"),
        ("activation == gleu", "unknown value of activation 'gleu' at column 15 .*; did you mean 'gelu'?"),
        ("activation in [relu, gleu]", "unknown value of activation 'gleu' at column 22"),
        ("count(mixer, atention) < 1", "unknown value of mixer 'atention' at column 14"),
        ("width < 8", "'width' at column 1 .* is a list, one value a stage; allowed: min.width."),
        ("width", "'width' is a list, not true or false"),
        ("sum(width)", "is a number, not true or false"),
        ("activation < 3", r"'3' at column 14 .* \(number\) is compared with a text"),
        ("activation < relu", "compared with a text; allowed: numbers, or == and !="),
        ("activation + 1 < 3", "'activation' at column 1 .* is a text; allowed: a number here"),
        ("sum(mixer) < 3", "'sum.mixer.' at column 1 .* needs numbers"),
        ("sum(3) < 3", "needs numbers; allowed: a list of numbers"),
        ("sum(width, 3) < 3", "mixes lists and numbers"),
        ("sum() < 3", "has no argument"),
        ("count(mixer) < 3", "needs a list and a value"),
        ("count(stage1.mixer, attention) < 3", "needs a list and a value of its kind"),
        ("params_m <= ", "cannot read 'params_m <=' at column .*; allowed: comparisons"),
        ("params_m = 3", "cannot read 'params_m = 3'"),
        ("params_m is 3", "is compared in an unknown way"),
        ("params_m ** 2 < 3", "'params_m [*][*] 2' at column 1 .* is not part of the language"),
        ("[1, 2] == [1, 2]", "is not part of the language"),
        ("depth[0] == 1", "is not part of the language"),
        ("(lambda: 1)() == 1", "is not part of the language"),
        ("__import__('os').system('ls') == 0", "is not part of the language"),
        ("params_m.__class__ == 1", "unknown word 'params_m'"),
        ("1j == 1", "is not part of the language"),
        ("mixer in mixer", "is a list|is no list"),
        ("1 in 3", "'3' at column 6 .* is no list"),
        ("params_m and true", "'params_m' at column 1 .* is a number; allowed: a boolean here"),
        ("-" * 499 + "1", "nested too deeply"),
        ("1" * 501, "501 characters; allowed: 500"),
        ("params_m <= \0", "cannot read"),
        (3, "a rule is 3; allowed: text"),
    ],
)
def test_mistakes_are_named_at_their_word(rule: str, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        compile_rule(rule, FASTVIT)


def test_conditions_know_no_costs() -> None:
    with pytest.raises(SpaceError, match=r"condition 'params_m < 3' reads params_m.*; make it a rule"):
        compile_condition("params_m < 3", FASTVIT, stage=0)


def test_division_by_zero_is_named() -> None:
    with pytest.raises(SpaceError, match=r"divides by zero for an architecture of the space"):
        compile_rule("params_m / (stage1.depth - 2) > 1", FASTVIT).holds(VALUES)


@settings(derandomize=True)
@given(st.text(alphabet="abmx_ .()[]<>=!+-*/%,0123456789'", max_size=40))
def test_any_text_is_a_rule_or_a_space_error(text: str) -> None:
    with contextlib.suppress(SpaceError):
        compile_rule(text, FASTVIT)


@settings(derandomize=True)
@given(st.lists(st.sampled_from([*FUNCTIONS, *VALUES, "width", "mixer", "3", "(", ")", "<=", "and", "not", "+"])))
def test_any_words_are_a_rule_or_a_space_error(words: list[str]) -> None:
    with contextlib.suppress(SpaceError):
        compile_rule(" ".join(words), FASTVIT).holds(VALUES)
