"""Challenges of an upstream."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.challenge import Challenge, parse_challenges


class ChallengeTests(SynchronousTestCase):
    """Challenges."""

    def test_parse(self) -> None:
        """Quoted strings, escapes, several in one line, several lines."""
        found = parse_challenges(
            [
                'Bearer realm="https://a/t",service="s p",scope="a:b:pull,push"',
                'Basic realm="x\\"y", Digest nonce=abc',
            ]
        )
        self.assertEqual(
            found,
            [
                Challenge(
                    "bearer",
                    {
                        "realm": "https://a/t",
                        "service": "s p",
                        "scope": "a:b:pull,push",
                    },
                ),
                Challenge("basic", {"realm": 'x"y'}),
                Challenge("digest", {"nonce": "abc"}),
            ],
        )

    def test_several(self) -> None:
        """Schemes with and without parameters, in one line or several."""
        for lines in (
            ['Basic realm="a, b", Bearer realm="c"'],
            ['Basic realm="a, b"', 'Bearer realm="c"'],
            ['basic REALM = "a, b" , ,BEARER\trealm=c'],
            ['Negotiate, Basic realm="a, b", Negotiate YII==, Bearer realm="c"'],
            ['realm="lost", Basic realm="a, b",realm=x, ==, Bearer realm="c'],
        ):
            found = parse_challenges(lines)
            schemes = [item for item in found if item.scheme in ("basic", "bearer")]
            expected = [
                Challenge("basic", {"realm": "a, b"}),
                Challenge("bearer", {"realm": "c"}),
            ]
            self.assertEqual((lines, schemes), (lines, expected))

    @given(st.text(max_size=100))
    def test_any_text(self, text: str) -> None:
        """Whatever is sent, reading it ends."""
        parse_challenges([text])
