"""The language of space files: what it accepts, and that every mistake names its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.errors import ContentError, SpaceError
from bench.space import Space, count, describe, load_space, parse_space

HEAD = "name: small\nfamily: fastvit\n"
STAGES = "every_stage:\n  depth: 1\n  width: 16\n  mlp_ratio: 2\n"


def choices(space: Space, word: str) -> tuple[object, ...]:
    """The only row of a word that says "settings.activation" or "stage1.depth"."""
    (row,) = [row for row in describe(space) if f"{row.scope}.{row.word}" == word]
    return row.values


def every(word: str) -> Space:
    """A space in which every stage has one more line."""
    known = "".join(line + "\n" for line in STAGES.splitlines() if not line.strip().startswith(word.split(":")[0]))
    return parse_space(f"{HEAD}{known}  {word}\n", source="small.yaml")


def test_the_smallest_space_holds_one_architecture() -> None:
    assert count(parse_space(HEAD + STAGES, source="small.yaml")) == 1


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("depth: 3", (3,)),
        ("depth: [1, 3]", (1, 3)),
        ("depth: {from: 2, to: 6, step: 2}", (2, 4, 6)),
        ("depth: {from: 2, to: 2, step: 1}", (2,)),
        ("mlp_ratio: {from: 2, to: 3, step: 0.5}", (2.0, 2.5, 3.0)),
        ("mlp_ratio: {from: 1.0, to: 1.2, step: 0.1}", (1.0, 1.1, 1.2)),
        ("mlp_ratio: {when: width == 16, choices: [2, 4], otherwise: 3}", (2.0, 4.0)),
        ("depth: {when: width > 16, from: 1, to: 3, step: 1, otherwise: [4, 5]}", (4, 5)),
        ("depth: {when: width > 16, choices: 1, otherwise: {from: 1, to: 3, step: 1}}", (1, 2, 3)),
        ("depth: {when: width > 16, choices: 1, otherwise: {when: width > 8, choices: 2, otherwise: 3}}", (2,)),
        ("depth: {when: activation == gelu, choices: {from: 1, to: 2, step: 1}, otherwise: 3}", (1, 2)),
    ],
)
def test_choices(line: str, values: tuple[object, ...]) -> None:
    # Widths of 16 would make 1.1 and 1.15 one network; these are far enough apart.
    assert choices(every(line), f"stage1.{line.split(':')[0]}") == values


def test_a_stage_overrides_every_stage() -> None:
    space = parse_space(HEAD + STAGES + "stages: [{depth: 3}, {}, {}, {depth: [1, 2]}]\n", source="small.yaml")
    assert choices(space, "stage1.depth") == (3,)
    assert choices(space, "stage2.depth") == (1,)
    assert count(space) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "small.yaml: the file is empty"),
        ("- 1\n", "line 1: a space is a list; allowed: a mapping"),
        ("name: [\n", "line 2: not YAML: .*; correct it"),
        ("name: small\n", "line 1: 'family' is missing; a space has name, family"),
        (HEAD, "line 1: stage1.depth is missing; it has no default; say it in the stage or in every_stage"),
        ("name: a b\nfamily: fastvit\n" + STAGES, "line 1: name is 'a b'; allowed: letters"),
        ("name: small\nfamily: fastvitt\n", "line 2: unknown family 'fastvitt'; known: fastvit, .*; did you mean"),
        (HEAD + STAGES + "rule: []\n", "line 7: unknown key 'rule' in a space; known: .*; did you mean 'rules'?"),
        (HEAD + STAGES + "  widht: 3\n", "line 7: unknown key 'widht' in every_stage; known: .*'width'?"),
        (HEAD + STAGES + "  depth: 3\n", "line 7: key 'depth' stands twice in every_stage; allowed: once"),
        (HEAD + STAGES + "name: other\n", "line 7: key 'name' stands twice in a space"),
        (
            HEAD + STAGES + "settings: {actvation: relu}\n",
            "line 7: unknown key 'actvation' in settings; .*'activation'",
        ),
        (HEAD + STAGES + "settings: 3\n", "line 7: settings is '3'; allowed: a mapping"),
        (HEAD + STAGES + "stages: [{}]\n", "line 7: 1 stages; fastvit has 4; write one mapping a stage"),
        (HEAD + STAGES + "stages: {}\n", "line 7: stages is a mapping; allowed: a list"),
        (HEAD + STAGES + "stages:\n  - {}\n  - 3\n  - {}\n  - {}\n", "line 9: stage2 is '3'; allowed: a mapping"),
        (HEAD + STAGES + "[1]: 3\n", "line 7: a key of a space is a list; allowed: a word"),
        (HEAD + STAGES + "rules: params_m < 3\n", "line 7: rules is 'params_m < 3'; allowed: a list"),
        (HEAD + STAGES + "rules:\n- params_m < 3\n- parms_m < 3\n", "line 9: unknown word 'parms_m' at column 1"),
        (HEAD + STAGES + "rules: [3]\n", "line 7: a rule is '3'; allowed: text"),
        (HEAD + STAGES + "description: 3\n", "line 7: description is '3'; allowed: text"),
        (HEAD + STAGES + "---\nname: x\n", "line 8: unknown key 'name' in a further document; known: rules"),
        (HEAD + STAGES + "stages: [{downsample_kernel: 3}, {}, {}, {}]\n", "line 7: stage1.downsample_kernel never"),
        (HEAD + STAGES + "stages: [{}, {}, {}, {head_dim: 8}]\n", "never applies there; allowed: where mixer is att"),
        ("x" * 1_000_001, "1000001 characters; allowed: 1000000"),
        ("a: &a [*a]\n", "unknown key 'a' in a space"),
    ],
)
def test_mistakes_in_a_file_name_their_line(text: str, message: str) -> None:
    with pytest.raises(SpaceError, match=message) as caught:
        parse_space(text, source="small.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("depth: 0", "line 6: stage1.depth is 0; allowed: an integer from 1 to 64"),
        ("depth: two", "stage1.depth is 'two'; allowed: an integer"),
        ("depth:", "stage1.depth is None; allowed"),
        ("depth: []", "stage1.depth has 0 choices; allowed: 1 to 1000"),
        ("depth: [1, [2]]", "stage1.depth is a list; allowed: one word or number"),
        ("depth: [1, 2, 1]", "stage1.depth has the choice '1' twice; allowed: once"),
        ("mlp_ratio: [2, 2.0]", "stage1.mlp_ratio has the choice '2.0' twice"),
        ("mlp_ratio: [2, 2.01]", "stage1.mlp_ratio has the choices 2 and 2.01, which are one network where stage1"),
        ("depth: 2001-01-01", "stage1.depth is '2001-01-01'; allowed: one word or number"),
        ("depth: 2001-99-99", "stage1.depth is '2001-99-99'; allowed: "),
        ("depth: {from: 1, to: 4}", "stage1.depth lacks 'step'; a range is {from, to, step}"),
        ("depth: {from: 1, to: 4, step: 2}", "goes from 1 to 4 by 2; allowed: a step above 0 that meets the end"),
        ("depth: {from: 4, to: 1, step: 1}", "goes from 4 to 1 by 1"),
        ("depth: {from: 1, to: 4, step: 0}", "goes from 1 to 4 by 0"),
        ("depth: {from: 1, to: x, step: 1}", "stage1.depth.to is 'x'; allowed: a number"),
        ("depth: {from: 1, to: .inf, step: 1}", "stage1.depth.to is '.inf'; allowed: a number"),
        ("depth: {from: 1, to: 100000000, step: 1}", "has 100000000 choices; allowed: 1 to 1000"),
        ("depth: {from: 1, to: 100, step: 1}", "stage1.depth is 65; allowed: an integer from 1 to 64"),
        ("ffn_kernel: {from: 3, to: 7, step: 1}", "stage1.ffn_kernel is 4; allowed: an odd integer"),
        ("mixer: {from: 1, to: 2, step: 1}", "stage1.mixer is a range; .* is no number"),
        ("depth: {form: 1, to: 2, step: 1}", "unknown key 'form' in stage1.depth; known: when, .*did you mean 'from'?"),
        ("depth: {when: mixer == attention, choices: 1}", "has 'when' without 'otherwise'"),
        ("depth: {when: mixer == atention, choices: 1, otherwise: 2}", "line 6: unknown value of mixer 'atention'"),
        ("depth: {when: 3, choices: 1, otherwise: 2}", "stage1.depth.when is '3'; allowed: text"),
        ("depth: {when: params_m < 3, choices: 1, otherwise: 2}", "reads params_m, .*; make it a rule"),
        ("depth: {when: width < 3, choices: 1, from: 2, otherwise: 2}", "has 'choices' and a range"),
        ("depth: {when: width < 3, otherwise: 2}", "stage1.depth lacks 'from'"),
        ("depth: {when: depth < 3, choices: 1, otherwise: 2}", "in a circle: stage1.depth -> stage1.depth"),
        ("depth: &d {when: width < 3, choices: 1, otherwise: *d}", "nests more conditions than 8"),
    ],
)
def test_mistakes_in_a_choice_name_their_line(line: str, message: str) -> None:
    with pytest.raises(SpaceError, match=r"small.yaml, line \d+: .*" + message.removeprefix("line 6: ")):
        every(line)


def test_conditions_in_a_circle_are_refused() -> None:
    text = (
        HEAD + STAGES + "stages:\n"
        "  - depth: {when: stage2.depth == 1, choices: 1, otherwise: 2}\n"
        "  - depth: {when: stage1.depth == 1, choices: 1, otherwise: 2}\n  - {}\n  - {}\n"
    )
    with pytest.raises(SpaceError, match=r"in a circle: stage1.depth -> stage2.depth -> stage1.depth"):
        parse_space(text, source="small.yaml")


def test_choices_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(SpaceError, match=r"head_dim has no possible value in any context"):
        parse_space(HEAD + STAGES + "  mixer: attention\n  head_dim: [32, 64]\n", source="small.yaml")


def test_too_many_tied_choices_are_refused() -> None:
    names = [f"{'.'.join((f'stage{i}', word))}" for i in (1, 2, 3) for word in ("depth", "width")]
    condition = " + ".join(names)
    text = (
        f"{HEAD}every_stage:\n  depth: {{from: 1, to: 64, step: 1}}\n  width: {{from: 8, to: 512, step: 8}}\n"
        f"  mlp_ratio: 2\nstages: [{{}}, {{}}, {{}}, {{depth: {{when: {condition} < 9, choices: 1, otherwise: 2}}}}]\n"
    )
    with pytest.raises(SpaceError, match=r"the conditions tie too many choices together at stage2.depth"):
        parse_space(text, source="small.yaml")


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ("{depth: 1, width: 16}", "line 8: stage1.mlp_ratio is missing"),
        ("{depth: [1, 1], width: 16, mlp_ratio: 2}", "p.depth has 2 values; fastvit has 4 stages"),
        ("{dept: 1, width: 16, mlp_ratio: 2}", "line 8: unknown key 'dept' in p; known: .*; did you mean 'depth'?"),
        ("{depth: 1, width: [16, 16, 16, 7], mlp_ratio: 2}", "line 8: stage4.width is 7; allowed"),
        ("{activation: [relu], depth: 1, width: 16, mlp_ratio: 2}", "activation is a list; allowed: one word"),
        ("3", "line 8: p is '3'; allowed: a mapping"),
        (
            "{depth: 1, width: 8, mlp_ratio: 2}\n  q: {depth: 1, width: 8, mlp_ratio: 2}",
            "'q' is the same network as 'p'",
        ),
    ],
)
def test_mistakes_in_a_reference_point_name_their_line(point: str, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        parse_space(f"{HEAD}{STAGES}reference_points:\n  p: {point}\n", source="small.yaml")


def test_a_reference_point_that_cannot_be_built_is_refused_with_its_line() -> None:
    stages = "every_stage: {depth: 1, width: 16, mlp_ratio: 2, head_dim: 8, reduction: 1}\n"
    point = "{stem_width: 8, depth: 1, width: 16, mlp_ratio: 2, head_dim: 8, reduction: [1, 8, 1, 1]}"
    text = f"name: c\nfamily: cmt\nsettings: {{stem_width: 8}}\n{stages}reference_points:\n  p: {point}\n"
    message = (
        r"line 6: reference point 'p' cannot be built, it breaks 'stage2.reduction divides .*'; allowed: what every"
    )
    with pytest.raises(SpaceError, match=message):
        parse_space(text, source="cmt.yaml")
    assert parse_space(text.replace("reduction: [1, 8,", "reduction: [1, 4,"), source="cmt.yaml").reference_points


def test_reference_points_take_one_value_or_one_a_stage() -> None:
    point = "{depth: [1, 2, 3, 4], width: 16, mlp_ratio: 2, downsample_kernel: [null, 3, 5, 3], activation: relu}"
    space = parse_space(f"{HEAD}{STAGES}reference_points:\n  p: {point}\n", source="small.yaml")
    known = space.reference_points["p"]
    assert [stage["depth"] for stage in known.stages] == [1, 2, 3, 4]
    assert [stage.get("downsample_kernel") for stage in known.stages] == [None, 3, 5, 3]
    assert known.settings["activation"] == "relu"


def test_load_finds_names_and_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_space("smoke").name == "smoke"
    (tmp_path / "smoke.yaml").write_text(HEAD + STAGES)
    assert load_space("smoke").name == "small"
    assert load_space("smoke.yaml").source == "smoke.yaml"
    with pytest.raises(ContentError, match=r"'smok'; known: .*; did you mean 'smoke'?"):
        load_space("smok")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpaceError, match=re.escape("bytes.yaml is not text; allowed: YAML in UTF-8")):
        load_space("bytes")
