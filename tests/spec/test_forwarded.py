"""How we were asked, as proxies before us say."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.forwarded import client_base, parse_forwarded

#: What an own request has when nothing says otherwise.
OWN = ("http", "own.example:5000")


#: A name, then Forwarded, X-Forwarded-Proto, X-Forwarded-Host, and what is expected.
BASES = (
    ("nothing", "", "", "", "http", "own.example:5000"),
    ("proto", "", "https", "", "https", "own.example:5000"),
    ("proto in upper case", "", "HTTPS", "", "https", "own.example:5000"),
    ("proto of a list", "", "https, http", "", "https", "own.example:5000"),
    ("proto with spaces", "", "  https  ", "", "https", "own.example:5000"),
    ("proto that is none", "", "gopher", "", "http", "own.example:5000"),
    ("host", "", "", "first.example", "http", "first.example"),
    ("host and port", "", "", "first.example:81", "http", "first.example:81"),
    ("host of a list", "", "", "a.example, b.example", "http", "a.example"),
    ("host with spaces", "", "", "  a.example  , b", "http", "a.example"),
    ("IPv4", "", "", "192.0.2.1:80", "http", "192.0.2.1:80"),
    ("IPv6", "", "", "[2001:db8::1]:81", "http", "[2001:db8::1]:81"),
    ("host that is none", "", "", "a.example/x", "http", "own.example:5000"),
    ("proto and host", "", "https", "a.example", "https", "a.example"),
    ("forwarded host", "host=a.example", "", "", "http", "a.example"),
    ("forwarded proto", "proto=https", "", "", "https", "own.example:5000"),
    ("forwarded both", "proto=https;host=a.example", "", "", "https", "a.example"),
    ("the other way round", "host=a.example;proto=https", "", "", "https", "a.example"),
    ("names in any case", "HOST=a.example;Proto=https", "", "", "https", "a.example"),
    ("value in upper case", "proto=HTTPS", "", "", "https", "own.example:5000"),
    ("quoted", 'host="a.example:81";proto="https"', "", "", "https", "a.example:81"),
    ("quoted and escaped", r'host="a\.example"', "", "", "http", "a.example"),
    ("quoted IPv6", 'host="[2001:db8::1]:81"', "", "", "http", "[2001:db8::1]:81"),
    ("other pairs", 'for=1.2.3.4;by="x";host=a.example', "", "", "http", "a.example"),
    ("only others", "for=1.2.3.4", "", "", "http", "own.example:5000"),
    ("first of a list", "host=a.example,host=b.example", "", "", "http", "a.example"),
    ("spaces", " host=a.example ; proto=https ", "", "", "https", "a.example"),
    ("before the others", "host=a.example", "https", "b.example", "http", "a.example"),
    ("scheme before", "proto=http", "https", "b.example", "http", "own.example:5000"),
    ("whom for", "for=x", "https", "b.example", "https", "b.example"),
    ("whom for and by", 'for=x;by="_y"', "https", "b.example", "https", "b.example"),
    ("later element", "for=x, host=a", "https", "b.example", "https", "b.example"),
    ("malformed", "host=", "https", "b.example", "https", "b.example"),
    ("a name twice", "host=a;host=b", "https", "b.example", "https", "b.example"),
    ("bare words", "a.example", "https", "b.example", "https", "b.example"),
)


class ForwardedTests(SynchronousTestCase):
    """Where a client thinks it is."""

    def test_bases(self) -> None:
        """Forwarded comes first, then the X- headers, then what we know ourselves."""
        self.assertEqual(len(BASES), 35)
        for name, forwarded, proto, host, *wanted in BASES:
            found = client_base(forwarded, proto, host, *OWN)
            self.assertEqual(found, tuple(wanted), name)

    def test_own_host(self) -> None:
        """Without a usable host of our own there is none, rather than a bad one."""
        for own in (
            "",
            "a b",
            "a/b",
            "a\r\nX: y",
            "a@b",
            "é.example",
            "<x>",
            "a" * 256,
        ):
            self.assertEqual(client_base("", "", "", "http", own), ("http", ""))
        for own in ("a", "a:1", "[::1]:5000", "127.0.0.1", "A.example", "a_b"):
            self.assertEqual(client_base("", "", "", "https", own), ("https", own))

    def test_pairs(self) -> None:
        """Pairs are read as RFC 7239 has them."""
        for header, wanted in (
            ("", {}),
            (" \t", {}),
            ("a=b", {"a": "b"}),
            ("A=B", {"a": "B"}),
            ("a=b;c=d", {"a": "b", "c": "d"}),
            ("a=b;", {"a": "b"}),
            (";;a=b;;c=d;;", {"a": "b", "c": "d"}),
            ('a=""', {"a": ""}),
            ('a="b;c,d"', {"a": "b;c,d"}),
            (r'a="b\"c\\d"', {"a": 'b"c\\d'}),
            ("a=b,c=d", {"a": "b"}),
            ("a=b , c", {"a": "b"}),
            (",a=b", {}),
            ("a=!#$%&'*+.^_`|~", {"a": "!#$%&'*+.^_`|~"}),
        ):
            self.assertEqual(parse_forwarded(header), wanted, header)

    def test_malformed(self) -> None:
        """What is malformed is not guessed at."""
        for header in (
            "a",
            "a=",
            "=b",
            "=",
            "a=b;c",
            "a=b;a=c",
            "a=b;A=c",
            'a="b',
            'a="b\\',
            'a="b"c',
            'a=b"c"',
            "a b=c",
            "a =b",
            "a= b",
            "a=b c=d",
            "a=[::1]",
            "a=é",
            "é=a",
            "a=b:1",
        ):
            self.assertIsNone(parse_forwarded(header), header)

    @settings(deadline=None)
    @given(st.text(max_size=80), st.text(max_size=20), st.text(max_size=20), st.text())
    def test_anything(self, forwarded: str, proto: str, host: str, own: str) -> None:
        """Whatever is sent, what comes out can stand in a URL."""
        scheme, found = client_base(forwarded, proto, host, "http", own)
        self.assertIn(scheme, ("http", "https"))
        self.assertRegex(found, r"\A[A-Za-z0-9._:\[\]-]*\Z")

    def test_long_headers(self) -> None:
        """Reading takes a time that grows with the length, and no faster."""
        for header in (
            'a="' + "\\" * 100_000,
            "a" * 100_000,
            "a=" + "b" * 100_000 + '"',
            ";" * 100_000 + "=",
            " " * 100_000 + "a",
        ):
            self.assertIsNone(parse_forwarded(header))
