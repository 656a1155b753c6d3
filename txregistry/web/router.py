"""Runs what a table of routes names for each request, and answers what goes wrong.

The table is Klein's. Its own resource works out anew for every request what is the same
for all of ours, and cost as much as the rest of twisted.web and more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from klein import Klein
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from werkzeug.routing import MapAdapter

from txregistry.flow.deferred import failed
from txregistry.web.request import RegistryRequest

#: Kinds of exceptions, and what gives the body that tells a client of one.
Handler = tuple[
    type[BaseException] | tuple[type[BaseException], ...],
    Callable[[RegistryRequest, Failure], bytes],
]


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

    def render(self, request: Any) -> Any:
        """Begin to answer; a client that goes cancels what is done for it."""
        done = maybeDeferred(self._run, request)
        if not done.called:
            request.notifyFinish().addErrback(lambda _: done.cancel())
        done.addErrback(self._handle, request)
        done.addCallback(self._write, request)
        done.addErrback(self._not_told, request)
        return NOT_DONE_YET

    def _run(self, request: RegistryRequest) -> Any:
        method = request.method.decode("latin-1")
        rule, parts = self._map.match(request.readable, method, return_rule=True)
        return self._app.execute_endpoint(rule.endpoint, request, **parts)

    def _handle(
        self, failure: Failure, request: RegistryRequest
    ) -> bytes | Deferred[bytes]:
        if request.is_over:
            if not failure.check(CancelledError):
                self._log.failure("a request that is over failed", failure)
            return b""
        for kinds, handle in self._handlers:
            if isinstance(failure.value, kinds):
                return handle(request, failure)
        return failed(failure)

    def _write(self, body: bytes, request: RegistryRequest) -> None:
        if request.is_over:
            return
        if body:
            request.write(body)
        request.finish()

    def _not_told(self, failure: Failure, request: RegistryRequest) -> None:
        self._log.failure("an error could not be told", failure)
        if request.is_over:
            return
        if request.startedWriting:
            request.abort()
        else:
            request.processingFailed(failure)
