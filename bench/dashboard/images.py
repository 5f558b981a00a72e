"""Figures as SVG, PNG or PDF, drawn by kaleido with a Chrome or Chromium that is installed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import ConfigError, MissingExtra

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

FORMATS = ("svg", "png", "pdf")
VARIABLE = "BROWSER_PATH"
# Names that Debian, Ubuntu and Fedora give it; kaleido looks for those of Google's packages.
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_SIZE = (1000, 640)
_PNG_SCALE = 2


def write_image(figure: Figure, path: Path) -> None:
    """Writes a figure as its file's name says, whole or not at all.

    Raises:
        ConfigError: a format that is not known, a folder that is not there, or a browser that does not draw.
        MissingExtra: kaleido or a browser is not installed.
    """
    kind = path.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise ConfigError(f"--out {path}; allowed: .html, .{', .'.join(FORMATS)}; give the file one of these endings")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"--out {path}: there is no folder {path.absolute().parent}; a file needs one; make it")
    content = _drawn(figure, kind)
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _drawn(figure: Figure, kind: str) -> bytes:
    try:
        from kaleido.errors import ChromeNotFoundError
    except ImportError as error:
        raise MissingExtra(
            "an image needs the extra `images`; kaleido is not installed; run pip install 'bench[images]', or write "
            ".html"
        ) from error
    _name_browser()
    width, height = _SIZE
    try:
        content: bytes = figure.to_image(
            format=kind, width=width, height=height, scale=_PNG_SCALE if kind == "png" else 1
        )
    except Exception as error:  # kaleido, choreographer and the browser each fail in their own way
        # plotly turns it into a RuntimeError with an instruction of a page.
        if isinstance(error, ChromeNotFoundError) or "Chrome" in str(error):
            raise MissingExtra(
                "an image is drawn by Chrome or Chromium, and none was found; on Debian run apt-get install chromium, "
                f"or name one in {VARIABLE}; .html needs none"
            ) from error
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise ConfigError(f"the browser did not draw the image ({first}); .html needs none; try that") from error
    return content


def _name_browser() -> None:
    """Lets kaleido find a browser under the names that distributions give it."""
    if os.environ.get(VARIABLE):
        return
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is not None:
        os.environ[VARIABLE] = found
