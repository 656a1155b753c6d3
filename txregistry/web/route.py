"""One path of the API, and what its methods do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs

from txregistry.flow.deferred import deferred, shielded
from txregistry.spec.errors import Unsupported, UriTooLong
from txregistry.spec.gate import Change, Gate
from txregistry.spec.reference import RepositoryName
from txregistry.web import errors
from txregistry.web.admission import Admission, RequiredAccess
from txregistry.web.http.request import RegistryRequest, set_version_header
from txregistry.web.http.texts import MAX_PARAMETERS

#: A host, perhaps with a port, as containerd names an upstream.
_NAMESPACE = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}", re.ASCII)


@attrs.frozen
class Operation:
    """What a method of a route does.

    :ivar do: is called with the request, the grant and the parts of the path; gives an
        awaitable of the body.
    :ivar change: what it does to the registry.
    """

    do: Callable[..., Any]
    change: Change = Change.NOTHING


@attrs.frozen
class Route:
    """Decides before the body is read whether a request is answered, and by what."""

    _admission: Admission
    _gate: Gate
    _required: RequiredAccess
    _operations: Mapping[str, Operation]
    _allowed: str = attrs.field(init=False)

    @_allowed.default
    def _allow(self) -> str:
        """Say which methods would pass the gate (RFC 9110, 10.2.1)."""
        permits = self._gate.permits
        found = {
            verb
            for verb, operation in self._operations.items()
            if permits(operation.change)
        }
        return ", ".join(sorted(found | {"HEAD"} if "GET" in found else found))

    @deferred
    async def answer(self, request: RegistryRequest, **parts: Any) -> Any:
        """Give the body of the answer; the parts of the path are still text."""
        set_version_header(request)
        request.allowed = self._allowed
        self._admission.check_health()
        if request.method == b"OPTIONS":
            return _options(request)
        operation = self._operation(request)
        name = None
        if "name" in parts:
            name = parts["name"] = RepositoryName.parse(parts["name"])
        wanted = self._required(request, name)
        grant = await self._admission.admit(request, wanted, operation.change)
        if self._gate.is_cache:
            _name_namespace(request)
        if request.method == b"GET":
            # Whoever takes nothing yet has nothing opened, read or fetched for it.
            await request.wait_for_window()
        doing = operation.do(request, grant, **parts)
        if operation.change is Change.NOTHING:
            return await doing
        # A change is made to its end, told and recorded, though its client left.
        return await shielded(
            doing, partial(request.run_in_context, errors.on_orphan_failure)
        )

    def _operation(self, request: RegistryRequest) -> Operation:
        if request.has_too_many_parameters:
            raise UriTooLong({"limit": MAX_PARAMETERS})
        operation = self._operations.get(_verb(request))
        if operation is None:
            raise Unsupported()  # the router takes methods in lower case as well
        return operation


def _name_namespace(request: RegistryRequest) -> None:
    """Tell a client that asks for a namespace that it gets what it asks for.

    OCI distribution-spec after 1.1, "Registry Proxying". This cache has one upstream:
    what that is called is for whoever configures clients.
    """
    namespace = request.query("ns")
    if namespace and _NAMESPACE.fullmatch(namespace):
        request.setHeader(b"OCI-Namespace", namespace)


def _options(request: RegistryRequest) -> bytes:
    """Say what may be asked, as browsers want to know first."""
    request.setHeader(b"Allow", request.allowed)
    request.setHeader(b"Content-Length", b"0")
    return b""


def _verb(request: RegistryRequest) -> str:
    method: str = request.method.decode("ascii", "replace")
    return "GET" if method == "HEAD" else method
