"""URLs of other services, taken apart and shown."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.weburl import (
    MASK,
    Target,
    is_http_url,
    masked_url,
    masked_userinfo,
)

SECRET = "s3cr3t-of-somebody"


def encoded(pair: str) -> str:
    """Give the header for a name and a password."""
    return "Basic " + base64.b64encode(pair.encode()).decode()


class TargetTests(SynchronousTestCase):
    """A URL taken apart."""

    def test_parts(self) -> None:
        """What is asked for has neither name, password nor fragment."""
        for url, bare, pair in (
            ("http://a", "http://a", None),
            ("HTTP://A:80/x#y", "http://A:80/x", None),
            ("http://a:/x", "http://a/x", None),
            ("http://u:p@a/x?y=@z", "http://a/x?y=@z", "u:p"),
            ("http://u:p:q@a", "http://a", "u:p:q"),
            ("http://u@v:p@a/", "http://a/", "u@v:p"),
            ("https://u:p@[::1]:1/", "https://[::1]:1/", "u:p"),
            ("http://@a/", "http://a/", ":"),
            ("http://%C3%A9:%3A%2F@a/", "http://a/", "é::/"),
        ):
            self.assertTrue(is_http_url(url), url)
            expected = Target(bare, "" if pair is None else encoded(pair))
            self.assertEqual(Target.of(url), expected)

    def test_headers(self) -> None:
        """The credentials become a header, unless one is given in any spelling."""
        given = {"X-Own": ["1"]}
        own = {"AUTHORIZATION": ["Bearer x"]}
        self.assertEqual(Target.of("http://a").headers(given), given)
        target = Target.of("http://u:p@a")
        expected = {**given, "Authorization": [encoded("u:p")]}
        self.assertEqual(target.headers(given), expected)
        self.assertEqual(target.headers(own), own)
        self.assertEqual(given, {"X-Own": ["1"]})


class HttpUrlTests(SynchronousTestCase):
    """Absolute http and https URLs, and others."""

    def test_others(self) -> None:
        """No host, another scheme, a bad port, or a character that does not belong."""
        for text in (
            "",
            "a.example",
            "//a.example/",
            "ftp://a",
            "unix:///run/x",
            "http://",
            "http://:80/",
            "http://a:0",
            "http://a:65536",
            "http://a:x",
            "http://[::1",
            "http://a b/",
            "http://a/b c",
            "http://a\n/",
            "http://a<b>/",
            "http://a\\b/",
            "http://a/\xa0",
        ):
            self.assertFalse(is_http_url(text), text)


class MaskTests(SynchronousTestCase):
    """Secrets in URLs that are shown."""

    @given(st.text())
    def test_any_url(self, text: str) -> None:
        """Whatever a URL looks like, what follows its path is masked."""
        for url in (f"http://h/{text}?{SECRET}", f"http://u:{SECRET}@h/{text}"):
            self.assertNotIn(SECRET, masked_url(url))
        self.assertEqual(masked_url("https://h:1/p"), "https://h:1/p")

    def test_parts(self) -> None:
        """What stays is scheme, host and path."""
        for url, shown in (
            ("https://u:p@h:1/p?q=1#f", f"https://{MASK}@h:1/p?{MASK}"),
            ("https://u:p@q@h/p", f"https://{MASK}@h/p"),
            ("https://h/p#f", f"https://h/p#{MASK}"),
            ("https://h/a@b", "https://h/a@b"),
            ("https://h", "https://h"),
        ):
            self.assertEqual(masked_url(url), shown)
        self.assertEqual(Target.of("https://u:p@h/p?q").masked, f"https://h/p?{MASK}")

    def test_texts(self) -> None:
        """All URLs in a text lose their credentials, and nothing else."""
        text = "from http://u:p@a/x?y=1 to https://v@b/"
        expected = f"from http://{MASK}@a/x?y=1 to https://{MASK}@b/"
        self.assertEqual(masked_userinfo(text), expected)
