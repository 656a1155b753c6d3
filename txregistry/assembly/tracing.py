"""Tracing, if the variables of the process ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from twisted.application.service import IService

from txregistry import __version__
from txregistry.interfaces.tracing import ITracer
from txregistry.tracing.service import TracingService
from txregistry.tracing.settings import NotTraced, is_wanted, names_service


@attrs.frozen
class Tracing:
    """A tracer, and the service that ends it; a warning in their place, or nothing."""

    tracer: ITracer | None = None
    service: IService | None = None
    warning: str = ""


def build_tracing(environment: Mapping[str, str], reactor: Any) -> Tracing:
    """Build what the standard ``OTEL_`` variables ask for.

    Nothing of OpenTelemetry is imported unless they do.
    """
    try:
        if not is_wanted(environment):
            return Tracing()
        from txregistry.tracing.otel import make_provider, make_tracer
    except NotTraced as error:
        return Tracing(warning=f"no tracing: {error}")
    except ImportError as error:
        return Tracing(
            warning=f"no tracing, although OTEL_ variables ask for it: {error};"
            " install txregistry[otel]"
        )
    provider = make_provider(__version__, names_service(environment))
    service = TracingService(reactor, provider.shutdown)
    return Tracing(make_tracer(provider, __version__), service)
