"""Where the dashboard listens and who may come: everybody of this machine, or whoever has the token, over TLS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.agent.connections import is_loopback
from bench.agent.files import private_folder, read_private, write_private
from bench.errors import ConfigError, FleetError, MeasureError
from bench.fleet.address import WILDCARDS
from bench.fleet.auth import make_token
from bench.fleet.certificates import ensure_certificate
from bench.fleet.listening import own_address

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8750


_TOKEN_BYTES = 1024
_TOKEN_LENGTH = (20, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where the dashboard listens and who may come.

    Attributes:
        host, port: to listen on; port 0 takes a free one.
        token: that opens it; None: everybody on this machine may read.
        certificate, key: PEM files; None: plain HTTP.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    token: str | None = None
    certificate: Path | None = None
    key: Path | None = None


def listening(
    host: str,
    port: int,
    *,
    token_file: Path | None,
    certificate: Path | None,
    key: Path | None,
    folder: Callable[[], Path],
) -> Listening:
    """What the flags of the command come to: anywhere but on loopback there is a token, and TLS.

    Args:
        token_file: with the token; made where it is missing.
        folder: tells where a certificate goes that is made here; asked only then, as it has to be writable.

    Raises:
        ConfigError: flags that do not belong together, or a token that is none.
        FleetError: a certificate cannot be made or kept.
        MissingExtra: one has to be made, and the extra `hub` is not installed.
    """
    if (certificate is None) is not (key is None):
        raise ConfigError("--tls-cert and --tls-key belong together; one was given; give both files, or neither")
    is_local = is_loopback(host)
    token = None if token_file is None else _kept_token(token_file)
    if not is_local:
        token = token or make_token()
        if certificate is None:
            certificate, key = _made_certificate(folder(), host)
    return Listening(host=host, port=port, token=token, certificate=certificate, key=key)


def _kept_token(path: Path) -> str:
    """The token of a file that its owner alone may read; a new one where there is no file."""
    try:
        content = read_private(path, limit=_TOKEN_BYTES)
        if content is None:
            token = make_token()
            write_private(path, token.encode("ascii") + b"\n")
            return token
    except MeasureError as error:
        raise ConfigError(f"--token-file: {error}") from error
    token = content.decode("ascii", "replace").strip()
    least, most = _TOKEN_LENGTH
    if not (least <= len(token) <= most and all(letter.isalnum() or letter in "-_" for letter in token)):
        raise ConfigError(
            f"--token-file {path} holds no token; {least} to {most} letters, digits, '-' and '_' are needed; remove "
            "the file, and one is made"
        )
    return token


def _made_certificate(folder: Path, host: str) -> tuple[Path, Path]:
    try:
        private_folder(folder)
    except MeasureError as error:
        raise FleetError(f"{error}; or give --tls-cert and --tls-key") from error
    certificate, key = folder / "dashboard.pem", folder / "dashboard.key"
    ensure_certificate(certificate, key, host=own_address() if host in WILDCARDS else host)
    return certificate, key
