"""One route of the API: a path, its methods, and the checks before their work."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import attrs
from twisted.internet.defer import CancelledError

from txregistry.flow.deferred import deferred, shielded
from txregistry.spec.errors import Unsupported, UriTooLong
from txregistry.spec.gate import Change, Gate
from txregistry.spec.reference import RepositoryName
from txregistry.spec.upstreams import Named, UpstreamTable
from txregistry.web import errors
from txregistry.web.admission import Admission, RequiredAccess
from txregistry.web.audit import RequestAudit
from txregistry.web.http.request import RegistryRequest, set_version_header
from txregistry.web.http.texts import MAX_PARAMETERS
from txregistry.web.repeats import Repeats

#: A host with an optional port, as containerd names an upstream.
_NAMESPACE = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}", re.ASCII)


#: The parts of a path, by name.
Parts = Mapping[str, Any]


@attrs.frozen
class Operation:
    """What one method of a route does.

    :ivar do: is called with the request, the grant and the parts of the path as keyword
        arguments; returns a coroutine that gives the body.
    :ivar change: the kind of change that it makes, for the gate.
    :ivar repeats: permits to give its answers again; ``None`` if none may be.
    """

    do: Callable[..., Any]
    change: Change = Change.NOTHING
    repeats: Repeats | None = None


@attrs.frozen
class Route:
    """Checks a request before its body is read, then runs its operation."""

    _admission: Admission
    _gate: Gate
    _upstreams: UpstreamTable
    _required: RequiredAccess
    _operations: Mapping[str, Operation]
    _audit: RequestAudit
    _allowed: str = attrs.field(init=False)
    _allowed_if_cached: str = attrs.field(init=False)

    @_allowed.default
    def _allow(self) -> str:
        return self._permitted(False)

    @_allowed_if_cached.default
    def _allow_if_cached(self) -> str:
        return self._permitted(True)

    def _permitted(self, is_cached: bool) -> str:
        """Build the ``Allow`` header: methods that pass the gate (RFC 9110, 10.2.1)."""
        permits = self._gate.permits
        found = {
            verb
            for verb, operation in self._operations.items()
            if permits(operation.change, is_cached)
        }
        return ", ".join(sorted(found | {"HEAD"} if "GET" in found else found))

    @deferred
    async def answer(self, request: RegistryRequest, **parts: Any) -> Any:
        """Check and run a request.

        :param parts: of the path, as text.
        :return: fires with the body of the answer, or ``None`` if it was written
            already. Fails with an exception that ``web/errors`` handles.
        """
        set_version_header(request)
        request.allowed = self._allowed
        self._admission.check_health()
        named = self._named(request, parts)
        is_cached = named is not None and named.is_cached
        if is_cached:
            request.allowed = self._allowed_if_cached
        if request.method == b"OPTIONS":
            return _options(request)
        operation = self._operation(request)
        wanted = self._required(request, None if named is None else named.name)
        change = operation.change
        with self._auditing(request, change, parts):
            grant = await self._admission.admit(request, wanted, change, is_cached)
        if request.method == b"GET":
            # Open, read and fetch nothing for a client whose window is closed.
            await request.wait_for_window()
        doing = operation.do(request, grant, **parts)
        if operation.repeats is not None:
            return await _repeatable(request, operation.repeats, doing, parts)
        if change is Change.NOTHING:
            return await doing
        doing = self._audited(request, change, parts, doing)
        # A change is completed, with its events, even if the client disconnects.
        return await shielded(
            doing, partial(request.run_in_context, errors.on_orphan_failure)
        )

    async def _audited(
        self, request: RegistryRequest, change: Change, parts: Parts, doing: Any
    ) -> Any:
        with self._auditing(request, change, parts):
            return await doing

    @contextmanager
    def _auditing(
        self, request: RegistryRequest, change: Change, parts: Parts
    ) -> Iterator[None]:
        """Record a change that fails; one that succeeds is recorded with its event."""
        try:
            yield
        except CancelledError:
            raise  # the client left before anything began
        except Exception as error:
            if change is not Change.NOTHING:
                self._audit.failed(request, change.value, parts, error)
            raise

    def _named(self, request: RegistryRequest, parts: dict[str, Any]) -> Named | None:
        """Find the repository that a request names; its path may call it otherwise."""
        if "name" not in parts:
            return None
        name = RepositoryName.parse(parts["name"])
        named = self._upstreams.find(request.query("ns"), name)
        parts["name"] = named.name
        if named.is_cached and _NAMESPACE.fullmatch(named.host):
            # OCI distribution-spec after 1.1, "Registry Proxying".
            request.setHeader(b"OCI-Namespace", named.host)
        return named

    def _operation(self, request: RegistryRequest) -> Operation:
        if request.has_too_many_parameters:
            raise UriTooLong({"limit": MAX_PARAMETERS})
        operation = self._operations.get(_verb(request))
        if operation is None:
            raise Unsupported()  # werkzeug also matches methods in lower case
        return operation


async def _repeatable(
    request: RegistryRequest, repeats: Repeats, doing: Any, parts: Parts
) -> Any:
    subject = str(parts.get("name", ""))
    try:
        body = await doing
    except Exception:
        repeats.failed(request, subject)
        raise
    repeats.permit(request, subject)
    return body


def _options(request: RegistryRequest) -> bytes:
    """Answer OPTIONS, which browsers send first."""
    request.setHeader(b"Allow", request.allowed)
    request.setHeader(b"Content-Length", b"0")
    return b""


def _verb(request: RegistryRequest) -> str:
    method: str = request.method.decode("ascii", "replace")
    return "GET" if method == "HEAD" else method
