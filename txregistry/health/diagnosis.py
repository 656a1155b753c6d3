"""What is wrong right now: failed checks, and what is looked at when asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs
from twisted.internet.defer import Deferred

from txregistry.flow.deferred import deferred
from txregistry.interfaces.health import IHealth

#: Fires if all is well; fails with the problem otherwise.
Look = Callable[[], Deferred[None]]


@attrs.define(eq=False)
class Diagnosis:
    """Answers for the debug listener and the control socket.

    :param looks: run at each question, by name.
    :ivar notes: gives what is worth knowing and no problem, by name.
    """

    _health: IHealth
    _looks: Mapping[str, Look]
    notes: Callable[[], Mapping[str, str]] = dict

    @deferred
    async def problems(self) -> Mapping[str, str]:
        """Look; fires with what is wrong by name, and never fails."""
        found = dict(self._health.problems())
        for name, look in self._looks.items():
            try:
                await look()
            except Exception as error:
                # Any exception of a look is its result.
                found[name] = str(error) or type(error).__name__
        return found
