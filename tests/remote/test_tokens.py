"""Tokens of an upstream."""

from __future__ import annotations

from tests.remote.test_auth import AuthCase
from txregistry.remote.credentials import Credentials


class TokenTests(AuthCase):
    """A token service beside the upstream."""

    credentials = Credentials("robot", "s3cret")

    def test_token_is_used_again(self) -> None:
        """One token serves until it is about to expire."""
        for number in range(5):
            digest = self.upstream.add_blob("lib/x", b"%d" % number)
            self.assertEqual(self.status(f"/v2/lib/x/blobs/{digest}"), 200)
            self.house.clock.advance(50)
        self.assertEqual(len(self.tokens.asked), 1)
        digest = self.upstream.add_blob("lib/x", b"last")
        self.house.clock.advance(50)
        self.status(f"/v2/lib/x/blobs/{digest}")
        self.assertEqual(len(self.tokens.asked), 2)

    def test_many_share_one_token_request(self) -> None:
        """However many ask, the token service is asked once per scope."""
        self.status()
        self.house.clock.advance(1000)
        self.tokens.asked.clear()
        digests = [self.upstream.add_blob("lib/x", b"n%d" % n) for n in range(10)]
        asked = [self.house.ask("GET", f"/v2/lib/x/blobs/{d}") for d in digests]
        for got in asked:
            self.assertEqual(self.house.settle(got).status, 200)
        self.assertEqual(len(self.tokens.asked), 1)

    def test_short_life_is_a_minute(self) -> None:
        """A lifetime below a minute, or none, counts as one."""
        self.tokens.answer = {"access_token": "t1"}
        self.status()
        self.house.clock.advance(50)
        digest = self.upstream.add_blob("lib/x", b"later")
        self.status(f"/v2/lib/x/blobs/{digest}")
        self.assertEqual(len(self.tokens.asked), 1)

    def test_service_that_knows_only_post(self) -> None:
        """A token service that has no GET is asked by the OAuth2 form."""
        self.tokens.refuse_get = 405
        self.assertEqual(self.status(), 200)
        self.assertEqual(
            [method for method, _, _ in self.tokens.asked], ["GET", "POST"]
        )
        fields = self.tokens.asked[1][1]
        self.assertEqual(
            (fields["grant_type"], fields["username"]), ("password", "robot")
        )

    def test_wrong_password(self) -> None:
        """Credentials that the token service refuses are 401."""
        self.tokens.refuse_get = 401
        self.assertEqual(self.status(), 401)

    def test_garbage_from_the_token_service(self) -> None:
        """An answer without a token is a failure of the upstream."""
        for answer in ({}, {"token": 7}, {"token": "a\nb"}, {"expires_in": "x"}):
            self.tokens.answer = answer
            self.assertEqual(self.status(), 502)
