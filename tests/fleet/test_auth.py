from __future__ import annotations

import re

import pytest

from bench.errors import StoreError
from bench.fleet.auth import Tokens, bearer_token, hash_token, make_code, make_token
from bench.store.fleet import FleetStore

from .examples import sha_of
from .fleets import enrolled


def test_tokens_have_256_random_bits_and_codes_128() -> None:
    assert len({make_token() for _ in range(100)}) == 100
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", make_token())
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", make_code())


def test_what_is_kept_of_a_token_is_its_sha256() -> None:
    assert hash_token("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


TOKEN = "t" * 43


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ([f"Bearer {TOKEN}"], TOKEN),
        ([f"bearer  {TOKEN} "], TOKEN),
        ([], None),
        ([TOKEN], None),
        ([f"Basic {TOKEN}"], None),
        (["Bearer "], None),
        (["Bearer short"], None),
        ([f"Bearer {TOKEN}!"], None),
        ([f"Bearer {TOKEN} {TOKEN}"], None),
        ([f"Bearer {TOKEN}", f"Bearer {TOKEN}"], None),
        ([f"Bearer {'t' * 101}"], None),
        (["Bearer \u00e4" + TOKEN], None),
    ],
)
def test_a_token_is_read_in_one_form_alone(shown: list[str], found: str | None) -> None:
    headers = [(b"host", b"x"), *((b"authorization", value.encode("latin-1")) for value in shown)]
    assert bearer_token(headers) == found


def test_a_token_is_found_by_its_hash(store: FleetStore) -> None:
    token = make_token()
    record = store.add_token("client", "laptop", sha256=hash_token(token))
    tokens = Tokens(store)
    caller = tokens.find(hash_token(token))
    assert caller is not None
    assert (caller.kind, caller.token_id, caller.runner_id) == ("client", record.id, None)
    assert tokens.find(hash_token(make_token())) is None


def test_what_changed_is_looked_up_and_nothing_else(store: FleetStore, statements: list[str]) -> None:
    first, second = make_token(), make_token()
    record = store.add_token("admin", "laptop", sha256=hash_token(first))
    tokens = Tokens(store)
    other = store.add_token("client", "phone", sha256=hash_token(second))
    tokens.look_up(token_id=other.id)
    assert tokens.find(hash_token(second)) is not None
    third = make_token()
    store.replace_token(other.id, hash_token(third))
    tokens.look_up(token_id=other.id)
    assert tokens.find(hash_token(second)) is None
    assert tokens.find(hash_token(third)) is not None
    store.revoke_token(record.id)
    tokens.look_up(token_id=record.id)
    statements.clear()
    assert tokens.find(hash_token(first)) is None
    assert tokens.find(hash_token(third)) is not None
    assert statements == []


def test_the_tokens_of_a_runner_are_looked_up_together(store: FleetStore) -> None:
    first, again = enrolled(store, "pi5"), make_token()
    laptop = make_token()
    store.add_token("client", "laptop", sha256=hash_token(laptop))
    tokens = Tokens(store)
    assert tokens.find(sha_of(b"token of pi5")) is not None
    store.set_runner_status(first.id, "removed")
    tokens.look_up(runner_id=first.id)
    assert tokens.find(sha_of(b"token of pi5")) is None
    store.add_token("agent", "pi5", sha256=hash_token(again), runner_id=first.id)
    tokens.look_up(runner_id=first.id)
    assert tokens.find(hash_token(again)) is not None
    assert tokens.find(hash_token(laptop)) is not None


def test_what_may_have_been_revoked_opens_nothing_while_the_store_is_silent(
    store: FleetStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make_token(), make_token()
    record = store.add_token("admin", "laptop", sha256=hash_token(first))
    store.add_token("client", "phone", sha256=hash_token(second))
    tokens = Tokens(store)

    def fail(**_: object) -> None:
        raise StoreError("locked")

    monkeypatch.setattr(store, "live_tokens", fail)
    with pytest.raises(StoreError):
        tokens.look_up(token_id=record.id)
    assert tokens.find(hash_token(first)) is None
    assert tokens.find(hash_token(second)) is not None


def test_a_caller_does_not_show_the_hash_of_its_token(store: FleetStore) -> None:
    token = make_token()
    store.add_token("client", "laptop", sha256=hash_token(token))
    assert hash_token(token) not in repr(Tokens(store).find(hash_token(token)))
