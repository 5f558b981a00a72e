"""Rules and conditions: small expressions over the words of a space, checked when the file is read.

`params_m <= 45`, `non_decreasing(width)`, `stage4.width >= 2 * stage3.width`, `mixer == attention`. The text
is parsed with `ast` and compiled node by node into closures: only the nodes handled here exist, nothing is
executed, and every name, value and type is checked at once, so that a mistake is reported at its word.

A word that does not apply (the mixer kernel of an attention stage) equals nothing: it is left out of lists,
and comparisons with it are false, except `!=`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bench.errors import SpaceError
from bench.space.compiler import Compiler, Values
from bench.space.words import Family

MAX_LENGTH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """A compiled rule or condition.

    Attributes:
        text: as written, on one line.
        names: the full names it reads.
        quantities: those of them that have to be computed from the whole architecture.
    """

    text: str
    names: frozenset[str]
    quantities: frozenset[str]
    compute: Callable[[Values], object] = field(compare=False, repr=False)

    def holds(self, values: Values) -> bool:
        """Whether the expression is true of these values."""
        try:
            return bool(self.compute(values))
        except ZeroDivisionError:
            raise SpaceError(
                f"{self.text!r} divides by zero for an architecture of the space; allowed: a divisor that is "
                "never zero; change the rule"
            ) from None

    @property
    def needs_costs(self) -> bool:
        """Whether it reads a quantity that has to be computed from the whole architecture."""
        return bool(self.quantities)


def compile_rule(text: str, family: Family) -> Expression:
    """A rule of a whole architecture: a bare stage word is the list of its values, first stage first.

    Raises:
        SpaceError: names the column and the word that is wrong.
    """
    return _compile(text, family, stage=None)


def compile_condition(text: str, family: Family, *, stage: int | None) -> Expression:
    """A condition on a choice: in a stage (0, 1, ...) a bare stage word is the value of that stage.

    Raises:
        SpaceError: names the column and the word that is wrong; costs cannot be part of a condition.
    """
    expression = _compile(text, family, stage=stage)
    if costs := sorted(expression.quantities):
        raise SpaceError(
            f"condition {text!r} reads {costs[0]}, which is known only of a whole architecture; "
            "allowed: words of the space; make it a rule"
        )
    return expression


def _compile(text: str, family: Family, *, stage: int | None) -> Expression:
    if not isinstance(text, str):
        raise SpaceError(f"a rule is {text!r}; allowed: text such as 'params_m <= 45'; put it in quotes")
    line = " ".join(text.split())
    if len(line) > MAX_LENGTH:
        raise SpaceError(f"a rule has {len(line)} characters; allowed: {MAX_LENGTH}; split it into several rules")
    compiler = Compiler(line, family, stage)
    term = compiler.term(compiler.parse())
    if term.kind != "boolean" or term.is_list:
        raise SpaceError(
            f"{line!r} is a {'list' if term.is_list else term.kind}, not true or false; "
            "allowed: a comparison such as 'params_m <= 45'; compare it with something"
        )
    return Expression(
        text=line,
        names=frozenset(compiler.names),
        quantities=frozenset(compiler.quantities),
        compute=term.compute,
    )
