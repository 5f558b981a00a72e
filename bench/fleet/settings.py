"""How a database's hub is run: kept where `bench hub serve` was last told, for hubs inside other commands."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.agent.files import read_private, write_private
from bench.errors import FleetError, MeasureError
from bench.fleet.address import DEFAULT_HOST, DEFAULT_PORT

_NAME = "settings.json"
_BYTES = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSettings:
    """Where a hub listens, with what, and what it keeps.

    Attributes:
        host, port: to listen on.
        certificate, key: files of an own certificate; None: one is made where it is needed.
        is_behind_proxy: plain HTTP on any host, because something else does the TLS.
        url: where others reach it, where that does not follow from host and port.
        keep_days: that a job's body and result are kept after it; None: the usual time.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    certificate: str | None = None
    key: str | None = None
    is_behind_proxy: bool = False
    url: str | None = None
    keep_days: float | None = None

    def arguments(self) -> dict[str, Any]:
        """For `HubServer`."""
        files = {name: Path(path) for name in ("certificate", "key") if (path := getattr(self, name)) is not None}
        return {
            "host": self.host,
            "port": self.port,
            "is_behind_proxy": self.is_behind_proxy,
            "url": self.url,
            "keep_days": self.keep_days,
            **files,
        }


def keep_settings(folder: Path, settings: HubSettings) -> None:
    """Writes them into the hub's folder.

    Raises:
        FleetError: it cannot be written.
    """
    try:
        write_private(folder / _NAME, json.dumps(asdict(settings)).encode("ascii"))
    except MeasureError as error:
        raise FleetError(str(error)) from error


def kept_settings(folder: Path) -> HubSettings:
    """Those that were kept last; the usual ones where there are none.

    Raises:
        FleetError: they cannot be read.
    """
    path = folder / _NAME
    try:
        content = read_private(path, limit=_BYTES)
        return HubSettings() if content is None else HubSettings(**json.loads(content))
    except (MeasureError, ValueError, TypeError) as error:
        raise FleetError(
            f"{path} cannot be used ({error}); `bench hub serve` writes it; remove it, or start `bench hub serve` again"
        ) from error
