"""What differs between two images."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.anatomy import Layer, Variant
from txregistry.web.console.comparison import differences, paired


class ComparisonTests(SynchronousTestCase):
    """Variants in pairs, and their layers."""

    def test_pairs(self) -> None:
        """The same digest first, then the same platform; a lost one is told of."""

        def variant(platform: str, digest: str) -> Variant:
            return Variant(platform, digest, "x", True)

        old = [
            variant("a", "1"),
            variant("u", "2"),
            variant("u", "3"),
            variant("b", "4"),
        ]
        new = [
            variant("u", "3"),
            variant("u", "5"),
            variant("a", "6"),
            variant("c", "7"),
        ]
        found = [
            (None if one is None else one.digest, None if two is None else two.digest)
            for one, two in paired(old, new)
        ]
        self.assertEqual(
            found, [("3", "3"), ("2", "5"), ("1", "6"), (None, "7"), ("4", None)]
        )

    def test_differences(self) -> None:
        """What came, what went, and the bytes that stayed; also of one alone."""

        def variant(*layers: str) -> Variant:
            made = [Layer(name, "x", len(name), True, 0) for name in layers]
            return Variant("p", "d", "x", True, tuple(made))

        found = differences(variant("a", "bb"), variant("bb", "ccc"))
        self.assertEqual(
            found,
            {"platform": "p", "came": [["ccc", 3]], "went": [["a", 1]], "kept": 2},
        )
        self.assertEqual(differences(None, variant("a"))["came"], [["a", 1]])
        self.assertEqual(differences(variant("a"), None)["went"], [["a", 1]])
