"""``/scheduler-state.json``: read and written as the Go registry does (pure).

A JSON object of ``repository@digest`` to ``{"Key", "ExpiryData", "EntryType"}``, with
the time in RFC 3339 and 0 for a blob, 1 for a manifest. Keys of 2.1 and 2.2 name only a
digest or a repository; they are skipped, as the tree holds more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from txregistry.expiry.plan import ExpiryPlan
from txregistry.flow.rfc3339 import read_time, write_time
from txregistry.interfaces.expiry import NEVER, Entry, EntryKey, Kind
from txregistry.spec.digest import Digest
from txregistry.spec.errors import RegistryError
from txregistry.spec.reference import RepositoryName

_TYPES = {Kind.BLOB: 0, Kind.MANIFEST: 1}
_KINDS = {number: kind for kind, number in _TYPES.items()}


def read_state(content: bytes, plan: ExpiryPlan) -> list[Entry]:
    """Read the entries of a state file; unusable ones are skipped.

    :raise ValueError: it is not such a file.
    """
    try:
        document = json.loads(content) or {}
    except RecursionError as error:
        raise ValueError("is nested too deep") from error
    if not isinstance(document, dict):
        raise ValueError("expected a JSON object")
    found = [_read(key, value, plan) for key, value in document.items()]
    return [entry for entry in found if entry is not None]


def _read(key: str, value: object, plan: ExpiryPlan) -> Entry | None:
    try:
        name, _, digest = key.partition("@")
        kind = _KINDS[value["EntryType"]]  # type: ignore[index]
        expiry = read_time(str(value["ExpiryData"]))  # type: ignore[index]
        reference = str(Digest.parse(digest))
        entry_key = EntryKey(RepositoryName.parse(name), kind, reference)
    except (RegistryError, KeyError, TypeError, ValueError):
        return None
    return Entry(entry_key, 0, plan.last_use(entry_key.repository, expiry))


def write_state(entries: Iterable[Entry], plan: ExpiryPlan) -> bytes:
    """Write the blobs and manifests that expire as a state file.

    Left out is what a local repository held: it is recorded with a last use that never
    comes, also where the repository has been an upstream's since.
    """
    document = {}
    for entry in entries:
        name = entry.key.repository
        expires = entry.last_use < NEVER and plan.ttl_of(name) > 0
        if entry.key.kind in _TYPES and expires:
            expiry = plan.expiry(name, entry.last_use)
            key = f"{name}@{entry.key.reference}"
            document[key] = {
                "Key": key,
                "ExpiryData": write_time(expiry, "microseconds"),
                "EntryType": _TYPES[entry.key.kind],
            }
    return json.dumps(document).encode("utf-8")
