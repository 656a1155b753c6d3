"""Dispatches requests by Klein's table of routes, and exceptions to their handlers.

Klein's own resource binds the table to the host, among other work, for each request,
which takes longer than the rest of twisted.web. This one does it once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from klein import Klein
from twisted.internet.defer import CancelledError, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from werkzeug.routing import MapAdapter, Rule

from txregistry.spec.errors import BadRequest
from txregistry.web.http.request import RegistryRequest

#: Exception types, and a function that returns the body of the answer to one.
Handler = tuple[
    type[BaseException] | tuple[type[BaseException], ...],
    Callable[[RegistryRequest, Failure], bytes],
]


#: Paths whose routes are cached: see docs/decisions/2026-11-28-speed-by-figures.md.
CACHED_PATHS = 512

#: Longer paths are not cached, so that the cache is bounded in bytes as well.
_MAX_CACHED_PATH_BYTES = 512


class Router(Resource):
    """The resource for all paths.

    :param handlers: the first that matches an exception handles it; the last one should
        match any ``Exception``.
    """

    isLeaf = True
    _log = Logger(namespace="txregistry.web")

    def __init__(self, app: Klein, handlers: Sequence[Handler]) -> None:
        super().__init__()
        self._app = app
        self._handlers = handlers
        # No route depends on the host.
        self._map: MapAdapter = app.url_map.bind("localhost")
        self._cached_find = lru_cache(CACHED_PATHS)(self._find)

    def render(self, request: Any) -> Any:
        """Start to answer a request; it is cancelled if the client disconnects."""
        done = maybeDeferred(self._run, request)
        if not done.called:
            request.notifyFinish().addErrback(lambda _: done.cancel())
        run_in_context = request.run_in_context
        done.addCallbacks(
            lambda body: run_in_context(self._write, body, request),
            lambda failure: run_in_context(self._handle, failure, request),
        )
        done.addErrback(
            lambda failure: run_in_context(self._handler_failed, failure, request)
        )
        return NOT_DONE_YET

    def _run(self, request: RegistryRequest) -> Any:
        if not request.has_one_host:
            # A proxy in between may have understood the request differently: close the
            # connection, as what follows may be smuggled.
            request.loseAfterwards()
            raise BadRequest({"reason": "expected one Host header"})
        path = request.path
        find = self._cached_find if len(path) <= _MAX_CACHED_PATH_BYTES else self._find
        rule, parts = find(path, request.method)
        request.route = rule.rule
        return self._app.execute_endpoint(rule.endpoint, request, **parts)

    def _find(self, path: bytes, method: bytes) -> tuple[Rule, Mapping[str, Any]]:
        """Return the route for a path, and its parts; raises ``HTTPException``."""
        return self._map.match(
            _decode_path(path), method.decode("latin-1"), return_rule=True
        )

    def _handle(self, failure: Failure, request: RegistryRequest) -> Failure | None:
        if request.is_over:
            if not failure.check(CancelledError):
                self._log.failure("request failed after its connection closed", failure)
            return None
        for kinds, handle in self._handlers:
            if isinstance(failure.value, kinds):
                self._write(handle(request, failure), request)
                return None
        return failure

    def _write(self, body: bytes, request: RegistryRequest) -> None:
        if request.is_over:
            return
        if body:
            request.write(body)
        request.finish()

    def _handler_failed(self, failure: Failure, request: RegistryRequest) -> None:
        self._log.failure(
            "error handler failed; the request is answered with 500 or aborted", failure
        )
        if request.is_over:
            return
        if request.startedWriting:
            request.abort()
        else:
            request.processingFailed(failure)


def _decode_path(path: bytes) -> str:
    """Decode a path; one that is not UTF-8 becomes one that no route matches."""
    try:
        return unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        return "/-"
