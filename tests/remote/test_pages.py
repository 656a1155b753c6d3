"""Pages of a list of an upstream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.remote.answering import Answer
from txregistry.flow.deferred import deferred
from txregistry.remote import pages as module
from txregistry.remote.pages import pages
from txregistry.spec.errors import NameUnknown, UpstreamFailed

FIRST = "/v2/a/tags/list"


class Client:
    """Answers paths with a body and a link.

    :ivar said: of each path, the body and the link.
    """

    url = "https://upstream.example"
    host = "upstream.example"

    def __init__(self) -> None:
        self.said: dict[str, tuple[bytes, str]] = {}
        self.asked: list[str] = []
        self.bodies: dict[Answer, bytes] = {}

    def request(
        self,
        method: str,
        path: str,
        not_found: Callable[[], Exception],
        missing: tuple[int, ...],
    ) -> Deferred[Any]:
        self.asked.append(path)
        if path not in self.said:
            return fail(not_found())
        body, link = self.said[path]
        answer = Answer(said={"Link": link} if link else {})
        self.bodies[answer] = body
        return succeed(answer)

    def collect(self, response: Answer, limit: int) -> Deferred[bytes]:
        body = self.bodies[response]
        return succeed(body) if len(body) <= limit else fail(UpstreamFailed({}))


class PagesTests(SynchronousTestCase):
    """Pages, one after the other."""

    def setUp(self) -> None:
        self.client = Client()

    def read(self, page_bytes: int = 100, list_bytes: int = 1000) -> Deferred[Any]:
        @deferred
        async def read() -> list[bytes]:
            found = pages(self.client, FIRST, page_bytes, list_bytes, NameUnknown)
            return [body async for _, body in found]

        return read()

    def test_followed(self) -> None:
        """Each page names the next one; the last names none."""
        self.client.said[FIRST] = (b"1", "<?last=b>; rel=next")
        self.client.said[f"{FIRST}?last=b"] = (b"2", "")
        self.assertEqual(self.successResultOf(self.read()), [b"1", b"2"])
        self.assertEqual(self.client.asked, [FIRST, f"{FIRST}?last=b"])

    def test_circle(self) -> None:
        """A link to an earlier page ends the list, and no page is read twice."""
        self.client.said[FIRST] = (b"1", "<?n=1>; rel=next")
        self.client.said[f"{FIRST}?n=1"] = (b"2", f"<{FIRST}>; rel=next")
        self.assertEqual(self.successResultOf(self.read()), [b"1", b"2"])

    def test_missing(self) -> None:
        """A list that is not there fails as its reader wants it."""
        self.failureResultOf(self.read(), NameUnknown)

    def test_long_page(self) -> None:
        """One page has its own limit."""
        self.client.said[FIRST] = (b"x" * 101, "")
        self.failureResultOf(self.read(), UpstreamFailed)

    def test_long_list(self) -> None:
        """Together they may have so many bytes, links included; one more fails."""
        link = "?last=b"
        self.client.said[FIRST] = (b"x" * 90, f"<{link}>; rel=next")
        self.client.said[FIRST + link] = (b"x" * 90, "")
        bytes_in_all = 180 + len(link)
        self.successResultOf(self.read(list_bytes=bytes_in_all))
        failure = self.failureResultOf(self.read(list_bytes=bytes_in_all - 1))
        self.assertIn("too long", failure.value.detail["reason"])

    def test_many_pages(self) -> None:
        """There are at most so many pages: a list that is cut off would mislead."""
        self.patch(module, "MAX_PAGES", 3)
        for number, page in enumerate(("", "?n=1", "?n=2")):
            self.client.said[FIRST + page] = (b"x", f"<?n={number + 1}>; rel=next")
        failure = self.failureResultOf(self.read(), UpstreamFailed)
        self.assertIn("too long", failure.value.detail["reason"])
        self.assertEqual(len(self.client.asked), 3)
