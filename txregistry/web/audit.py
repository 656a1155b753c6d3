"""Audit entries of what requests changed, or tried to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from txregistry.interfaces.audit import DONE, FAILED, AuditEntry, IAudit
from txregistry.interfaces.events import Action, EventTarget
from txregistry.spec.digest import Digest
from txregistry.spec.errors import RegistryError, Several
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.web.http.request import RegistryRequest

#: Characters of a text of a request that was refused, which may be anything: no name,
#: tag or digest is longer.
MAX_TEXT = 300

#: Tags that one push by digest may set (``?tag=``).
MAX_TAGS = 100


@attrs.frozen
class RequestAudit:
    """Records changes together with the request that asked for them."""

    _audit: IAudit

    def done(
        self, request: RegistryRequest, action: Action, kind: str, target: EventTarget
    ) -> None:
        """Record a change that was made; pulls are none.

        :param kind: ``blob``, ``manifest`` or ``tag``.
        """
        if action is Action.PULL:
            return
        descriptor, source = target.descriptor, target.source
        digest = target.digest if descriptor is None else descriptor.digest
        self._record(
            request,
            action.value,
            kind=kind,
            repository=str(target.repository),
            tag=str(target.tag or ""),
            digest=str(digest or ""),
            detail="" if source is None else f"from {source}",
        )

    def tagged(
        self, request: RegistryRequest, name: RepositoryName, digest: Digest, tag: Tag
    ) -> None:
        """Record a tag that a push has set beside the name that it was pushed by."""
        facts = {"repository": str(name), "tag": str(tag), "digest": str(digest)}
        self._record(request, Action.PUSH.value, kind="tag", **facts)

    def failed(
        self,
        request: RegistryRequest,
        action: str,
        parts: Mapping[str, Any],
        error: Exception,
    ) -> None:
        """Record a change that was refused, or failed.

        :param parts: of the path, which may be malformed.
        """
        reference = str(parts.get("reference") or parts.get("digest") or "")
        kind = "manifest" if "reference" in parts else "blob"
        named = "digest" if ":" in reference else "tag"
        self._record(
            request,
            action,
            outcome=_code(error),
            kind=kind,
            repository=_cut(str(parts.get("name", ""))),
            detail=_wanted_tags(request) if kind == "manifest" else "",
            **{named: _cut(reference)},
        )

    def _record(
        self,
        request: RegistryRequest,
        action: str,
        outcome: str = DONE,
        **facts: str,
    ) -> None:
        who, identity = request.actor, request.request_id
        entry = AuditEntry(
            action, outcome, who, request.peer, request_id=identity, **facts
        )
        self._audit.record(entry)


def _wanted_tags(request: RegistryRequest) -> str:
    """Return the tags that a push by digest would have set; they may be malformed."""
    tags = request.queries("tag")[:MAX_TAGS] if request.method == b"PUT" else []
    return f"tags {','.join(map(_cut, tags))}" if tags else ""


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


def _code(error: Exception) -> str:
    if isinstance(error, Several):
        error = error.errors[0]
    return error.code if isinstance(error, RegistryError) else FAILED
