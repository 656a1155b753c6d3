"""Context variables of one request, inherited by its coroutines."""

from __future__ import annotations

from contextvars import ContextVar

#: The id of the current request; empty outside a request.
request_id: ContextVar[str] = ContextVar("txregistry_request_id", default="")

#: The client that fair queues charge the current work to (see
#: :mod:`txregistry.spec.peers`); empty for background work.
client_share: ContextVar[str] = ContextVar("txregistry_client_share", default="")
