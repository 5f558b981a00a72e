"""Spaces of tables: the language, rows with equal networks, drawing, and rows that are not there."""

from __future__ import annotations

import copy
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_tables import SPACE, made_rows, made_space

from bench.errors import NetworkError, SpaceError
from bench.networks.cost import cost_quantities
from bench.space import (
    NoneFound,
    TableArchitecture,
    TableSpace,
    all_decisions,
    at,
    compose,
    count,
    cross_over,
    decisions,
    describe,
    draw,
    estimate_valid,
    every,
    feature_names,
    features,
    mutate,
    nearest_row,
    parse_space,
    read_table,
)


def parsed(text: str) -> TableSpace:
    found = parse_space(text, source="made.yaml")
    assert isinstance(found, TableSpace)
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> TableSpace:
    return made_space(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> TableSpace:
    """A quarter of the rows."""
    return made_space(tmp_path_factory.mktemp("sparse"), rows=made_rows()[1::4])


def test_a_space_without_its_table_holds_its_combinations() -> None:
    space = parsed(SPACE)
    assert count(space) == 4**3 * 4
    assert [(row.scope, row.word, row.values, row.meaning) for row in describe(space)][2:] == [
        ("column", "op2", ("none", "skip", "conv1", "conv3"), "without an order"),
        ("column", "width", (8, 16, 24, 32), "in order"),
    ]
    assert draw(space, np.random.default_rng(0)).settings.keys() == {"op0", "op1", "op2", "width"}


def test_columns_have_an_order_where_the_file_says_so() -> None:
    space = parsed("name: a\nfamily: table\ncolumns: {code: [0, 1, 2], size: [small, large, huge]}\nordered: [size]\n")
    assert [(decision.name, decision.is_ordered) for decision in all_decisions(space)] == [
        ("code", False),
        ("size", True),
    ]
    assert feature_names(space) == ("code=0", "code=1", "code=2", "size")
    found = compose(space, lambda decision: 1)
    assert features(space, [found]).tolist() == [[0.0, 1.0, 0.0, 0.5]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("columns: [op0]", "line 3: columns is a list; allowed: a mapping"),
        ("columns: {}", "line 3: no columns; at least one is needed"),
        ("columns: {a: []}", "line 3: a has 0 choices"),
        ("columns: {a: [1, 1.0]}", "line 3: a has the choice '1.0' twice"),
        (
            "columns: {a: [1, two]}",
            "line 3: a has choices of several kinds (1, 'two'); allowed: all numbers, all words",
        ),
        ("columns: {a: [1, null]}", "line 3: a choice of a is 'null'; allowed: a number, a word, true or false"),
        ("columns: {a: [.nan]}", "line 3: a choice of a is '.nan'"),
        ("columns: {a: {from: 1, to: 4, step: 2}}", "line 3: a goes from 1 to 4 by 2"),
        ("columns: {a: {when: b == 1, choices: 2, otherwise: 3}}", "line 3: unknown key 'when' in a"),
        ("columns: {a: [1, 2]}\nordered: [b]", "line 4: ordered names 'b', which is none of the columns: a"),
        ("columns: {a: [1, 2]}\nordered: [a, a]", "line 4: ordered names 'a' twice"),
        ("columns: {a: [1, 2]}\nidentity: a", "line 4: identity is 'a', which is one of the choices"),
        ("columns: {a: [1, 2]}\nknown: [a]", "line 4: known names 'a', which is one of the choices"),
        ("columns: {a: [1, 2]}\nrules: [params_m <= 3]", "line 4: unknown word 'params_m' at column 1"),
        ("columns: {a: [1, 2]}\nrules: [b <= 3]", "line 4: unknown word 'b' at column 1 of 'b <= 3'; known: a"),
        (
            "columns: {a: [1, 2]}\nidentty: c",
            "line 4: unknown key 'identty' in a space of a table; known: name, family",
        ),
        ("ordered: [a]", "line 1: 'columns' is missing; a space of a table has name, family"),
    ],
)
def test_mistakes_are_named_with_their_line(line: str, message: str) -> None:
    with pytest.raises(SpaceError, match=re.escape(f"made.yaml, {message}")) as caught:
        parsed(f"name: a\nfamily: table\n{line}\n")
    assert "\n" not in str(caught.value)


