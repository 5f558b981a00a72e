"""Compiles the text of a rule or condition into closures over values.

Only the nodes handled here exist; nothing is executed. Kinds are checked while compiling, so that computing
needs no checks.
"""

from __future__ import annotations

import ast
import itertools
import operator
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.errors import SpaceError, nearest
from bench.space.words import Family, Scalar, Word

Value = Scalar | None
Values = Mapping[str, Value]
"""Values by full name: "activation", "stage3.width", "params_m"; None or missing: does not apply."""

MAX_DEPTH = 40  # nesting; far below what Python's own stack allows

Kind = Literal["number", "boolean", "text"]
_COMPARISONS: dict[type[ast.cmpop], Callable[[Scalar, Scalar], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_REDUCTIONS: dict[str, Callable[[Sequence[float]], float]] = {"sum": sum, "min": min, "max": max}
_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "non_decreasing": operator.le,
    "non_increasing": operator.ge,
}
FUNCTIONS = (*_REDUCTIONS, *_ORDERS, "count")


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A compiled node: what it computes, of which kind, and the word whose values it can take."""

    kind: Kind
    compute: Callable[[Values], object]
    is_list: bool = False
    word: Word | None = None


class Compiler:
    """Compiles one expression; gathers the names that it reads."""

    def __init__(self, text: str, family: Family, stage: int | None) -> None:
        self.text = text
        self.stage = stage
        self.names: set[str] = set()
        self.quantities: set[str] = set()
        self._known = tuple(family.quantities)
        self._settings = {word.name: word for word in family.settings}
        self._stage_words = {word.name: word for word in family.stage}
        self._stages = [f"stage{i + 1}" for i in range(family.num_stages)]

    def parse(self) -> ast.expr:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about the style of Python, which this is not
                node = ast.parse(self.text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            column = getattr(error, "offset", None) or 1
            raise SpaceError(
                f"cannot read {self.text!r} at column {column}; "
                "allowed: comparisons such as 'params_m <= 45', joined by and, or, not; correct it"
            ) from None
        level: list[ast.AST] = [node]
        for _ in range(MAX_DEPTH):
            level = [child for parent in level for child in ast.iter_child_nodes(parent)]
        if level:
            raise SpaceError(f"{self.text!r} is nested too deeply; allowed: {MAX_DEPTH} levels; split it")
        return node

    def term(self, node: ast.expr) -> Term:
        match node:
            case ast.Constant(value=bool() | int() | float() as value):
                kind: Kind = "boolean" if isinstance(value, bool) else "number"
                return Term(kind=kind, compute=lambda _: value)
            case ast.Name(id="true" | "false" as name):
                return Term(kind="boolean", compute=lambda _: name == "true")
            case ast.Name() | ast.Attribute():
                return self._reference(node)
            case ast.BoolOp():
                return self._logic(node)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._one(operand, "boolean").compute
                return Term(kind="boolean", compute=lambda values: not inner(values))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                number = self._one(operand, "number").compute
                return Term(kind="number", compute=lambda values: _maybe(operator.neg, number(values)))
            case ast.BinOp(op=op) if type(op) in _ARITHMETIC:
                return self._arithmetic(node)
            case ast.Compare():
                return self._comparison(node)
            case ast.Call(func=ast.Name(id=name)):
                return self._call(node, name)
            case _:
                allowed = f"comparisons, + - * / // %, {', '.join(FUNCTIONS)}"
                raise self._wrong(node, "is not part of the language", allowed)

    def _reference(self, node: ast.Name | ast.Attribute) -> Term:
        name = ast.unparse(node)
        stage, _, word_name = name.rpartition(".")
        if stage and name not in self._settings:
            if stage not in self._stages:
                raise self._unknown(node, stage, self._stages)
            if word_name not in self._stage_words:
                raise self._unknown(node, name, [f"{stage}.{word}" for word in self._stage_words])
            return self._read(name, self._stage_words[word_name])
        if name in self._settings:
            return self._read(name, self._settings[name])
        if name in self._known:
            self.names.add(name)
            self.quantities.add(name)
            return Term(kind="number", compute=operator.itemgetter(name))
        if name not in self._stage_words:
            raise self._unknown(node, name, [*self._known, *self._settings, *self._stage_words, *self._stages])
        if self.stage is not None:
            return self._read(f"{self._stages[self.stage]}.{name}", self._stage_words[name])
        return self._read_list(self._stage_words[name])

    def _read(self, name: str, word: Word) -> Term:
        self.names.add(name)
        return Term(kind=_kind(word), word=word, compute=lambda values: values.get(name))

    def _read_list(self, word: Word) -> Term:
        names = [f"{stage}.{word.name}" for stage in self._stages]
        self.names.update(names)

        def compute(values: Values) -> list[Value]:
            found = [values.get(name) for name in names]
            return [value for value in found if value is not None]

        return Term(kind=_kind(word), word=word, is_list=True, compute=compute)

    def _logic(self, node: ast.BoolOp) -> Term:
        parts = [self._one(value, "boolean").compute for value in node.values]
        if isinstance(node.op, ast.And):
            return Term(kind="boolean", compute=lambda values: all(part(values) for part in parts))
        return Term(kind="boolean", compute=lambda values: any(part(values) for part in parts))

    def _arithmetic(self, node: ast.BinOp) -> Term:
        apply = _ARITHMETIC[type(node.op)]
        left, right = (self._one(side, "number").compute for side in (node.left, node.right))
        return Term(kind="number", compute=lambda values: _maybe(apply, left(values), right(values)))

    def _comparison(self, node: ast.Compare) -> Term:
        operands = [node.left, *node.comparators]
        pairs = [self._pair(*triple) for triple in zip(operands, node.ops, operands[1:], strict=False)]
        return Term(kind="boolean", compute=lambda values: all(pair(values) for pair in pairs))

    def _pair(self, left_node: ast.expr, op: ast.cmpop, right_node: ast.expr) -> Callable[[Values], bool]:
        if isinstance(op, ast.In | ast.NotIn):
            return self._membership(left_node, right_node, is_in=isinstance(op, ast.In))
        if type(op) not in _COMPARISONS:
            raise self._wrong(right_node, "is compared in an unknown way", "<, <=, >, >=, ==, !=, in")
        if self._is_literal(left_node):
            right = self._one(right_node)
            left = self._literal(left_node, right.word)
        else:
            left = self._one(left_node)
            right = self._literal(right_node, left.word) if self._is_literal(right_node) else self._one(right_node)
        is_equality = isinstance(op, ast.Eq | ast.NotEq)
        if left.kind != right.kind or (left.kind != "number" and not is_equality):
            raise self._wrong(
                right_node,
                f"({right.kind}) is compared with a {left.kind}",
                "numbers, or == and != of one kind",
            )
        return _compare(_COMPARISONS[type(op)], left.compute, right.compute, absent=isinstance(op, ast.NotEq))

    def _membership(self, item: ast.expr, group: ast.expr, *, is_in: bool) -> Callable[[Values], bool]:
        if not isinstance(group, ast.List | ast.Tuple | ast.Set):
            raise self._wrong(group, "is no list", "a list of values such as [3, 5]")
        word = self._one(item)
        terms = [self._literal(e, word.word) if self._is_literal(e) else self._one(e) for e in group.elts]
        for element, term in zip(group.elts, terms, strict=True):
            if term.kind != word.kind:
                raise self._wrong(element, f"({term.kind}) is compared with a {word.kind}", "values of one kind")

        def compute(values: Values) -> bool:
            found = word.compute(values)
            return (found is not None and any(found == term.compute(values) for term in terms)) == is_in

        return compute

    def _call(self, node: ast.Call, name: str) -> Term:
        if name not in FUNCTIONS:
            raise self._unknown(node, name, FUNCTIONS)
        if node.keywords or not node.args:
            raise self._wrong(node, "has no argument, or a named one", f"{name}(width)")
        if name == "count":
            return self._count(node)
        terms = [self.term(argument) for argument in node.args]
        is_one_list = len(terms) == 1 and terms[0].is_list
        if not is_one_list and any(term.is_list for term in terms):
            raise self._wrong(node, "mixes lists and numbers", f"{name}(width), or single numbers")
        if any(term.kind != "number" for term in terms) or (len(terms) == 1 and not is_one_list):
            raise self._wrong(node, "needs numbers", f"a list of numbers such as {name}(width)")
        numbers = _numbers(terms)
        if name in _REDUCTIONS:
            reduce = _REDUCTIONS[name]
            return Term(kind="number", compute=lambda values: reduce(found) if (found := numbers(values)) else None)
        in_order = _ORDERS[name]
        return Term(
            kind="boolean",
            compute=lambda values: all(in_order(*pair) for pair in itertools.pairwise(numbers(values))),
        )

    def _count(self, node: ast.Call) -> Term:
        if len(node.args) != 2:
            raise self._wrong(node, "needs a list and a value", "count(mixer, attention)")
        group = self.term(node.args[0])
        value_node = node.args[1]
        value = self._literal(value_node, group.word) if self._is_literal(value_node) else self._one(value_node)
        if not group.is_list or value.kind != group.kind:
            raise self._wrong(node, "needs a list and a value of its kind", "count(mixer, attention)")

        def compute(values: Values) -> int:
            found = group.compute(values)
            assert isinstance(found, list)
            return found.count(value.compute(values))

        return Term(kind="number", compute=compute)

    def _one(self, node: ast.expr, kind: Kind | None = None) -> Term:
        term = self.term(node)
        if term.is_list:
            raise self._wrong(node, "is a list, one value a stage", f"min({ast.unparse(node)}), or one stage's value")
        if kind is not None and term.kind != kind:
            raise self._wrong(node, f"is a {term.kind}", f"a {kind} here")
        return term

    def _is_literal(self, node: ast.expr) -> bool:
        """A value of a word, quoted or bare: `attention` is no name of anything."""
        if isinstance(node, ast.Constant):
            return isinstance(node.value, str)
        known = {*self._settings, *self._stage_words, *self._known, "true", "false"}
        return isinstance(node, ast.Name) and node.id not in known

    def _literal(self, node: ast.expr, word: Word | None) -> Term:
        value = node.value if isinstance(node, ast.Constant) else ast.unparse(node)
        assert isinstance(value, str)
        if word is None or word.kind != "word":
            raise self._unknown(node, value, [*self._known, *self._settings, *self._stage_words])
        if value not in word.allowed:
            raise self._unknown(node, value, word.allowed, what=f"value of {word.name}")
        return Term(kind="text", compute=lambda _: value, word=word)

    def _unknown(self, node: ast.expr, name: str, known: Sequence[str], *, what: str = "word") -> SpaceError:
        hint = nearest(name, known) or "; use one of them"
        return SpaceError(
            f"unknown {what} {name!r} at column {node.col_offset + 1} of {self.text!r}; known: {', '.join(known)}{hint}"
        )

    def _wrong(self, node: ast.expr, what: str, allowed: str) -> SpaceError:
        return SpaceError(
            f"{ast.unparse(node)!r} at column {node.col_offset + 1} of {self.text!r} {what}; "
            f"allowed: {allowed}; change it"
        )


def _kind(word: Word) -> Kind:
    match word.kind:
        case "word":
            return "text"
        case "boolean":
            return "boolean"
        case _:
            return "number"


def _compare(
    compare: Callable[[Scalar, Scalar], bool],
    left: Callable[[Values], object],
    right: Callable[[Values], object],
    *,
    absent: bool,
) -> Callable[[Values], bool]:
    def compute(values: Values) -> bool:
        first, second = left(values), right(values)
        if first is None or second is None:
            return absent
        # Both kinds were checked to be one when the expression was compiled.
        return compare(first, second)  # type: ignore[arg-type]

    return compute


def _maybe(apply: Callable[..., float], *operands: object) -> float | None:
    return None if any(operand is None for operand in operands) else apply(*operands)


def _numbers(terms: Sequence[Term]) -> Callable[[Values], list[float]]:
    def compute(values: Values) -> list[float]:
        if len(terms) == 1:
            found = terms[0].compute(values)
            assert isinstance(found, list)
            return found
        single = [term.compute(values) for term in terms]
        return [number for number in single if isinstance(number, int | float)]

    return compute
