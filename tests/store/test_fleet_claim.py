"""One hub alone uses a database on a server, however its session with it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from bench.store import open_fleet
from bench.store.fleet import ClaimedError

_SESSIONS = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"


def end_sessions(url: str) -> int:
    """Ends whatever session holds the claim, as a restart of the server does; gives their number."""
    engine = create_engine(url)
    with engine.begin() as connection:
        ended = connection.execute(text(f"SELECT pg_terminate_backend(pid, 10000) FROM ({_SESSIONS}) AS held")).all()
    engine.dispose()
    return len(ended)


def test_a_file_needs_no_claim(tmp_path: Path) -> None:
    db = tmp_path / "bench.db"
    with open_fleet(db) as one, open_fleet(db) as other, one.claim() as claim, other.claim():
        claim.check()


def test_a_second_hub_is_refused_in_one_line_until_the_first_ends(url: str) -> None:
    with open_fleet(url) as one, open_fleet(url) as other:
        with one.claim() as claim:
            for _ in range(2):
                with pytest.raises(
                    ClaimedError, match=r"a hub runs for database postgresql.* already, .*; one at a"
                ) as caught:
                    other.claim().__enter__()
            assert "\n" not in str(caught.value)
            claim.check()
        with other.claim(), pytest.raises(ClaimedError):
            one.claim().__enter__()


def test_a_store_in_use_by_others_can_be_claimed(url: str) -> None:
    with open_fleet(url) as one, open_fleet(url) as other, one.claim():
        assert other.runners() == ()


def test_a_claim_whose_session_was_ended_is_taken_again(url: str) -> None:
    with open_fleet(url) as one, open_fleet(url) as other, one.claim() as claim:
        assert end_sessions(url) == 1
        claim.check()
        with pytest.raises(ClaimedError):
            other.claim().__enter__()


def test_a_claim_that_another_hub_took_meanwhile_is_lost(url: str) -> None:
    with open_fleet(url) as one, open_fleet(url) as other, one.claim() as claim:
        end_sessions(url)
        with other.claim() as taken:
            for _ in range(2):
                with pytest.raises(ClaimedError):
                    claim.check()
            taken.check()
        claim.check()


def test_a_session_that_broke_on_this_side_alone_is_replaced(url: str) -> None:
    """As when the network breaks: the server's end of the session lives on and keeps the lock."""
    with open_fleet(url) as one, one.claim() as claim:
        before, claim._session = claim._session, None
        assert before is not None
        claim.check()
        with open_fleet(url) as other, pytest.raises(ClaimedError):
            other.claim().__enter__()
        with pytest.raises(OperationalError):
            before.execute(text("SELECT 1"))
        before.close()
