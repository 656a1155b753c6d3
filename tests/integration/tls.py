"""A certificate authority of the tests, and what it issues."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet.ssl import Certificate, PrivateCertificate
from twisted.web.client import BrowserLikePolicyForHTTPS


@attrs.frozen
class Issued:
    """A certificate and its key, as the files that a server wants."""

    certificate: Path
    key: Path

    def options(self) -> object:
        """Give what ``listenSSL`` takes."""
        both = self.certificate.read_bytes() + self.key.read_bytes()
        return PrivateCertificate.loadPEM(both).options()


class Authority:
    """Issues certificates; its own is ``ca.crt``, alone in a directory.

    That is the form of skopeo's and podman's ``--cert-dir``.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _sign(
            _name("test authority"), self._key, _name("test authority"), self._key
        )
        self.trust_directory = directory / "trust"
        self.trust_directory.mkdir(parents=True)
        self.path = self.trust_directory / "ca.crt"
        self.path.write_bytes(self._pem())

    def issue(self, name: str, *names: str) -> Issued:
        """Issue a certificate for a server on loopback, which may have other names."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _sign(
            _name(name), key, self._certificate.subject, self._key, (name, *names)
        )
        issued = Issued(
            self._directory / f"{name}.pem", self._directory / f"{name}.key"
        )
        issued.certificate.write_bytes(
            made.public_bytes(serialization.Encoding.PEM) + self._pem()
        )
        issued.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return issued

    def policy(self) -> BrowserLikePolicyForHTTPS:
        """Give what an ``Agent`` takes to trust this authority and no other."""
        return BrowserLikePolicyForHTTPS(Certificate.loadPEM(self._pem()))

    def _pem(self) -> bytes:
        return self._certificate.public_bytes(serialization.Encoding.PEM)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])


def _sign(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    names: tuple[str, ...] = (),
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            False,
        )
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName(
                [
                    *(x509.DNSName(name) for name in ("localhost", *names)),
                    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                ]
            ),
            False,
        ).add_extension(
            x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), False
        )
    else:
        builder = builder.add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            True,
        )
    return builder.sign(issuer_key, hashes.SHA256())
