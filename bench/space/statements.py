"""What a space file says in one place: the choices of a word, rules, names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from bench.space.document import Node
from bench.space.expressions import Expression, compile_condition, compile_rule
from bench.space.genes import Branch, Choice, Options
from bench.space.words import Family, Scalar, Word, check_value

MAX_CHOICES = 1000
MAX_NESTING = 8

RANGE_KEYS = ("from", "to", "step")
_BRANCH_KEYS = ("when", "choices", *RANGE_KEYS, "otherwise")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def read_choice(node: Node, name: str, word: Word, stage: int | None, family: Family, *, nesting: int) -> Choice:
    """The choices of a word: a value, a list, a range, or a condition with choices on both sides.

    Args:
        stage: where the word stands; None: a setting.
        nesting: how many conditions it stands in.

    Raises:
        SpaceError: names the line, what was found and what is allowed.
    """
    if node.is_list:
        return Options(values=_list(node, name, word))
    if not node.is_mapping:
        return Options(values=(_value(node, name, word),))
    entries = node.mapping(name, _BRANCH_KEYS)
    if "when" not in entries:
        return Options(values=_range(node, entries, name, word))
    if nesting == MAX_NESTING:
        raise node.error(f"{name} nests more conditions than {MAX_NESTING}; allowed: fewer; simplify it")
    if "otherwise" not in entries:
        raise node.error(f"{name} has 'when' without 'otherwise'; allowed: both; say what holds elsewhere")
    with entries["when"].located():
        condition = compile_condition(entries["when"].text(f"{name}.when"), family, stage=stage)
    then: Choice
    if "choices" not in entries:
        then = Options(values=_range(node, entries, name, word))
    elif not entries.keys().isdisjoint(RANGE_KEYS):
        raise node.error(f"{name} has 'choices' and a range; allowed: one of the two; remove the other")
    else:
        then = read_choice(entries["choices"], name, word, stage, family, nesting=nesting + 1)
    otherwise = read_choice(entries["otherwise"], name, word, stage, family, nesting=nesting + 1)
    return Branch(condition=condition, then=then, otherwise=otherwise)


def _value(node: Node, name: str, word: Word) -> Scalar:
    value = node.scalar(name)
    with node.located():
        return check_value(word, value, where=name)


def _list(node: Node, name: str, word: Word) -> tuple[Scalar, ...]:
    items = node.items(name)
    if not 1 <= len(items) <= MAX_CHOICES:
        raise node.error(f"{name} has {len(items)} choices; allowed: 1 to {MAX_CHOICES}; change the list")
    values: list[Scalar] = []
    for item in items:
        value = _value(item, name, word)
        if value in values:
            raise item.error(f"{name} has the choice {item.shown} twice; allowed: once; remove one")
        values.append(value)
    return tuple(values)


def _range(node: Node, entries: Mapping[str, Node], name: str, word: Word) -> tuple[Scalar, ...]:
    if word.kind not in ("integer", "ratio"):
        raise node.error(f"{name} is a range; {name} is no number; write a list of choices")
    missing = [key for key in RANGE_KEYS if key not in entries]
    if missing:
        raise node.error(f"{name} lacks {missing[0]!r}; a range is {{from, to, step}}; add it")
    low, high, step = (_number(entries[key], f"{name}.{key}") for key in RANGE_KEYS)
    if step <= 0 or high < low or (high - low) % step:
        raise node.error(
            f"{name} goes from {low} to {high} by {step}; "
            "allowed: a step above 0 that meets the end exactly; change one of the three"
        )
    count = int((high - low) / step) + 1
    if count > MAX_CHOICES:
        raise node.error(f"{name} has {count} choices; allowed: 1 to {MAX_CHOICES}; take larger steps")
    with node.located():
        return tuple(check_value(word, _plain(low + i * step), where=name) for i in range(count))


def _number(node: Node, name: str) -> Decimal:
    value = node.scalar(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    number = Decimal(repr(value) if is_number else "nan")
    if not number.is_finite():
        raise node.error(f"{name} is {node.shown}; allowed: a number; write one")
    return number


def _plain(number: Decimal) -> int | float:
    """Exact in decimal, so that 0.1 + 2 * 0.1 is 0.3."""
    return int(number) if number == number.to_integral_value() else float(number)


def read_rules(node: Node | None, family: Family) -> tuple[Expression, ...]:
    """The rules of a list of texts; errors name the line."""
    rules = []
    for item in node.items("rules") if node else ():
        with item.located():
            rules.append(compile_rule(item.text("a rule"), family))
    return tuple(rules)


def read_name(node: Node, what: str, *, text: str | None = None) -> str:
    """A name of letters, digits and some signs: `text`, or what the node says."""
    found = node.text(what) if text is None else text
    if not _NAME.fullmatch(found):
        raise node.error(f"{what} is {found!r}; allowed: letters, digits, '_', '-' and '.'; rename it")
    return found
