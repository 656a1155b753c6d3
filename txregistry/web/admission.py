"""Who and what comes in: one decision for every route, before its body is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from txregistry.flow.deferred import deferred
from txregistry.interfaces.access import Access, Grant, IAccessController, RequestFacts
from txregistry.interfaces.health import IHealth
from txregistry.spec.errors import NameInvalid, Unavailable
from txregistry.spec.gate import Change, Gate
from txregistry.spec.reference import RepositoryName
from txregistry.web.http.request import RegistryRequest
from txregistry.web.urls import Urls

_ACTIONS = {
    "GET": ("pull",),
    "HEAD": ("pull",),
    "PUT": ("pull", "push"),
    "DELETE": ("delete",),
}


@attrs.frozen
class Admission:
    """Health, then access, then what the configuration permits."""

    _controller: IAccessController
    _health: IHealth
    _gate: Gate
    _urls: Urls

    def check_health(self) -> None:
        """Let a request pass unless a health check says otherwise.

        :raise Unavailable: one does.
        """
        if not self._health.healthy:
            raise Unavailable("health check failed: please see /debug/health")

    @deferred
    async def admit(
        self, request: RegistryRequest, wanted: Sequence[Access], change: Change
    ) -> Grant:
        """Fire with a grant.

        Fails with ``Unauthorized``, ``Denied`` or ``Unsupported``.
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
        self._gate.check(change)
        return grant


#: Say what a request wants, of the repository that its path names.
RequiredAccess = Callable[[RegistryRequest, RepositoryName | None], list[Access]]


def no_access(request: RegistryRequest, name: RepositoryName | None) -> list[Access]:
    """Want no more than an answer."""
    return []


def catalog_access(
    request: RegistryRequest, name: RepositoryName | None
) -> list[Access]:
    """Want to see the names of all repositories."""
    return [Access("registry", "catalog", "*")]


def content_access(
    request: RegistryRequest, name: RepositoryName | None
) -> list[Access]:
    """Want to do to a repository what the method says."""
    method = request.method.decode("ascii")
    return [Access("repository", str(name), action) for action in _ACTIONS[method]]


def upload_access(
    request: RegistryRequest, name: RepositoryName | None
) -> list[Access]:
    """Want to push to a repository.

    Deleting an upload is a part of that, as is reading from where to mount.
    """
    found = [Access("repository", str(name), action) for action in _ACTIONS["PUT"]]
    source = mount_source(request) if request.method == b"POST" else None
    if source is not None:
        found.append(Access("repository", str(source), "pull"))
    return found


def mount_source(request: RegistryRequest) -> RepositoryName | None:
    """Say where a client wants to mount from; one that cannot be is as good as none."""
    source = request.query("from")
    try:
        return RepositoryName.parse(source) if source else None
    except NameInvalid:
        return None
