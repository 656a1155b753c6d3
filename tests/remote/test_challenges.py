"""Challenges of a response that can be answered."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.remote.answering import Answer
from txregistry.remote.challenges import MAX_CHALLENGES, challenges_of, memory_bytes
from txregistry.spec.challenge import Challenge


def offered(value: str) -> list[Challenge]:
    return challenges_of(Answer(401, {"WWW-Authenticate": value}))


class ChallengesTests(SynchronousTestCase):
    """Reading ``WWW-Authenticate``."""

    def test_none(self) -> None:
        """A response without the header has none."""
        self.assertEqual(challenges_of(Answer(401)), [])

    def test_order(self) -> None:
        """Bearer comes first; other schemes, and Bearer without realm, are left out."""
        found = offered(
            'Basic realm="b", Negotiate, Bearer scope="s", Bearer realm="r"'
        )
        self.assertEqual([item.scheme for item in found], ["bearer", "basic"])

    def test_unused_parameters(self) -> None:
        """Parameters that are not used are dropped, as they would take memory."""
        (found,) = offered('Bearer realm="r",service="x",scope="s",error="long"')
        used = {"realm": "r", "service": "x", "scope": "s"}
        self.assertEqual(found.parameters, used)
        self.assertGreater(memory_bytes([found]), memory_bytes([]))

    def test_many(self) -> None:
        """Of many challenges the first are used, and Basic is among them."""
        many = ", ".join(f'Bearer realm="r{number}"' for number in range(50))
        found = offered(f'{many}, Basic realm="b"')
        self.assertEqual(len(found), MAX_CHALLENGES)
        self.assertEqual(found[-1].scheme, "basic")
