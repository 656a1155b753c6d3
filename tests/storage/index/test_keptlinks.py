"""Local repositories hold content, too."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed

from tests.storage.index.test_tree_index import SlowDriver, TreeCase
from txregistry.interfaces.driver import DriverError
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.index import keptlinks
from txregistry.storage.index.keptlinks import KeptLinks
from txregistry.storage.index.names import Names
from txregistry.storage.tree import layout

CACHED, LOCAL = RepositoryName("cached/a"), RepositoryName("team/a")


class Ledger:
    """Knows one repository."""

    def holders(self, digest: Digest) -> Deferred[frozenset[RepositoryName]]:
        return succeed(frozenset({CACHED}))


class KeptLinksTests(TreeCase):
    """The ledger and the tree together."""

    def setUp(self) -> None:
        super().setUp()
        names = Names(self.driver, self.reconciler, self.clock)

        def is_local(name: RepositoryName) -> bool:
            return name.text.startswith("team/")

        self.links = KeptLinks(Ledger(), self.driver, names, is_local)

    def holders(self, digest: Digest) -> set[RepositoryName]:
        return set(self.finish(self.links.holders(digest=digest)))

    def test_manifests(self) -> None:
        """Who links a manifest holds it; cached repositories are the ledger's."""
        digest = self.add_manifest(name=LOCAL)
        self.add_manifest(name=RepositoryName("cached/b"))
        self.assertEqual(self.holders(digest), {CACHED, LOCAL})
        self.assertEqual(self.holders(Digest.of(b"other")), {CACHED})

    def test_layers(self) -> None:
        """Who links a blob holds it."""
        digest = Digest.of(b"layer")
        self.add_manifest(name=LOCAL)
        path = layout.layer_link(LOCAL, digest)
        self.finish(self.driver.put(path, str(digest).encode()))
        self.assertEqual(self.holders(digest), {CACHED, LOCAL})

    def test_pages(self) -> None:
        """All repositories are looked at, however many there are."""
        self.patch(keptlinks, "_PAGE", 2)
        names = {RepositoryName(f"team/{number}") for number in range(7)}
        for name in names:
            digest = self.add_manifest(name=name)
        self.assertEqual(self.holders(digest), {CACHED, *names})

    def test_unreadable(self) -> None:
        """What cannot be looked at is not taken for unused."""
        digest = self.add_manifest(name=LOCAL)
        error = DriverError("inmemory", "/x", "Input/output error")
        self.patch(SlowDriver, "stat", lambda _, path: fail(error))
        done = self.links.holders(digest=digest)
        self.failureResultOf(done, DriverError)
