"""The pages of the admin listener: what answers each path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.template import Tag, tags

from txregistry.flow.deferred import deferred
from txregistry.interfaces.commands import CommandRefused
from txregistry.spec.errors import NotFound, Unavailable
from txregistry.spec.imagename import ImageName
from txregistry.web.console.action_page import (
    forms_part,
    image_actions_part,
    preview_part,
)
from txregistry.web.console.activity_page import activity_link, filter_part
from txregistry.web.console.api import Desk
from txregistry.web.console.asked import choice_of, text_of
from txregistry.web.console.browse_pages import (
    comparison_part,
    image_part,
    search_part,
    tags_part,
)
from txregistry.web.console.forms import form_of, options_of
from txregistry.web.console.frame import flatten, page
from txregistry.web.console.history_plots import history_part
from txregistry.web.console.jobs import Jobs
from txregistry.web.console.live import Live, Topic
from txregistry.web.console.live_parts import LiveParts, region
from txregistry.web.console.previews import Previews
from txregistry.web.console.views import Views
from txregistry.web.console.visitors import Visitor
from txregistry.web.http.request import RegistryRequest

#: Gives what a request listens to.
GetTopic = Callable[..., Topic]


@attrs.frozen
class ConsolePages:
    """The pages; each returns the body of its answer."""

    _desk: Desk
    _views: Views
    _jobs: Jobs
    _previews: Previews
    _parts: LiveParts
    _live: Live
    _clock: IReactorTime

    def routes(self) -> Mapping[tuple[str, str], Callable[..., Any]]:
        """Return what answers each method and path."""
        return {
            ("GET", "/"): self.overview,
            ("GET", "/live"): self._listening(self._overview_topic),
            ("GET", "/browse"): self.browse,
            ("GET", "/repository"): self.repository,
            ("GET", "/image"): self.image,
            ("GET", "/comparison"): self.comparison,
            ("GET", "/activity"): self.activity,
            ("GET", "/activity/live"): self._listening(self._events_topic),
            ("GET", "/actions"): self.actions,
            ("GET", "/actions/live"): self._listening(self._jobs_topic),
            ("POST", "/actions"): self.act,
            ("GET", "/jobs/<int:number>"): self.job,
            ("GET", "/jobs/<int:number>/live"): self._listening(self._job_topic),
            ("POST", "/jobs/<int:number>/stop"): self.stop,
        }

    @deferred
    async def overview(self, request: RegistryRequest) -> bytes:
        """How the cache is now, and what it did."""
        visitor = await self._desk.admit(request)
        parts = (
            *region(await self._parts.overview(), "/live"),
            await self._history(text_of(request, "span", "day")),
        )
        return await _page(request, page("Overview", "/", visitor, *parts))

    @deferred
    async def _history(self, span: str) -> Tag:
        try:
            return history_part(await self._views.history(span))
        except Unavailable as error:
            return Tag("p")(f"The history cannot be read: {error}")

    def _listening(self, topic_of: GetTopic) -> Callable[..., Deferred[bytes]]:
        """Return what keeps a page up to date."""

        @deferred
        async def listen(request: RegistryRequest, **named: Any) -> bytes:
            visitor = await self._desk.admit(request)
            topic = topic_of(request, visitor, **named)
            await self._live.listen(request, str(visitor.who), topic)
            return b""

        return listen

    def _overview_topic(self, request: RegistryRequest, visitor: Visitor) -> Topic:
        return self._parts.overview_topic()

    def _events_topic(self, request: RegistryRequest, visitor: Visitor) -> Topic:
        kinds, text, _ = choice_of(request)
        return self._parts.events_topic(kinds, text)

    def _jobs_topic(self, request: RegistryRequest, visitor: Visitor) -> Topic:
        return self._parts.jobs_topic()

    def _job_topic(
        self, request: RegistryRequest, visitor: Visitor, number: int
    ) -> Topic:
        return self._parts.job_topic(number, self._desk.token_of(visitor))

    @deferred
    async def browse(self, request: RegistryRequest) -> bytes:
        """Search for repositories."""
        visitor = await self._desk.admit(request)
        text, after = text_of(request, "text"), text_of(request, "after")
        part = search_part(text, await self._views.repositories(text, after))
        return await _page(request, page("Browse", "/browse", visitor, part))

    @deferred
    async def repository(self, request: RegistryRequest) -> bytes:
        """List the tags of a repository."""
        visitor = await self._desk.admit(request)
        name = text_of(request, "name")
        found = await self._views.tags(name, text_of(request, "after"))
        part = tags_part(found, self._clock.seconds())
        return await _page(request, page(name, "/browse", visitor, part))

    @deferred
    async def image(self, request: RegistryRequest) -> bytes:
        """Tell all about one image, and offer to act on it, here or not."""
        visitor, images = await self._desk.admit(request), self._views.images
        image = images.named(text_of(request, "name"))
        try:
            found = await images.image(str(image))
        except NotFound:
            request.setResponseCode(404)
            shown = await images.explained(image)
            actions = self._actions_on(image, shown, visitor)
            part = tags.div(tags.p("Nothing of it is here."), actions)
        else:
            actions = self._actions_on(image, found["image"], visitor)
            part = image_part(found, self._clock.seconds(), actions)
        return await _page(request, page(str(image), "/browse", visitor, part))

    def _actions_on(
        self, image: ImageName, shown: Mapping[str, Any], visitor: Visitor
    ) -> Tag:
        # What is of no upstream can be neither asked for nor fetched again.
        offered = self._jobs.actions if shown.get("upstream") else ()
        return image_actions_part(image, self._desk.token_of(visitor), offered)

    @deferred
    async def comparison(self, request: RegistryRequest) -> bytes:
        """Compare two images."""
        visitor = await self._desk.admit(request)
        old, new = text_of(request, "from"), text_of(request, "to")
        part = comparison_part(await self._views.images.compare(old, new))
        return await _page(request, page("Comparison", "/browse", visitor, part))

    @deferred
    async def activity(self, request: RegistryRequest) -> bytes:
        """Show the last events."""
        visitor = await self._desk.admit(request)
        kinds, text, before = choice_of(request)
        part = await self._parts.events(kinds, text, before)
        address = activity_link(kinds, text, path="/activity/live")
        parts = (filter_part(kinds, text), *region(part, address))
        return await _page(request, page("Activity", "/activity", visitor, *parts))

    @deferred
    async def actions(self, request: RegistryRequest) -> bytes:
        """Offer what can be done."""
        visitor = await self._desk.admit(request)
        parts = (
            forms_part(self._desk.token_of(visitor), self._jobs.actions),
            Tag("h2")("So far"),
            *region(await self._parts.jobs(), "/actions/live"),
        )
        return await _page(request, page("Actions", "/actions", visitor, *parts))

    @deferred
    async def act(self, request: RegistryRequest) -> bytes:
        """Begin an action, or say what it would do."""
        visitor, fields = await self._desk.admit_to_act(request)
        form = form_of(str(fields.get("action", "")))
        options = options_of(form, fields)
        is_dry = bool(fields.get("dry_run"))
        asked = self._previews.as_job(form.command, options, is_dry)
        if asked is not None:
            job = self._jobs.start(form.command, asked, visitor.who)
            return _see_other(request, f"/jobs/{job.number}")
        try:
            says = await self._previews.says(form.command, options)
        except CommandRefused as error:
            says = [f"cannot be done: {error}"]
        part = preview_part(form, fields, says, self._desk.token_of(visitor))
        return await _page(request, page(form.title, "/actions", visitor, part))

    @deferred
    async def job(self, request: RegistryRequest, number: int) -> bytes:
        """Show one action."""
        visitor = await self._desk.admit(request)
        part = await self._parts.job(number, self._desk.token_of(visitor))
        parts = region(part, f"/jobs/{number}/live")
        title = self._jobs.job(number).title
        return await _page(request, page(title, "/actions", visitor, *parts))

    @deferred
    async def stop(self, request: RegistryRequest, number: int) -> bytes:
        """End an action early."""
        await self._desk.admit_to_act(request)
        self._jobs.stop(number)
        return _see_other(request, f"/jobs/{number}")


async def _page(request: RegistryRequest, content: Tag) -> bytes:
    body = b"<!DOCTYPE html>\n" + await flatten(content)
    request.setHeader(b"Content-Type", b"text/html; charset=utf-8")
    request.setHeader(b"Cache-Control", b"no-store")
    request.setHeader(b"Content-Length", b"%d" % len(body))
    return body


def _see_other(request: RegistryRequest, path: str) -> bytes:
    request.setResponseCode(303)
    request.setHeader(b"Location", path)
    request.setHeader(b"Content-Length", b"0")
    return b""
