from __future__ import annotations

import pytest

from bench.errors import FleetError
from bench.fleet.address import HubAddress, parse_address

PIN = "ab" * 32


@pytest.mark.parametrize(
    "text", ["http://127.0.0.1:8741", "https://hub.example.org", f"https://192.168.1.5:8741#sha256:{PIN}"]
)
def test_an_address_is_read_as_it_is_written(text: str) -> None:
    assert str(parse_address(text)) == text


def test_what_a_user_adds_is_forgiven() -> None:
    assert parse_address(f" https://hub:8741/#sha256:{PIN.upper()}\n".replace("SHA256", "sha256")) == HubAddress(
        url="https://hub:8741", fingerprint=PIN
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no address of a hub"),
        ("192.168.1.5:8741", "no address of a hub; allowed: http://127.0.0.1:8741 or https://HOST"),
        ("ftp://hub", "no address of a hub"),
        ("http://", "no address of a hub"),
        ("http://hub:port", "no address of a hub"),
        ("http://[", "no address of a hub"),
        ("http://[::1", "no address of a hub"),
        ("https://me:secret@hub", "no address of a hub"),
        ("https://hub/v1", "no address of a hub"),
        ("https://hub?x=1", "no address of a hub"),
        ("https://hub#", "is no fingerprint; sha256: and 64 hex digits are needed"),
        (f"https://hub#{PIN}", "is no fingerprint"),
        ("https://hub#sha256:ab", "is no fingerprint"),
        (f"http://127.0.0.1#sha256:{PIN}", "only https has a certificate"),
    ],
)
def test_what_is_no_address_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(FleetError, match=message) as caught:
        parse_address(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "is_loopback"),
    [
        ("http://127.0.0.1:1", True),
        ("http://localhost", True),
        ("https://[::1]:8741", True),
        ("https://192.168.1.5", False),
        ("https://127.example.org", False),
    ],
)
def test_loopback_is_told_apart(url: str, is_loopback: bool) -> None:
    assert HubAddress(url=url).is_loopback is is_loopback
