"""What belongs to one exchange with a client and follows its coroutines."""

from __future__ import annotations

from contextvars import ContextVar

#: The id of the request being answered; empty outside of one.
request_id: ContextVar[str] = ContextVar("txregistry_request_id", default="")
