"""A page of headings, sentences, tables and figures as one HTML file that opens without a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1b2733; max-width: 1180px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
th, td { min-width: 8em; text-align: left; vertical-align: top; padding: .35rem .6rem; }
td { border-bottom: 1px solid #dfe5ea; }
th { border-bottom: 2px solid #9aa7b3; }
td.reproduced { color: #15703a; } td.differs { color: #b3261e; } td.not { color: #5d6b78; }
@media (prefers-color-scheme: dark) {
  body { color: #dce3e9; background: #14191e; } th, td { border-color: #36414b; }
  td.reproduced { color: #6fcf97; } td.differs { color: #ff8a80; } td.not { color: #9aa7b3; }
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Cells of text; a cell that begins with a verdict is coloured as such."""

    heading: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading and what stands below it, in this order.

    Attributes:
        heading: plain text.
        sentences: plain text, a paragraph each.
        tables: below the sentences.
        figures: below the tables.
    """

    heading: str
    sentences: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()


def write_report(path: Path, title: str, sections: Sequence[Section]) -> None:
    """Writes the page, whole or not at all; plotly.js is inside where there is a figure."""
    parts = [f"<h1>{escape(title)}</h1>"]
    has_script = False
    for section in sections:
        parts.append(f"<h2>{escape(section.heading)}</h2>")
        parts += [f"<p>{escape(sentence)}</p>" for sentence in section.sentences]
        parts += [_table(table) for table in section.tables]
        for figure in section.figures:
            parts.append(
                figure.to_html(full_html=False, include_plotlyjs=not has_script, config={"displaylogo": False})
            )
            has_script = True
    text = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{chr(10).join(parts)}\n</body>\n</html>\n"
    )
    write_whole(path, text)


def write_whole(path: Path, text: str) -> None:
    """Writes a file whole or not at all: what was there stays until the new text is complete, and nothing else does.

    Raises:
        OSError: it cannot be written.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.heading)
    rows = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>\n" for row in table.rows)
    return f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>'


def _cell(text: str) -> str:
    kind = next((name for word, name in _VERDICTS.items() if text.startswith(word)), None)
    attribute = f' class="{kind}"' if kind else ""
    return f"<td{attribute}>{escape(text)}</td>"


_VERDICTS = {"reproduced": "reproduced", "differs": "differs", "not run": "not"}
