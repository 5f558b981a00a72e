"""The files of the page, read when they are asked for: an edit shows with the next reload."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from bench.content import folder
from bench.errors import ContentError, MissingExtra

PLOTLY = "plotly.min.js"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,80}")
# Of what is smaller compressing saves nothing worth the time.
_LEAST_ZIPPED = 1400


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file as it is served.

    Attributes:
        path: of the file.
        content: of it.
        media_type: of HTTP.
        tag: another one for other content.
    """

    path: Path
    content: bytes
    media_type: str
    tag: str


class Assets:
    """The files of `dashboards/`, and plotly.js of the installed package."""

    def __init__(self, place: Path | None = None) -> None:
        self._place = folder("dashboards") if place is None else place
        self._kept: dict[Path, tuple[tuple[int, int], Asset]] = {}
        self._zipped: dict[str, bytes] = {}

    def page(self) -> Asset:
        """`index.html`.

        Raises:
            ContentError: it is not there.
        """
        return self._asset(self._place / "index.html", "text/html; charset=utf-8")

    def find(self, name: str) -> Asset | None:
        """The file that is served as `static/NAME`; None: there is none."""
        path = Path(name)
        if not _NAME.fullmatch(name) or path.suffix not in _TYPES:
            return None
        place = plotly_path() if name == PLOTLY else self._place / name
        return self._asset(place, _TYPES[path.suffix]) if place.is_file() else None

    def zipped(self, asset: Asset) -> bytes | None:
        """Its content compressed, once; None where that saves nothing."""
        if len(asset.content) < _LEAST_ZIPPED:
            return None
        if asset.tag not in self._zipped:
            self._zipped[asset.tag] = gzip.compress(asset.content, 6, mtime=0)
        return self._zipped[asset.tag]

    def texts(self) -> dict[str, str]:
        """All style sheets and modules by name, for an export."""
        found = sorted(path for path in self._place.iterdir() if path.suffix in (".css", ".js"))
        return {path.name: path.read_text(encoding="utf-8") for path in found}

    def plotly(self) -> str:
        """plotly.js as text."""
        return plotly_path().read_text(encoding="utf-8")

    def _asset(self, path: Path, media_type: str) -> Asset:
        try:
            found = path.stat()
            state = (found.st_mtime_ns, found.st_size)
            if path in self._kept and self._kept[path][0] == state:
                return self._kept[path][1]
            content = path.read_bytes()
        except OSError as error:
            raise ContentError(
                f"cannot read {path.name!r} of the dashboard ({error.strerror}); it comes with bench; reinstall bench"
            ) from error
        tag = hashlib.sha256(content).hexdigest()[:32]
        asset = Asset(path=path, content=content, media_type=media_type, tag=f'"{tag}"')
        self._kept[path] = (state, asset)
        return asset


def plotly_path() -> Path:
    """plotly.js of the installed package, found without importing it.

    Raises:
        MissingExtra: plotly is not installed, or has no such file.
    """
    from importlib.util import find_spec

    spec = find_spec("plotly")
    places = [] if spec is None or spec.submodule_search_locations is None else spec.submodule_search_locations
    for place in places:
        path = Path(place) / "package_data" / PLOTLY
        if path.is_file():
            return path
    raise MissingExtra(
        f"no {PLOTLY} in the installed plotly; the charts are drawn by it; run pip install 'plotly>=7.1'"
    )
