"""Context variables of one request, or of one piece of background work.

Note [Whose event]. Each event of the log says whose it is: the request's, by its id, or
the background work's, by its name. Coroutines keep the context in which they began.
What Twisted calls back runs in the context of its caller, which is nobody's or another
request's: a timer, a thread, a lock that somebody releases. So jobs of thread pools and
of locks are bound to the context of who asked for them (:func:`in_context`), and what a
timer or the start begins names itself (:func:`background`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, copy_context
from functools import wraps
from typing import ParamSpec, TypeVar

from txregistry.flow.demand import NOBODY, current_demand

P = ParamSpec("P")
T = TypeVar("T")

#: The id of the current request; empty outside a request.
request_id: ContextVar[str] = ContextVar("txregistry_request_id", default="")

#: The name of the current background work. With the id of a request as well, it is work
#: that this request began and others may share, such as a fill.
work_name: ContextVar[str] = ContextVar("txregistry_work", default="")

#: The client that fair queues charge the current work to (see
#: :mod:`txregistry.spec.peers`); empty for background work.
client_share: ContextVar[str] = ContextVar("txregistry_client_share", default="")


def in_context(function: Callable[P, T]) -> Callable[P, T]:
    """Bind a function to the current context, whoever calls it."""
    context = copy_context()

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        # A copy each time: a context cannot be entered twice at once.
        return context.copy().run(function, *args, **kwargs)

    return call


def named(name: str, function: Callable[P, T]) -> Callable[P, T]:
    """Bind a function to the current context, with a name for its work."""

    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        work_name.set(name)
        return function(*args, **kwargs)

    return in_context(call)


def background(name: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate what begins background work: it belongs to no request.

    No client waits for it either (:mod:`txregistry.flow.demand`).
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            context = copy_context()
            context.run(request_id.set, "")
            context.run(client_share.set, "")
            context.run(current_demand.set, NOBODY)
            context.run(work_name.set, name)
            return context.run(function, *args, **kwargs)

        return call

    return decorate
