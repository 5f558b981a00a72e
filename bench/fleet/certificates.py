"""A certificate of the hub's own, which nobody signs: who connects knows it by its fingerprint.

The fingerprint travels with the enrolment, so that nothing is trusted because it was there first. An own certificate
that was signed by somebody is verified as usual instead, and may be renewed without telling anyone.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import ssl
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bench.agent.files import write_private
from bench.errors import FleetError, MeasureError, MissingExtra
from bench.store.opening import utc_now

if TYPE_CHECKING:
    from cryptography import x509

_VALID = timedelta(days=3650)
# Clocks of devices without a battery may be behind.
_EARLIER = timedelta(days=7)
# One that ends sooner is made again.
_LEAST = timedelta(days=30)
_NAME = "bench hub"


def ensure_certificate(certificate: Path, key: Path, *, host: str) -> None:
    """A self-signed certificate and its key at these places; those that are there stay while they are valid.

    Raises:
        MissingExtra: the extra `hub` is not installed.
        FleetError: they cannot be written.
    """
    if certificate.exists() and key.exists() and _is_lasting(certificate):
        return
    try:
        content, secret = _made(host)
        write_private(key, secret)
        write_private(certificate, content)
    except MeasureError as error:
        raise FleetError(
            f"cannot write {str(certificate)!r}; a hub with TLS keeps its certificate there; make the folder writable"
        ) from error


def fingerprint(certificate: Path) -> str:
    """SHA-256 (hex) of a certificate in DER form, the first of the file.

    Raises:
        FleetError: there is none.
    """
    try:
        text = certificate.read_text(encoding="ascii", errors="replace")
        begin, end = text.index("-----BEGIN CERTIFICATE-----"), text.index("-----END CERTIFICATE-----")
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(text[begin:end] + "-----END CERTIFICATE-----\n")).hexdigest()
    except (OSError, ValueError) as error:
        raise FleetError(
            f"{str(certificate)!r} is no certificate ({error}); a PEM file is needed; give another --tls-cert"
        ) from error


def is_self_signed(certificate: Path) -> bool:
    """Whether nobody else vouches for a certificate, so that only its fingerprint can."""
    found = _loaded(certificate)
    return found.issuer == found.subject


def _is_lasting(certificate: Path) -> bool:
    with contextlib.suppress(FleetError):
        return _loaded(certificate).not_valid_after_utc > utc_now() + _LEAST
    return False


def _loaded(certificate: Path) -> x509.Certificate:
    try:
        from cryptography import x509
    except ImportError as error:
        raise _missing(error) from error
    try:
        return x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise FleetError(
            f"{str(certificate)!r} is no certificate ({error}); a PEM file is needed; give another --tls-cert"
        ) from error


def _made(host: str) -> tuple[bytes, bytes]:
    """Certificate and key as PEM: P-256, for `host` and this machine."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
    except ImportError as error:
        raise _missing(error) from error
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    try:
        address = x509.IPAddress(ipaddress.ip_address(host))
        names += [address] if address not in names else []
    except ValueError:
        names += [x509.DNSName(host)] if host.isascii() and host != "localhost" else []
    now = utc_now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), secret


def _missing(error: ImportError) -> MissingExtra:
    return MissingExtra(
        f"the hub needs the extra `hub`; {error.name or 'cryptography'} is not installed; run pip install 'bench[hub]'"
    )
