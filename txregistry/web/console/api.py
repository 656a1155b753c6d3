"""The API of the admin listener, ``/api/v1/``, in JSON."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs

from txregistry.flow.deferred import deferred
from txregistry.interfaces.commands import Command
from txregistry.spec.errors import BadRequest, Denied, NotFound
from txregistry.web.console.asked import JSON, body_of, choice_of, is_json, text_of
from txregistry.web.console.forgery import TOKEN_HEADER, ActionTokens, is_from_here
from txregistry.web.console.jobs import Jobs
from txregistry.web.console.live import Live, Topic
from txregistry.web.console.openapi import document
from txregistry.web.console.previews import Previews
from txregistry.web.console.sources import Values
from txregistry.web.console.views import Views
from txregistry.web.console.visitors import Reception, Visitor
from txregistry.web.http.request import RegistryRequest

#: Answers a request of a visitor who was let in.
Answer = Callable[[RegistryRequest, Visitor], Awaitable[Values]]


@attrs.frozen
class Desk:
    """Lets visitors in, and decides what they may do.

    :param reception: gives what says who somebody is; a reload changes it.
    :param tokens: against actions that another site asks for.
    """

    _reception: Callable[[], Reception]
    _tokens: ActionTokens

    @deferred
    async def admit(self, request: RegistryRequest) -> Visitor:
        """Let a visitor in who wants to look; fails as the reception does."""
        return await self._reception().admit(request)

    @deferred
    async def admit_to_act(
        self, request: RegistryRequest
    ) -> tuple[Visitor, Mapping[str, Any]]:
        """Let a visitor in who wants to act.

        :return: fires with the visitor and what the body says. Fails with ``Denied`` if
            they may not act, or another site has their browser ask.
        """
        visitor = await self.admit(request)
        if not visitor.may_act:
            raise Denied("http.admin.users does not let you operate")
        origin, fetched = request.header("Origin"), request.header("Sec-Fetch-Site")
        if not is_from_here(request.header("Host"), origin, fetched):
            raise Denied("the request comes from another site")
        body = await body_of(request)
        token = request.header(TOKEN_HEADER) or str(body.get("token", ""))
        if not self._tokens.is_good(visitor.who.who, token):
            raise Denied(f"{TOKEN_HEADER} is missing, or of an earlier start")
        return visitor, body

    def token_of(self, visitor: Visitor) -> str:
        """Return the token with which a visitor may act; empty for others."""
        return self._tokens.token_of(visitor.who.who) if visitor.may_act else ""


@attrs.frozen
class ConsoleApi:
    """The resources of the API; each returns the body of its answer."""

    _desk: Desk
    _views: Views
    _jobs: Jobs
    _previews: Previews
    _live: Live
    _reports: Mapping[str, Command]

    def routes(self) -> Mapping[tuple[str, str], Callable[..., Any]]:
        """Return what answers each method and path."""
        views = self._views
        looks: dict[str, Answer] = {
            "session": self._session,
            "overview": lambda request, _: views.overview(),
            "history": lambda request, _: views.history(text_of(request, "span")),
            "activity": self._activity,
            "pins": lambda request, _: views.pins(),
            "repositories": lambda request, _: views.repositories(
                text_of(request, "text"), text_of(request, "after")
            ),
            "tags": lambda request, _: views.tags(
                text_of(request, "repository"), text_of(request, "after")
            ),
            "image": lambda request, _: views.images.image(text_of(request, "name")),
            "comparison": lambda request, _: views.images.compare(
                text_of(request, "from"), text_of(request, "to")
            ),
            "jobs": self._all_jobs,
            "openapi.json": self._document,
        }
        found: dict[tuple[str, str], Callable[..., Any]] = {
            ("GET", f"/api/v1/{name}"): self._look(look) for name, look in looks.items()
        }
        found["GET", "/api/v1/live"] = self._listen
        found["GET", "/api/v1/jobs/<int:number>"] = self._job
        found["POST", "/api/v1/jobs"] = self._act
        found["POST", "/api/v1/reports"] = self._report
        found["POST", "/api/v1/jobs/<int:number>/stop"] = self._stop
        return found

    def _look(self, look: Answer) -> Callable[..., Any]:
        @deferred
        async def answer(request: RegistryRequest) -> bytes:
            visitor = await self._desk.admit(request)
            return as_json(request, await look(request, visitor))

        return answer

    async def _session(self, request: RegistryRequest, visitor: Visitor) -> Values:
        return {
            "user": visitor.who.who,
            "may_act": visitor.may_act,
            "token": self._desk.token_of(visitor),
            "actions": list(self._jobs.actions),
            "reports": list(self._reports),
        }

    async def _activity(self, request: RegistryRequest, visitor: Visitor) -> Values:
        return self._views.activity(*choice_of(request))

    async def _all_jobs(self, request: RegistryRequest, visitor: Visitor) -> Values:
        return {"jobs": [job.summary() for job in self._jobs.jobs()]}

    async def _document(self, request: RegistryRequest, visitor: Visitor) -> Values:
        return document()

    @deferred
    async def _job(self, request: RegistryRequest, number: int) -> bytes:
        await self._desk.admit(request)
        return as_json(request, self._jobs.job(number).as_values())

    @deferred
    async def _report(self, request: RegistryRequest) -> bytes:
        """Run a command that only looks: nothing is done that a token would guard."""
        visitor = await self._desk.admit(request)
        action, options = _question(request, await body_of(request))
        if action not in self._reports:
            raise NotFound({"action": action})
        report = self._reports[action].run(visitor.who, options, lambda _: None)
        return as_json(request, {"report": await report})

    @deferred
    async def _act(self, request: RegistryRequest) -> bytes:
        """Begin an action, or say what it would do."""
        visitor, body = await self._desk.admit_to_act(request)
        action, options = _question(request, body)
        asked = self._previews.as_job(action, options, bool(body.get("dry_run")))
        if asked is None:
            says = await self._previews.says(action, options)
            return as_json(request, {"says": says})
        job = self._jobs.start(action, asked, visitor.who)
        request.setResponseCode(202)
        return as_json(request, job.as_values())

    @deferred
    async def _stop(self, request: RegistryRequest, number: int) -> bytes:
        await self._desk.admit_to_act(request)
        return as_json(request, self._jobs.stop(number).as_values())

    @deferred
    async def _listen(self, request: RegistryRequest) -> bytes:
        visitor = await self._desk.admit(request)
        topic = Topic("values", self._views.overview)
        await self._live.listen(request, str(visitor.who), topic)
        return b""


def _question(
    request: RegistryRequest, body: Mapping[str, Any]
) -> tuple[str, Mapping[str, Any]]:
    """Return the action and the options of a body.

    :raise BadRequest: it is a form, or says something else.
    """
    action, options = body.get("action"), body.get("options", {})
    if is_json(request) and isinstance(action, str) and isinstance(options, dict):
        return action, options
    raise BadRequest({"body": "expected JSON with action and options"})


def as_json(request: RegistryRequest, values: Values) -> bytes:
    """Return a body of JSON, and set its headers."""
    body = json.dumps(values).encode("utf-8")
    request.setHeader(b"Content-Type", JSON)
    request.setHeader(b"Cache-Control", b"no-store")
    request.setHeader(b"Content-Length", b"%d" % len(body))
    return body
