"""Questions to the upstream that no client waits for (``proxy.revalidate``)."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import attrs
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.logger import Logger

from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.interfaces.provenance import cache_status

#: Questions under way at once; what would be one more is asked with a later request.
MAX_ASKED = 64


@attrs.define(eq=False, slots=False)
class Behind(Service):
    """Asks the upstream behind answers that have been given.

    A question is begun only while the service runs; its stop cancels all of them.
    """

    _asked: dict[Hashable, Deferred[None]] = attrs.field(factory=dict)
    _log = Logger()

    def ask(self, key: Hashable, question: Callable[[], Deferred[None]]) -> bool:
        """Begin a question, unless the same one is under way or there are too many.

        :param question: its Deferred can be cancelled. What it fails with is logged.
        :return: whether it was begun.
        """
        if not self.running or key in self._asked or len(self._asked) >= MAX_ASKED:
            return False
        work = self._asked[key] = self._run(question)
        work.addBoth(self._on_end, key)
        return True

    def __len__(self) -> int:
        return len(self._asked)

    def forget(self) -> None:
        """Cancel all questions, as the upstream or our credentials have changed."""
        for work in list(self._asked.values()):
            work.cancel()

    @deferred
    async def stopService(self) -> None:
        """Cancel all questions, and wait for their ends."""
        super().stopService()
        asked = list(self._asked.values())
        self.forget()
        await gatherResults(asked)

    def _on_end(self, result: None, key: Hashable) -> None:
        del self._asked[key]

    @background("revalidation")
    @deferred
    async def _run(self, question: Callable[[], Deferred[None]]) -> None:
        cache_status.set(None)  # of the request, whose answer has been given
        try:
            await question()
        except CancelledError:
            return
        except Exception:
            # Nobody waits for it: the next request asks again.
            self._log.failure("a question behind an answer failed")
