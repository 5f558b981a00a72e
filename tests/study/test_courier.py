"""The threads that send shipments, by a real hub."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

from fleet.hubs import served, until
from fleet.packages import packed

from bench.fleet.client import HubClient
from bench.fleet.shipping import pack
from bench.store.fleet import open_fleet
from bench.study.courier import Courier, Shipment
from bench.study.timer import Timer

PI5 = Timer(name="pi5", kind="cpu", runtime="onnxruntime", is_remote=True, figure="latency_ms")


def test_what_waits_to_be_sent_stays_here_when_the_study_ends(tmp_path: Path) -> None:
    """Else it would be measured for nobody, long after Ctrl-C."""
    open_fleet(tmp_path / "bench.db").close()
    package = pack(packed(tmp_path / "files", b"network"), runner="pi5")
    shipment = Shipment(timer=PI5, numbers=(0,), beside="64", target=0.03, package=package, key="one")
    with served(tmp_path, tmp_path / "bench.db") as hub:
        hub.enrol("pi5")
        assert hub.admin.token is not None
        with closing(HubClient(hub.server.address, hub.admin.token)) as client:
            courier = Courier(client)
            courier.send(shipment)
            courier.stop(())
            courier.start()
            until(lambda: all(thread.name != "bench-courier" for thread in threading.enumerate()))
            assert client.runner("pi5").queue == 0
            assert list(courier.news()) == []
