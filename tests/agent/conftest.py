"""Jobs as they travel, a certificate, and a hub by hand that hands out leases."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from measure import conftest as measuring

from bench.agent.bounds import LONGEST_S
from bench.measure import Job, JobArtifact, Measurement

from .scripted_hub import Certificate

# Fixtures: what a job needs, and a child process by hand.
convolution, job, scripted = measuring.convolution, measuring.job, measuring.scripted

MakeBody = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A self-signed one, as a hub makes it."""
    pytest.importorskip("cryptography", reason="certificates need the extra `hub`")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hub")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("certificate")
    path, key_path = folder / "certificate.pem", folder / "key.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    digest = hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest()
    return Certificate(path=path, key=key_path, fingerprint=digest)


def body_of(work: Job, **changes: Any) -> dict[str, Any]:
    """A job of single files as it travels: no paths, files by their hash."""
    everything = (work.reference, *work.artifacts)
    plain = replace(
        work,
        reference=replace(work.reference, path=""),
        artifacts=tuple(replace(artifact, path="") for artifact in work.artifacts),
    ).to_dict()
    files = {artifact.label: [_entry(artifact)] for artifact in everything}
    body = {"runner": "pi", "priority": 0, "max_s": LONGEST_S, "job": plain, "files": files, **changes}
    found: dict[str, Any] = json.loads(json.dumps(body))
    return found


@pytest.fixture
def body(job: Callable[..., Job], convolution: Callable[..., JobArtifact]) -> MakeBody:
    """Makes the body of the smallest job, with settings of the job as they are given."""

    def make(*labels: str, **settings: Any) -> dict[str, Any]:
        return body_of(job(*(convolution(label) for label in labels or ("network",)), **settings))

    return make


def lease_of(body: dict[str, Any], /, *, fence: int = 1, **changes: Any) -> dict[str, Any]:
    """What a hub answers to a request for work."""
    found = {
        "fence": fence,
        "attempt": 1,
        "job_id": f"job{fence}",
        "ttl_s": 60.0,
        "heartbeat_s": 15.0,
        "max_s": body["max_s"],
        "body": body,
    }
    return {**found, **changes}


def measurement(label: str = "network") -> Measurement:
    """One of two processes with a block each."""
    samples = (((1000, 1001),), ((1002, 1003),))
    return Measurement(
        label=label,
        architecture_id=None,
        artifact_sha256="ab" * 32,
        runner="cpu",
        runtime="onnxruntime",
        threads=1,
        resolution=64,
        samples=samples,
        reference_samples=samples,
        twin_samples=((), ()),
        contended=((False,), (False,)),
        verdict="valid",
        reason=None,
        fingerprint={"machine": {"cpu": "a scripted CPU"}},
        protocol={"restarts": 2},
        session="scripted",
    )


def _entry(artifact: JobArtifact) -> dict[str, Any]:
    size = Path(artifact.path).stat().st_size
    return {"name": "artifact", "sha256": artifact.sha256, "bytes": size}
