"""Admission: health, access and gate are checked before a request's body is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from txregistry.flow.deferred import deferred
from txregistry.interfaces.access import Access, Grant, IAccessController, RequestFacts
from txregistry.interfaces.health import IHealth
from txregistry.spec.errors import Unavailable
from txregistry.spec.gate import Change, Gate
from txregistry.spec.reference import RepositoryName
from txregistry.spec.upstreams import UpstreamTable
from txregistry.web.http.request import RegistryRequest
from txregistry.web.mounts import mount_source
from txregistry.web.urls import Urls

_ACTIONS = {
    "GET": ("pull",),
    "HEAD": ("pull",),
    "PUT": ("pull", "push"),
    "DELETE": ("delete",),
}


@attrs.frozen
class Admission:
    """Checks of one request: health, then access, then the configured gate."""

    _controller: IAccessController
    _health: IHealth
    _gate: Gate
    _urls: Urls

    def check_health(self) -> None:
        """Check that the registry is healthy.

        :raise Unavailable: a health check fails.
        """
        if not self._health.healthy:
            raise Unavailable("health check failed: please see /debug/health")

    @deferred
    async def admit(
        self,
        request: RegistryRequest,
        wanted: Sequence[Access],
        change: Change,
        is_cached: bool,
    ) -> Grant:
        """Authorize a request and check that the gate permits its change.

        :param wanted: the access that the request needs.
        :param is_cached: it is about a repository of an upstream.
        :return: fires with the client's grant. Fails with ``Unauthorized``, ``Denied``
            or, if the gate refuses, ``Unsupported``.
        """
        scheme, host = self._urls.base(request)
        facts = RequestFacts(
            request.header("Authorization"),
            scheme,
            host,
            request.peer,
            scheme if request.forwarded("X-Forwarded-Proto") else "",
        )
        grant = await self._controller.authorize(facts=facts, wanted=wanted)
        request.actor = grant.user
        self._gate.check(change, is_cached)
        return grant


#: Returns the access that a request needs to the repository that its path names.
RequiredAccess = Callable[[RegistryRequest, RepositoryName | None], list[Access]]


def no_access(request: RegistryRequest, name: RepositoryName | None) -> list[Access]:
    """Require nothing; a controller may still demand a login."""
    return []


def catalog_access(
    request: RegistryRequest, name: RepositoryName | None
) -> list[Access]:
    """Require access to the catalog, which names all repositories."""
    return [Access("registry", "catalog", "*")]


def content_access(
    request: RegistryRequest, name: RepositoryName | None
) -> list[Access]:
    """Require pull, push or delete on a repository, as the method needs."""
    method = request.method.decode("ascii")
    return [Access("repository", str(name), action) for action in _ACTIONS[method]]


def upload_access(upstreams: UpstreamTable) -> RequiredAccess:
    """Require push on a repository, and pull on the source of a mount.

    Deleting an upload needs no more than push.
    """

    def required(request: RegistryRequest, name: RepositoryName | None) -> list[Access]:
        found = [Access("repository", str(name), action) for action in _ACTIONS["PUT"]]
        is_mount = request.method == b"POST"
        source = mount_source(request, upstreams) if is_mount else None
        if source is not None:
            found.append(Access("repository", str(source), "pull"))
        return found

    return required
