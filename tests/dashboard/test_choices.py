"""Words of architectures as columns: values ascend, numbers stay, and what does not apply is null."""

from __future__ import annotations

from bench.dashboard.choices import ChoiceBook

FIRST = {"family": "f", "settings": {"width": 48, "gate": True}, "stages": [{"mixer": "rep", "depth": 2}]}
SECOND = {"family": "f", "settings": {"width": 8, "gate": False}, "stages": [{"mixer": "att", "heads": 1}]}


def test_values_ascend_and_indices_are_into_them() -> None:
    book = ChoiceBook()
    book.add(1, FIRST)
    book.add(2, SECOND)
    assert book.listed() == [
        {"name": "family", "values": ["f"]},
        {"name": "width", "values": [8, 48]},
        {"name": "gate", "values": [False, True]},
        {"name": "stage1.mixer", "values": ["att", "rep"]},
        {"name": "stage1.depth", "values": [2]},
        {"name": "stage1.heads", "values": [1]},
    ]
    columns = book.columns([2, 1])
    assert columns["width"] == [0, 1]
    assert columns["stage1.mixer"] == [0, 1]
    assert columns["stage1.depth"] == [None, 0]
    assert columns["stage1.heads"] == [0, None]


def test_the_version_rises_with_new_words_and_values_alone() -> None:
    book = ChoiceBook()
    book.add(1, FIRST)
    before = book.version
    book.add(2, FIRST)
    assert book.version == before
    book.add(3, FIRST | {"settings": {"width": 49, "gate": True}})
    assert book.version == before + 1


def test_true_and_one_are_two_values() -> None:
    book = ChoiceBook()
    for trial, value in enumerate((1, True, 1.0)):
        book.add(trial, {"family": "f", "settings": {"word": value}, "stages": []})
    assert len(book.listed()[1]["values"]) == 3
    assert len(set(book.columns([0, 1, 2])["word"])) == 3


def test_architectures_are_read_once() -> None:
    book = ChoiceBook()
    book.add(1, FIRST)
    assert book.lacking([1, 2]) == [2]
    assert book.words(1).keys() == {"family", "width", "gate", "stage1.mixer", "stage1.depth"}


def test_settings_stand_before_stages_whatever_came_first() -> None:
    book = ChoiceBook()
    book.add(1, {"family": "f", "settings": {}, "stages": [{"depth": 1}, {"depth": 2}]})
    book.add(2, {"family": "g", "settings": {"late": 1}, "stages": [{"depth": 1, "wide": 1}]})
    assert book.names() == ["family", "late", "stage1.depth", "stage1.wide", "stage2.depth"]
