"""The language of space files: YAML to `Space`. `search_spaces/README.md` explains it to its writers."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from bench import content
from bench.errors import SpaceError
from bench.space.architecture import Architecture
from bench.space.document import Node, read_documents
from bench.space.genes import Choice, Gene, Options, arranged, values_of
from bench.space.listing import list_networks
from bench.space.space import Space, impossible
from bench.space.statements import read_choice, read_name, read_rules
from bench.space.table_schema import parse_table
from bench.space.tree import Step, grow
from bench.space.union import split_text, unite
from bench.space.vocabulary import TABLE, find_family
from bench.space.words import Family, Word

KEYS = ("name", "family", "description", "settings", "every_stage", "stages", "rules", "reference_points")


def load_space(name_or_path: str) -> Space:
    """The space of that file, or the one of that name in the current folder or among the shipped ones.

    Names with commas between them give all of these spaces as one (`fastvit,mobileone`).

    Raises:
        ContentError: there is no such file.
        SpaceError: the file is not a valid space; the message names the line.
    """
    names = [name.strip() for name in str(name_or_path).split(",")]
    if len(names) > 1 and not Path(name_or_path).is_file():
        return unite([_load(name) for name in names])
    return _load(str(name_or_path))


def _load(name_or_path: str) -> Space:
    path = content.find("search_spaces", name_or_path, suffix=".yaml")
    here = Path.cwd()
    source = str(path.relative_to(here) if path.is_relative_to(here) else path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SpaceError(f"{source} is not text; allowed: YAML in UTF-8; name another file") from None
    return parse_space(text, source=source)


def parse_space(text: str, *, source: str) -> Space:
    """The space that a YAML text describes.

    Further YAML documents in the text hold rules that were added to the file (see `Space.with_rules`), or are
    further spaces (see union.py). A text with `networks` is a list of reference points (see listing.py).

    Raises:
        SpaceError: names the source, the line, the key, what was found and what is allowed.
    """
    parts = split_text(text) or {0: text}
    texts = {
        before: (part, source if before == 0 else f"{source} from line {before + 1}") for before, part in parts.items()
    }
    head, place = texts[0]
    if listed := _listed(head, place):
        name, names = listed
        del texts[0]
        spaces = [_parse(part, where) for part, where in texts.values()] or shipped_spaces()
        return list_networks(name, names, spaces, source=source)
    return unite([_parse(part, where) for part, where in texts.values()])


@functools.cache
def shipped_spaces() -> tuple[Space, ...]:
    """All spaces that come with bench, the default one first; read once in a process."""
    files = sorted(content.folder("search_spaces").glob("*.yaml"), key=lambda path: (path.stem != "fastvit", path.stem))
    return tuple(_parse(path.read_text(encoding="utf-8"), path.name) for path in files)


def _listed(text: str, source: str) -> tuple[str, list[str]] | None:
    """Name and networks of a text that is a list of networks (see listing.py); None for a space of choices."""
    document = read_documents(text, source=source)[0]
    if not document.is_mapping or "networks" not in document.mapping("a space"):
        return None
    entries = document.mapping("a list of networks", ("name", "networks"))
    if "name" not in entries:
        raise document.error("'name' is missing; a list of networks has name, networks; add it")
    return read_name(entries["name"], "name"), [
        node.text("a network") for node in entries["networks"].items("networks")
    ]


def _parse(text: str, source: str) -> Space:
    document, *further = read_documents(text, source=source)
    kind = document.mapping("a space").get("family")
    if kind is not None and kind.scalar("family") == TABLE.name:
        return parse_table(document, further, text=text, source=source)
    entries = document.mapping("a space", KEYS)
    for key in ("name", "family"):
        if key not in entries:
            raise document.error(f"{key!r} is missing; a space has {', '.join(KEYS)}; add it")
    with entries["family"].located():
        family = find_family(entries["family"].scalar("family"))
    genes = arranged(tuple(_genes(document, entries, family)))
    tree = grow(genes)
    _check_effect(entries, family, tree)
    conditions = read_rules(entries.get("rules"), family)
    for addition in further:
        conditions += read_rules(addition.mapping("a further document", ("rules",)).get("rules"), family)
    return Space(
        name=read_name(entries["name"], "name"),
        family=family.name,
        description=entries["description"].text("description") if "description" in entries else "",
        text=text,
        source=source,
        genes=genes,
        conditions=conditions,
        reference_points=MappingProxyType(_reference_points(entries.get("reference_points"), family)),
        tree=tree,
    )


def _genes(document: Node, entries: Mapping[str, Node], family: Family) -> Iterator[Gene]:
    settings = _words(entries.get("settings"), "settings", family.settings)
    for word in family.settings:
        yield _gene(word, None, settings.get(word.name), document, family)
    every = _words(entries.get("every_stage"), "every_stage", family.stage)
    for i, stage in enumerate(_stages(entries, family)):
        for word in family.stage:
            yield _gene(word, i, stage.get(word.name, every.get(word.name)), document, family)


def _stages(entries: Mapping[str, Node], family: Family) -> list[dict[str, Node]]:
    if "stages" not in entries:
        return [{} for _ in range(family.num_stages)]
    nodes = entries["stages"].items("stages")
    if len(nodes) != family.num_stages:
        raise entries["stages"].error(
            f"{len(nodes)} stages; {family.name} has {family.num_stages}; "
            "write one mapping a stage ({} for one that every_stage says all of)"
        )
    return [_words(node, f"stage{i + 1}", family.stage) for i, node in enumerate(nodes)]


def _words(node: Node | None, what: str, words: Sequence[Word]) -> dict[str, Node]:
    return {} if node is None else node.mapping(what, [word.name for word in words])


def _gene(word: Word, stage: int | None, node: Node | None, document: Node, family: Family) -> Gene:
    name = word.name if stage is None else f"stage{stage + 1}.{word.name}"
    choice: Choice
    if stage == 0 and not word.in_first_stage:
        choice = Options(values=())
    elif node is not None:
        choice = read_choice(node, name, word, stage, family, nesting=0)
    elif word.default is not None:
        choice = Options(values=(word.default,))
    else:
        raise document.error(f"{name} is missing; it has no default; say it in the stage or in every_stage")
    return Gene(name=name, word=word, stage=stage, choice=choice, origin=(node or document).origin)


def _reference_points(node: Node | None, family: Family) -> dict[str, Architecture]:
    points: dict[str, Architecture] = {}
    for name, point in node.mapping("reference_points").items() if node else ():
        read_name(point, "the name of a reference point", text=name)
        architecture = _reference_point(point, name, family)
        twin = next((other for other, known in points.items() if known == architecture), None)
        if twin is not None:
            raise point.error(
                f"reference point {name!r} is the same network as {twin!r}; allowed: each once; remove one"
            )
        points[name] = architecture
    return points


def _reference_point(point: Node, name: str, family: Family) -> Architecture:
    """A stage word takes one value for all stages or a list with one a stage (null: not said)."""
    stage_words = [word.name for word in family.stage]
    entries = point.mapping(name, [word.name for word in family.settings] + stage_words)
    settings = {key: node.scalar(key) for key, node in entries.items() if key not in stage_words}
    stages: list[dict[str, object]] = [{} for _ in range(family.num_stages)]
    for key, node in entries.items():
        if key not in stage_words:
            continue
        items = node.items(key) if node.is_list else [node] * family.num_stages
        if len(items) != family.num_stages:
            raise node.error(
                f"{name}.{key} has {len(items)} values; {family.name} has {family.num_stages} stages; "
                "write one value a stage, or a single one for all"
            )
        for stage, item in zip(stages, items, strict=True):
            if (value := item.scalar(key)) is not None:
                stage[key] = value
    with point.located():
        architecture = Architecture.from_dict({"family": family.name, "settings": settings, "stages": stages})
    if reasons := impossible(family.name, values_of(architecture)):
        raise point.error(
            f"reference point {name!r} cannot be built, it breaks {reasons[0]!r}; "
            f"allowed: what every {family.name} obeys; change these words"
        )
    return architecture


def _check_effect(entries: Mapping[str, Node], family: Family, tree: Sequence[Step]) -> None:
    """Refuses a word that a stage says and that never applies there: its writer expects an effect."""
    said = _stages(entries, family)
    for step in tree:
        gene = step.gene
        node = None if gene.stage is None else said[gene.stage].get(gene.word.name)
        if node is not None and all(row.values == (None,) for row in step.rows.values()):
            raise node.error(f"{gene.name} never applies there; {_reason(gene)}; remove it")


def _reason(gene: Gene) -> str:
    if gene.word.only_if is None:
        return f"allowed: {gene.word.name} in later stages"
    word, values = gene.word.only_if
    return f"allowed: where {word} is {' or '.join(map(str, values))}"
