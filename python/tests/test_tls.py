"""Encrypted connections."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import samples
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from headrace_server import Server

import headrace


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(certificate.public_bytes(encoding))
    (folder / "key.pem").write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server with TLS and the certificate to trust."""
    home = tmp_path_factory.mktemp("secure")
    certificate, key = self_signed(home)
    env = {"HEADRACE_TLS_CERT": str(certificate), "HEADRACE_TLS_KEY": str(key)}
    with Server(home, env=env, scheme="grpc+tls") as server:
        server.cli("create-namespace", "lake")
        yield server, certificate


def test_rows_go_both_ways_through_tls(secure: tuple[Server, Path]) -> None:
    server, certificate = secure
    token = server.token("root", "admin")
    with headrace.connect(server.uri, token=token, tls_ca=certificate) as client:
        assert client.put("lake.t", samples(30_000), mode="create").rows == 30_000
        scan = client.scan("lake.t", shards=2)
        assert all(
            location.uri.startswith((b"grpc+tls:", b"arrow-flight-reuse-connection:"))
            for endpoint in scan.plan().endpoints
            for location in endpoint.locations
        )
        assert scan.table().num_rows == 30_000
    with headrace.connect(server.uri, token=token, tls_ca=certificate.read_bytes()) as client:
        assert client.tables() == ["lake.t"]


def test_a_certificate_that_nobody_vouches_for_is_refused(secure: tuple[Server, Path]) -> None:
    server, _ = secure
    with pytest.raises(headrace.UnavailableError):
        headrace.connect(server.uri, token=server.token("root", "admin")).tables()
