"""A server that has the files of a storage, and wants URLs signed as for CloudFront."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
from cryptography.exceptions import InvalidSignature
from twisted.internet import reactor
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import File

from tests.integration.support import IntegrationCase
from tests.middleware.test_signing import pem, verify

PAIR = "K2JCJMDEHXQW5F"


@attrs.frozen
class Read:
    """A request that came in, and its status."""

    method: str
    path: str
    range: str
    status: int


@attrs.define(eq=False, slots=False)
class SignedStore(Resource):
    """Gives files below a directory, whole or ranges of them, to who has a good URL.

    :ivar url: below which they are.
    :ivar reads: what was asked for.
    """

    root: Path
    url: str = ""
    reads: list[Read] = attrs.field(factory=list)
    isLeaf = True

    def __attrs_post_init__(self) -> None:
        super().__init__()

    def render(self, request: Request) -> Any:
        status = self._status(request)
        if status == 200:
            file = File(str(self.root / request.path.decode().lstrip("/")))
            result = file.render_GET(request)
            status = request.code
        else:
            request.setResponseCode(status)
            result = b""
        asked = request.getHeader("Range") or ""
        path, method = request.path.decode(), request.method.decode()
        self.reads.append(Read(method, path, asked, status))
        return result

    def _status(self, request: Request) -> int:
        """Refuse as S3 and CloudFront do."""
        if request.getHeader("Authorization") is not None:
            return 400  # of two ways to be let in, one is too many
        try:
            bare, ends_at, pair = verify(self.url + request.uri.decode())
        except (InvalidSignature, ValueError, KeyError):
            return 403
        is_same = bare == self.url + request.path.decode()
        return 200 if is_same and ends_at >= reactor.seconds() and pair == PAIR else 403


def serve_store(case: IntegrationCase, root: Path) -> SignedStore:
    """Serve a directory until the test ends.

    Its name is another one than that of the registry, so that clients keep their
    credentials for themselves.
    """
    store = SignedStore(root)
    port = reactor.listenTCP(0, Site(store), interface="127.0.0.1")
    case.addCleanup(port.stopListening)
    store.url = f"http://localhost:{port.getHost().port}"
    return store


def cloudfront(store: SignedStore, directory: Path, duration: str) -> dict[str, Any]:
    """Give the ``middleware`` section that sends clients to a store."""
    key = directory / "cloudfront.pem"
    key.write_bytes(pem())
    options = {
        "baseurl": store.url,
        "privatekey": str(key),
        "keypairid": PAIR,
        "duration": duration,
    }
    return {"storage": [{"name": "cloudfront", "options": options}]}
