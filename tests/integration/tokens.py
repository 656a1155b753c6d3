"""A small token server, for a docker-registry behind token authentication."""

from __future__ import annotations

import base64
import datetime as dt
import json
import time
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from twisted.web.http import Request
from twisted.web.resource import Resource

ISSUER, SERVICE = "test-issuer", "test-registry"


class TokenServer(Resource):
    """Gives tokens for whatever is asked to whoever knows the password.

    Without credentials it gives tokens that allow nothing.
    """

    isLeaf = True

    def __init__(self, user: str, password: str) -> None:
        super().__init__()
        pair = f"{user}:{password}".encode()
        self.basic = b"Basic " + base64.b64encode(pair)
        self.asked: list[str] = []
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.certificate = _certificate(self.key)

    def write_bundle(self, path: Path) -> None:
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def render_GET(self, request: Request) -> bytes:
        self.asked.append(request.uri.decode())
        known = request.requestHeaders.getRawHeaders(b"Authorization") == [self.basic]
        scopes = b" ".join(request.args.get(b"scope", [])).decode().split()
        access = [_access(scope) for scope in scopes] if known else []
        if request.getHeader("Authorization") and not known:
            request.setResponseCode(401)
            return b"{}"
        request.setHeader("Content-Type", "application/json")
        token = self._sign({"access": access})
        return json.dumps({"token": token, "expires_in": 300}).encode()

    def _sign(self, claims: dict[str, Any]) -> str:
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        header = {
            "typ": "JWT",
            "alg": "RS256",
            "x5c": [base64.b64encode(der).decode()],
        }
        now = int(time.time())
        claims = claims | {
            "iss": ISSUER,
            "aud": SERVICE,
            "sub": "test",
            "nbf": now - 5,
            "iat": now,
            "exp": now + 300,
            "jti": str(now),
        }
        signed = _part(header) + b"." + _part(claims)
        signature = self.key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        return (signed + b"." + _code(signature)).decode()


def _access(scope: str) -> dict[str, Any]:
    kind, rest = scope.split(":", 1)
    name, actions = rest.rsplit(":", 1)
    return {"type": kind, "name": name, "actions": actions.split(",")}


def _part(value: dict[str, Any]) -> bytes:
    return _code(json.dumps(value).encode())


def _code(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")


def _certificate(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, ISSUER)])
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
