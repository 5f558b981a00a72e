"""Another hub in the place of the one that an agent knows, with a certificate of its own: it is told nothing at all."""

from __future__ import annotations

import logging
import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.agent.drivers import Driver
from bench.agent.drivers.local import LocalDriver
from bench.errors import FleetError
from bench.fleet.certificates import ensure_certificate
from bench.fleet.client import HubClient

from .agents import looping
from .hubs import served, until


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    return LocalDriver(lock=tmp_path / "lock")


def certified(folder: Path) -> dict[str, Path]:
    """A certificate of a hub's own, as settings of `served`."""
    folder.mkdir()
    found = {"certificate": folder / "own.pem", "key": folder / "own.key"}
    ensure_certificate(found["certificate"], found["key"], host="127.0.0.1")
    return found


def requests(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What hubs of this process were asked."""
    return [record.getMessage() for record in caplog.records if record.name == "bench.fleet"]


def test_an_enrolled_agent_tells_an_impostor_nothing_and_comes_back(
    tmp_path: Path, empty_db: Path, driver: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="bench.fleet")
    own, other = certified(tmp_path / "own"), certified(tmp_path / "other")
    with ExitStack() as first:
        hub = first.enter_context(served(tmp_path / "own", empty_db, **own))
        address, token = hub.server.address, hub.admin.token
        port = int(address.url.rpartition(":")[2])
        assert token is not None
        with looping(hub, tmp_path / "agent", driver) as agent:
            until(lambda: any("/lease' 204" in line for line in requests(caplog)))
            first.close()
            # The impostor has whatever the hub keeps in its database, but not its key.
            shutil.copy(tmp_path / "own" / "bench.db", tmp_path / "other" / "bench.db")
            caplog.clear()
            with served(tmp_path / "other", empty_db, port=port, **other):
                until(lambda: any("shows the certificate sha256:" in line for line in agent.told))
                with pytest.raises(FleetError, match=r"shows the certificate sha256:.* is that of the hub"):
                    HubClient(address, token).check()
            assert requests(caplog) == []
            with served(tmp_path / "own", empty_db, port=port, **own) as again:
                assert again.server.address == address
                until(lambda: any("/lease' 204" in line for line in requests(caplog)))
            assert not any(agent.identity.token in line for line in agent.told)
