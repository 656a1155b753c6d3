"""A request that starts when its head is complete, and is reported once when it ends.

Note [Early requests]. twisted.web calls ``requestReceived`` when the body is complete
and spooled. Here a channel calls :meth:`RegistryRequest.begin` as soon as the head is
complete, and the :class:`~txregistry.web.http.body.Body` pauses the connection until it
is read. So access and limits are checked before a byte of a body is read, and ``Expect:
100-continue`` is answered only then. If the answer ends before the body, a bounded rest
of the body is read and dropped; if more is left, the connection is closed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IProducer,
    IPushProducer,
    ITransport,
)
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, datetimeToString
from twisted.web.server import version
from zope.interface import implementer

from txregistry.flow.context import client_share, request_id
from txregistry.flow.sendfile import FileSender, IFileConsumer, Warm, as_file_transport
from txregistry.flow.turns import Turns
from txregistry.interfaces.observe import counted
from txregistry.interfaces.tracing import ISpan, current_span
from txregistry.spec.peers import client_key
from txregistry.web.http.body_request import MAX_DROPPED_BYTES, BodyRequest
from txregistry.web.http.channels import RegistryChannel
from txregistry.web.http.connections import SiteContext, expects_continue
from txregistry.web.http.ready import Recording
from txregistry.web.http.tracing import begin_span
from txregistry.web.http.twisted_private import H2Stream, connection_of, is_plain_tcp

_NO_BODY = (204, 304)

_log = Logger(namespace="txregistry.web")


@implementer(IFileConsumer)
class RegistryRequest(BodyRequest):
    """A request that can be aborted, sends files, and reports its end once.

    :ivar handler: name of the resource, for metrics; set by the resource.
    :ivar request_id: random id of the request, in logs, events and errors.
    :ivar actor: the authenticated user; empty until known.
    :ivar aborted: the connection was cut before the answer was complete.
    :ivar allowed: value of the ``Allow`` header for this path.
    :ivar client_left: the client disconnected before its answer was complete.
    :ivar unsent_bytes: bytes of the answer that never reached the kernel; set by the
        connection when the client disconnects.
    :ivar span: its step of a trace; ``None`` while tracing is off.
    :ivar route: the path in the table of routes, once it is known.
    :ivar began_at: when the head was complete: seconds, by the clock of the site.
    :ivar head_at: when the head of the answer was ready; ``None`` so far.
    :ivar base: scheme and host by which the client reached the registry; ``None`` until
        they are computed.
    :ivar recording: records the answer, if that may be given again.
    """

    handler = "unknown"
    request_id = ""
    actor = ""
    aborted = False
    client_left = False
    unsent_bytes = 0
    allowed = ""
    base: tuple[str, str] | None = None
    span: ISpan | None = None
    route = ""
    recording: Recording | None = None
    _reports_to: SiteContext | None = None
    began_at = 0.0
    head_at: float | None = None
    _is_started = False

    def begin(self, command: bytes, path: bytes, version: bytes) -> None:
        """Start to answer: the head is complete."""
        self._is_started = True
        self.method, self.uri, self.clientproto = command, path, version
        self.path, _, query = path.partition(b"?")
        self.take_query(query)
        self.client = self.channel.getPeer()
        self.host = self.channel.getHost()
        self.process()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """End the body; start a request that has none."""
        if not self._is_started:
            self.begin(command, path, version)
        self.body.end()

    def process(self) -> None:
        """Set the request up, and render it in a context of its own."""
        # Keep the site: the channel is gone when the request ends.
        site = self._reports_to = cast(SiteContext, self.channel.factory)
        self.site = cast(Any, site)
        self.request_id = os.urandom(16).hex()
        self.began_at = site.clock.seconds()
        if site.tracer is not None:
            self.span = begin_span(self, site.tracer)
        if isinstance(self.channel, RegistryChannel):
            self.recording = self.channel.begin_recording()
        site.active.add(self)
        self.measure_pace(site.limits.min_rate, self.began_at)
        self._strip_authority()
        self.path = site.strip_prefix(self.path)
        for name, values in site.headers.items():
            self.responseHeaders.setRawHeaders(name, list(values))
        self.run_in_context(self._process)

    def run_in_context(self, do: Callable[..., Any], *args: Any) -> Any:
        """Call a function with this request's id and client in its context.

        The id appears in what the function logs. The callbacks of a Deferred run in the
        context of the code that fires it, which may be another request's.
        """
        context = copy_context()
        context.run(request_id.set, self.request_id)
        context.run(client_share.set, client_key(self.peer))
        if self.span is not None:
            context.run(current_span.set, self.span)
        recording = self.recording
        context.run(counted.set, None if recording is None else recording.counted)
        return context.run(do, *args)

    def _process(self) -> None:
        if self.path == b"*":
            super().process()
            return
        site = cast(SiteContext, self.site)
        self.setHeader(b"Server", version)
        self.setHeader(b"Date", datetimeToString(site.wall_clock.seconds()))
        try:
            site.resource.render(self)
        except BaseException:
            self.processingFailed(Failure())

    def _strip_authority(self) -> None:
        scheme, found, rest = self.path.partition(b"://")
        if found and scheme in (b"http", b"https"):
            # Absolute form (RFC 9112, 3.2.2): one registry serves all hosts.
            self.path = b"/" + rest.partition(b"/")[2]

    @property
    def has_one_host(self) -> bool:
        """Tell whether there is exactly one ``Host``, as required (RFC 9112, 3.2).

        HTTP/1.0 may have none.
        """
        hosts = self.requestHeaders.getRawHeaders(b"Host", [])
        return len(hosts) == 1 or (not hosts and self.clientproto != b"HTTP/1.1")

    @property
    def is_over(self) -> bool:
        """Tell whether the answer is complete, or the client disconnected."""
        return bool(self.finished or self.is_disconnected)

    def parseCookies(self) -> None:
        """Parse none: the clients of a registry send no cookies."""

    def turns(self) -> Turns:
        """Return turns for a long loop that has to let other requests run."""
        return Turns(cast(SiteContext, self.site).clock)

    def wait_for_window(self) -> Deferred[None]:
        """Fire when the window of an HTTP/2 stream is open; at once for HTTP/1.1.

        Never fires if the stream ends first; may be cancelled.
        """
        channel: Any = self.channel
        if isinstance(channel, H2Stream):
            return cast(
                "Deferred[None]",
                connection_of(channel).wait_for_window(channel.streamID),
            )
        return succeed(None)

    def write(self, data: bytes) -> None:
        """Send bytes of the answer, unless it was aborted or is complete."""
        if self.aborted or self.finished:
            return
        if not self.startedWriting:
            self.head_at = cast(SiteContext, self.site).clock.seconds()
            if self.has_large_rest():
                self.loseAfterwards()
        super().write(data)
        if isinstance(self.channel, RegistryChannel):
            self.channel.flush_head()

    def finish(self) -> None:
        """End the answer, unless it was aborted; first drop the rest of the body."""
        if self.aborted or self.is_disconnected:
            return
        self.is_answered = True
        if self._reports_to is not None and self._reports_to.draining:
            self.loseAfterwards()
        if self.body.complete:
            self._end()
        else:
            self._drop_rest()

    def _drop_rest(self) -> None:
        """Send the answer now, but end it only after the body.

        The rest of the body would otherwise be parsed as the next request.
        """
        if not self.startedWriting:
            self.write(b"")
        if expects_continue(self) or not isinstance(self.channel, HTTPChannel):
            # The client will not send the body, or the rest concerns one HTTP/2 stream
            # only, which the connection resets.
            self.body.drop(0, _ignore)
            self._end()
        else:
            self.body.drop(MAX_DROPPED_BYTES, self._end)

    def _end(self) -> None:
        if self.finished or self.is_disconnected or self.aborted:
            return
        if not self.body.complete:
            self.loseAfterwards()
            if isinstance(self.channel, RegistryChannel):
                self.channel.linger_after_answer()
        is_stream = not isinstance(self.channel, HTTPChannel)
        super().finish()
        if is_stream and self._reports_to is not None:
            # The connection reports it after its last frame is sent.
            self._reports_to.active.discard(self)
        else:
            self.report()

    def loseAfterwards(self) -> None:
        """Close an HTTP/1.1 connection after this answer."""
        if not isinstance(self.channel, HTTPChannel):
            return
        if not self.startedWriting:
            self.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        self.channel.persistent = False

    def abort(self) -> None:
        """Abort the connection, so that the client does not take a part for the whole.

        For HTTP/2 the stream alone is reset.
        """
        if self.aborted or self.channel is None:
            return
        self.aborted = True
        channel: Any = self.channel
        connection = channel.transport or channel  # a stream of HTTP/2 has none
        connection.abortConnection()
        if channel.transport is None:
            self.connectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End the request after a disconnect, by either side."""
        if self.is_disconnected:
            return
        if self.client_left or not self.aborted:
            self._record_disconnect()
        self.aborted = True
        # End reading and writing first: an observer may fail.
        super().connectionLost(reason)
        self.body.connection_lost()
        self.report()

    def _record_disconnect(self) -> None:
        self.client_left = True
        self.sentLength = max(0, self.sentLength - self.unsent_bytes)
        if self._is_started and not self.body.complete:
            self.run_in_context(self._log_partial_body)

    def _log_partial_body(self) -> None:
        total = self.body.content_length
        _log.info(
            "client disconnected after {received} of {total} bytes of its body",
            received=self.body.received,
            total="an unknown number" if total is None else total,
        )

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Register a producer; stop it if the client has disconnected."""
        if self.channel is None:
            producer.stopProducing()
        else:
            super().registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Unregister the producer, also after the client has disconnected."""
        if self.channel is not None:
            super().unregisterProducer()

    def takes_files(self) -> bool:
        """Tell whether ``sendfile`` can be used: plain TCP, no transfer coding."""
        return (
            not self.chunked
            and self.channel is not None
            and not self.is_disconnected
            and is_plain_tcp(self.channel.transport)
        )

    def write_file(
        self, descriptor: int, offset: int, size: int, warm: Warm
    ) -> Deferred[None]:
        """Send part of a file by ``sendfile``; see :class:`IFileConsumer`."""
        if self.method == b"HEAD" or self.code in _NO_BODY:
            return succeed(None)
        if not self.startedWriting:
            self.write(b"")
        self.recording = None  # these bytes are not seen here
        channel = self.channel
        if isinstance(channel, RegistryChannel):
            channel.stop_recording()
        sender = FileSender(
            as_file_transport(cast(ITransport, channel.transport)),
            cast(IPushProducer, channel),
            descriptor,
            offset,
            size,
            warm,
        )
        done = sender.start()

        def count(result: Any) -> Any:
            self.sentLength += size - sender.remaining
            return result

        return done.addBoth(count)

    def report(self) -> None:
        """Report the end of this request to the site; idempotent."""
        site, self._reports_to = self._reports_to, None
        if site is not None:
            site.active.discard(self)
            site.request_ended(self)


def set_version_header(request: RegistryRequest) -> None:
    """Name the API version on an answer; ``/`` is not part of the API."""
    if request.path != b"/":
        request.setHeader(b"Docker-Distribution-Api-Version", b"registry/2.0")


def _ignore() -> None:
    """Do nothing at the end of a dropped body."""
