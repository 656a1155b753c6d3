"""Queues events for every endpoint that wants them, and wakes these."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.interfaces.events import Event, IEventSink
from txregistry.notifications.endpoint import Endpoint, EndpointSettings
from txregistry.notifications.envelope import EventSource, write_envelope
from txregistry.notifications.queue import EventQueue
from txregistry.spec.weburl import masked_url

Row = tuple[str, bytes]


@implementer(IEventSink)
@attrs.define(eq=False, slots=False)
class Notifier(Service):
    """All endpoints.

    Events of one reactor turn are written together, with one sync.

    :param limit: events kept per endpoint; beyond it new ones are dropped and counted,
        in favour of the older ones.
    """

    _endpoints: Sequence[Endpoint]
    _queue: EventQueue
    _source: EventSource
    _references: bool
    _limit: int
    _clock: IReactorTime
    _rows: list[Row] = attrs.field(factory=list)
    _waiting: list[Deferred[None]] = attrs.field(factory=list)
    _writing: bool = False
    _settling: list[Deferred[None]] = attrs.field(factory=list)
    listening: bool = True
    _log = Logger()

    @background("notifications")
    @deferred
    async def startService(self) -> None:
        """Count the events that an earlier process left, and begin to post them."""
        super().startService()
        names = [endpoint.settings.name for endpoint in self._endpoints]
        counts = await self._queue.counts(names)
        for endpoint in self._endpoints:
            endpoint.tally.pending += counts.get(endpoint.settings.name, 0)
            endpoint.start()

    @background("notifications")
    @deferred
    async def stopService(self) -> None:
        """Write pending events; the next process posts them."""
        super().stopService()
        for endpoint in self._endpoints:
            endpoint.stop()
        if self._writing:
            await self._settled()
        await self._write()
        await self._queue.close()

    def renew(
        self, settings: Iterable[EndpointSettings], references: bool, limit: int
    ) -> None:
        """Change the settings of the endpoints, from their next attempt on.

        :param settings: are matched by name; other endpoints are ignored.
        """
        self._references, self._limit = references, limit
        by_name = {item.name: item for item in settings}
        for endpoint in self._endpoints:
            name = endpoint.settings.name
            endpoint.settings = by_name.get(name, endpoint.settings)

    def emit(self, event: Event) -> Deferred[None]:
        """Keep an event for the endpoints that want it; fires when it is on disk."""
        envelope = write_envelope(
            event,
            str(uuid.uuid4()),
            self._clock.seconds(),
            self._source,
            self._references,
        )
        for endpoint in self._endpoints:
            if endpoint.wants(event):
                self._keep(endpoint, envelope)
        # Cancelling only stops the wait: the write continues.
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        if not self._writing:
            self._clock.callLater(0, self._write)
        return done

    def state(self) -> list[dict[str, Any]]:
        """Give the counts of each endpoint's events, in distribution's format."""
        return [_state(endpoint) for endpoint in self._endpoints]

    def _keep(self, endpoint: Endpoint, envelope: bytes) -> None:
        tally = endpoint.tally
        tally.events += 1
        if tally.pending < self._limit:
            tally.pending += 1
            self._rows.append((endpoint.settings.name, envelope))
            return
        if not tally.dropped:
            self._log.error(
                "more than {limit} events wait for {name}: new ones are dropped",
                limit=self._limit,
                name=endpoint.settings.name,
            )
        tally.dropped += 1

    @background("notifications")
    @deferred
    async def _write(self) -> None:
        if self._writing:
            return
        rows, self._rows = self._rows, []
        waiting, self._waiting = self._waiting, []
        if not rows and not waiting:
            return
        self._writing = True
        try:
            await self._queue.put(rows)
        except Exception:
            # An error of the disk does not undo or delay the event's cause.
            self._log.failure("events cannot be kept")
            self._drop(rows)
        finally:
            self._writing = False
        for done in waiting:
            if not done.called:
                done.callback(None)
        for endpoint in self._endpoints:
            endpoint.wake()
        settling, self._settling = self._settling, []
        for settled in settling:
            settled.callback(None)
        if self._waiting:
            self._clock.callLater(0, self._write)

    def _settled(self) -> Deferred[None]:
        """Wait for the current write, which ends by itself."""
        settled: Deferred[None] = Deferred()
        self._settling.append(settled)
        return settled

    def _drop(self, rows: Sequence[Row]) -> None:
        by_name = {endpoint.settings.name: endpoint for endpoint in self._endpoints}
        for name, _ in rows:
            by_name[name].tally.pending -= 1
            by_name[name].tally.dropped += 1


def _state(endpoint: Endpoint) -> dict[str, Any]:
    settings, tally = endpoint.settings, endpoint.tally
    return {
        "Name": settings.name,
        "URL": masked_url(settings.url),
        "Timeout": settings.timeout,
        "Threshold": settings.threshold,
        "Backoff": settings.backoff,
        "Metrics": {
            "Pending": tally.pending,
            "Events": tally.events,
            "Successes": tally.successes,
            "Failures": tally.failures,
            "Errors": tally.errors,
            "Dropped": tally.dropped,
            "Statuses": dict(tally.statuses),
        },
    }
