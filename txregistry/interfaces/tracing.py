"""Contracts for tracing: which steps a request took, and how long each."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from enum import Enum

from zope.interface import Interface

#: Values of attributes.
Attributes = Mapping[str, str | int | float | bool]


class SpanKind(Enum):
    """Which side of a conversation a span is."""

    SERVER = "server"
    CLIENT = "client"
    INTERNAL = "internal"


class ISpan(Interface):
    """One step, from when it was begun until it is ended."""

    def headers() -> Mapping[str, str]:
        """Return the headers that let another service continue the trace."""

    def note(attributes: Attributes) -> None:
        """Add attributes."""

    def end(error: str = "", name: str = "") -> None:
        """End the step; never waits, never fails. Once only.

        :param error: why it failed; empty if it did not.
        :param name: a better name than that of its beginning.
        """


class ITracer(Interface):
    """Begins spans; there is none where tracing is off."""

    def begin(
        name: str,
        kind: SpanKind,
        attributes: Attributes,
        headers: Mapping[str, str] | None = None,
    ) -> ISpan:
        """Begin a step below the current one (:data:`current_span`).

        :param headers: of a request, in lower case: the step is below the one that they
            name (W3C Trace Context), if they name one.
        """


#: The step under way in this context.
current_span: ContextVar[ISpan | None] = ContextVar("txregistry_span", default=None)
