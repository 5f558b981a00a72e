"""The agent as a command: `python3 agent.py NAME`; `--help` tells the rest.

Ends with 0 when it was asked to (SIGTERM, Ctrl-C), 3 when the hub does not know it any more, 1 for other errors.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.agent import VERSION
from bench.agent.blobs import BlobCache
from bench.agent.doctor import examine
from bench.agent.enrolment import (
    VARIABLE,
    Identity,
    enrol,
    enrolled,
    load_identity,
    parse_enrolment,
    runner_folder,
    save_identity,
)
from bench.agent.files import private_folder
from bench.agent.journal import Journal
from bench.agent.log import Log
from bench.agent.loop import Agent
from bench.agent.reporting import TokenRefusedError
from bench.agent.settings import DEFAULT_FOLDER, make_driver, parser, settings_of
from bench.agent.stopping import Stop, Stopped
from bench.agent.transport import Hub
from bench.agent.wire import finite
from bench.errors import BenchError, MeasureError

FAILED, REFUSED = 1, 3

# An agent whose token was replaced just now ends with its next call.
_TURN_S = 60.0
_POLL_S = 0.1


def main(words: Sequence[str] | None = None) -> int:
    """The status to exit with; `words` are those of the command line."""
    line = os.environ.pop(VARIABLE, None)  # a secret, which no child process must find there
    os.umask(0o077)
    options = parser().parse_args(words)
    base = (options.folder or DEFAULT_FOLDER).expanduser().absolute()
    log = Log()
    try:
        if options.version:
            print(f"bench-agent {version()}")
        elif options.doctor:
            for found in examine(options.kind or "cpu", base):
                print(found)
        else:
            _serve(options, line, base, log)
    except Stopped:
        log("stopped")
    except TokenRefusedError as error:
        log(str(error))
        return REFUSED
    except BenchError as error:
        log(str(error))
        return FAILED
    return 0


def version() -> str:
    """Of the sources, and in the one file of what was packed."""
    digest = getattr(sys.modules.get("__main__"), "DIGEST", None)
    return VERSION if digest is None else f"{VERSION} ({str(digest)[:12]})"


def _serve(options: Any, line: str | None, base: Path, log: Log) -> None:
    stop = Stop()
    stop.listen()
    if line is not None:
        settings = settings_of(options, {})
        identity = _enrolled(line, base, settings, log)
        folder = runner_folder(base, identity.name)
        save_identity(identity, folder)  # first: there is no second code
        wait_s = _TURN_S
    else:
        folder, identity = _known(options.name, base)
        settings = settings_of(options, identity.settings)
        wait_s = 0.0
    log.name = identity.name
    log.hide(identity.token)
    with _only_one(folder, stop, wait_s=wait_s):
        if settings != identity.settings:
            identity = replace(identity, settings=settings)
            save_identity(identity, folder)
        _run(identity, folder, stop, log, most=options.leases)


def _run(identity: Identity, folder: Path, stop: Stop, log: Log, *, most: int | None) -> None:
    settings = identity.settings
    if os.geteuid() == 0:
        log("this runs as root; an ordinary user is enough, and better")
    hub = Hub(identity.url, fingerprint=identity.fingerprint, token=identity.token, told=log)
    cache = BlobCache(folder / "blobs", keep_bytes=settings.get("keep_mib", 0) << 20)
    agent = Agent(hub, identity, make_driver(settings, folder), cache, Journal(folder), stop, log)
    log(f"version {version()}, driver {settings['driver']}, hub {identity.url}")
    try:
        agent.run(most=most)
    finally:
        hub.close()


def _known(name: str | None, base: Path) -> tuple[Path, Identity]:
    known = enrolled(base)
    if name is None:
        hint = f"enrolled here: {', '.join(known)}" if known else f"none is enrolled in {str(base)!r}"
        raise MeasureError(f"no runner is named; {hint}; give its name, or {VARIABLE} to enrol one")
    folder = runner_folder(base, name)
    return folder, load_identity(folder)


def _enrolled(line: str, base: Path, settings: Mapping[str, Any], log: Log) -> Identity:
    """A new identity; everything that can go wrong on this side does before the code is used up."""
    enrolment = parse_enrolment(line)
    log.hide(enrolment.code)
    private_folder(base)
    capabilities = finite(make_driver(settings, base).capabilities())
    hub = Hub(enrolment.url, fingerprint=enrolment.fingerprint, told=log)
    try:
        identity = enrol(enrolment, hub, capabilities=capabilities, settings=settings)
    finally:
        hub.close()
    log(f"enrolled as {identity.name!r}; later starts: agent.py {identity.name}")
    return identity


@contextlib.contextmanager
def _only_one(folder: Path, stop: Stop, *, wait_s: float) -> Iterator[None]:
    """Holds the runner: two agents of one would take each other's leases away.

    Raises:
        MeasureError: another agent holds it for longer than `wait_s`.
    """
    path = folder / "agent.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise MeasureError(
            f"cannot open the lock {str(path)!r} ({error.strerror}); a plain file of your own is needed; remove it"
        ) from error
    try:
        end = time.monotonic() + wait_s
        with stop.may_interrupt():
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= end:
                        raise MeasureError(
                            f"another agent serves {folder.name!r} here; one is allowed; stop it first"
                        ) from None
                    time.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main())
