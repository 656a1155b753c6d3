"""What belongs to one exchange with a client and follows its coroutines."""

from __future__ import annotations

from contextvars import ContextVar

#: The id of the request being answered; empty outside of one.
request_id: ContextVar[str] = ContextVar("txregistry_request_id", default="")

#: The client for whom work is done, as those see it who give each a share; empty for
#: what nobody has asked for.
client_share: ContextVar[str] = ContextVar("txregistry_client_share", default="")
