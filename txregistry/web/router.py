"""Runs what a table of routes names for each request, and answers what goes wrong.

The table is Klein's. Its own resource works out anew for every request what is the same
for all of ours, and cost as much as the rest of twisted.web and more.
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

#: Kinds of exceptions, and what gives the body that tells a client of one.
Handler = tuple[
    type[BaseException] | tuple[type[BaseException], ...],
    Callable[[RegistryRequest, Failure], bytes],
]


#: Routes of so many paths are remembered: to look one up costs a tenth of answering.
CACHED_PATHS = 512

#: Longer than this is no path that a client has reason to ask for again.
_MAX_CACHED_PATH_BYTES = 512


class Router(Resource):
    """The resource at all paths.

    :param handlers: the first that fits is asked; the last one fits everything.
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
        """Begin to answer; a client that goes cancels what is done for it."""
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
            # Somebody on the way may have read it in another way.
            request.loseAfterwards()
            raise BadRequest({"reason": "expected one Host header"})
        path = request.path
        find = self._cached_find if len(path) <= _MAX_CACHED_PATH_BYTES else self._find
        rule, parts = find(path, request.method)
        return self._app.execute_endpoint(rule.endpoint, request, **parts)

    def _find(self, path: bytes, method: bytes) -> tuple[Rule, Mapping[str, Any]]:
        """Find a route and the parts of its path; what there is none of raises."""
        return self._map.match(
            _decode_path(path), method.decode("latin-1"), return_rule=True
        )

    def _handle(self, failure: Failure, request: RegistryRequest) -> Failure | None:
        if request.is_over:
            if not failure.check(CancelledError):
                self._log.failure("a request that is over failed", failure)
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
        self._log.failure("an error could not be told", failure)
        if request.is_over:
            return
        if request.startedWriting:
            request.abort()
        else:
            request.processingFailed(failure)


def _decode_path(path: bytes) -> str:
    """Give a path as text; no route has one that is no UTF-8."""
    try:
        return unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        return "/-"
