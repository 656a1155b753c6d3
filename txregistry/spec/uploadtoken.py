"""The ``_state`` parameter of upload URLs: an authenticated state of the upload.

It is the base64url of an HMAC-SHA256 followed by the JSON it covers, with ``Name``,
``UUID``, ``Offset`` and ``StartedAt``. The Go registry has the same format, so replicas
of both that share ``http.secret`` accept each other's.
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

#: An upload id: a UUID, of ours and of the Go registry. A client that names another one
#: has chosen it, which is not looked for, nor logged.
UPLOAD_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.I)


@attrs.frozen
class UploadState:
    """The state of an upload in its URL.

    :ivar offset: bytes received when the URL was issued.
    :ivar started_at: when the upload began (RFC 3339).
    """

    name: RepositoryName
    upload_id: str
    offset: int
    started_at: str


def seal(state: UploadState, secret: bytes) -> str:
    """Encode and authenticate a state."""
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
    """Verify and decode a token.

    :param name: the repository of the URL.
    :param upload_id: the upload of the URL.
    :raise BlobUploadInvalid: the token is malformed, was sealed with another secret,
        or belongs to another upload.
    """
    try:
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (ValueError, binascii.Error) as error:
        raise BlobUploadInvalid({"reason": "the state is malformed"}) from error
    mac, document = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
    if not hmac.compare_digest(mac, hmac.digest(secret, document, "sha256")):
        reason = "the state was not issued by this registry"
        raise BlobUploadInvalid({"reason": reason})
    state = _read(document)
    if state is None or (state.name, state.upload_id) != (name, upload_id):
        raise BlobUploadInvalid({"reason": "the state belongs to another upload"})
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
