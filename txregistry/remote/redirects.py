"""Redirects of an upstream, and the object stores they lead to."""

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

#: Redirects that are followed for one request.
MAX_REDIRECTS = 10

_REDIRECTS = frozenset((301, 302, 303, 307, 308))
#: Statuses by which an object store refuses a request.
_REFUSALS = frozenset((400, 401, 403, 404, 405, 410, 501))


@implementer(IAgent)
@attrs.define(eq=False)
class RedirectAgent:
    """Follow redirects, as clients may not reach the targets.

    At a redirect to another origin, ``Authorization`` is removed, and a request with a
    body fails. A redirect from https to http is refused.
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
        """Send a request, and follow up to :data:`MAX_REDIRECTS` redirects.

        :return: fires with the last response. Fails as the agent inside, or with
            ``UpstreamFailed`` for a redirect that is not followed.
        """
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
        raise UpstreamFailed({"upstream": _host(url), "reason": "too many redirects"})


def _without_credentials(headers: Headers | None) -> Headers | None:
    own = None if headers is None else headers.copy()
    if own is not None:
        own.removeHeader(b"Authorization")
    return own


def _check_body(body: IBodyProducer | None, url: str) -> None:
    if body is not None:
        detail = {
            "upstream": _host(url),
            "reason": "redirects a form to another origin",
        }
        raise UpstreamFailed(detail)


def _target_of(url: str, location: str) -> str:
    try:
        target = resolve_reference(url, location)
        old, new = Origin.of(url), Origin.of(target)
    except ValueError as error:
        detail = {"upstream": _host(url), "reason": "redirects to an invalid URL"}
        raise UpstreamFailed(detail) from error
    if (old.scheme, new.scheme) == ("https", "http"):
        detail = {"upstream": old.authority, "reason": "redirects from https to http"}
        raise UpstreamFailed(detail)
    return target


@implementer(IAgent)
@attrs.define(eq=False)
class StorageAgent:
    """Distinguish a refusal by an object store from one by the registry.

    A registry redirects to a store by a URL that expires soon, and maybe to a replica
    that lags. So a refusal by the store may be temporary: the request is retried at the
    registry.
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
        """Send a request.

        :return: fires with the response. Fails with :class:`StorageRefused` if an
            object store refuses the request, or as the agent inside.
        """
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
    """Return whether a redirect led to an object store, and not to a registry.

    For a blob, any other origin counts as one, even if its URL is of a registry.
    """
    elsewhere = Origin.of(target) != Origin.of(asked)
    return not is_api(target) or (elsewhere and "/blobs/" in asked)


def _host(url: str) -> str:
    return Origin.of(url).authority
