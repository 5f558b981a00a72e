"""The agent's own loop in a thread, with a driver of choice: a device as its hub sees it, all but its process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.agent.blobs import BlobCache
from bench.agent.drivers import Driver
from bench.agent.enrolment import Identity, enrol, parse_enrolment
from bench.agent.files import private_folder
from bench.agent.journal import Journal
from bench.agent.loop import Agent
from bench.agent.stopping import Stop, Stopped
from bench.agent.transport import Hub
from bench.agent.wire import finite
from bench.fleet.client import HubClient

from .hubs import TIMEOUT_S, Served
from .processes import enrolment_line

# Instead of half a minute of waiting, so that a test need not.
_WAIT_S, _PAUSE_S = 0.2, 0.05


@dataclass
class Looping:
    """An agent that works.

    Attributes:
        identity: as its hub gave it.
        folder: of its files.
        told: its log.
    """

    identity: Identity
    folder: Path
    told: list[str] = field(default_factory=list)
    stop: Stop = field(default_factory=Stop)
    error: BaseException | None = None

    @property
    def blobs(self) -> Path:
        return self.folder / "blobs"

    def work(self, driver: Driver) -> None:
        try:
            with closing(self._hub()) as hub:
                cache, journal = BlobCache(self.blobs), Journal(self.folder)
                Agent(hub, self.identity, driver, cache, journal, self.stop, self.told.append, self._pause).run()
        except Stopped:
            pass
        except BaseException as error:
            self.error = error

    def _hub(self) -> Hub:
        identity = self.identity
        return Hub(
            identity.url,
            fingerprint=identity.fingerprint,
            token=identity.token,
            told=self.told.append,
            sleep=self._pause,
        )

    def _pause(self, seconds: float) -> None:
        """A signal would end it in a process; in a thread it only looks whether it was asked to."""
        time.sleep(min(seconds, _PAUSE_S))
        if self.stop.is_asked:
            raise Stopped


@contextmanager
def looping(hub: Served, folder: Path, driver: Driver, *, name: str = "pi5") -> Iterator[Looping]:
    """An enrolled agent that works until the block ends."""
    assert hub.admin.token is not None
    with closing(HubClient(hub.server.address, hub.admin.token)) as admin:
        line = parse_enrolment(enrolment_line(admin, name))
    with closing(Hub(line.url, fingerprint=line.fingerprint)) as nobody:
        identity = enrol(line, nobody, capabilities=finite(driver.capabilities()), settings={})
    found = Looping(identity=replace(identity, wait_s=_WAIT_S), folder=private_folder(folder))
    thread = threading.Thread(target=found.work, args=(driver,), name=f"agent {name}", daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.stop.is_asked = True
        thread.join(timeout=2 * TIMEOUT_S)
    assert not thread.is_alive()
    assert found.error is None, found.error
