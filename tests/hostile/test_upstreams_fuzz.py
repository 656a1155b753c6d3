"""Parsers of what upstreams send, fed with anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from tests.hostile.work import Parse, WorkCase
from txregistry.flow.deferred import deferred
from txregistry.flow.turns import Turns
from txregistry.remote.addresses import is_api, resolve_reference, scope_of
from txregistry.remote.answers import parse_date, parse_retry_after
from txregistry.remote.tags import RemoteTags
from txregistry.remote.tokens import _parse
from txregistry.spec.challenge import parse_challenges
from txregistry.spec.errors import ManifestInvalid, UpstreamFailed
from txregistry.spec.links import parse_next
from txregistry.spec.manifest import lenient
from txregistry.spec.manifest.listing import entries_of, valid_entries_of
from txregistry.spec.ranges import parse_content_range
from txregistry.spec.reference import RepositoryName
from txregistry.spec.weburl import masked_url

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
HEADER_PIECES = (
    *('"', "\\", ",", ";", "<", ">", "=", " ", "<>", '="', 'a="\\', "a=b,", "a b "),
    *("<x>; rel=next, ", "rel=", ";a", "Basic ,", "9", "ÿ", "[", "%", "://", "@"),
)
DOCUMENT_PIECES = (
    *('"",', '"a",', "{},", "[],", "1,", '{"digest":""},', '{"x":[]},'),
    '{"mediaType":"a/b","digest":"sha256:%s","size":1},' % ("a" * 64),
    '{"urls":["x"],"annotations":{"a":"b"}},',
)

#: Documents that look like what is asked for.
NAMES = st.sampled_from(
    (
        *("manifests", "tags", "layers", "config", "digest", "size", "mediaType"),
        *("token", "expires_in", "issued_at", "annotations", "artifactType"),
        *("subject", "platform"),
    )
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner),
    max_leaves=20,
)
TEXT = st.lists(PIECES | st.text(max_size=5), max_size=40).map("".join)


class Named:
    """Stands for the client of an upstream, which has a name."""

    host = "upstream.example"


def read_tags(body: bytes) -> Any:
    """Read a list of tags at once, in one turn."""
    tags = RemoteTags(cast(Any, Named()), RepositoryName.parse("lib/x"))
    reading = deferred(tags._read)(body, Turns(Clock(), len(body) + 1))
    found: list[Any] = []
    reading.addBoth(found.append)
    if isinstance(found[0], Failure):
        found[0].raiseException()
    return found[0]


READERS: dict[str, tuple[Callable[[bytes], Any], type[Exception]]] = {
    "token": (lambda body: _parse(body, 0.0, "x"), UpstreamFailed),
    "manifest": (lenient.read, ManifestInvalid),
    "referrers": (lambda body: list(entries_of(body)), ManifestInvalid),
    "tags of referrers": (lambda body: list(valid_entries_of(body)), ManifestInvalid),
    "tags": (read_tags, UpstreamFailed),
}

PARSERS: dict[str, Parse] = {
    "WWW-Authenticate": lambda text: parse_challenges([text]),
    "Link": lambda text: parse_next([text]),
    "Content-Range": parse_content_range,
    "Retry-After": lambda text: parse_retry_after(text, 0.0),
    "Date": parse_date,
    "Location": masked_url,
}


class FuzzTests(WorkCase):
    """No exception that is not ours."""

    @settings(max_examples=200, deadline=None)
    @given(TEXT)
    def test_headers(self, text: str) -> None:
        """Challenges, links, ranges and waits are read or passed over."""
        for parse in PARSERS.values():
            parse(text)

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=200) | TEXT.map(str.encode) | JSON.map(json.dumps))
    def test_documents(self, content: bytes | str) -> None:
        """Tokens, lists and manifests are read, or fail with what is ours."""
        body = content.encode() if isinstance(content, str) else content
        for read, error in READERS.values():
            try:
                read(body)
            except error:
                continue

    def test_headers_are_linear(self) -> None:
        """Long headers cost what they are long."""
        leads = ("", "Bearer ", 'Bearer realm="', "<", 'Bearer a="b",')
        self.check_linear(PARSERS, HEADER_PIECES, leads)

    def test_documents_are_linear(self) -> None:
        """So do long documents, whatever they are full of."""

        def quiet(read: Callable[[bytes], Any], error: type[Exception]) -> Parse:
            def parse(text: str) -> None:
                try:
                    read(text.encode() + b"{}]}")
                except error:
                    return

            return parse

        parsers = {name: quiet(*pair) for name, pair in READERS.items()}
        leads = ('{"manifests":[', '{"tags":[')
        self.check_linear(parsers, DOCUMENT_PIECES, leads)

    def test_what_is_not_linear_is_found(self) -> None:
        """Work that grows with the square of a text is told from such work."""

        def rest_of_each(text: str) -> None:
            for at in range(0, len(text), 10):
                text[at:].count(",")

        with self.assertRaises(self.failureException):
            self.check_linear({"x": rest_of_each}, [","], [""])

    def test_long_ones_are_linear(self) -> None:
        """Nor do those cost more that once did."""
        for name, parse, lead, piece in (
            ("challenge", _challenges, "x,", " "),
            ("challenge", _challenges, "x ", "a"),
            ("challenge", _challenges, "x ", "a="),
            ("challenge", _challenges, "x ", '"\\'),
            ("challenge", _challenges, "", "a "),
            ("link", _links, "", "<>;"),
            ("link", _links, "<>", "; "),
            ("link", _links, "", "<"),
            ("address", is_api, "http://h", "/v2/"),
            ("address", is_api, "http://h/v2/", "a/blobs/b/"),
            ("address", is_api, "http://h/?", "a&"),
            (
                "address",
                lambda text: resolve_reference("http://h/v2/x", text),
                "",
                "a/../",
            ),
            ("address", scope_of, "/v2/", "a/blobs/b/"),
        ):
            self.check_linear({name: parse}, [piece], [lead])


def _challenges(text: str) -> object:
    # As many lines as are read, so that the work can be told from nothing.
    return parse_challenges([text] * 16)


def _links(text: str) -> object:
    return parse_next([text] * 16)
