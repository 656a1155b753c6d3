"""Upstreams of several shapes, before a real registry."""

from __future__ import annotations

from typing import Any

import attrs
from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.web.client import Agent
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

#: Headers of an answer that are passed on.
_PASSED = ("Content-Type", "Docker-Content-Digest", "Content-Length", "Link")


@attrs.define(eq=False, slots=False)
class Shape(Resource):
    """Passes questions on to a registry, and behaves in its own way about it.

    :ivar base: a path below which it lies.
    """

    registry: str
    base: str = ""
    isLeaf = True

    def __attrs_post_init__(self) -> None:
        super().__init__()
        self.http = HTTPClient(Agent(reactor))

    def render(self, request: Request) -> Any:
        path = request.uri.decode()
        if self.answers(request, path):
            return request.code_body
        if not path.startswith(self.base + "/v2/"):
            return self.say(request, 404)
        Deferred.fromCoroutine(self.pass_on(request, path.removeprefix(self.base)))
        return NOT_DONE_YET

    def answers(self, request: Request, path: str) -> bool:
        """Answer what is not to be passed on, by :meth:`say`."""
        return False

    def say(self, request: Request, status: int, body: bytes = b"", **headers: Any):
        request.setResponseCode(status)
        for name, value in headers.items():
            lines = value if isinstance(value, list) else [value]
            request.responseHeaders.setRawHeaders(name.replace("_", "-"), lines)
        request.code_body = body
        return body

    def own(self, request: Request) -> str:
        return f"http://{request.getHeader('Host')}"

    async def pass_on(self, request: Request, path: str) -> None:
        headers = {
            name: request.requestHeaders.getRawHeaders(name)
            for name in ("Accept", "Range")
            if request.requestHeaders.hasHeader(name)
        }
        response = await self.http.request(
            request.method.decode(), self.registry + path, headers=headers
        )
        content = await response.content()
        request.setResponseCode(response.code)
        for name in _PASSED:
            if response.headers.hasHeader(name):
                values = response.headers.getRawHeaders(name)
                request.responseHeaders.setRawHeaders(name, values)
        if request.method != b"HEAD":
            request.write(content)
        request.finish()


class BasicThenBearer(Shape):
    """Wants a token, and offers Basic first."""

    def answers(self, request: Request, path: str) -> bool:
        if path.startswith("/token"):
            self.say(request, 200, b'{"token": "t"}')
            return True
        if request.getHeader("Authorization") == "Bearer t":
            return False
        bearer = f'Bearer realm="{self.own(request)}/token",service="s"'
        self.say(request, 401, WWW_Authenticate=['Basic realm="x"', bearer])
        return True


class NoHead(Shape):
    """Knows no HEAD."""

    def answers(self, request: Request, path: str) -> bool:
        if request.method != b"HEAD":
            return False
        self.say(request, 401 if "/blobs/" in path else 405)
        return True


class SignedUrls(BasicThenBearer):
    """Sends whoever wants a blob to a signed URL of its own, where a token is 400."""

    def answers(self, request: Request, path: str) -> bool:
        if "X-Amz-Signature=" in path:
            if request.getHeader("Authorization") is None:
                return False
            self.say(request, 400)
            return True
        if super().answers(request, path):
            return True
        if "/blobs/" not in path:
            return False
        self.say(request, 307, Location=path + "?X-Amz-Signature=abc")
        return True


class Below(Shape):
    """Lies below a path."""


SHAPES = (BasicThenBearer, NoHead, SignedUrls, Below)
