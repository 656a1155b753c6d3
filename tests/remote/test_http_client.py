"""treq without cookies."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.remote.answering import Answer, Answering
from txregistry.remote.http_client import encoded_url, http_client


class ClientTests(SynchronousTestCase):
    """What is sent."""

    def setUp(self) -> None:
        self.agent = Answering()
        self.client = http_client(self.agent)

    def get(self, url: str) -> None:
        self.successResultOf(self.client.get(encoded_url(url), unbuffered=True))

    def test_no_cookies(self) -> None:
        """A cookie that an upstream sets is not sent back."""
        self.agent.plan = [Answer(said={"Set-Cookie": "a=b; Path=/"}), Answer()]
        for _ in range(2):
            self.get("https://upstream.example/v2/")
        for asked in self.agent.asked:
            self.assertEqual(asked.header("Cookie"), [])

    def test_sent_as_they_are(self) -> None:
        """Addresses as hosts, and what is encoded already, are left alone."""
        self.agent.plan = [200] * 3
        urls = [
            "http://[fd00::1]:5000/v2/",
            "https://h/a%2Fb?x=%41&y=+",
            "https://h/v2/a/blobs/sha256:00",
        ]
        for url in urls:
            self.get(url)
        self.assertEqual(self.agent.uris, urls)

    def test_malformed(self) -> None:
        """What is no URL is a ``ValueError``."""
        for text in ("http://[fd00", "http://h:port/"):
            self.assertRaises(ValueError, encoded_url, text)
