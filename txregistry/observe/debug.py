"""The debug listener: ``/debug/health``, ``/debug/vars`` and the metrics."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from klein import Klein
from twisted.internet.defer import Deferred
from twisted.web.iweb import IRequest

from txregistry.flow.deferred import deferred
from txregistry.interfaces.health import IHealth

#: A check fires if all is well and fails with what is not.
Check = Callable[[], Deferred[None]]


@attrs.define(eq=False)
class Debug:
    """What is served to whoever may reach the debug address.

    :param metrics_path: empty for no metrics.
    """

    _checks: Mapping[str, Check]
    _health: IHealth
    _variables: Callable[[], Mapping[str, object]]
    _exposition: Callable[[], bytes]
    _metrics_path: str

    def resource(self) -> Any:
        """Give the resource for a site."""
        app = Klein()
        app.route("/debug/health", endpoint="health")(self.health)
        app.route("/debug/vars", endpoint="vars")(self.variables)
        if self._metrics_path:
            app.route(self._metrics_path, endpoint="metrics")(self.metrics)
        return app.resource()

    @deferred
    async def health(self, request: IRequest) -> bytes:
        """Answer 200 and ``{}``, or 503 and what is wrong."""
        problems = dict(self._health.problems())
        for name, check in self._checks.items():
            try:
                await check()
            except Exception as error:
                problems[name] = str(error)
        request.setResponseCode(503 if problems else 200)
        request.setHeader(b"Content-Type", b"application/json")
        return json.dumps(problems).encode("utf-8")

    def variables(self, request: IRequest) -> bytes:
        """Answer with what distribution publishes as variables."""
        request.setHeader(b"Content-Type", b"application/json")
        return json.dumps(self._variables()).encode("utf-8")

    def metrics(self, request: IRequest) -> bytes:
        """Answer with all metrics."""
        kind = b"text/plain; version=0.0.4; charset=utf-8"
        request.setHeader(b"Content-Type", kind)
        return self._exposition()
