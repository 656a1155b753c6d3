"""A fake upstream registry that misbehaves on request.

It is a real HTTP resource: on a port for tests with processes, or behind an in-memory
wire. It remembers every request, and applies to each the first :class:`Fault` that
fits and has not been used up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime, ITCPTransport
from twisted.internet.task import LoopingCall
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from txregistry.spec.digest import Digest
from txregistry.spec.errors import RangeInvalid
from txregistry.spec.manifest.listing import write_listing
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.manifest.parse import media_type_of, parse
from txregistry.spec.mediatypes import OCI_INDEX
from txregistry.spec.ranges import parse_range

#: Seconds between two pieces of a slow body.
_TICK = 0.02


@attrs.frozen
class Asked:
    """A request that came in."""

    method: str
    path: str
    headers: Mapping[str, str]


@attrs.define
class Fault:
    """What goes wrong with a request whose path contains ``path``.

    :ivar times: how often, before things go right again.
    :ivar method: empty for any.
    :ivar status: answer this instead.
    :ivar hang: never answer.
    :ivar cut_after: send only so many bytes of the body, then …
    :ivar how: ``reset`` the connection, ``close`` it, or ``hang``.
    :ivar corrupt: change one byte at this offset.
    :ivar announce: the Content-Length to announce; -1 for none at all.
    """

    path: str
    times: int = 1
    method: str = ""
    status: int = 0
    headers: Mapping[str, str] = attrs.field(factory=dict)
    hang: bool = False
    cut_after: int | None = None
    how: str = "reset"
    corrupt: int | None = None
    announce: int | None = None

    def fits(self, asked: Asked) -> bool:
        """Tell whether this fault is for a request."""
        method_fits = not self.method or self.method == asked.method
        return self.times > 0 and method_fits and self.path in asked.path


@attrs.define(eq=False, slots=False)
class FakeUpstream(Resource):
    """A registry of a few blobs, manifests and tags.

    :ivar rate: bytes per second of each body; 0 for as fast as it goes.
    :ivar token: a bearer token that is demanded; empty for none.
    :ivar basic: a Basic authorization that is demanded; empty for none.
    :ivar challenge: sent with 401.
    :ivar has_referrers: lists referrers itself; otherwise they are under tags.
    :ivar referrers_page: how many at a time.
    :ivar headers: of all answers.
    """

    clock: IReactorTime
    rate: int = 0
    token: str = ""
    basic: str = ""
    challenge: str = ""
    ranges: bool = True
    digest_on_head: bool = True
    has_referrers: bool = True
    referrers_page: int = 1000
    headers: Mapping[str, str] = attrs.field(factory=dict)
    asked: list[Asked] = attrs.field(factory=list)
    faults: list[Fault] = attrs.field(factory=list)
    blobs: dict[tuple[str, str], bytes] = attrs.field(factory=dict)
    manifests: dict[tuple[str, str], bytes] = attrs.field(factory=dict)
    sent_bytes: int = 0
    open_requests: set[Any] = attrs.field(factory=set)

    isLeaf = True

    def __attrs_post_init__(self) -> None:
        super().__init__()

    def add_blob(self, name: str, content: bytes) -> Digest:
        """Hold a blob in a repository."""
        digest = Digest.of(content)
        self.blobs[name, str(digest)] = content
        return digest

    def add_manifest(self, name: str, content: bytes, *tags: str) -> Digest:
        """Hold a manifest in a repository, under its digest and some tags."""
        digest = Digest.of(content)
        for reference in (str(digest), *tags):
            self.manifests[name, reference] = content
        return digest

    def count(self, method: str, part: str) -> int:
        """Count the requests of a method whose path contains a text."""
        return sum(a.method == method and part in a.path for a in self.asked)

    def render(self, request: Request) -> Any:
        """Answer, rightly or wrongly."""
        asked = _asked(request)
        self.asked.append(asked)
        self.open_requests.add(request)
        request.notifyFinish().addBoth(lambda _: self.open_requests.discard(request))
        for name, value in self.headers.items():
            request.setHeader(name, value)
        fault = next((fault for fault in self.faults if fault.fits(asked)), None)
        if fault is not None:
            fault.times -= 1
            if fault.hang:
                return NOT_DONE_YET
            if fault.status:
                return _answer(request, fault.status, fault.headers)
        if not self._admits(asked):
            headers = {"WWW-Authenticate": self.challenge} if self.challenge else {}
            return _answer(request, 401, headers)
        return self._serve(request, asked, fault)

    def _admits(self, asked: Asked) -> bool:
        given = asked.headers.get("authorization", "")
        if self.token:
            return given == f"Bearer {self.token}"
        return not self.basic or given == self.basic

    def _serve(self, request: Request, asked: Asked, fault: Fault | None) -> Any:
        parts = asked.path.partition("?")[0].split("/")
        if asked.path.partition("?")[0] == "/v2/":
            return b"{}"
        name, kind, reference = "/".join(parts[2:-2]), parts[-2], parts[-1]
        if kind == "tags":
            return self._tags(request, name)
        if kind == "referrers":
            return self._referrers(request, name, reference)
        held = self.blobs if kind == "blobs" else self.manifests
        content = held.get((name, reference))
        if content is None:
            return _answer(request, 404, {})
        request.setHeader("Content-Type", "application/octet-stream")
        if kind == "manifests":
            request.setHeader("Content-Type", media_type_of(content))
        if kind == "blobs" or self.digest_on_head:
            request.setHeader("Docker-Content-Digest", str(Digest.of(content)))
        request.setHeader("ETag", f'"{Digest.of(content)}"')
        return self._send(request, content, fault or Fault(""))

    def _referrers(self, request: Request, name: str, subject: str) -> bytes:
        if not self.has_referrers:
            return cast(bytes, _answer(request, 404, {}))
        request.setHeader("Content-Type", OCI_INDEX)
        args = cast("dict[bytes, list[bytes]]", request.args)
        last = args.get(b"last", [b""])[0].decode()
        later = [item for item in self._referring(name, subject) if item[0] > last]
        page = later[: self.referrers_page]
        if len(later) > len(page):
            where = f"/v2/{name}/referrers/{subject}?last={page[-1][0]}"
            request.setHeader("Link", f'<{where}>; rel="next"')
        return write_listing(
            (manifest.descriptor, manifest.artifact_type, manifest.annotations)
            for _, manifest in page
        )

    def _referring(self, name: str, subject: str) -> list[tuple[str, Manifest]]:
        found = [
            (reference, parse(content))
            for (held, reference), content in sorted(self.manifests.items())
            if held == name and ":" in reference
        ]
        return [
            (reference, manifest)
            for reference, manifest in found
            if manifest.subject is not None and str(manifest.subject.digest) == subject
        ]

    def _tags(self, request: Request, name: str) -> bytes:
        tags = sorted(
            tag for held, tag in self.manifests if held == name and ":" not in tag
        )
        if not tags:
            return cast(bytes, _answer(request, 404, {}))
        args = cast("dict[bytes, list[bytes]]", request.args)
        last = args.get(b"last", [b""])[0].decode()
        limit = int(args.get(b"n", [b"1000"])[0])
        later = [tag for tag in tags if tag > last]
        page = later[:limit]
        if len(later) > limit:
            link = f'</v2/{name}/tags/list?n={limit}&last={page[-1]}>; rel="next"'
            request.setHeader("Link", link)
        return json.dumps({"name": name, "tags": page}).encode()

    def _send(self, request: Request, content: bytes, fault: Fault) -> Any:
        if fault.corrupt is not None:
            at = fault.corrupt
            content = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        content = self._cut(request, content)
        length = len(content) if fault.announce is None else fault.announce
        if length >= 0:
            request.setHeader("Content-Length", str(length))
        if request.method == b"HEAD":
            return b""
        FakeBody(self, request, content, fault).start()
        return NOT_DONE_YET

    def _cut(self, request: Request, content: bytes) -> bytes:
        asked = request.getHeader("Range") if self.ranges else None
        try:
            parts = parse_range(asked, len(content))
        except RangeInvalid:
            request.setResponseCode(416)
            return b""
        if parts is None or len(parts) != 1:
            return content
        request.setResponseCode(206)
        request.setHeader("Content-Range", parts[0].content_range(len(content)))
        return content[parts[0].start : parts[0].end]


@attrs.define(eq=False)
class FakeBody:
    """A body on its way, at a rate, perhaps to a bad end."""

    _upstream: FakeUpstream
    _request: Request
    _content: bytes
    _fault: Fault
    _offset: int = 0
    _loop: LoopingCall | None = None
    _call: IDelayedCall | None = None

    def start(self) -> None:
        """Begin to send."""
        gone = self._request.notifyFinish()
        gone.addErrback(lambda _: None)
        gone.addBoth(lambda _: self._stop())
        self._request.write(b"")
        if not self._upstream.rate:
            self._step(len(self._content))
            return
        self._loop = LoopingCall(self._step, int(self._upstream.rate * _TICK))
        self._loop.clock = self._upstream.clock
        self._loop.start(_TICK)

    def _step(self, size: int) -> None:
        end = len(self._content)
        if self._fault.cut_after is not None:
            end = min(end, self._fault.cut_after)
        piece = self._content[self._offset : min(end, self._offset + size)]
        self._offset += len(piece)
        self._upstream.sent_bytes += len(piece)
        self._request.write(piece)
        if self._offset >= end:
            self._stop()
            self._end()

    def _end(self) -> None:
        cut = self._fault.cut_after
        if cut is None or cut >= len(self._content):
            self._request.finish()
        elif self._fault.how == "close":
            self._transport.loseConnection()
        elif self._fault.how == "reset":
            # What was written is to arrive before the reset does.
            clock = self._upstream.clock
            clock.callLater(0.05, self._transport.abortConnection)

    @property
    def _transport(self) -> ITCPTransport:
        return cast(ITCPTransport, self._request.channel.transport)

    def _stop(self) -> None:
        if self._loop is not None and self._loop.running:
            self._loop.stop()


def _asked(request: Request) -> Asked:
    headers = {
        name.decode().lower(): values[-1].decode()
        for name, values in request.requestHeaders.getAllRawHeaders()
    }
    return Asked(request.method.decode(), request.uri.decode(), headers)


def _answer(request: Request, status: int, headers: Mapping[str, str]) -> Any:
    request.setResponseCode(status)
    for name, value in headers.items():
        request.setHeader(name, value)
    request.setHeader("Content-Type", "application/json")
    return b'{"errors":[{"code":"SECRET","message":"what the upstream says"}]}'
