"""The settings of a site."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.settings import http2_choice
from txregistry.config.read import read_config
from txregistry.web.http.serving import Http2Use, offered_protocols


class Http2Tests(SynchronousTestCase):
    """Who is answered by HTTP/2."""

    def test_offered(self) -> None:
        """The best one comes first: it is chosen where a client offers both."""
        for http2, expected in (
            (Http2Use.NEVER, (b"http/1.1",)),
            (Http2Use.NEEDED, (b"http/1.1", b"h2")),
            (Http2Use.PREFERRED, (b"h2", b"http/1.1")),
        ):
            self.assertEqual(offered_protocols(http2), expected)

    def test_keys(self) -> None:
        """It is offered with TLS, unless it is disabled, and preferred on demand."""
        tls = {"certificate": "c.pem", "key": "k.pem"}
        for http, expected in (
            ({}, Http2Use.NEVER),
            ({"tls": tls}, Http2Use.NEEDED),
            ({"tls": tls, "http2": {"prefer": True}}, Http2Use.PREFERRED),
            ({"tls": tls, "http2": {"prefer": True, "disabled": True}}, Http2Use.NEVER),
        ):
            mapping = {"version": "0.1", "storage": {"inmemory": {}}, "http": http}
            self.assertEqual(http2_choice(read_config(mapping)[0]), expected)
