"""Packs what runs on a device into one file, `runners/agent.py`: that is what is copied to a phone's host or a board.

    python -m bench.fleet.packing --out runners/agent.py

The file holds the sources as they are, readable and easily compared, and an import hook that finds them there. The same
sources give the same bytes; a test compares the packed file with a fresh build, so one that is out of date is found.
Only the standard library is used, and no module of `bench` is imported: this rewrites text.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# The device side of bench.measure; its `__init__` imports the other side too, and is empty in the packed file.
MEASURE = (
    *("catalogue", "child", "exclusive", "fingerprint", "gpu", "health", "health_linux", "health_macos"),
    *("inspection", "isolation", "job", "measurement", "monitor", "outputs", "restart", "session", "worker"),
)
# Whole folders of it, and of the agent.
FOLDERS = ("bench/agent", "bench/agent/drivers", "bench/measure/checks", "bench/measure/runtimes")
EMPTY = ("bench", "bench.measure")

_HEAD = '''#!/usr/bin/env python3
"""The agent of a measuring hub, in one file: copy it to the device and run `python3 agent.py --help`.

Packed by bench.fleet.packing out of the sources below, unchanged: do not edit it, pack it again. It needs Python 3.9 or
newer on Linux or macOS, its standard library, and the inference runtime that is to be timed.
"""

import importlib.machinery
import os
import sys

if sys.version_info < (3, 9):
    sys.exit("agent.py needs Python 3.9 or newer, this is %d.%d; install another python3" % sys.version_info[:2])

# SHA-256 of names and sources.
DIGEST = "{digest}"

SOURCES = {{}}
'''
_TAIL = '''

class _Sources:
    """Finds and loads modules among `SOURCES`, before any that are installed."""

    def __init__(self, path):
        self._path = path

    def find_spec(self, name, path=None, target=None):
        if name not in SOURCES:
            return None
        is_package = name in PACKAGES
        place = name.replace(".", "/") + ("/__init__.py" if is_package else ".py")
        spec = importlib.machinery.ModuleSpec(name, self, origin=self._path + "/" + place, is_package=is_package)
        spec.has_location = True
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        spec = module.__spec__
        exec(compile(SOURCES[spec.name], spec.origin, "exec", dont_inherit=True), module.__dict__)

    def get_source(self, name):
        return SOURCES[name]

    def names(self):
        return sorted(SOURCES)


def _start():
    path = os.path.abspath(__file__)
    sys.meta_path.insert(0, _Sources(path))
    # The folder of this file is no place to import from, and may be anybody's.
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != os.path.dirname(path)]
    if sys.argv[1:2] == ["--worker"]:
        from bench.measure.worker import main

        return main(sys.argv[2:])
    from bench.agent.main import main

    return main()


if __name__ == "__main__":
    sys.exit(_start())
'''


def pack(root: Path = ROOT) -> str:
    """The text of the packed file, of the sources below `root`.

    Raises:
        ValueError: a source that cannot be put between quotes as it is.
        OSError: one is missing.
    """
    sources = dict(_sources(root))
    digest = hashlib.sha256()
    for name, text in sources.items():
        digest.update(f"{name}\0{len(text)}\0{text}".encode())
    parts = [_HEAD.format(digest=digest.hexdigest())]
    parts += [f"\nSOURCES[{_quoted(name)}] = {_literal(name, text)}\n" for name, text in sources.items()]
    packages = sorted(_packages(sources))
    parts.append("\nPACKAGES = (\n" + "".join(f"    {_quoted(name)},\n" for name in packages) + ")\n")
    return "".join(parts) + _TAIL


def main(words: Sequence[str] | None = None) -> None:
    """Writes the packed file."""
    parser = argparse.ArgumentParser(description="Pack the agent into one file.")
    parser.add_argument("--out", type=Path, required=True, help="the file, runners/agent.py in a checkout")
    path = parser.parse_args(words).out
    path.write_text(pack(), encoding="ascii", newline="\n")
    path.chmod(0o755)


def _sources(root: Path) -> Iterator[tuple[str, str]]:
    """Names and texts, by name."""
    paths = [root / "bench" / "errors.py", *(root / "bench" / "measure" / f"{name}.py" for name in MEASURE)]
    for folder in FOLDERS:
        paths += (root / folder).glob("*.py")
    found = {_module(path.relative_to(root)): path for path in paths}
    for name in sorted([*found, *EMPTY]):
        yield name, "" if name in EMPTY else found[name].read_text(encoding="ascii")


def _module(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _packages(sources: Mapping[str, str]) -> set[str]:
    """Names that others are below."""
    return {name for name in sources if any(other.startswith(f"{name}.") for other in sources)}


def _literal(name: str, text: str) -> str:
    """The text as a raw string, so that it stands there as it is."""
    if not text:
        return '""'
    if "'''" in text or not text.endswith("\n"):
        raise ValueError(f"{name} has ''' in it, or no end of line at its end; neither is packed; change the source")
    return f"r'''{text}'''"


def _quoted(name: str) -> str:
    return f'"{name}"'


if __name__ == "__main__":
    main()
