"""The debug listener: ``/debug/health``, ``/debug/vars`` and metrics."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from klein import Klein
from twisted.internet.defer import Deferred
from twisted.web.iweb import IRequest

from txregistry.flow.deferred import deferred

#: Fires with what is wrong, by name; never fails.
Problems = Callable[[], Deferred[Mapping[str, str]]]


@attrs.define(eq=False)
class Debug:
    """The resources of the debug listener.

    :param problems: asked by each request for ``/debug/health``.
    :param variables: returns the content of ``/debug/vars``.
    :param exposition: returns the metrics in the text format of Prometheus.
    :param metrics_path: the URL path of the metrics; empty for none.
    :param notes: returns what ``/debug/health`` tells beside problems, by name.
    """

    _problems: Problems
    _variables: Callable[[], Mapping[str, object]]
    _exposition: Callable[[], bytes]
    _metrics_path: str
    _notes: Callable[[], Mapping[str, str]] = dict

    def resource(self) -> Any:
        """Return the root resource of a site."""
        app = Klein()
        app.route("/debug/health", endpoint="health")(self.health)
        app.route("/debug/vars", endpoint="vars")(self.variables)
        if self._metrics_path:
            app.route(self._metrics_path, endpoint="metrics")(self.metrics)
        return app.resource()

    @deferred
    async def health(self, request: IRequest) -> bytes:
        """Respond with 200, or with 503 and a message per failed check.

        Notes are told with either.
        """
        problems = await self._problems()
        request.setResponseCode(503 if problems else 200)
        request.setHeader(b"Content-Type", b"application/json")
        return json.dumps({**self._notes(), **problems}).encode("utf-8")

    def variables(self, request: IRequest) -> bytes:
        """Respond with the variables that distribution publishes, as JSON."""
        request.setHeader(b"Content-Type", b"application/json")
        return json.dumps(self._variables()).encode("utf-8")

    def metrics(self, request: IRequest) -> bytes:
        """Respond with all metrics."""
        kind = b"text/plain; version=0.0.4; charset=utf-8"
        request.setHeader(b"Content-Type", kind)
        return self._exposition()
