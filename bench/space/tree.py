"""The decision tree of a space: its conditional structure, counted exactly.

The genes stand in an order in which parents come first. Walking down, the only thing that matters for what
follows is the *state*: the values of earlier genes that a later gene still reads. `grow` visits every
reachable state of every gene once, then counts from the last gene up how many ways to complete each state
there are. Options that cannot be completed (a width that no allowed head size divides) are dropped, so no
walk ever ends blind.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.errors import SpaceError
from bench.space.compiler import Value
from bench.space.genes import Gene
from bench.space.words import Scalar, Word, show

MAX_STATES = 200_000

State = tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One choice to make. Of one space, equal names always have equal choices.

    Attributes:
        name: the gene, with its context where the choices depend on it: "stage4.width[mixer=attention]".
        choices: two or more values.
        is_ordered: whether the first and the last choice are furthest apart; numbers are, unless their word denies it.
    """

    name: str
    choices: tuple[Scalar, ...]
    is_ordered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one gene may do in one state.

    Attributes:
        values: the values that can be completed; `(None,)` where the word does not apply.
        ends: cumulated numbers of completions: `values[i]` has `ends[i] - ends[i - 1]` of them.
        next_states: the state after each value.
        decision: None where there is nothing to decide.
    """

    values: tuple[Value, ...]
    ends: tuple[int, ...]
    next_states: tuple[State, ...]
    decision: Decision | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One gene, the names that make up its state, and its row in every state."""

    gene: Gene
    live: tuple[str, ...]
    rows: Mapping[State, Row]


def grow(genes: Sequence[Gene]) -> tuple[Step, ...]:
    """The tree of genes that are arranged with parents first.

    Complexity: the sum over genes of reachable states times options.

    Raises:
        SpaceError: no architecture is possible, or the conditions tie too many choices together.
    """
    live = _live_names(genes)
    tables = _reach(genes, live)
    totals: dict[State, int] = {(): 1}
    steps: list[Step] = []
    for i in reversed(range(len(genes))):
        rows = {state: _count(options, totals) for state, options in tables[i].items()}
        totals = {state: row.ends[-1] for state, row in rows.items() if row.ends}
        if not totals:
            raise SpaceError(
                f"{genes[i].origin}: {genes[i].name} has no possible value in any context; "
                "allowed: at least one choice that agrees with the others; widen the choices"
            )
        named = _with_decisions(genes[i], live[i], {s: row for s, row in rows.items() if row.ends})
        steps.append(Step(gene=genes[i], live=live[i], rows=named))
    return tuple(reversed(steps))


def size(tree: Sequence[Step]) -> int:
    """How many leaves the tree has."""
    return tree[0].rows[()].ends[-1]


def walk(tree: Sequence[Step], choose: Callable[[Step, Row], int]) -> dict[str, Value]:
    """The values by full name that `choose`, asked for an index where there is a decision, leads to."""
    state: State = ()
    values: dict[str, Value] = {}
    for step in tree:
        row = step.rows[state]
        index = 0 if row.decision is None else choose(step, row)
        values[step.gene.name] = step.gene.resolve(row.values[index], values)
        state = row.next_states[index]
    return values


def unrank(tree: Sequence[Step], index: int) -> dict[str, Value]:
    """The values of leaf `index`, counted from the left; each index below `size` is another leaf."""

    def choose(_: Step, row: Row) -> int:
        nonlocal index
        choice = bisect.bisect_right(row.ends, index)
        index -= row.ends[choice - 1] if choice else 0
        return choice

    return walk(tree, choose)


def _live_names(genes: Sequence[Gene]) -> list[tuple[str, ...]]:
    """For each gene, the earlier genes that it or a later one reads; one more for the end, empty."""
    last_reader = {parent: i for i, gene in enumerate(genes) for parent in gene.parents}
    names = [gene.name for gene in genes]
    return [tuple(name for name in names[:i] if last_reader.get(name, -1) >= i) for i in range(len(genes) + 1)]


