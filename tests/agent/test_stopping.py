from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from bench.agent.stopping import SIGNALS, Stop, Stopped


@pytest.fixture
def stop() -> Iterator[Stop]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    found = Stop()
    found.listen()
    yield found
    for number, handler in before.items():
        signal.signal(number, handler)


def wait(stop: Stop, *signals: signal.Signals) -> None:
    """A long one, in which these come."""
    with stop.may_interrupt():
        for number in signals:
            os.kill(os.getpid(), number)
        time.sleep(30)


@pytest.mark.parametrize("number", SIGNALS)
def test_wait_is_broken_off(stop: Stop, number: signal.Signals) -> None:
    begin = time.monotonic()
    with pytest.raises(Stopped):
        wait(stop, number)
    assert time.monotonic() - begin < 10
    assert stop.is_asked


def test_anything_else_goes_on(stop: Stop) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.is_asked  # and nothing was raised
    begin = time.monotonic()
    with pytest.raises(Stopped):
        wait(stop)
    assert time.monotonic() - begin < 10


def test_stopped_is_no_failure() -> None:
    assert not issubclass(Stopped, Exception)


def test_signal_that_is_ignored_stays_so() -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        stop = Stop()
        stop.listen()
        os.kill(os.getpid(), signal.SIGHUP)
        assert not stop.is_asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