def test_equal_networks_have_equal_ids_and_keep_their_choices(made: TableSpace) -> None:
    ids: dict[str, set[str]] = {}
    for index in range(count(made)):
        found = at(made, index)
        assert isinstance(found, TableArchitecture)
        assert found.network is not None
        ids.setdefault(found.network, set()).add(found.id)
    assert all(len(same) == 1 for same in ids.values())
    assert len({next(iter(same)) for same in ids.values()}) == len(ids) == len({r["network"] for r in made_rows()})
    first, second = (made.assemble({"op0": "none", "op1": op, "op2": "skip", "width": 8}) for op in ("skip", "conv3"))
    assert first == second
    assert first.settings != second.settings
    assert decisions(made, first)["op1"] == 1


def test_rows_are_counted_listed_and_drawn(made: TableSpace) -> None:
    networks = {row["network"] for row in made_rows()}
    assert count(made) == 256
    assert estimate_valid(made).estimate == len(networks) == len(list(every(made)))
    random = np.random.default_rng(1)
    drawn = Counter(at(made, made.row_of(draw(made, random)) or 0).summary() for _ in range(5000))
    assert len(drawn) == 256
    assert max(drawn.values()) < 50  # 20 each in the mean


def test_rules_read_choices_and_known_columns(made: TableSpace) -> None:
    ruled = made.with_rules(["macs_m <= 10", "op0 != conv3 and width < 32"])
    wanted = {r["network"] for r in made_rows() if r["macs_m"] <= 10 and r["op0"] != "conv3" and r["width"] < 32}
    assert isinstance(ruled, TableSpace)
    assert {found.network for found in every(ruled) if isinstance(found, TableArchitecture)} == wanted
    assert made.with_rules([]) is made
    assert ruled.hash != made.hash
    random = np.random.default_rng(0)
    parent = draw(ruled, random)
    for _ in range(50):
        parent = mutate(ruled, parent, random)
        assert not ruled.broken_rules(parent, ruled.costs)
    with pytest.raises(NoneFound, match="no row of 'made' obeys the rules macs_m < 0"):
        draw(made.with_rules(["macs_m < 0"]), random)


def test_known_columns_need_the_table() -> None:
    with pytest.raises(SpaceError, match=r"rule 'macs_m <= 10' reads macs_m, which only the table of 'made' knows; .*"):
        draw(parsed(SPACE).with_rules(["macs_m <= 10"]), np.random.default_rng(0))


def test_costs_are_the_known_columns(made: TableSpace) -> None:
    row = made_rows()[77]
    found = made.assemble({name: row[name] for name in made.columns})
    assert made.costs(found) == {"macs_m": row["macs_m"]}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_children_in_a_sparse_table_are_rows_of_it(sparse: TableSpace, seed: int) -> None:
    random = np.random.default_rng(seed)
    first, second = draw(sparse, random), draw(sparse, random)
    child = mutate(sparse, first, random)
    assert child.id != first.id
    for found in (child, cross_over(sparse, first, second, random)):
        assert sparse.row_of(found) is not None
        known = decisions(sparse, found)
        assert compose(sparse, lambda decision, known=known: known[decision.name]) == found


