"""Parsers of what upstreams send, fed with anything."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.remote.answers import parse_retry_after
from txregistry.remote.tokens import _parse
from txregistry.spec.challenge import parse_challenges
from txregistry.spec.errors import ManifestInvalid, UpstreamFailed
from txregistry.spec.links import parse_next
from txregistry.spec.manifest import lenient
from txregistry.spec.ranges import parse_content_range

#: Text that often resembles what is expected.
PIECES = st.sampled_from(
    [
        "Bearer ",
        "realm=",
        '"',
        "\\",
        ",",
        ";",
        "<",
        ">",
        "rel=next",
        "=",
        " ",
        "bytes ",
        "0-1/2",
        "9" * 30,
        "ÿ",
        "[",
        "{",
        '"tags":',
        "Mon, 01 Jan 2024 00:00:00 GMT",
    ]
)
TEXT = st.lists(PIECES | st.text(max_size=5), max_size=40).map("".join)


class FuzzTests(SynchronousTestCase):
    """No exception that is not ours."""

    @settings(max_examples=200, deadline=None)
    @given(TEXT)
    def test_headers(self, text: str) -> None:
        """Challenges, links, ranges and waits are read or passed over."""
        parse_challenges([text])
        parse_next([text])
        parse_content_range(text)
        parse_retry_after(text, 0.0)

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=200) | TEXT.map(str.encode))
    def test_documents(self, content: bytes) -> None:
        """Tokens and manifests are read, or fail with what is ours."""
        for read, error in (
            (lambda: _parse(content, 0.0, "x"), UpstreamFailed),
            (lambda: lenient.read(content), ManifestInvalid),
        ):
            try:
                read()
            except error:
                continue
