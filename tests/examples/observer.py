"""An observer in one module: a line for each answer that went wrong."""

from __future__ import annotations

import attrs
from zope.interface import implementer

from txregistry.interfaces.observe import Exchange, IExchangeObserver
from txregistry.observe.escapes import quoted, word
from txregistry.observe.outlet import ILines


@implementer(IExchangeObserver)
@attrs.frozen
class WrongAnswers:
    """Writes a line when an answer was 5xx, or was cut off.

    :param lines: must not wait, as :class:`txregistry.observe.outlet.Outlet` does not:
        it is called in the reactor thread.
    """

    _lines: ILines

    def ended(self, exchange: Exchange) -> None:
        """Look at an answer."""
        if exchange.status >= 500 or exchange.aborted:
            # What a client has chosen is escaped, so that it cannot forge a line.
            path, peer = quoted(exchange.uri), word(exchange.peer)
            self._lines.write(f"{exchange.status} {exchange.method} {path} {peer}\n")
