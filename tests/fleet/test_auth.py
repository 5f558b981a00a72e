from __future__ import annotations

import re

import pytest

from bench.fleet.auth import Tokens, bearer_token, hash_token, make_code, make_token
from bench.store.fleet import FleetStore


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


def test_a_token_is_found_by_its_hash_and_then_known(store: FleetStore) -> None:
    token = make_token()
    record = store.add_token("client", "laptop", sha256=hash_token(token))
    tokens = Tokens(store)
    assert tokens.known(hash_token(token)) is None
    caller = tokens.find(hash_token(token))
    assert caller is not None
    assert (caller.kind, caller.token_id, caller.runner_id) == ("client", record.id, None)
    assert tokens.known(hash_token(token)) == caller
    assert tokens.find(hash_token(make_token())) is None


def test_a_revoked_token_is_unknown_once_others_are_forgotten(store: FleetStore) -> None:
    token = make_token()
    record = store.add_token("admin", "laptop", sha256=hash_token(token))
    tokens = Tokens(store)
    assert tokens.find(hash_token(token)) is not None
    store.revoke_token(record.id)
    tokens.forget()
    assert tokens.known(hash_token(token)) is None
    assert tokens.find(hash_token(token)) is None


def test_a_caller_does_not_show_the_hash_of_its_token(store: FleetStore) -> None:
    token = make_token()
    store.add_token("client", "laptop", sha256=hash_token(token))
    assert hash_token(token) not in repr(Tokens(store).find(hash_token(token)))