def test_the_nearest_row_stands_in_for_one_that_is_not_there(tmp_path: Path) -> None:
    rows = [row for row in made_rows() if (row["op0"], row["op1"]) == ("conv1", "conv1") and row["op2"] != "none"]
    space = made_space(tmp_path, rows=[row for row in rows if row["width"] != 16 or row["op2"] == "skip"])
    random = np.random.default_rng(0)
    missing = space.assemble({"op0": "conv1", "op1": "conv1", "op2": "conv3", "width": 16})
    assert space.broken_rules(missing) == (f"{tmp_path / 'made.csv'} has a row for it",)
    seen: dict[str, object] = {}
    widths = []
    for _ in range(3):
        found = nearest_row(space, missing, random, other_than=seen)
        assert found is not None
        seen[found.id] = found
        widths.append((found.settings["op2"], found.settings["width"]))
    # A step of the width is a third of its range; another operator is 1, as is the whole range.
    assert sorted(widths[:2]) == [("conv3", 8), ("conv3", 24)]
    assert widths[2] == ("conv3", 32)
    assert nearest_row(space, found, random, other_than={}) is None


def test_a_table_says_where_it_is_wrong(tmp_path: Path) -> None:
    rows = made_rows()
    with pytest.raises(SpaceError, match=r"made.csv, line 258: the choices of line 2 once more; allowed: a row a"):
        made_space(tmp_path, rows=[*rows, rows[0]])
    with pytest.raises(
        SpaceError, match=r"made.csv, line 2: macs_m is empty; a known column has a number in every row"
    ):
        made_space(tmp_path, rows=[{**rows[0], "macs_m": ""}, *rows[1:]])
    with pytest.raises(SpaceError, match=r"made.csv, line 3: macs_m is 'many'; allowed: a finite number"):
        made_space(tmp_path, rows=[rows[0], {**rows[1], "macs_m": "many"}])
    with pytest.raises(
        SpaceError, match=r"'network' is no column of .*made.csv; known: op0, .* did you mean 'networks'"
    ):
        made_space(tmp_path, rows=[{("networks" if k == "network" else k): v for k, v in row.items()} for row in rows])
    with pytest.raises(
        SpaceError, match=r"no row of .* in line 2 column op0 holds 'conv9', the space allows none, skip"
    ):
        made_space(tmp_path, rows=[{**rows[0], "op0": "conv9"}])


def test_rows_beyond_the_choices_are_left_out(tmp_path: Path) -> None:
    space = made_space(tmp_path, space=SPACE.replace("to: 32", "to: 24"))
    assert space.rows is not None
    assert (count(space), space.rows.num_outside) == (192, 64)


def test_cells_are_matched_by_value(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("\ufeff,flag,size,code\n0,Yes,2.0,07\n\n1,false, 3 ,7b\n", encoding="utf-8")
    text = "name: a\nfamily: table\ncolumns: {flag: [true, false], size: [2, 3], code: ['07', 7b]}\n"
    space = parsed(text).bind(read_table(path))
    assert [at(space, row).summary() for row in range(2)] == [
        "flag true, size 2, code 07",
        "flag false, size 3, code 7b",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n", "has 0 rows; a table has a heading"),
        (b"a,b\n1,2\n3\n", "line 3: 1 cells under a heading of 2"),
        (b"a,a\n1,2\n", "line 1: two columns 'a'"),
        (b'a,b\n1,"2\n', "line 2: not CSV"),
        (b"\xff\xfe\x00", "is not text"),
        (b"\x1f\x8b\x08broken", "is a damaged gzip file"),
    ],
)
def test_what_is_no_table_is_refused_in_a_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(SpaceError, match=re.escape(message)):
        read_table(path)


def test_a_bound_space_travels(made: TableSpace) -> None:
    again = copy.deepcopy(made.with_rules(["width >= 16"]))  # as pickling does, by its text and its table
    assert again == made.with_rules(["width >= 16"])
    assert count(again) == 256
    found = at(again, 100)
    assert copy.deepcopy(found) == found
    assert TableArchitecture.from_dict(found.to_dict()) == found


def test_nothing_is_built_or_counted_of_a_row(made: TableSpace) -> None:
    with pytest.raises(NetworkError, match=r"a row of a table is no network that can be built, timed or counted; .*"):
        cost_quantities(at(made, 0))
