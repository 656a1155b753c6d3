"""One request: begun when its head is in, aborted or ended once, and reported.

Note [Early requests]. A channel calls ``requestReceived`` when a body is complete; by
then twisted.web has spooled it somewhere. A request that has a body is begun here by
:meth:`RegistryRequest.begin` as soon as its head is in, with a
:class:`~txregistry.web.http.body.Body` that holds the connection back until somebody
reads.
So access and limits are decided before a byte of it is read, and a client that sent
``Expect: 100-continue`` is told to go on only then. An answer that is given before the
body has ended is followed by dropping a bounded rest of it, or by closing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, cast
from weakref import ref

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IProducer,
    IPushProducer,
    ITransport,
)
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.server import version
from zope.interface import implementer

from txregistry.flow.context import client_share, request_id
from txregistry.flow.sendfile import FileSender, IFileConsumer, Warm, as_file_transport
from txregistry.flow.turns import Turns
from txregistry.flow.twisted_private import is_plain_tcp
from txregistry.spec.peers import client_key
from txregistry.web.http.body import Body
from txregistry.web.http.channels import (
    Home,
    RegistryChannel,
    body_connection,
    is_waiting_to_send,
)
from txregistry.web.http.pace import Pace
from txregistry.web.http.peers import PeerRequest
from txregistry.web.http.twisted_private import H2Stream, connection_of, send_continue

#: What is left of a body that nobody wants is read up to this; after that the
#: connection is closed.
MAX_DROPPED_BYTES = 1024 * 1024

_NO_BODY = (204, 304)

_log = Logger(namespace="txregistry.web")


class _Spool:
    """Stands where twisted.web would keep a body."""

    def write(self, data: bytes) -> None:
        return None

    def close(self) -> None:
        return None


@implementer(IFileConsumer)
class RegistryRequest(PeerRequest):
    """A request that can be aborted, takes files, and reports its end once.

    :ivar handler: the resource that answers, for metrics; set by the API.
    :ivar actor: who asks, once that is known.
    :ivar allowed: the methods that the resource has and the gate lets pass.
    :ivar body: what the client sends after the head.
    :ivar left: the client has gone before its answer was whole.
    :ivar unsent: how many bytes of the answer were never given to the kernel, once the
        client has gone; set by the connection.
    :ivar began_at: by the clock of the site, in seconds.
    :ivar base: by which scheme and host the client reaches us, once that is known.
    """

    handler = "unknown"
    identity = ""
    actor = ""
    aborted = False
    left = False
    unsent = 0
    allowed = ""
    body: Body
    base: tuple[str, str] | None = None
    _home: Home | None = None
    _pace: Pace | None = None
    began_at = 0.0
    _begun = False
    _answered = False

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        # A head that is never complete has none either.
        self.body = Body(ref(self), 0, complete=True)

    def gotLength(self, length: int | None) -> None:
        """Learn how long the body is; the channel begins us next, if there is one."""
        self.body = Body(ref(self), length, complete=length == 0)
        self.content = cast(Any, _Spool())

    def handleContentChunk(self, data: bytes) -> None:
        """Take part of the body."""
        self.body.feed(data)

    def begin(self, command: bytes, path: bytes, version: bytes) -> None:
        """Begin to answer: the head is in."""
        self._begun = True
        self.method, self.uri, self.clientproto = command, path, version
        self.path, _, query = path.partition(b"?")
        self.take_query(query)
        self.client = self.channel.getPeer()
        self.host = self.channel.getHost()
        self.process()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Hear that the body has come; without one, begin."""
        if not self._begun:
            self.begin(command, path, version)
        self.body.end()

    def process(self) -> None:
        """Begin to answer, in a context of our own."""
        # The channel is gone when an exchange has ended; the site is needed then.
        site = self._home = cast(Home, self.channel.factory)
        self.site = cast(Any, site)
        self.identity = os.urandom(16).hex()
        self.began_at = site.clock.seconds()
        site.active.add(self)
        if not self.body.complete:
            self._pace = Pace(site.limits.min_rate, self.began_at)
        self._strip_host()
        self.path = site.strip_prefix(self.path)
        for name, values in site.headers.items():
            self.responseHeaders.setRawHeaders(name, list(values))
        self.within(self._process)

    def within(self, do: Callable[..., Any], *args: Any) -> Any:
        """Call something as a part of this exchange: what it logs has our id.

        A Deferred fires in the context of whoever fires it, which is that of no
        request, or of another one.
        """
        context = copy_context()
        context.run(request_id.set, self.identity)
        context.run(client_share.set, client_key(self.peer))
        return context.run(do, *args)

    def _process(self) -> None:
        if self.path == b"*":
            super().process()
            return
        site = cast(Home, self.site)
        self.setHeader(b"Server", version)
        self.setHeader(b"Date", site.date.now())
        try:
            site.resource.render(self)
        except BaseException:
            self.processingFailed(Failure())

    def _strip_host(self) -> None:
        scheme, found, rest = self.path.partition(b"://")
        if found and scheme in (b"http", b"https"):
            # The absolute form (RFC 9112, 3.2.2) names a host, which says nothing.
            self.path = b"/" + rest.partition(b"/")[2]

    @property
    def has_one_host(self) -> bool:
        """Tell whether it names one host, as it has to (RFC 9112, 3.2)."""
        hosts = self.requestHeaders.getRawHeaders(b"Host", [])
        return len(hosts) == 1 or (not hosts and self.clientproto != b"HTTP/1.1")

    @property
    def is_over(self) -> bool:
        """Tell whether no more can be said to the client."""
        return bool(self.finished or self.is_disconnected)

    def parseCookies(self) -> None:
        """Look for none: no client of a registry has any."""

    def turns(self) -> Turns:
        """Give what lets others have their turn, in a long loop."""
        return Turns(cast(Home, self.site).clock)

    def room(self) -> Deferred[None]:
        """Fire when the client lets us send: at once, but for a stream of HTTP/2.

        Never fires if the client goes first, and may be cancelled.
        """
        channel: Any = self.channel
        if isinstance(channel, H2Stream):
            return cast("Deferred[None]", connection_of(channel).room(channel.streamID))
        return succeed(None)

    def came(self, size: int) -> None:
        """Hear that so many bytes of the body have come, on the wire."""
        if self._pace is not None:
            self._pace.take(size)

    def is_slow(self, now: float) -> bool:
        """Tell whether a client that is let send its body hardly does."""
        if self._pace is None or self.body.complete:
            return False
        return self._pace.is_slow(now)

    def pause_body(self) -> None:
        """Hold the client back."""
        if self._pace is not None:
            self._pace.hold(cast(Home, self.site).clock.seconds())
        if self.channel is not None:
            body_connection(self.channel).pauseProducing()

    def resume_body(self) -> None:
        """Let the client send, telling it so if it waits for that."""
        if self.channel is None:
            return
        if self._pace is not None:
            self._pace.go_on(cast(Home, self.site).clock.seconds())
        if not self._answered and is_waiting_to_send(self):
            # Whoever waits to send is told so once.
            self.requestHeaders.removeHeader(b"Expect")
            send_continue(self.channel)
        body_connection(self.channel).resumeProducing()

    def write(self, data: bytes) -> None:
        """Send bytes, unless the exchange was aborted."""
        if self.aborted or self.finished:
            return
        if not self.startedWriting and self.leaves_much():
            self.loseAfterwards()
        super().write(data)
        if isinstance(self.channel, RegistryChannel):
            self.channel.send_head()

    def finish(self) -> None:
        """End the answer, unless the exchange was aborted; first drop what is left."""
        if self.aborted or self.is_disconnected:
            return
        self._answered = True
        if self._home is not None and self._home.draining:
            self.loseAfterwards()
        if self.body.complete:
            self._end()
        else:
            self._drop_rest()

    def _drop_rest(self) -> None:
        """Answer now, and end when the body has: it must not pass for a request."""
        if not self.startedWriting:
            self.write(b"")
        if is_waiting_to_send(self) or not isinstance(self.channel, HTTPChannel):
            # Nothing is to come, or a stream of HTTP/2 ends without the others.
            self.body.drop(0, _nothing)
            self._end()
        else:
            self.body.drop(MAX_DROPPED_BYTES, self._end)

    def leaves_much(self) -> bool:
        """Tell whether more of the body is to come than is worth reading."""
        if self.body.complete:
            return False
        rest = (self.body.announced or 0) - self.body.received
        return is_waiting_to_send(self) or rest > MAX_DROPPED_BYTES

    def _end(self) -> None:
        if self.finished or self.is_disconnected or self.aborted:
            return
        if not self.body.complete:
            self.loseAfterwards()
            if isinstance(self.channel, RegistryChannel):
                self.channel.linger_after_answer()
        is_stream = not isinstance(self.channel, HTTPChannel)
        super().finish()
        if is_stream and self._home is not None:
            # It ends when its last frame is sent: the connection says so.
            self._home.active.discard(self)
        else:
            self.report()

    def loseAfterwards(self) -> None:
        """Keep the connection no longer than this answer."""
        if not isinstance(self.channel, HTTPChannel):
            return
        if not self.startedWriting:
            self.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        self.channel.persistent = False

    def abort(self) -> None:
        """Cut the connection, so that no client takes what it got for the whole."""
        if self.aborted or self.channel is None:
            return
        self.aborted = True
        channel: Any = self.channel
        connection = channel.transport or channel  # a stream of HTTP/2 has none
        connection.abortConnection()
        if channel.transport is None:
            self.connectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Hear that the client has gone."""
        if self.is_disconnected:
            return
        if self.left or not self.aborted:
            self._note_leaving()
        self.aborted = True
        # Reading and writing end first, whatever becomes of the report.
        super().connectionLost(reason)
        self.body.lost()
        self.report()

    def _note_leaving(self) -> None:
        self.left = True
        self.sentLength = max(0, self.sentLength - self.unsent)
        if self._begun and not self.body.complete:
            self.within(self._tell_of_body)

    def _tell_of_body(self) -> None:
        announced = self.body.announced
        _log.info(
            "the client left after {received} of {announced} bytes of its body",
            received=self.body.received,
            announced="an unknown number" if announced is None else announced,
        )

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Take a producer; one that comes after the client has gone is stopped."""
        if self.channel is None:
            producer.stopProducing()
        else:
            super().registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Let the producer go, also after the client has gone."""
        if self.channel is not None:
            super().unregisterProducer()

    def takes_files(self) -> bool:
        """Tell whether this answer goes out uncoded on plain TCP."""
        return (
            not self.chunked
            and self.channel is not None
            and not self.is_disconnected
            and is_plain_tcp(self.channel.transport)
        )

    def write_file(
        self, descriptor: int, offset: int, size: int, warm: Warm
    ) -> Deferred[None]:
        """Send part of a file; see :class:`IFileConsumer`."""
        if self.method == b"HEAD" or self.code in _NO_BODY:
            return succeed(None)
        if not self.startedWriting:
            self.write(b"")
        channel = self.channel
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
        """Tell the site that this exchange has ended; only the first time counts."""
        site, self._home = self._home, None
        if site is not None:
            site.active.discard(self)
            site.ended(self)


def mark(request: RegistryRequest) -> RegistryRequest:
    """Say on an answer that this is a registry, and give its request."""
    if request.path != b"/":
        request.setHeader(b"Docker-Distribution-Api-Version", b"registry/2.0")
    return request


def _nothing() -> None:
    """Stand for what is done when the rest of a body has come."""
