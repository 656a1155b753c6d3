"""Where an upstream sends us, without a wire."""

from __future__ import annotations

from twisted.web.iweb import IAgent
from zope.interface.verify import verifyObject

from tests.remote.answering import HOME, AgentCase, Answer
from txregistry.remote.failures import StorageRefused
from txregistry.remote.redirects import MAX_REDIRECTS, RedirectAgent, StorageAgent
from txregistry.spec.errors import UpstreamFailed

BLOB = "/v2/a/blobs/sha256:" + "0" * 64
STORAGE = "https://storage.example/data?sig=x"


def to(location: str, status: int = 307) -> Answer:
    return Answer(status, {"Location": location})


class RedirectTests(AgentCase):
    """Redirects are followed here."""

    @staticmethod
    def make(inner, clock):
        return RedirectAgent(inner, clock)

    def test_provides(self) -> None:
        """It is an agent."""
        verifyObject(IAgent, self.agent)

    def test_followed(self) -> None:
        """Whatever leads elsewhere is followed, relative or not."""
        for status in (301, 302, 303, 307, 308):
            self.setUp()
            self.inner.plan = [to("../x", status), to(STORAGE, status), 200]
            self.assertEqual(self.status("/v2/a/b"), 200)
            self.assertEqual(
                self.inner.uris, [f"{HOME}/v2/a/b", f"{HOME}/v2/x", STORAGE]
            )

    def test_not_followed(self) -> None:
        """What says no place, or is no redirect, is the answer."""
        for answer in (Answer(307), Answer(304, {"Location": "/x"}), to("/x", 201)):
            self.inner.plan = [answer]
            self.assertIs(self.successResultOf(self.ask()), answer)
            self.assertIsNone(answer.reader)

    def test_bodies_on_the_way(self) -> None:
        """They are got rid of: a short one is read, a long one is cut off."""
        short, long = to("/x"), to("/y")
        short.length, long.length = 10, 10**9
        self.inner.plan = [short, long, 200]
        self.status()
        long.reader.dataReceived(b"x")
        self.assertEqual((short.closed, long.closed), (False, True))
        short.end()
        long.end()
        self.assert_nothing_is_left()

    def test_credentials(self) -> None:
        """They stay with the origin for which they are, and do not come back."""
        given = {"Authorization": "Bearer t", "Range": "bytes=5-"}
        plan = [to("/x"), to(STORAGE), to(f"{HOME}/y"), 200]
        self.inner.plan = list(plan)
        self.status(headers=given)
        told = [asked.header("Authorization") for asked in self.inner.asked]
        self.assertEqual(told, [[b"Bearer t"], [b"Bearer t"], [], []])
        for asked in self.inner.asked:
            self.assertEqual(asked.header("Range"), [b"bytes=5-"])

    def test_other_origins(self) -> None:
        """Another port or scheme is another origin."""
        for place in (f"{HOME}:8443/x", "https://a.upstream.example/x"):
            self.setUp()
            self.inner.plan = [to(place), 200]
            self.status(headers={"Authorization": "Bearer t"})
            self.assertEqual(self.inner.asked[1].header("Authorization"), [])
        self.setUp()
        self.inner.plan = [to(f"{HOME}:443/x"), 200]
        self.status(headers={"Authorization": "Bearer t"})
        self.assertEqual(self.inner.asked[1].header("Authorization"), [b"Bearer t"])

    def test_headers_of_the_caller(self) -> None:
        """He keeps his credentials for the next question."""
        self.inner.plan = [to(STORAGE), 200]
        self.status(headers={"Authorization": "Bearer t"})
        first, second = self.inner.asked
        self.assertIsNot(first.headers, second.headers)
        self.assertEqual(first.header("Authorization"), [b"Bearer t"])

    def test_downgrade(self) -> None:
        """From https to http nothing is sent; from http to either it is."""
        self.inner.plan = [to("http://storage.example/x")]
        error = self.refused(UpstreamFailed)
        self.assertEqual(error.detail["reason"], "redirects from https to http")
        self.assertEqual(len(self.inner.asked), 1)
        self.inner.plan = [to("http://b/"), to("https://c/"), 200]
        self.assertEqual(self.status("http://a/"), 200)

    def test_no_url(self) -> None:
        """What is no URL of ours is told as a failure, and not asked for."""
        for place in ("ftp://x/y", "https://x:port/", "https://[::1/"):
            self.setUp()
            self.inner.plan = [to(place)]
            error = self.refused(UpstreamFailed)
            self.assertEqual(
                error.detail["reason"], "redirects to an invalid URL", place
            )
            self.assertEqual(len(self.inner.asked), 1)

    def test_odd_characters(self) -> None:
        """They are quoted, so that they can be sent."""
        self.inner.plan = [to("/a b\u00e9#part"), 200]
        self.status()
        self.assertEqual(self.inner.uris[1], f"{HOME}/a%20b%C3%A9")

    def test_circles(self) -> None:
        """Ten are followed, and no more."""
        self.inner.plan = [to("/again")] * MAX_REDIRECTS + [200]
        self.assertEqual(self.status(), 200)
        self.inner.plan = [to("/again") for _ in range(MAX_REDIRECTS + 1)]
        error = self.refused(UpstreamFailed)
        self.assertEqual(error.detail["reason"], "too many redirects")
        self.assertEqual(self.inner.plan, [])

    def test_forms(self) -> None:
        """A form is sent again at the same origin, and nowhere else."""
        body = object()
        self.inner.plan = [to("/other"), 200]
        self.assertEqual(self.status(method="POST", body=body), 200)
        self.assertIs(self.inner.asked[1].body, body)
        self.inner.plan = [to(STORAGE)]
        self.refused(UpstreamFailed, method="POST", body=body)
        self.assertEqual(len(self.inner.asked), 3)

    def test_see_other(self) -> None:
        """After a form, 303 says to get what it has led to, without the form."""
        for place in ("/done", STORAGE):
            self.setUp()
            self.inner.plan = [to(place, 303), 200]
            self.assertEqual(self.status(method="POST", body=object()), 200)
            second = self.inner.asked[1]
            self.assertEqual((second.method, second.body), (b"GET", None))

    def test_head_stays_head(self) -> None:
        """Also after 303."""
        self.inner.plan = [to("/x", 303), 200]
        self.status(method="HEAD")
        self.assertEqual(self.inner.asked[1].method, b"HEAD")


