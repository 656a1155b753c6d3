"""The parts of pages that are kept up to date."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.template import Tag, tags

from txregistry.flow.deferred import deferred
from txregistry.web.console.activity_page import events_part
from txregistry.web.console.frame import flatten
from txregistry.web.console.job_pages import job_part, jobs_part
from txregistry.web.console.jobs import Jobs
from txregistry.web.console.live import Topic
from txregistry.web.console.overview_page import overview_now, said_of
from txregistry.web.console.sources import Values
from txregistry.web.console.views import Views, kinds_named

#: Seconds after which it is told anew how long ago something was.
_AGO_SECONDS = 30


@attrs.frozen
class LivePart:
    """A part of a page as it is now.

    :ivar content: one element, whose children are replaced one by one.
    :ivar said: what those are told who listen to the page, if it changes.
    :ivar is_last: nothing will change any more.
    """

    content: Tag
    said: str = ""
    is_last: bool = False


#: Gives a part as it is now.
GetPart = Callable[[], Deferred[LivePart]]


@attrs.frozen
class LiveParts:
    """Gives parts as they are now, and as topics of live updates."""

    _views: Views
    _jobs: Jobs
    _clock: IReactorTime

    @deferred
    async def overview(self) -> LivePart:
        """Fire with how the cache is."""
        found = await self._views.overview()
        return LivePart(overview_now(found), said_of(found))

    def overview_topic(self) -> Topic:
        """Return the topic of :meth:`overview`."""
        return Topic("overview", event_of(self.overview))

    @deferred
    async def events(
        self, kinds: Sequence[str], text: str, before: int = 0
    ) -> LivePart:
        """Fire with a page of events; fails with ``BadRequest`` for an unknown kind.

        :param before: older ones than this, which do not change any more.
        """
        found = self._views.activity(kinds, text, before)
        return LivePart(events_part(found, kinds, text), is_last=before > 0)

    def events_topic(self, kinds: Sequence[str], text: str) -> Topic:
        """Return the topic of the newest of :meth:`events`; raises ``BadRequest``."""
        key = f"events {sorted(kind.value for kind in kinds_named(kinds))} {text}"
        return Topic(
            key, event_of(lambda: self.events(kinds, text)), self._views.latest_event
        )

    @deferred
    async def jobs(self) -> LivePart:
        """Fire with the actions so far."""
        jobs = [job.summary() for job in self._jobs.jobs()]
        return LivePart(jobs_part(jobs, self._clock.seconds()))

    def jobs_topic(self) -> Topic:
        """Return the topic of :meth:`jobs`."""
        return Topic("jobs", event_of(self.jobs), self._jobs_version)

    def _jobs_version(self) -> object:
        jobs = [(job.number, job.state) for job in self._jobs.jobs()]
        return jobs, self._clock.seconds() // _AGO_SECONDS

    @deferred
    async def job(self, number: int, token: str) -> LivePart:
        """Fire with one action; fails with ``NotFound``.

        :param token: of the visitor.
        """
        job = self._jobs.job(number)
        part = job_part(job.as_values(), token, self._clock.seconds())
        return LivePart(part, f"{job.action} {job.state}", job.ended_at is not None)

    def job_topic(self, number: int, token: str) -> Topic:
        """Return the topic of :meth:`job`; raises ``NotFound``."""
        job = self._jobs.job(number)
        return Topic(
            f"job {number} {token}",
            event_of(lambda: self.job(number, token)),
            lambda: (job.changes, self._clock.seconds() // _AGO_SECONDS),
        )


def region(part: LivePart, updates: str) -> Sequence[Tag]:
    """Return a part with what its updates need.

    :param updates: the URL of its events.
    """
    live = {} if part.is_last else {"data-live": updates}
    return (
        tags.div(part.content, id="now", **live),
        tags.p(role="status", id="said", class_="unseen"),
    )


def event_of(get: GetPart) -> Callable[[], Deferred[Values]]:
    """Return what fires with the event of a part."""

    @deferred
    async def event() -> Values:
        part = await get()
        html: Any = await flatten(part.content)
        return {
            "html": html.decode("utf-8"),
            "said": part.said,
            "last": part.is_last,
        }

    return event
