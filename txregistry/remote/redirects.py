"""Where an upstream sends us: redirects, and the storages they lead to."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.discard import discard
from txregistry.remote.addresses import is_api, resolve_reference
from txregistry.remote.body import header
from txregistry.remote.failures import StorageRefused
from txregistry.remote.origin import Origin
from txregistry.spec.errors import UpstreamFailed

#: Redirects followed before the upstream is taken to run in circles.
MAX_REDIRECTS = 10

_REDIRECTS = frozenset((301, 302, 303, 307, 308))
#: What a storage says in the place of what it should give.
_REFUSALS = frozenset((400, 401, 403, 404, 405, 410, 501))


@implementer(IAgent)
@attrs.define(eq=False)
class RedirectAgent:
    """Follow redirects here, so that no client is sent elsewhere.

    What is said to one origin is no other's business: headers with credentials stay
    behind, and a body is sent to nobody else. A redirect from https to http is refused.
    """

    _agent: IAgent
    _clock: IReactorTime

    @deferred
    async def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> IResponse:
        """Ask, and ask where we are sent."""
        url = uri.decode("ascii")
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._agent.request(
                method, url.encode("ascii"), headers, bodyProducer
            )
            location = header(response, "Location")
            if response.code not in _REDIRECTS or location is None:
                return response
            discard(response, self._clock)
            target = _target_of(url, location)
            if response.code == 303 and method != b"HEAD":
                method, bodyProducer = b"GET", None
            if Origin.of(url) != Origin.of(target):
                headers = _without_credentials(headers)
                _check_body(bodyProducer, url)
            url = target
        raise UpstreamFailed({"upstream": _host(url), "reason": "redirects in circles"})


def _without_credentials(headers: Headers | None) -> Headers | None:
    own = None if headers is None else headers.copy()
    if own is not None:
        own.removeHeader(b"Authorization")
    return own


def _check_body(body: IBodyProducer | None, url: str) -> None:
    if body is not None:
        detail = {"upstream": _host(url), "reason": "redirects a form elsewhere"}
        raise UpstreamFailed(detail)


def _target_of(url: str, location: str) -> str:
    try:
        target = resolve_reference(url, location)
        old, new = Origin.of(url), Origin.of(target)
    except ValueError as error:
        detail = {"upstream": _host(url), "reason": "redirects to no URL"}
        raise UpstreamFailed(detail) from error
    if (old.scheme, new.scheme) == ("https", "http"):
        detail = {"upstream": old.authority, "reason": "redirects from https to http"}
        raise UpstreamFailed(detail)
    return target


@implementer(IAgent)
@attrs.define(eq=False)
class StorageAgent:
    """Take no refusal of a storage for one of the registry.

    A registry sends us to a storage by a URL that is good for a moment, and to a
    replica that may lag. So what the storage refuses is a failure that may pass: it is
    asked for again at the registry.
    """

    _agent: IAgent
    _clock: IReactorTime

    @deferred
    async def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> IResponse:
        """Ask; fail with :class:`StorageRefused` if a storage refuses."""
        response = await self._agent.request(method, uri, headers, bodyProducer)
        target = response.request.absoluteURI
        if target is None or response.code not in _REFUSALS:
            return response
        if target == uri or not _is_storage(
            uri.decode("ascii"), target.decode("ascii")
        ):
            return response
        discard(response, self._clock)
        detail = {
            "upstream": _host(target.decode("ascii")),
            "status": response.code,
            "reason": "storage refused",
        }
        raise StorageRefused(detail)


def _is_storage(asked: str, target: str) -> bool:
    """Tell whether what has answered only keeps what a registry has sent us for.

    A blob of another origin is kept there, also where that one is a registry as well.
    """
    elsewhere = Origin.of(target) != Origin.of(asked)
    return not is_api(target) or (elsewhere and "/blobs/" in asked)


def _host(url: str) -> str:
    return Origin.of(url).authority