class StorageTests(AgentCase):
    """Refusals of a storage are none of the registry."""

    @staticmethod
    def make(inner, clock):
        return StorageAgent(inner, clock)

    def test_refused(self) -> None:
        """They are failures that may pass; the body is got rid of."""
        for status in (400, 401, 403, 404, 405, 410, 501):
            answer = Answer(status, length=10, uri=STORAGE)
            self.inner.plan = [answer]
            error = self.refused(StorageRefused, BLOB)
            self.assertEqual(error.detail["upstream"], "storage.example")
            self.assertEqual(error.detail["status"], status)
            self.assertIsNotNone(answer.reader)
            answer.end()
        self.assert_nothing_is_left()

    def test_answers(self) -> None:
        """Anything else of a storage is an answer."""
        for status in (200, 206, 304, 416, 429, 500, 503):
            self.inner.plan = [Answer(status, uri=STORAGE)]
            self.assertEqual(self.status(BLOB), status)

    def test_of_the_registry(self) -> None:
        """It means what it says, also after a redirect within the registry."""
        renamed = f"{HOME}/v2/library/a/manifests/v1"
        for uri in (None, f"{HOME}/v2/a/manifests/v1", renamed):
            self.inner.plan = [Answer(404, uri=uri)]
            self.assertEqual(self.status(), 404, uri)

    def test_another_registry(self) -> None:
        """It decides about manifests, but only keeps blobs."""
        other = "https://other.example"
        self.inner.plan = [Answer(404, uri=f"{other}/v2/a/manifests/v1")]
        self.assertEqual(self.status(), 404)
        self.inner.plan = [Answer(404, uri=other + BLOB)]
        self.refused(StorageRefused, BLOB)
