"""What images are made of."""

from __future__ import annotations

from twisted.internet.defer import fail
from zope.interface.verify import verifyObject

from tests.images.cases import PLATFORMS, ImagesCase
from txregistry.images import anatomy
from txregistry.images.anatomy import Anatomist
from txregistry.interfaces.anatomy import IAnatomist, ImageAnatomy
from txregistry.interfaces.expiry import LedgerAway
from txregistry.spec.digest import Digest
from txregistry.spec.errors import ManifestUnknown
from txregistry.spec.reference import RepositoryName

NAME, OTHER = "corp/org/app", "ghcr.io/org/app"


class AnatomyTests(ImagesCase):
    """Variants, layers and references, of what is stored."""

    def setUp(self) -> None:
        super().setUp()
        self.anatomist = Anatomist(
            self.house.local, self.house.clock, self.house.ledger
        )

    def dissect(self, name: str, top: object) -> ImageAnatomy:
        done = self.anatomist.dissect(
            name=RepositoryName.parse(name), top=Digest.parse(str(top))
        )
        return self.house.settle(done)

    def test_an_index(self) -> None:
        """Each platform with its layers, and which others have them as well."""
        verifyObject(IAnatomist, self.anatomist)
        top = self.put_image("corp")
        other = self.put_image("ghcr.io")
        self.warm(f"{NAME}:v1")
        self.warm(f"{OTHER}:v1")
        found = self.dissect(NAME, top)
        self.assertEqual([each.platform for each in found.variants], list(PLATFORMS))
        variant = found.variants[0]
        self.assertEqual(variant.size, sum(layer.size for layer in variant.layers))
        self.assertEqual([layer.shared_with for layer in variant.layers], [0, 0, 1])
        self.assertTrue(all(layer.is_here for layer in variant.layers))
        self.assertEqual(found.references, ())
        self.assertEqual(len(self.dissect(OTHER, other).variants), 3)

    def test_what_is_not_here(self) -> None:
        """A child that was not fetched has no layers that are known."""
        top = self.put_image("corp")
        self.warm(f"{NAME}:v1", "linux/amd64")
        found = self.dissect(NAME, top)
        self.assertEqual(
            [each.is_here for each in found.variants], [True, False, False]
        )
        self.assertEqual(found.variants[1].layers, ())
        none = Digest.of(b"none")
        self.assertRaises(ManifestUnknown, self.dissect, NAME, none)

    def test_references(self) -> None:
        """What refers to it, by its kind."""
        top = self.put_image("corp")
        self.put_signature("corp", top)
        self.warm(f"{NAME}:v1")
        (reference,) = self.dissect(NAME, top).references
        self.assertEqual(reference.kind, "application/x-signature")
        self.assertGreater(reference.size, 100)

    def test_bounds(self) -> None:
        """The first variants are told of."""
        self.patch(anatomy, "MAX_VARIANTS", 2)
        top = self.put_image("corp")
        self.warm(f"{NAME}:v1")
        self.assertEqual(len(self.dissect(NAME, top).variants), 2)

    def test_nobody_knows_who_shares(self) -> None:
        """Without a ledger, and while it is away."""
        top = self.put_image("corp")
        self.warm(f"{NAME}:v1")
        ledger = type(self.house.ledger)
        self.patch(ledger, "holders", lambda *_, **__: fail(LedgerAway("gone")))
        for anatomist in (
            self.anatomist,
            Anatomist(self.house.local, self.house.clock),
        ):
            self.anatomist = anatomist
            found = self.dissect(NAME, top)
            shared = {each.shared_with for each in found.variants[0].layers}
            self.assertEqual(shared, {None})
