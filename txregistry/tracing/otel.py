"""Spans by the SDK of OpenTelemetry; the one module that imports it.

The SDK hands spans that have ended to a thread of its own, through a queue with a
bound (``OTEL_BSP_MAX_QUEUE_SIZE``); what does not fit is dropped. Sampler, batches,
limits and endpoint are those of its own variables.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import attrs
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.interfaces.tracing import (
    Attributes,
    ISpan,
    ITracer,
    SpanKind,
    current_span,
)

_KINDS = {
    SpanKind.SERVER: trace.SpanKind.SERVER,
    SpanKind.CLIENT: trace.SpanKind.CLIENT,
    SpanKind.INTERNAL: trace.SpanKind.INTERNAL,
}

_PROPAGATOR = TraceContextTextMapPropagator()

_log = Logger(namespace="txregistry.tracing")


@implementer(ISpan)
@attrs.frozen(eq=False)
class OtelSpan:
    """A span of the SDK."""

    span: Any

    def headers(self) -> Mapping[str, str]:
        """Return ``traceparent``, and ``tracestate`` if there is one."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, trace.set_span_in_context(self.span))
        return carrier

    def note(self, attributes: Attributes) -> None:
        """Add attributes."""
        self.span.set_attributes(attributes)

    def end(self, error: str = "", name: str = "") -> None:
        """End it, and hand it to the exporter's queue."""
        if name:
            self.span.update_name(name)
        if error:
            self.span.set_status(trace.StatusCode.ERROR, error)
        self.span.end()


@implementer(ITracer)
@attrs.frozen(eq=False)
class OtelTracer:
    """Begins spans of one provider."""

    _tracer: Any

    def begin(
        self,
        name: str,
        kind: SpanKind,
        attributes: Attributes,
        headers: Mapping[str, str] | None = None,
    ) -> ISpan:
        """Begin a span; see :class:`ITracer`."""
        if headers is None:
            parent = current_span.get()
            above = parent.span if isinstance(parent, OtelSpan) else trace.INVALID_SPAN
            context = trace.set_span_in_context(above)
        else:
            context = _PROPAGATOR.extract(headers)
        return OtelSpan(
            self._tracer.start_span(name, context, _KINDS[kind], dict(attributes))
        )


def make_provider(version: str, names_service: bool) -> TracerProvider:
    """Make a provider that exports to where the variables say.

    :param names_service: the variables name the service; else it is ours.
    """
    ours = {} if names_service else {"service.name": "txregistry"}
    resource = Resource.create({**ours, "service.version": version})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _forward_messages()
    return provider


def make_tracer(provider: TracerProvider, version: str) -> OtelTracer:
    """Make a tracer of a provider."""
    return OtelTracer(provider.get_tracer("txregistry", version))


def _forward_messages() -> None:
    """Let what the SDK has to say appear in our log, and nowhere else."""
    logger = logging.getLogger("opentelemetry")
    logger.propagate = False
    if not any(isinstance(each, _Forwarder) for each in logger.handlers):
        logger.addHandler(_Forwarder(logging.WARNING))


class _Forwarder(logging.Handler):
    """Logs records of the standard library; on any thread."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log one."""
        _log.warn("{text}", text=record.getMessage())
