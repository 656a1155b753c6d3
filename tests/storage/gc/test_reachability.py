"""Which manifests stay, from what refers to what."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.turns import Turns
from txregistry.spec.digest import Digest
from txregistry.storage.gc.reachability import References, reachable


def digest(name: str) -> Digest:
    return Digest.of(name.encode())


def refers(*names: str, subject: str | None = None) -> References:
    about = None if subject is None else digest(subject)
    return References(tuple(map(digest, names)), about)


class ReachableTests(SynchronousTestCase):
    """What stays with what."""

    def setUp(self) -> None:
        self.clock = Clock()

    def find(self, known: dict[str, References], *roots: str) -> set[str]:
        """Give the names of what stays."""
        names = {digest(name): name for name in known}
        walk = reachable(
            {digest(name): found for name, found in known.items()},
            map(digest, roots),
            Turns(self.clock, 10_000),
        )
        found = self.successResultOf(Deferred.fromCoroutine(walk))
        return {names[one] for one in found}

    def test_nothing(self) -> None:
        """Without roots nothing stays, and unknown roots are none."""
        self.assertEqual(self.find({"image": refers()}), set())
        self.assertEqual(self.find({"image": refers()}, "gone"), set())

    def test_children(self) -> None:
        """Children of an index stay, and theirs; layers are no manifests."""
        known = {
            "outer": refers("inner", "layer"),
            "inner": refers("image"),
            "image": refers("layer"),
            "other": refers("image"),
        }
        self.assertEqual(self.find(known, "outer"), {"outer", "inner", "image"})

    def test_index_of_a_child(self) -> None:
        """An index does not stay for its child."""
        known = {"index": refers("image"), "image": refers()}
        self.assertEqual(self.find(known, "image"), {"image"})

    def test_referrers(self) -> None:
        """What refers to something that stays does, with its own children."""
        known = {
            "image": refers(),
            "signature": refers("attached", subject="image"),
            "attached": refers(),
            "of signature": refers(subject="signature"),
            "of other": refers(subject="other"),
        }
        expected = set(known) - {"of other"}
        self.assertEqual(self.find(known, "image"), expected)

    def test_referrer_of_a_child(self) -> None:
        """It stays by way of the index."""
        known = {
            "index": refers("image"),
            "image": refers(),
            "signature": refers(subject="image"),
        }
        self.assertEqual(self.find(known, "index"), set(known))

    def test_subject(self) -> None:
        """A subject does not stay for what refers to it."""
        known = {"image": refers(), "signature": refers(subject="image")}
        self.assertEqual(self.find(known, "signature"), {"signature"})

    def test_circles(self) -> None:
        """Referrers that refer to each other come to an end."""
        known = {
            "a": refers("b", subject="b"),
            "b": refers("a", subject="a"),
            "c": refers(),
        }
        self.assertEqual(self.find(known, "a", "a"), {"a", "b"})

    def test_turns(self) -> None:
        """Others have their turn while many are looked at, and after."""
        known = {digest(str(number)): References() for number in range(100)}
        turns = Turns(self.clock, 50)
        found = Deferred.fromCoroutine(reachable(known, known, turns))
        self.assertNoResult(found)
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(found), set(known))
        self.assertEqual(turns._steps, 200)
