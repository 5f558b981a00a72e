"""The page of `dashboards/` as one text: its modules as one script, its styles and its data inside.

A page that is opened from a file may not import modules, so these are put one behind the other, what is imported before
who imports it, each in a function of its own. That works for modules that keep to a few rules (`dashboards/README.md`);
one that does not is refused by name and line.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from bench.errors import ContentError

_IMPORT = re.compile(
    r'^import\s+(?P<what>\{[^}]*\}|\*\s+as\s+\w+)\s+from\s+"\./(?P<file>[\w.-]+\.js)";[ \t]*$', re.MULTILINE
)
_EXPORT = re.compile(
    r"^export\s+(?=(?:async\s+function\*?|function\*?|const|class)\s+(?P<name>[A-Za-z_$][\w$]*))", re.MULTILINE
)
_REFUSED = re.compile(r"^(import\b|export\b)|\bimport\s*\(|\bimport\.meta\b", re.MULTILINE)
_STYLE = re.compile(r'<link\s+rel="stylesheet"\s+href="static/(?P<file>[\w.-]+\.css)"(?P<more>[^>]*)>')
_SCRIPT = re.compile(r'<script\s+type="module"\s+src="static/(?P<file>[\w.-]+\.js)"\s*></script>')
# What ends a script or begins a comment of HTML inside one, whatever the language says.
_ENDS_SCRIPT = re.compile(r"<(?=/script|!--)", re.IGNORECASE)


# plotly.js is the larger part of the file by far, and a third of its size when it is compressed. It is unpacked when
# the first chart is drawn.
_BOOT = """
globalThis.unpackPlotly = async () => {
  const held = JSON.parse(document.getElementById("plotly").textContent);
  const bytes = Uint8Array.from(atob(held.data), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
};
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Module:
    name: str
    imports: tuple[tuple[str, str], ...]
    exports: tuple[str, ...]
    text: str


def one_page(html: str, files: Mapping[str, str], *, plotly: str, snapshot: str) -> str:
    """The page as one file, with a Content-Security-Policy that allows what is inside and nothing else.

    Args:
        html: `index.html`.
        files: style sheets and modules by name.
        plotly: plotly.js.
        snapshot: the data as JSON.

    Returns:
        The text of the file; the same for the same arguments.

    Raises:
        ContentError: a file is missing, or a module breaks the rules.
    """
    match = _SCRIPT.search(html)
    if match is None or len(_SCRIPT.findall(html)) != 1:
        raise ContentError(
            "index.html of the dashboard has not exactly one module; one script of type module is needed; correct it"
        )
    scripts = [_BOOT, _safe_script(one_script(match["file"], files))]
    styles: list[str] = []

    def inlined(link: re.Match[str]) -> str:
        text = _file(files, link["file"])
        if "</style" in text.lower():
            raise ContentError(f"{link['file']} of the dashboard has </style in it; it would end there; remove it")
        styles.append(text)
        return f"<style{link['more']}>{text}</style>"

    page = _STYLE.sub(inlined, html)
    library = json.dumps({"format": 1, **packed(plotly)})
    data = "".join(
        f'<script type="application/json" id="{name}">{_safe_json(text)}</script>\n'
        for name, text in (("snapshot", snapshot), ("plotly", library))
    )
    # At the end of the body: a classic script runs where it stands, a module after the page.
    page = _SCRIPT.sub("", page, count=1)
    head, body = "<head>", "</body>"
    if head not in page or body not in page:
        raise ContentError("index.html of the dashboard lacks <head> or </body>; the data goes there; write them")
    policy = export_policy([*scripts, plotly], styles)
    page = page.replace(head, f'{head}\n<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">', 1)
    tail = data + "".join(f"<script>{script}</script>\n" for script in scripts)
    before, _, after = page.rpartition(body)
    return f"{before}{tail}{body}{after}"


def packed(text: str) -> dict[str, str]:
    """A long text as an exported page holds it: compressed, in letters that HTML leaves alone."""
    compressed = gzip.compress(text.encode("utf-8"), 9, mtime=0)
    return {"encoding": "gzip+base64", "data": base64.b64encode(compressed).decode("ascii")}


def one_script(entry: str, files: Mapping[str, str]) -> str:
    """The module `entry` and all that it imports as one classic script.

    Raises:
        ContentError: a file is missing, or a module breaks the rules.
    """
    modules = _in_order(entry, files)
    parts = ['"use strict";', "(() => {", "const modules = {};"]
    for module in modules:
        taken = "\n".join(_import(what, file) for what, file in module.imports)
        given = ", ".join(module.exports)
        parts += [f"modules[{_quoted(module.name)}] = (() => {{", taken, module.text, f"return {{ {given} }};", "})();"]
    return "\n".join([*parts, "})();", ""])


def export_policy(scripts: Sequence[str], styles: Sequence[str]) -> str:
    """What an exported page may do: run these scripts, use these styles, and fetch nothing at all."""
    return (
        f"default-src 'none'; script-src {_hashes(scripts)}; style-src {_hashes(styles)}; img-src data: blob:; "
        "font-src data:; base-uri 'none'; form-action 'none'"
    )


def _hashes(texts: Sequence[str]) -> str:
    if not texts:
        return "'none'"
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode('ascii')}'" for digest in digests)


def _in_order(entry: str, files: Mapping[str, str]) -> list[_Module]:
    """What is imported before who imports it; the same order each time."""
    ordered: dict[str, _Module] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in ordered:
            return
        if name in path:
            raise ContentError(
                f"{' -> '.join((*path, name))}: modules of the dashboard import each other in a circle; an export "
                "needs an order; move what both need into a third"
            )
        module = _parsed(name, _file(files, name))
        for _, file in module.imports:
            visit(file, (*path, name))
        ordered[name] = module

    visit(entry, ())
    return list(ordered.values())


def _parsed(name: str, text: str) -> _Module:
    imports = tuple((match["what"], match["file"]) for match in _IMPORT.finditer(text))
    exports = tuple(dict.fromkeys(match["name"] for match in _EXPORT.finditer(text)))
    text = _EXPORT.sub("", _IMPORT.sub("", text))
    bare = _without_comments(text)
    refused = _REFUSED.search(bare)
    if refused is not None:
        line = bare.count("\n", 0, refused.start()) + 1
        raise ContentError(
            f"{name}, near line {line}: {refused[0]!r} of a kind that an export cannot follow; allowed: static imports "
            "and exports of declarations (dashboards/README.md); write it so"
        )
    return _Module(name=name, imports=imports, exports=exports, text=text)


def _without_comments(text: str) -> str:
    """Lines of comments made empty; their number stays."""
    return re.sub(r"^[ \t]*(//|\*|/\*).*$", "", text, flags=re.MULTILINE)


def _import(what: str, file: str) -> str:
    if what.startswith("*"):
        return f"const {what.split()[-1]} = modules[{_quoted(file)}];"
    names = re.sub(r"\s+as\s+", ": ", what)
    return f"const {names} = modules[{_quoted(file)}];"


def _quoted(name: str) -> str:
    return f'"{name}"'


def _file(files: Mapping[str, str], name: str) -> str:
    if name not in files:
        known = ", ".join(sorted(files))
        raise ContentError(f"no file {name!r} of the dashboard; known: {known}; correct the name, or reinstall bench")
    return files[name]


def _safe_script(text: str) -> str:
    """In texts of JavaScript `<` may be written as an escape; nowhere else do these two occur."""
    return _ENDS_SCRIPT.sub(r"\\x3c", text)


def _safe_json(text: str) -> str:
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
