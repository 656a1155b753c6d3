"""An upstream that answers as a table says, and clients to ask the cache before it.

A case is one row: what an upstream answers, and what a client must get. Each case has
a repository of its own, named as the case is, so that all of them can live behind one
upstream and one cache.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from txregistry.spec.digest import Digest
from txregistry.testing.repositories import image_manifest


@attrs.frozen
class Asked:
    """A question to the upstream."""

    method: str
    url: str
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def query(self) -> dict[str, str]:
        return {name: v[-1] for name, v in parse_qs(urlsplit(self.url).query).items()}

    @property
    def given(self) -> str:
        return self.headers.get("authorization", "")


@attrs.frozen
class Answer:
    """What the upstream says.

    :ivar headers: a value that is a list stands for several lines.
    :ivar cut_after: break off after so many bytes of the body …
    :ivar hang: … or say no more; without ``cut_after`` say nothing at all.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, Any] = attrs.field(factory=dict)
    cut_after: int | None = None
    hang: bool = False


def redirect(url: str, status: int = 307) -> Answer:
    return Answer(status, headers={"Location": url})


def unauthorized(*challenges: str) -> Answer:
    return Answer(401, headers={"WWW-Authenticate": list(challenges)})


def token(text: str = "t") -> Answer:
    return Answer(body=json.dumps({"token": text, "expires_in": 300}).encode())


NOT_FOUND = Answer(404, b'{"errors": []}')


@attrs.define(eq=False)
class Place:
    """Where a case happens.

    :ivar here: the URL of the upstream; ``there`` leads to the same table by another
        host and port, as a storage or another registry.
    :ivar fetch: asks the cache: method, path, headers.
    :ivar wait: lets seconds pass.
    :ivar tag_seconds: for how long a tag is fresh.
    :ivar on_clock: minutes cost nothing here.
    """

    here: str
    there: str
    fetch: Callable[..., Awaitable[Any]]
    wait: Callable[[float], Awaitable[None]]
    tag_seconds: float
    on_clock: bool = True


@attrs.define(eq=False)
class Case:
    """One row; the sentence it proves is its docstring."""

    place: Place
    asked: list[Asked] = attrs.field(factory=list)

    blob: bytes = b""

    @property
    def name(self) -> str:
        words = "".join(
            "-" + c.lower() if c.isupper() else c for c in type(self).__name__
        )
        return "case" + words

    def __attrs_post_init__(self) -> None:
        # Its own, as content is shared by all repositories of a cache.
        self.blob = (self.name.encode() + b".") * 12_000
        self.digest = Digest.of(self.blob)
        self.manifest = image_manifest(note=self.name)
        self.manifest_digest = Digest.of(self.manifest)
        self.prepare()

    def prepare(self) -> None:
        """Set up what the case needs beside this."""

    # What the upstream does.

    def answer(self, asked: Asked) -> Answer:
        """Say what the upstream answers."""
        return self.plain(asked)

    def plain(self, asked: Asked) -> Answer:
        """Answer as a registry does that holds one blob and one manifest."""
        if asked.path.endswith(f"/blobs/{self.digest}"):
            return self.whole()
        if "/manifests/" in asked.path:
            reference = asked.path.rpartition("/")[2]
            if reference in ("v1", str(self.manifest_digest)):
                return self.document(self.manifest)
        return NOT_FOUND

    def whole(self) -> Answer:
        return Answer(body=self.blob)

    def document(self, content: bytes, kind: str = "") -> Answer:
        return Answer(
            body=content,
            headers={
                "Content-Type": kind or json.loads(content)["mediaType"],
                "Docker-Content-Digest": str(Digest.of(content)),
            },
        )

    def count(self, method: str, part: str) -> int:
        return sum(a.method == method and part in a.url for a in self.asked)

    # What a client does.

    def path(self, rest: str) -> str:
        return f"/v2/{self.name}/{rest}"

    @property
    def blob_path(self) -> str:
        return self.path(f"blobs/{self.digest}")

    async def get(self, path: str, **headers: str) -> Any:
        return await self.place.fetch("GET", path, **headers)

    async def head(self, path: str) -> Any:
        return await self.place.fetch("HEAD", path)

    async def pull(self) -> None:
        """Pull by tag: the manifest, and the blob."""
        got = await self.get(self.path("manifests/v1"))
        self.check(got.status, 200, got.body)
        self.check(got.body, self.manifest)
        await self.pull_blob()

    async def pull_blob(self) -> None:
        got = await self.get(self.blob_path)
        self.check(got.status, 200, got.body[:300])
        self.check((got.broken, len(got.body)), (False, len(self.blob)))
        self.check(got.body == self.blob, True)

    async def wait_for_tag(self) -> None:
        await self.place.wait(self.place.tag_seconds + 0.1)

    def check(self, found: object, expected: object, why: object = "") -> None:
        if found != expected:
            raise AssertionError(
                f"{self.name}: {found!r} is not {expected!r} {why!r}\n"
                + "\n".join(f"{a.method} {a.url} {a.given}" for a in self.asked[-20:])
            )

    async def run(self) -> None:
        """Do what a client does, and check what it gets."""
        await self.pull()


@attrs.define(eq=False, slots=False)
class OddUpstream(Resource):
    """Gives each case its questions: those whose URL names it."""

    clock: IReactorTime
    cases: dict[str, Case] = attrs.field(factory=dict)

    isLeaf = True

    def __attrs_post_init__(self) -> None:
        super().__init__()

    def render(self, request: Request) -> Any:
        headers = {
            name.decode().lower(): values[-1].decode("latin-1")
            for name, values in request.requestHeaders.getAllRawHeaders()
        }
        asked = Asked(request.method.decode(), request.uri.decode(), headers)
        case = self._case(asked)
        if case is None:
            return b"{}"
        case.asked.append(asked)
        return self._send(request, case.answer(asked))

    def _case(self, asked: Asked) -> Case | None:
        words = asked.url.replace("?", "/").replace(":", "/").replace("=", "/")
        words = words.replace("%3A", "/").replace("&", "/").replace("%2F", "/")
        return next((self.cases[w] for w in words.split("/") if w in self.cases), None)

    def _send(self, request: Request, answer: Answer) -> Any:
        if answer.hang and answer.cut_after is None:
            return NOT_DONE_YET
        request.setResponseCode(answer.status)
        for name, value in answer.headers.items():
            lines = value if isinstance(value, list) else [value]
            raw = [v if isinstance(v, bytes) else v.encode() for v in lines]
            request.responseHeaders.setRawHeaders(name.encode(), raw)
        if not request.responseHeaders.hasHeader("Content-Length"):
            request.setHeader("Content-Length", str(len(answer.body)))
        if request.method == b"HEAD":
            return b""
        if answer.cut_after is None:
            return answer.body
        request.write(answer.body[: answer.cut_after])
        if not answer.hang:
            self.clock.callLater(0.05, request.channel.transport.abortConnection)
        return NOT_DONE_YET
