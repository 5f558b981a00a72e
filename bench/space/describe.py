"""A space as rows of plain data, for listings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

from bench.space.compiler import Value
from bench.space.space import Space
from bench.space.tree import Step, contexts


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceRow:
    """What may be chosen for one word in one context.

    Attributes:
        scope: "settings", "stage1", ...
        when: the context in which these values hold; empty where they always do.
        values: a single one is fixed.
        never: values of the word that the file names and that no architecture can have.
        meaning: the word in one line.
    """

    scope: str
    word: str
    when: str
    values: tuple[Value, ...]
    never: tuple[Value, ...]
    meaning: str


@singledispatch
def describe(space: Space) -> tuple[ChoiceRow, ...]:
    """The rows of a space: settings first, then stage by stage, in the vocabulary's order."""
    family = space.vocabulary
    words = [word.name for word in (*family.settings, *family.stage)]
    steps = sorted(space.tree, key=lambda step: (_stage(step), words.index(step.gene.word.name)))
    return tuple(row for step in steps for row in _rows(step))


def _stage(step: Step) -> int:
    return -1 if step.gene.stage is None else step.gene.stage


def _rows(step: Step) -> list[ChoiceRow]:
    gene = step.gene
    used = {value for row in step.rows.values() for value in row.values}
    states = [dict(zip(step.live, state, strict=True)) for state, row in step.rows.items() if row.values != (None,)]
    said = dict.fromkeys(value for values in states for value in gene.said(values))
    never = tuple(value for value in said if value not in used)
    return [
        ChoiceRow(
            scope=gene.scope,
            word=gene.word.name,
            when=context,
            values=values,
            never=never,
            meaning=gene.word.meaning,
        )
        for values, context in contexts(gene, step.live, step.rows).items()
        if values != (None,)
    ]
