"""One endpoint: events are posted in order, each until it is accepted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.web.http_headers import Headers

from txregistry.flow.bytes_body import SmallBody
from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.flow.discard import discard
from txregistry.interfaces.events import Event
from txregistry.notifications.envelope import MEDIA_TYPE, Filter
from txregistry.notifications.queue import EventQueue, Queued
from txregistry.spec.weburl import masked_url

if TYPE_CHECKING:
    from treq.client import HTTPClient

#: Events that are read from the queue together.
_BATCH = 32

#: Seconds before an event is posted again, below the threshold of failures.
_PAUSE_SECONDS = 0.25


@attrs.frozen
class EndpointSettings:
    """Where events go and how.

    :ivar url: has neither a name nor a password; its query may hold a token.
    :ivar headers: are sent with each event, and may hold a password.
    :ivar threshold: failures in a row after which each further try waits
        :attr:`backoff` seconds.
    """

    name: str
    url: str = attrs.field(repr=masked_url)
    headers: Mapping[str, Sequence[str]] = attrs.field(factory=dict, repr=False)
    timeout: float = 1.0
    threshold: int = 10
    backoff: float = 1.0
    filter: Filter = attrs.field(factory=Filter)


@attrs.define
class Tally:
    """Counts of the events of one endpoint.

    :ivar pending: waiting events.
    :ivar dropped: events not kept, as too many waited or the disk failed.
    """

    pending: int = 0
    events: int = 0
    successes: int = 0
    failures: int = 0
    errors: int = 0
    dropped: int = 0
    statuses: Counter[str] = attrs.field(factory=Counter)


@attrs.define(eq=False)
class Endpoint:
    """Posts what is queued for one endpoint, one event at a time."""

    settings: EndpointSettings
    _queue: EventQueue
    _client: HTTPClient
    _clock: IReactorTime
    tally: Tally = attrs.field(factory=Tally)
    _loop: Deferred[None] | None = None
    _idle: Deferred[None] | None = None
    _failures: int = 0
    _stopped: bool = False
    _log = Logger()

    def wants(self, event: Event) -> bool:
        """Tell whether this endpoint wants an event."""
        return self.settings.filter.passes(event)

    def start(self) -> None:
        """Begin to post."""
        self._loop = self._run()

    def stop(self) -> None:
        """Stop posting; the next process posts the rest."""
        self._stopped = True
        if self._loop is not None:
            self._loop.cancel()

    def wake(self) -> None:
        """Look for new events."""
        idle, self._idle = self._idle, None
        if idle is not None:
            idle.callback(None)

    @background("notifications")
    @deferred
    async def _run(self) -> None:
        try:
            while True:
                if not await self._post_batch_or_wait():
                    await self._rest()
        except CancelledError:
            return

    @deferred
    async def _post_batch_or_wait(self) -> bool:
        """Post the oldest events; fire with whether there may be more."""
        try:
            return await self._post_batch()
        except CancelledError:
            raise
        except Exception:
            # The queue may be readable later.
            self._log.failure("the queue of {name} failed", name=self.settings.name)
        await self._wait(self.settings.backoff)
        return True

    @deferred
    async def _rest(self) -> None:
        """Wait for events to post."""
        self._idle = Deferred()
        await self._idle

    @deferred
    async def _wait(self, seconds: float) -> None:
        await deferLater(self._clock, seconds)

    @deferred
    async def _post_batch(self) -> bool:
        """Post the oldest events; fire with whether there were any."""
        batch = await self._queue.next(self.settings.name, _BATCH)
        for queued in batch:
            await self._post_until_taken(queued)
            # An event posted but not forgotten, due to a crash, is posted again.
            await self._queue.done([queued.number])
            self.tally.pending -= 1
        return bool(batch)

    @deferred
    async def _post_until_taken(self, queued: Queued) -> None:
        while not await self._post(queued):
            self._failures += 1
            if self._failures == max(1, self.settings.threshold):
                self._log.warn(
                    "endpoint {name} accepts no events; retrying every {seconds:g} s",
                    name=self.settings.name,
                    seconds=self.settings.backoff,
                )
            waiting = self._failures >= self.settings.threshold
            await self._wait(self.settings.backoff if waiting else _PAUSE_SECONDS)
        self._failures = 0

    @deferred
    async def _post(self, queued: Queued) -> bool:
        """Post one event; fire with whether it was accepted."""
        try:
            status = await self._send(queued).addTimeout(
                self.settings.timeout, self._clock
            )
        except CancelledError:
            raise
        except Exception as error:
            if self._stopped:
                # A cancelled request fails in many ways.
                raise CancelledError from error
            # Refused, reset, late: any error means not accepted.
            self.tally.errors += 1
            self._log.debug(
                "endpoint {name}: {error}", name=self.settings.name, error=str(error)
            )
            return False
        self.tally.statuses[str(status)] += 1
        taken = 200 <= status < 400
        self.tally.successes += taken
        self.tally.failures += not taken
        return taken

    @deferred
    async def _send(self, queued: Queued) -> int:
        headers = Headers({name: list(v) for name, v in self.settings.headers.items()})
        headers.setRawHeaders("Content-Type", [MEDIA_TYPE])
        response: Any = await self._client.post(
            self.settings.url,
            data=SmallBody(queued.envelope),
            headers=headers,
            allow_redirects=False,
            unbuffered=True,
        )
        # Only the status matters.
        discard(response, self._clock)
        return int(response.code)
