"""Verify the JWS signatures of schema 1 manifests, in libtrust's form (RFC 7515).

Each signature names its key itself, as ``jwk`` or as the chain ``x5c``, in an
unprotected header; the protected header says what part of the document was signed.
"""

from __future__ import annotations

import base64
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, Key, RSAKey, import_key

from txregistry.spec.errors import ManifestUnverified
from txregistry.spec.manifest import schema1
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.nesting import read_json
from txregistry.spec.signing import public_half

#: The algorithms of libtrust. A key of one cannot be mistaken for another kind.
ALGORITHMS = ["ES256", "ES384", "ES512", "RS256", "RS384", "RS512"]

#: Signatures checked per manifest; each costs a public key operation.
MAX_SIGNATURES = 16


def verify_signatures(manifest: Manifest) -> None:
    """Check every signature of a manifest against the key it names.

    :raise ManifestUnverified: one fails, there is none, or there are too many.
    """
    document = read_json(manifest.content)
    signatures = document.get("signatures")
    if not isinstance(signatures, list) or not signatures:
        raise ManifestUnverified({"reason": "the manifest is not signed"})
    if len(signatures) > MAX_SIGNATURES:
        raise ManifestUnverified({"reason": "too many signatures"})
    for signature in signatures:
        _verify(manifest.content, signature)


def _verify(content: bytes, signature: Any) -> None:
    try:
        # Each signature names the bytes that it covers.
        payload = schema1.payload(content, {"signatures": [signature]})
        value: Any = {
            "payload": base64.urlsafe_b64encode(payload).rstrip(b"=").decode(),
            "protected": signature["protected"],
            "header": _plain_header(signature["header"]),
            "signature": signature["signature"],
        }
        key = _key(signature["header"])
        registry = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        jws.deserialize_json(value, key, registry=registry)
    except Exception as error:
        # The libraries below raise arbitrary errors on odd keys and certificates, and a
        # key that cannot be read verifies nothing.
        raise ManifestUnverified({"reason": "a signature does not verify"}) from error


def _plain_header(header: Any) -> dict[str, Any]:
    # The key is given below; this check ignores libtrust's key ids.
    return {"alg": header["alg"]}


def _key(header: Any) -> Key:
    chain = header.get("x5c")
    if chain:
        pem = base64.b64encode(base64.b64decode(chain[0])).decode()
        certificate = f"-----BEGIN CERTIFICATE-----\n{pem}\n-----END CERTIFICATE-----\n"
        kind = RSAKey if header["alg"].startswith("RS") else ECKey
        return kind.import_key(certificate)
    half = public_half(header["jwk"])
    half.pop("kid", None)
    return import_key(half)
