from __future__ import annotations

import os
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from bench.errors import FleetError
from bench.fleet.certificates import ensure_certificate, fingerprint, is_self_signed


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "certificate.pem", tmp_path / "key.pem"


def test_a_certificate_is_made_for_its_host_and_this_machine(files: tuple[Path, Path]) -> None:
    certificate, key = files
    ensure_certificate(certificate, key, host="192.168.1.5")
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "192.168.1.5"]
    assert found.not_valid_after_utc - found.not_valid_before_utc > timedelta(days=3650)
    assert is_self_signed(certificate)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)


@pytest.mark.parametrize("host", ["bench.local", "localhost", "127.0.0.1", "::1", "b\u00fccher"])
def test_any_name_of_a_host_will_do(files: tuple[Path, Path], host: str) -> None:
    ensure_certificate(*files, host=host)
    assert len(fingerprint(files[0])) == 64


def test_the_key_is_its_owner_s_alone(files: tuple[Path, Path]) -> None:
    before = os.umask(0)
    try:
        ensure_certificate(*files, host="localhost")
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600, 0o600]


def test_a_certificate_that_is_there_stays(files: tuple[Path, Path]) -> None:
    ensure_certificate(*files, host="localhost")
    before = [path.read_bytes() for path in files]
    ensure_certificate(*files, host="192.168.1.5")
    assert [path.read_bytes() for path in files] == before


@pytest.mark.parametrize("broken", [0, 1])
def test_half_a_pair_or_nonsense_is_made_anew(files: tuple[Path, Path], broken: int) -> None:
    ensure_certificate(*files, host="localhost")
    before = fingerprint(files[0])
    if broken:
        files[1].unlink()
    else:
        files[0].write_text("nonsense")
    ensure_certificate(*files, host="localhost")
    assert fingerprint(files[0]) != before
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*files)


def test_the_fingerprint_is_of_the_certificate_that_is_shown(files: tuple[Path, Path]) -> None:
    ensure_certificate(*files, host="localhost")
    found = x509.load_pem_x509_certificate(files[0].read_bytes())
    assert fingerprint(files[0]) == found.fingerprint(hashes.SHA256()).hex()


def test_what_is_no_certificate_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "x.pem"
    path.write_text("nonsense")
    for ask in (fingerprint, is_self_signed):
        with pytest.raises(FleetError, match=r"is no certificate .* PEM file is needed"):
            ask(path)
        with pytest.raises(FleetError, match="is no certificate"):
            ask(tmp_path / "missing.pem")
