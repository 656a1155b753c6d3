"""The ``_state`` of an upload's URL: what a client was told last, sealed.

Base64url of an HMAC-SHA256 over the JSON that follows it: ``Name``, ``UUID``,
``Offset`` and ``StartedAt``, as the Go registry writes it; replicas that share a secret
understand one another.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re

import attrs

from txregistry.spec.errors import BlobUploadInvalid
from txregistry.spec.reference import RepositoryName

_MAC_BYTES = 32

_ENCODER = json.JSONEncoder(separators=(",", ":"))

#: What may name an upload.
UPLOAD_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


@attrs.frozen
class UploadState:
    """What an upload's URL says.

    :ivar offset: bytes that were there when the URL was given.
    :ivar started_at: RFC 3339.
    """

    name: RepositoryName
    upload_id: str
    offset: int
    started_at: str


def seal(state: UploadState, secret: bytes) -> str:
    """Give the token of a state."""
    document = _ENCODER.encode(
        {
            "Name": str(state.name),
            "UUID": state.upload_id,
            "Offset": state.offset,
            "StartedAt": state.started_at,
        }
    ).encode("utf-8")
    mac = hmac.digest(secret, document, "sha256")
    return base64.urlsafe_b64encode(mac + document).decode("ascii")


def unseal(
    token: str, secret: bytes, name: RepositoryName, upload_id: str
) -> UploadState:
    """Read a token.

    :raise BlobUploadInvalid: it was not sealed by us, or for another upload.
    """
    try:
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (ValueError, binascii.Error) as error:
        raise BlobUploadInvalid({"reason": "the state is malformed"}) from error
    mac, document = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
    if not hmac.compare_digest(mac, hmac.digest(secret, document, "sha256")):
        raise BlobUploadInvalid({"reason": "the state was not given by this registry"})
    state = _read(document)
    if state is None or (state.name, state.upload_id) != (name, upload_id):
        raise BlobUploadInvalid({"reason": "the state is of another upload"})
    return state


def _read(document: bytes) -> UploadState | None:
    try:
        fields = json.loads(document)
        return UploadState(
            RepositoryName(str(fields["Name"])),
            str(fields["UUID"]),
            int(fields["Offset"]),
            str(fields["StartedAt"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
