"""The admin listener put together: a site with pages and an API."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

from klein import Klein
from twisted.application.service import MultiService
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.interfaces.observe import Exchange, IExchangeObserver
from txregistry.spec.errors import NotFound
from txregistry.spec.proxies import TrustedProxies
from txregistry.web.console.api import ConsoleApi, Desk
from txregistry.web.console.forgery import ActionTokens
from txregistry.web.console.jobs import Jobs
from txregistry.web.console.live import Live
from txregistry.web.console.live_parts import LiveParts
from txregistry.web.console.pages import ConsolePages
from txregistry.web.console.previews import Previews
from txregistry.web.console.refusals import HANDLERS
from txregistry.web.console.sources import Sources
from txregistry.web.console.views import Views
from txregistry.web.console.visitors import Reception
from txregistry.web.http.connections import ChannelLimits
from txregistry.web.http.request import RegistryRequest
from txregistry.web.http.serving import Http2Use, Serving, make_serving
from txregistry.web.http.site import RegistrySite
from txregistry.web.router import Router

#: Nothing from elsewhere, no script in a page, no frame around it.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

HEADERS = {
    "content-security-policy": (_POLICY,),
    "x-content-type-options": ("nosniff",),
    "x-frame-options": ("DENY",),
    "referrer-policy": ("same-origin",),
    "cross-origin-opener-policy": ("same-origin",),
    "cross-origin-resource-policy": ("same-origin",),
}

#: Connections at once; a page takes one for as long as it is open.
LIMITS = ChannelLimits(connections=500)

_KINDS = {".css": "text/css", ".js": "text/javascript"}

#: Our files, by their names: read once, and small.
_STATIC = {
    file.name: file.read_bytes()
    for file in (files("txregistry.web.console") / "static").iterdir()
    if os.path.splitext(file.name)[1] in _KINDS
}

_KEY_BYTES = 32


@implementer(IExchangeObserver)
class AdminLog:
    """Logs requests of the admin listener for whoever reads debug messages."""

    _log = Logger(namespace="txregistry.web.console")

    def ended(self, exchange: Exchange) -> None:
        """Log one request."""
        self._log.debug(
            "{method} {uri} {status}",
            method=exchange.method,
            uri=exchange.uri,
            status=exchange.status,
        )


class ConsoleSite(RegistrySite):
    """The site of the admin listener.

    :ivar services: of it, to be started before it listens.
    :ivar reception: lets visitors in; a reload replaces it.
    """

    def __init__(
        self,
        sources: Sources,
        reception: Reception,
        reactor: IReactorTime,
        proxies: TrustedProxies | None = None,
        http2: Http2Use = Http2Use.NEVER,
    ) -> None:
        self.services = MultiService()
        self.reception = reception
        desk = Desk(lambda: self.reception, ActionTokens(os.urandom(_KEY_BYTES)))
        jobs, views = Jobs(sources.commands, sources.clock), Views(sources)
        jobs.setServiceParent(self.services)
        previews = Previews(sources)
        self._live = live = Live(reactor)
        api = ConsoleApi(desk, views, jobs, previews, live, sources.reports)
        parts = LiveParts(views, jobs, sources.clock)
        pages = ConsolePages(desk, views, jobs, previews, parts, live, sources.clock)
        resource = Router(_app({**api.routes(), **pages.routes()}), HANDLERS)
        serving = make_serving(
            resource,
            AdminLog(),
            headers=HEADERS,
            limits=LIMITS,
            http2=http2,
            proxies=proxies,
        )
        super().__init__(serving, reactor, sources.clock)

    def follow(self, serving: Serving | None) -> None:
        """Take nothing of it: what the registry serves is not here."""

    def receive(self, reception: Reception, proxies: TrustedProxies) -> None:
        """Let visitors in otherwise from now on."""
        self.reception, self.proxies = reception, proxies
        self._live.end()  # who may not come in any more is told nothing more


def _app(routes: Mapping[tuple[str, str], Callable[..., Any]]) -> Klein:
    app = Klein()
    app.url_map.strict_slashes = app.url_map.merge_slashes = False
    for (method, path), answer in routes.items():
        app.route(path, methods=[method], endpoint=f"{method} {path}")(answer)
    app.route("/static/<name>", methods=["GET"], endpoint="static")(_static)
    return app


def _static(request: RegistryRequest, name: str) -> bytes:
    """Answer with one of our files, which anybody may have."""
    content = _STATIC.get(name)
    if content is None:
        raise NotFound({"file": name[:100]})
    kind = _KINDS[os.path.splitext(name)[1]]
    request.setHeader(b"Content-Type", f"{kind}; charset=utf-8")
    request.setHeader(b"Cache-Control", b"max-age=3600")
    request.setHeader(b"Content-Length", b"%d" % len(content))
    return content
