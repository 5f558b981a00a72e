"""Modules as one script: the same program, the same text each time, and a refusal of what cannot be followed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess

import pytest

from bench.dashboard.bundle import export_policy, one_page, one_script, packed
from bench.errors import ContentError

PAGE = """<!doctype html>
<html><head>
<meta charset="utf-8">
<link rel="stylesheet" href="static/page.css" id="kept">
</head><body><main></main>
<script type="module" src="static/main.js"></script>
</body></html>
"""
FILES = {
    "page.css": "main { color: red }",
    "main.js": 'import {\n  twice,\n  secret as theirs,\n} from "./math.js";\nimport * as words from "./words.js";\n'
    "const secret = 1;\nconsole.log(words.greet(twice(secret)), theirs);\n",
    "math.js": "export const secret = 41;\nexport function twice(x) { return 2 * x; }\n",
    "words.js": 'import { twice } from "./math.js";\nexport const greet = (x) => `${x} ${twice(3)}`;\n'
    "export class Word {}\nexport async function later() { return 1; }\n",
}


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_script_does_what_the_modules_do() -> None:
    done = subprocess.run(["node", "-e", one_script("main.js", FILES)], capture_output=True, text=True, check=True)
    assert done.stdout == "2 6 41\n"


def test_what_is_imported_stands_first_and_once() -> None:
    script = one_script("main.js", FILES)
    places = [script.index(f'modules["{name}"] =') for name in ("math.js", "words.js", "main.js")]
    assert places == sorted(places)
    assert script.count('modules["math.js"] =') == 1
    assert script == one_script("main.js", dict(reversed(FILES.items())))


@pytest.mark.parametrize(
    "line",
    [
        "export default 1;",
        "export let x = 1;",
        "const x = 1;\nexport { x };",
        'export * from "./math.js";',
        'import "./math.js";',
        'import twice from "./math.js";',
        'import { twice } from "https://elsewhere.example/math.js";',
        'const found = await import("./math.js");',
        "console.log(import.meta.url);",
    ],
)
def test_what_cannot_be_followed_is_refused(line: str) -> None:
    with pytest.raises(
        ContentError, match=r"main\.js, near line [23]: .*; allowed: static imports and exports .*; write"
    ):
        one_script("main.js", FILES | {"main.js": f"// a module\n{line}\n"})


def test_words_in_comments_are_no_modules() -> None:
    text = "// import { a } from nowhere, export default\n/* export let x\n * import x */\nconst x = 1;\n"
    assert "const x = 1" in one_script("main.js", FILES | {"main.js": text})


def test_a_circle_is_refused_by_its_names() -> None:
    files = FILES | {"math.js": 'import { greet } from "./words.js";\nexport const twice = greet;\n'}
    with pytest.raises(ContentError, match=r"math\.js -> words\.js -> math\.js: modules .* in a circle"):
        one_script("main.js", files)


def test_a_file_that_is_missing_is_named() -> None:
    with pytest.raises(ContentError, match=r"no file 'math\.js' of the dashboard; known: main\.js, .*; correct"):
        one_script("main.js", {name: text for name, text in FILES.items() if name != "math.js"})


def _scripts(page: str) -> list[str]:
    return re.findall(r"<script>(.*?)</script>", page, re.DOTALL)


def test_the_page_allows_what_is_inside_and_nothing_else() -> None:
    page = one_page(PAGE, FILES, plotly="window.Plotly = {};", snapshot="{}")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    told = policy[1].replace("&#x27;", "'")
    for text in (*_scripts(page), "window.Plotly = {};", FILES["page.css"]):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in told
    assert "unsafe" not in told
    assert "default-src 'none'" in told
    assert "connect-src" not in told  # nothing is fetched
    assert 'src="' not in page
    assert "href=" not in page
    assert '<style id="kept">' in page
    assert page == one_page(PAGE, FILES, plotly="window.Plotly = {};", snapshot="{}")


def test_data_cannot_leave_its_element() -> None:
    hostile = '{"name": "</script><script>alert(1)</script><!--"}'
    page = one_page(PAGE, FILES, plotly="", snapshot=hostile)
    held = re.search(r'id="snapshot">(.*?)</script>', page, re.DOTALL)
    assert held is not None
    assert "<" not in held[1]
    assert json.loads(held[1])["name"] == "</script><script>alert(1)</script><!--"


def test_scripts_cannot_leave_their_element() -> None:
    files = FILES | {"words.js": 'export const greet = () => "</script><!-- <Script>";\n'}
    _, script = _scripts(one_page(PAGE, files, plotly="", snapshot="{}"))
    assert "<\\" not in script.replace("\\x3c", "")
    assert '"\\x3c/script>\\x3c!-- <Script>"' in script


@pytest.mark.parametrize("broken", ["main.js", "<head>", "</body>"])
def test_a_page_that_cannot_hold_it_is_refused(broken: str) -> None:
    with pytest.raises(ContentError, match=r"index\.html of the dashboard"):
        one_page(PAGE.replace(broken, ""), FILES, plotly="", snapshot="{}")


def test_packed_text_is_the_same_each_time() -> None:
    assert packed("text" * 100) == packed("text" * 100)
    assert export_policy([], []).startswith("default-src 'none'; script-src 'none'; style-src 'none'")
