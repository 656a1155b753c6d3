"""Notification events of what requests did, and their audit."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from twisted.internet.defer import Deferred, succeed

from txregistry.interfaces.events import (
    Action,
    Event,
    EventTarget,
    IEventSink,
    Requested,
)
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.web.audit import RequestAudit
from txregistry.web.http.request import RegistryRequest


@attrs.frozen
class EventEmitter:
    """Emits events to a sink while an endpoint is configured, and records changes.

    The Deferreds fire when the sink has stored the event.
    """

    _sink: IEventSink
    _audit: RequestAudit

    def blob(
        self,
        request: RegistryRequest,
        action: Action,
        name: RepositoryName,
        descriptor: Descriptor,
        url: str,
        source: RepositoryName | None = None,
    ) -> Deferred[None]:
        """Emit an event for a blob that was pushed, pulled or mounted.

        :param source: the repository that a blob was mounted from.
        """
        target = EventTarget(name, descriptor, source=source, url=url)
        return self._emit(request, action, "blob", target)

    def manifest(
        self,
        request: RegistryRequest,
        action: Action,
        name: RepositoryName,
        manifest: Manifest,
        url: str,
        tag: Tag | None,
        tags: Iterable[Tag] = (),
    ) -> Deferred[None]:
        """Emit an event for a manifest that was pushed or pulled.

        :param tags: all that a push has set; those beside ``tag`` are recorded only.
        """
        target = EventTarget(
            name, manifest.descriptor, url=url, tag=tag, references=manifest.references
        )
        done = self._emit(request, action, "manifest", target)
        for other in tags:
            if other != tag:
                self._audit.tagged(request, name, manifest.digest, other)
        return done

    def deleted(
        self,
        request: RegistryRequest,
        name: RepositoryName,
        digest: Digest | None = None,
        tag: Tag | None = None,
    ) -> Deferred[None]:
        """Emit an event for a blob, manifest or tag that was deleted."""
        target = EventTarget(name, digest=digest, tag=tag)
        kind = request.handler if tag is None else "tag"
        return self._emit(request, Action.DELETE, kind, target)

    @property
    def listening(self) -> bool:
        """Tell whether events are delivered anywhere."""
        return self._sink.listening

    def _emit(
        self, request: RegistryRequest, action: Action, kind: str, target: EventTarget
    ) -> Deferred[None]:
        self._audit.done(request, action, kind, target)
        if not self._sink.listening:
            return succeed(None)
        requested = Requested(
            request.request_id,
            request.peer,
            request.header("Host"),
            request.method.decode("ascii", "replace"),
            request.header("User-Agent"),
            request.actor,
        )
        return self._sink.emit(event=Event(action, target, requested))
