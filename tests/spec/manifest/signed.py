"""Documents of schema 1 with a signature, laid out as libtrust does."""

from __future__ import annotations

import base64
import json


def sign(payload: bytes) -> bytes:

    def code(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    length = payload.rindex(b"\n}")
    header = {"formatLength": length, "formatTail": code(payload[length:])}
    signature = {
        "header": {"alg": "ES256"},
        "signature": "c2ln",
        "protected": code(json.dumps(header).encode()),
    }
    listed = json.dumps([signature], indent=3).replace("\n", "\n   ").encode()
    return payload[:length] + b',\n   "signatures": ' + listed + payload[length:]