def _reach(genes: Sequence[Gene], live: Sequence[tuple[str, ...]]) -> list[dict[State, list[tuple[Value, State]]]]:
    """For each gene and reachable state, its options and the state after each."""
    tables: list[dict[State, list[tuple[Value, State]]]] = []
    states: list[State] = [()]
    for i, gene in enumerate(genes):
        table = {state: _options(gene, live[i], state, live[i + 1]) for state in states}
        tables.append(table)
        states = list(dict.fromkeys(after for options in table.values() for _, after in options))
        if len(states) > MAX_STATES:
            raise SpaceError(
                f"{gene.origin}: the conditions tie too many choices together at {gene.name} "
                f"({len(states)} combinations); allowed: {MAX_STATES}; let fewer words depend on each other"
            )
    return tables


def _options(gene: Gene, live: tuple[str, ...], state: State, live_after: tuple[str, ...]) -> list[tuple[Value, State]]:
    values = dict(zip(live, state, strict=True))
    options = gene.options(values)
    gene.check_distinct(options, values)
    found: list[tuple[Value, State]] = []
    for option in options:
        values[gene.name] = gene.resolve(option, values)
        found.append((option, tuple(values[name] for name in live_after)))
    return found


def _count(options: Sequence[tuple[Value, State]], totals: Mapping[State, int]) -> Row:
    """The row of those options that can be completed, without its decision."""
    possible = [(value, after, totals[after]) for value, after in options if after in totals]
    return Row(
        values=tuple(value for value, _, _ in possible),
        ends=tuple(itertools.accumulate(total for _, _, total in possible)),
        next_states=tuple(after for _, after, _ in possible),
        decision=None,
    )


def _with_decisions(gene: Gene, live: tuple[str, ...], rows: Mapping[State, Row]) -> dict[State, Row]:
    """The same rows with a decision wherever there is more than one value."""
    names = _decision_names(gene, live, rows)
    return {
        state: Row(
            values=row.values,
            ends=row.ends,
            next_states=row.next_states,
            decision=_decision(names[row.values], row.values, gene.word) if len(row.values) > 1 else None,
        )
        for state, row in rows.items()
    }


def _decision(name: str, values: Sequence[Value], word: Word) -> Decision:
    choices = tuple(value for value in values if value is not None)
    is_ordered = word.is_ordered
    if is_ordered is None:
        is_ordered = all(isinstance(value, int | float) and not isinstance(value, bool) for value in choices)
    return Decision(name=name, choices=choices, is_ordered=is_ordered)


def contexts(gene: Gene, live: tuple[str, ...], rows: Mapping[State, Row]) -> dict[tuple[Value, ...], str]:
    """For each distinct tuple of values, when it holds: "mixer=attention", or "" where it always does."""
    kept = _deciding_names(live, rows)
    found: dict[tuple[Value, ...], str] = {}
    for values in dict.fromkeys(row.values for row in rows.values()):
        context = _context(gene, live, kept, [state for state, row in rows.items() if row.values == values])
        # Contexts listed word by word can coincide where the choices themselves do not.
        taken = context in found.values()
        found[values] = f"{context}; choices={'|'.join(map(show, values))}" if taken else context
    return found


def _decision_names(gene: Gene, live: tuple[str, ...], rows: Mapping[State, Row]) -> dict[tuple[Value, ...], str]:
    """A name for each distinct tuple of values: the gene's if it is one decision, else with its context."""
    found = contexts(gene, live, rows)
    if sum(len(values) > 1 for values in found) <= 1:
        return dict.fromkeys(found, gene.name)
    return {values: f"{gene.name}[{context}]" for values, context in found.items()}


def _deciding_names(live: tuple[str, ...], rows: Mapping[State, Row]) -> tuple[int, ...]:
    """Positions of the live names without which the values could not be told."""
    kept = tuple(range(len(live)))
    for position in range(len(live)):
        fewer = tuple(i for i in kept if i != position)
        told: dict[State, tuple[Value, ...]] = {}
        if all(
            told.setdefault(tuple(state[i] for i in fewer), row.values) == row.values for state, row in rows.items()
        ):
            kept = fewer
    return kept


def _context(gene: Gene, live: tuple[str, ...], kept: Sequence[int], states: Sequence[State]) -> str:
    parts = []
    for i in kept:
        seen = sorted({state[i] for state in states}, key=lambda value: (isinstance(value, str), value is None, value))
        parts.append(f"{live[i].removeprefix(gene.full(''))}={'|'.join(map(show, seen))}")
    return ", ".join(parts)
