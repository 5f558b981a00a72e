"""What runs on a device needs Python 3.9 and its standard library, and nothing else of `bench`."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from command import ROOT

from bench.fleet.packing import MEASURE

VERMIN = "import sys; from vermin import main; sys.exit(main())"
FOLDER = ROOT / "bench" / "measure"
AGENT = tuple(sorted((ROOT / "bench" / "agent").rglob("*.py")))
MODULES = (ROOT / "bench" / "errors.py", *(FOLDER / f"{name}.py" for name in MEASURE), *AGENT)
LOADED_BY_WORKER = tuple(sorted([*(FOLDER / "runtimes").glob("[a-z]*.py"), *(FOLDER / "checks").glob("[a-z]*.py")]))

# Of Counter, int, exceptions and Path; all from 3.10 on.
LATER_METHODS = {"total", "bit_count", "add_note", "hardlink_to"}

# What a file may import where it is installed: psutil tells more on macOS, and a child process of its own drives
# coremltools.
OPTIONAL = {
    "health_macos": {"psutil"},
    "devicectl_child": {
        "numpy",
        "coremltools",
        "coremltools.models.ml_program.experimental",
        "coremltools.models.ml_program.experimental.async_wrapper",
    },
}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> set[str]:
    """The modules that a file names in its import statements, wherever they stand."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import does not say what it imports"
            found.add(node.module or "")
    return found


def vermin(*paths: Path) -> subprocess.CompletedProcess[str]:
    """What needs a later Python than 3.9 in these files; the package has no __main__."""
    return subprocess.run(
        [sys.executable, "-c", VERMIN, "--target=3.9-", "--no-tips", "--violations", *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_language_is_that_of_python_3_9(tmp_path: Path) -> None:
    done = vermin(*MODULES, *LOADED_BY_WORKER)
    assert done.returncode == 0, done.stdout + done.stderr
    later = tmp_path / "later.py"
    later.write_text("match 1:\n    case 1: pass\n")
    done = vermin(later)
    assert (done.returncode, "pattern matching requires" in done.stdout) == (1, True)


@pytest.mark.parametrize("path", [*MODULES, *LOADED_BY_WORKER], ids=name_of)
def test_no_method_of_a_later_python_is_called(path: Path) -> None:
    """vermin sees these only where it knows what they are called on."""
    calls = (node.func for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    assert not {called.attr for called in calls if isinstance(called, ast.Attribute)} & LATER_METHODS


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_standard_library_and_each_other_are_imported(path: Path) -> None:
    ours = {name_of(module) for module in MODULES}
    foreign = {name for name in imported(path) - ours if name.split(".")[0] not in sys.stdlib_module_names}
    assert foreign <= OPTIONAL.get(path.stem, set())


@pytest.mark.parametrize("path", AGENT, ids=name_of)
def test_agent_keeps_to_names_that_the_file_can_hold(path: Path) -> None:
    text = path.read_text(encoding="ascii")  # the packed file is ASCII
    assert "'''" not in text
