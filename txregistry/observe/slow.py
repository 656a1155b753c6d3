"""Answers that took long, and why: for whoever asks why a pull was slow."""

from __future__ import annotations

from twisted.logger import Logger
from zope.interface import implementer

from txregistry.interfaces.observe import Exchange, IExchangeObserver

#: Seconds from which an answer counts as slow.
SLOW_SECONDS = 10.0

#: Responses of which nothing is expected soon: a client sends what it pushes.
_SENDING = frozenset(("PATCH", "PUT", "POST"))


@implementer(IExchangeObserver)
class SlowAnswers:
    """Marks slow answers for the last events; the log has them at level ``debug``."""

    _log = Logger()

    def ended(self, exchange: Exchange) -> None:
        """Tell of an answer if it was slow."""
        if exchange.seconds < SLOW_SECONDS:
            return
        self._log.debug(
            "{method} {uri} took {seconds:.0f} s: {why}",
            method=exchange.method,
            uri=exchange.uri,
            seconds=exchange.seconds,
            why=why_slow(exchange),
            request=exchange.request_id,
            activity=True,
        )


def why_slow(exchange: Exchange) -> str:
    """Tell where the time of an answer went (pure)."""
    if exchange.method in _SENDING:
        return "most of it for what the client sent"
    sending = max(0.0, exchange.seconds - exchange.wait_seconds)
    parts = [f"{exchange.wait_seconds:.0f} s until its head"]
    if exchange.sent_bytes and sending:
        rate = exchange.sent_bytes / sending
        parts.append(f"{exchange.sent_bytes} bytes at {rate / 1e6:.3g} MB/s")
    parts.append(_origin(exchange.cache_status, sending > exchange.wait_seconds))
    if exchange.aborted:
        parts.append("the client left before its end")
    return ", ".join(filter(None, parts))


def _origin(cache_status: str, was_sent: bool) -> str:
    """Tell what a ``Cache-Status`` (RFC 9211) means for the time.

    :param was_sent: most of it went by while the answer was sent.
    """
    words = {word.strip() for word in cache_status.split(";")}
    if "collapsed" in words:
        return "it came from upstream, for another client as well"
    if "fwd=miss" in words:
        return "it came from upstream"
    if "hit" not in words:
        return ""
    if was_sent:
        return "it was here: the client took its time"
    if "fwd=stale" in words:
        return "it was here: the upstream was waited for, and did not confirm it"
    return "it was here: the upstream was asked whether it still is so"
