"""A store that speaks S3, in memory, on the wire."""

from __future__ import annotations

import hashlib
from itertools import count
from typing import Any
from urllib.parse import quote_plus, unquote, unquote_plus
from xml.etree import ElementTree as ET

import attrs
from botocore.credentials import Credentials
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from txregistry.flow.disk import InlineDisk
from txregistry.storagedriver.s3.driver import S3Driver
from txregistry.storagedriver.s3.gathering import parts_budget
from txregistry.storagedriver.s3.parts import make_parts
from txregistry.storagedriver.s3.settings import read_settings
from txregistry.storagedriver.s3.signing import signed_headers
from txregistry.testing.wire import Wire

SECTION: dict[str, object] = {
    "bucket": "bkt",
    "region": "here",
    "regionendpoint": "http://store.test",
    "accesskey": "key",
    "secretkey": "secret",
}

BEGAN = 1_700_000_000.0
_KEYS = Credentials("key", "secret")
TIME = "2026-01-02T03:04:05.000Z"
_NS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def tag(content: bytes) -> str:
    return '"' + hashlib.md5(content, usedforsecurity=False).hexdigest() + '"'


@attrs.define(eq=False)
class Began:
    key: str
    parts: dict[int, bytes] = attrs.field(factory=dict)


class Store(Resource):
    """One bucket.

    :ivar broken: answers, as status and body, that are given to the next requests.
    :ivar asked: what was asked: method, path and the names of the query.
    :ivar hold: bytes of objects after which the rest is held back.
    :ivar late: keys of objects and uploads that lists do not have yet.
    :ivar cut: bytes of the next object after which the connection ends.
    :ivar shift: bytes by which a range begins elsewhere than was asked for.
    :ivar stuck: codes of the failures of the next attempts to delete an object.
    :ivar strict: what is not there cannot be deleted, neither many things at once.
    :ivar time: at which uploads and their parts began.
    :ivar working: bytes of white space that come before the end of a completion.
    """

    isLeaf = True

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, Began] = {}
        self.broken: list[tuple[int, bytes]] = []
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.cut: int | None = None
        self.hold: int | None = None
        self.held: list[tuple[Any, bytes]] = []
        self.skew, self.region = 0.0, ""
        self.working = self.shift = 0
        self.time = TIME
        self.stuck: dict[str, list[str]] = {}
        self.strict = False
        self.late: set[str] = set()
        self._numbers = count(1)

    def render(self, request: Any) -> bytes:
        path = unquote(request.path.decode()).removeprefix("/bkt").lstrip("/")
        query = {k.decode(): v[0].decode() for k, v in request.args.items()}
        method = request.method.decode()
        body = request.content.read()
        self.asked.append(f"{method} /{path} {'&'.join(sorted(query))}".strip())
        self.headers.append(
            {
                k.decode().lower(): v[0].decode()
                for k, v in request.requestHeaders.getAllRawHeaders()
            }
        )
        if self.region:
            request.setHeader(b"x-amz-bucket-region", self.region.encode())
        request.setHeader(b"Date", b"Tue, 14 Nov 2023 22:13:20 GMT")
        if self.broken:
            status, content = self.broken.pop(0)
            request.setResponseCode(status)
            return content
        self.check(request, method, body)
        return self.answer(request, method, path, query, body)

    def check(self, request: Any, method: str, body: bytes) -> None:
        """See that it is signed, and over this very body."""
        given = self.headers[-1]
        sha = given["x-amz-content-sha256"]
        assert sha == hashlib.sha256(body).hexdigest(), "another body was signed"
        names = given["authorization"].split("SignedHeaders=")[1].split(",")[0]
        kept = {
            n: given[n] for n in names.split(";") if n not in ("host", "x-amz-date")
        }
        url = "http://store.test" + request.uri.decode()
        at = self.clock.seconds() + self.skew
        wanted = signed_headers(_KEYS, "here", method, url, kept, at)
        assert wanted["Authorization"] == given["authorization"], "badly signed"

    def drip(self, count: int = 1) -> None:
        """Give some bytes of what is held back."""
        for index, (request, rest) in enumerate(self.held):
            request.write(rest[:count])
            self.held[index] = (request, rest[count:])
            if not rest[count:]:
                request.finish()
        self.held = [(request, rest) for request, rest in self.held if rest]

    def go_on(self) -> None:
        """Give what was held back."""
        held, self.held = self.held, []
        for request, rest in held:
            request.write(rest)
            request.finish()

    def answer(
        self, request: Any, method: str, key: str, query: dict[str, str], body: bytes
    ) -> bytes:
        if not key:
            return self.bucket(request, method, query, body)
        if method == "POST" and "uploads" in query:
            name = f"u{next(self._numbers)}"
            self.uploads[name] = Began(key)
            return self.xml(
                "InitiateMultipartUploadResult", f"<UploadId>{name}</UploadId>"
            )
        if "uploadId" in query:
            return self.part(request, method, key, query, body)
        if method == "PUT":
            return self.put(request, key, body)
        if key not in self.objects:
            if method == "DELETE" and not self.strict:
                request.setResponseCode(204)
                return b""
            return self.missing(request, "NoSuchKey")
        if method == "DELETE":
            del self.objects[key]
            request.setResponseCode(204)
            return b""
        return self.get(request, method, key)

    def missing(self, request: Any, code: str) -> bytes:
        request.setResponseCode(404)
        return f"<Error><Code>{code}</Code></Error>".encode()

    def put(self, request: Any, key: str, body: bytes) -> bytes:
        source = self.headers[-1].get("x-amz-copy-source")
        if source is None:
            self.objects[key] = body
            return b""
        found = unquote(source).removeprefix("/bkt/")
        if found not in self.objects:
            return self.missing(request, "NoSuchKey")
        self.objects[key] = self.objects[found]
        return self.xml("CopyObjectResult", f"<ETag>{tag(self.objects[key])}</ETag>")

    def get(self, request: Any, method: str, key: str) -> bytes:
        content = self.objects[key]
        request.setHeader(b"ETag", tag(content).encode())
        request.setHeader(b"Last-Modified", b"Fri, 02 Jan 2026 03:04:05 GMT")
        wanted = self.headers[-1].get("range")
        if wanted:
            first, last = map(int, wanted.removeprefix("bytes=").split("-"))
            told = f"bytes {first + self.shift}-{last}/{len(content)}"
            content = content[first : last + 1]
            request.setResponseCode(206)
            request.setHeader(b"Content-Range", told.encode())
        request.setHeader(b"Content-Length", str(len(content)).encode())
        if method == "HEAD":
            return b""
        if self.hold is not None:
            request.write(content[: self.hold])
            self.held.append((request, content[self.hold :]))
            return NOT_DONE_YET  # type: ignore[return-value]
        if self.cut is not None:
            cut, self.cut = self.cut, None
            request.write(content[:cut])
            request.channel.loseConnection()
            return content[cut:]
        return content

    def part(
        self, request: Any, method: str, key: str, query: dict[str, str], body: bytes
    ) -> bytes:
        name = query["uploadId"]
        if name not in self.uploads:
            return self.missing(request, "NoSuchUpload")
        began = self.uploads[name]
        if method == "DELETE":
            del self.uploads[name]
            request.setResponseCode(204)
            return b""
        if method == "GET":
            found = "".join(
                f"<Part><PartNumber>{n}</PartNumber><ETag>{tag(c)}</ETag>"
                f"<Size>{len(c)}</Size><LastModified>{self.time}</LastModified></Part>"
                for n, c in sorted(began.parts.items())
            )
            return self.xml("ListPartsResult", found)
        if method == "PUT":
            return self.put_part(request, began, int(query["partNumber"]), body)
        numbers = [
            int(n.text or "")
            for n in ET.fromstring(body).iter()
            if n.tag.endswith("PartNumber")
        ]
        assert numbers == sorted(numbers) and numbers
        if not set(numbers) <= set(began.parts):
            request.setResponseCode(400)
            return b"<Error><Code>InvalidPart</Code></Error>"
        sizes = [len(began.parts[n]) for n in numbers[:-1]]
        assert all(size >= 5 * 1024 * 1024 for size in sizes), "a part is too small"
        self.objects[key] = b"".join(began.parts[n] for n in numbers)
        del self.uploads[name]
        done = self.xml("CompleteMultipartUploadResult", "")
        if not self.working:
            return done
        request.write(b" ")
        self.held.append((request, b" " * self.working + done))
        return NOT_DONE_YET  # type: ignore[return-value]

    def put_part(self, request: Any, began: Began, number: int, body: bytes) -> bytes:
        source = self.headers[-1].get("x-amz-copy-source")
        if source is None:
            began.parts[number] = body
            request.setHeader(b"ETag", tag(body).encode())
            return b""
        span = self.headers[-1]["x-amz-copy-source-range"].removeprefix("bytes=")
        first, last = map(int, span.split("-"))
        found = self.objects[unquote(source).removeprefix("/bkt/")]
        began.parts[number] = found[first : last + 1]
        return self.xml("CopyPartResult", f"<ETag>{tag(began.parts[number])}</ETag>")

    def bucket(
        self, request: Any, method: str, query: dict[str, str], body: bytes
    ) -> bytes:
        if method == "POST":
            return self.delete(request, body)
        prefix = query.get("prefix", "")
        if "uploads" in query:
            found = "".join(
                f"<Upload><Key>{b.key}</Key><UploadId>{n}</UploadId>"
                f"<Initiated>{self.time}</Initiated></Upload>"
                for n, b in sorted(self.uploads.items(), key=lambda pair: pair[1].key)
                if b.key.startswith(prefix) and b.key not in self.late
            )
            return self.xml("ListMultipartUploadsResult", found)
        return self.listed(query, prefix)

    def delete(self, request: Any, body: bytes) -> bytes:
        if self.strict:
            request.setResponseCode(400)
            return b"<Error><Code>InvalidArgument</Code></Error>"
        failed = ""
        for item in ET.fromstring(body).iter():
            key = item.text or ""
            if item.tag.endswith("Key") and self.stuck.get(key):
                code = self.stuck[key].pop(0)
                failed += f"<Error><Key>{key}</Key><Code>{code}</Code></Error>"
            elif item.tag.endswith("Key"):
                self.objects.pop(key, None)
        return self.xml("DeleteResult", failed)

    def listed(self, query: dict[str, str], prefix: str) -> bytes:
        token = bytes.fromhex(query.get("continuation-token", "")).decode()
        after = token or query.get("start-after", "")
        most, cut = int(query.get("max-keys", "1000")), query.get("delimiter", "")
        items: list[str] = []
        last, more = after, False
        for key in sorted(set(self.objects) - self.late):
            if not key.startswith(prefix) or key <= after:
                continue
            rest = key[len(prefix) :]
            common = (
                prefix + rest.partition(cut)[0] + cut if cut and cut in rest else ""
            )
            if common and (after.startswith(common) or _common(common) in items):
                last = key
                continue
            if len(items) == most:
                more = True
                break
            items.append(
                _common(common) if common else _contents(key, self.objects[key])
            )
            last = key
        told = "<EncodingType>url</EncodingType>"
        if query.get("encoding-type") != "url":
            told = ""
            items = [unquote_plus(item) for item in items]
        following = last.encode().hex() if more else ""
        token = f"<NextContinuationToken>{following}</NextContinuationToken>"
        truncated = f"<IsTruncated>{str(more).lower()}</IsTruncated>"
        return self.xml("ListBucketResult", told + "".join(items) + truncated + token)

    def xml(self, kind: str, inner: str) -> bytes:
        return f"<?xml version='1.0'?><{kind} {_NS}>{inner}</{kind}>".encode()


def _common(prefix: str) -> str:
    found = quote_plus(prefix, "/")
    return f"<CommonPrefixes><Prefix>{found}</Prefix></CommonPrefixes>"


def _contents(key: str, content: bytes) -> str:
    return (
        f"<Contents><Key>{quote_plus(key, '/')}</Key><Size>{len(content)}</Size>"
        f"<LastModified>{TIME}</LastModified></Contents>"
    )


@attrs.define(eq=False)
class Place:
    """A driver, its store, and the wire between them."""

    store: Store
    wire: Wire
    clock: Clock
    driver: S3Driver

    def pump(self) -> None:
        while self.wire.pump():
            pass


def make_place(**settings: object) -> Place:
    """Make them; the bucket is empty."""
    clock = Clock()
    clock.rightNow = BEGAN
    store = Store(clock)
    wire = Wire(Site(store), clock)
    disk = InlineDisk()
    found = read_settings({**SECTION, **settings})
    parts = make_parts(found, disk, clock, lambda: 1.0)
    parts.network.use(wire)
    driver = S3Driver(parts, disk, clock, parts_budget(found.chunksize))
    return Place(store, wire, clock, driver)
