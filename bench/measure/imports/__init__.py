"""Results that were measured elsewhere, read from the files that other tools write.

A file is told by its content and never by its name; nothing in it is run. What it says of its device stands in the
result's own fingerprint, and what it does not say stays unknown: it is never filled in from this machine. Numbers of
other tools are shown beside ours and not compared with them, since no tool interleaves with our reference.
"""

from __future__ import annotations

from pathlib import Path

from bench.errors import MeasureError
from bench.measure.imports import litert, trtexec, xcode
from bench.measure.imports.result import Document, ImportedResult, parse_json

__all__ = ["ImportedResult", "read_results"]

LARGEST_MIB = 64
_READERS = (xcode.read, trtexec.read, litert.read)
_ALLOWED = (
    "an Xcode Core ML performance report (.mlperf), trtexec's --exportTimes, --exportProfile or log, and "
    "litert-benchmark's --result_json or benchmark_model's output are allowed"
)
# The JSON in the folder that Xcode exports.
_REPORT = "report.json"


def read_results(path: Path | str) -> tuple[ImportedResult, ...]:
    """The results in a file (or in an `.mlperf` folder), in its order; one or more.

    Raises:
        MeasureError: it cannot be read, is larger than `LARGEST_MIB`, or is of none of the known formats.
    """
    path = Path(path)
    text = _read_text(path / _REPORT if path.is_dir() else path, path.name)
    try:
        document = Document(label=path.stem, text=text, data=parse_json(text))
        results = next((found for read in _READERS if (found := read(document)) is not None), None)
    except MeasureError as error:
        raise MeasureError(f"{path.name}: {error}") from error
    if results is None:
        raise MeasureError(f"{path.name} is of no known format; {_ALLOWED}; export the result as one of them")
    return results


def _read_text(path: Path, name: str) -> str:
    if not path.is_file():  # a pipe would wait for ever
        raise MeasureError(f"{name} is no file that can be read; {_ALLOWED}; name another file")
    try:
        with path.open("rb") as file:
            content = file.read((LARGEST_MIB << 20) + 1)
    except OSError as error:
        raise MeasureError(f"{name} cannot be read ({error.strerror}); {_ALLOWED}; name another file") from error
    if len(content) > LARGEST_MIB << 20:
        raise MeasureError(f"{name} is larger than {LARGEST_MIB} MiB; smaller results are allowed; export fewer runs")
    # Windows PowerShell writes what a tool prints as UTF-16.
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeError as error:
        raise MeasureError(f"{name} is no text; {_ALLOWED}; export the result as one of them") from error
