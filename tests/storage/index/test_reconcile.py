"""The index and the tree, in step."""

from __future__ import annotations

import os

from twisted.internet.defer import CancelledError

from tests.storage.index.test_tree_index import NAME, TreeCase, tags
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.index import statements
from txregistry.storage.tree import layout


class TagIndexTests(TreeCase):
    """Tags."""

    def test_found_in_the_tree(self) -> None:
        """An empty index learns all tags, in code point order, by pages."""
        for name in ("b", "a-b", "B", "a", "_", "1", "a.b"):
            self.add_tag(name, Digest.of(name.encode()))
        wanted = tags("1", "B", "_", "a", "a-b", "a.b", "b")
        self.assertEqual(self.tags(), wanted)
        self.assertEqual(self.tags("B", 2), wanted[2:4])
        self.assertEqual(self.tags("between"), [])
        self.assertEqual(self.tags(limit=0), [])

    def test_tree_is_looked_at_once(self) -> None:
        """What is ensured is not looked for again."""
        self.add_tag("a", Digest.of(b"a"))
        self.tags()
        listed = self.driver.listed
        self.tags()
        self.assertEqual(self.driver.listed, listed)

    def test_callers_share_a_look(self) -> None:
        """Who asks while a look is under way waits for it."""
        self.add_tag("a", Digest.of(b"a"))
        self.driver.waiting = []
        asked = [self.reconciler.tags(NAME) for _ in range(5)]
        self.assertEqual(self.driver.listed, 1)
        self.driver.go_on()
        for done in asked:
            self.finish(done)
        self.assertEqual(self.driver.listed, 1)

    def test_change_during_a_look(self) -> None:
        """What is written while the tree is looked at is on top of the result."""
        digest = Digest.of(b"a")
        self.add_tag("old", digest)
        self.driver.waiting = []
        asked = self.reconciler.tags(NAME)
        new, gone = statements.tag_set(NAME, Tag("new"), digest), tags("old")[0]
        self.index.write(new, statements.tag_gone(NAME, gone))
        self.driver.go_on()
        self.finish(asked)
        self.assertEqual(self.tags(), tags("new"))

    def test_what_others_changed_between_processes(self) -> None:
        """A file that is older than the tree is put right before it is believed."""
        self.path = os.path.join(self.mktemp(), "index.sqlite3")
        self.start_anew()
        one, two = Digest.of(b"1"), Digest.of(b"2")
        self.add_tag("kept", one)
        self.add_tag("moved", one)
        self.add_tag("gone", one)
        self.assertEqual(self.tags_of(one), tags("gone", "kept", "moved"))
        self.add_tag("moved", two)
        self.add_tag("new", two)
        self.successResultOf(self.driver.delete(layout.tag(NAME, Tag("gone"))))
        self.start_anew()
        self.assertEqual(self.tags(), tags("kept", "moved", "new"))
        self.assertEqual(self.tags_of(one), tags("kept"))
        self.assertEqual(self.tags_of(two), tags("moved", "new"))

    def test_other_things_in_the_directory(self) -> None:
        """What is no tag is passed over, and a broken link stands for nothing."""
        self.put(f"{layout.tags(NAME)}/-no/current/link", b"x")
        self.put(f"{layout.tags(NAME)}/{'a' * 129}/current/link", b"x")
        self.put(layout.tag_current(NAME, Tag("empty")), b"")
        self.assertEqual(self.tags(), tags("empty"))
        self.assertEqual(self.tags_of(Digest.of(b"x")), [])

    def test_repositories_are_apart(self) -> None:
        """The tags of one repository are not those of another."""
        self.add_tag("a", Digest.of(b"a"), RepositoryName("other"))
        self.assertEqual(self.tags(), [])

    def test_many(self) -> None:
        """Others get their turn while many tags are read."""
        digest = Digest.of(b"a")
        for number in range(300):
            self.add_tag(f"{number:03}", digest)
        done = self.reconciler.digests(NAME)
        self.assertNoResult(done)
        self.finish(done)
        self.assertEqual(len(self.tags_of(digest)), 300)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_more_than_a_batch(self) -> None:
        """Names that fill several batches are all there, and only in the end."""
        wanted = tags(*(f"{number:04}" for number in range(1500)))
        for tag in wanted:
            self.link(layout.tag_current(NAME, tag), Digest.of(b"a"))
        done = self.reconciler.tags(NAME)
        self.assertNoResult(done)
        self.assertEqual(self.known_tags(), [])
        self.finish(done)
        self.assertEqual(self.known_tags(), wanted)
        self.assertEqual(self.rows_seen(), 0)

    def known_tags(self) -> list[Tag]:
        return self.successResultOf(self.index.queries.tags(NAME, "", None))

    def rows_seen(self) -> int:
        count = self.database.run(
            lambda db: db.execute("SELECT count(*) FROM seen").fetchone()[0]
        )
        return self.successResultOf(count)

    def test_untagged_while_links_are_read(self) -> None:
        """What was read of a tag neither brings it back nor undoes what was set."""
        one, two = Digest.of(b"1"), Digest.of(b"2")
        for name in ("gone", "kept", "moved"):
            self.add_tag(name, one)
        self.tags()
        gone, moved = tags("gone", "moved")
        self.index.write(
            statements.tag_gone(NAME, gone), statements.tag_set(NAME, moved, two)
        )
        for tag in (gone, moved):
            self.index.write(statements.tag_read(NAME, tag, one))
        self.assertEqual(self.known_tags(), tags("kept", "moved"))
        self.assertEqual(self.tags_of(one), tags("kept"))
        self.assertEqual(self.tags_of(two), tags("moved"))

    def test_look_that_is_given_up(self) -> None:
        """What was seen by a look that nobody waits for any more is forgotten."""
        for number in range(700):
            self.add_tag(f"{number:03}", Digest.of(b"a"))
        done = self.reconciler.tags(NAME)

        def give_up_in_the_middle() -> None:
            if self.rows_seen():
                done.cancel()
            else:
                self.clock.callLater(0, give_up_in_the_middle)

        give_up_in_the_middle()
        self.clock.advance(0)
        self.failureResultOf(done, CancelledError)
        self.assertEqual((self.known_tags(), self.rows_seen()), ([], 0))
        self.assertEqual(len(self.tags()), 700)

    def test_look_that_fails(self) -> None:
        """A look that fails is not believed, and is tried again."""
        self.add_tag("a", Digest.of(b"a"))
        self.driver.waiting = []
        done = self.reconciler.tags(NAME)
        waiting, self.driver.waiting = self.driver.waiting, None
        waiting[0].errback(OSError("no disk"))
        self.failureResultOf(done, OSError)
        self.assertEqual(self.index._looks, [])
        self.assertEqual(self.tags(), tags("a"))


class CatalogueTests(TreeCase):
    """Repositories."""

    def fill(self, *names: str) -> None:
        for name in names:
            self.add_manifest(name=RepositoryName(name))

    def test_order_of_components(self) -> None:
        """Names sort by component, as a walk of the tree meets them."""
        names = ["a", "a/b", "a/b-c", "a-b", "a-b/c", "a.b", "a0", "b"]
        self.fill(*reversed(names))
        self.assertEqual(self.repositories(), names)
        for place, name in enumerate(names):
            self.assertEqual(self.repositories(name), names[place + 1 :])
            self.assertEqual(self.repositories(name, 1), names[place + 1 :][:1])

    def test_what_counts(self) -> None:
        """A repository holds blobs or manifests; uploads do not count."""
        digest = Digest.of(b"a")
        self.link(layout.layer_link(RepositoryName("blobs"), digest), digest)
        self.fill("manifests")
        self.put(layout.upload_data(RepositoryName("uploads"), "x"), b"x")
        self.put(f"{layout.REPOSITORIES}/file", b"x")
        self.put(f"{layout.REPOSITORIES}/-none/_layers/x", b"x")
        self.assertEqual(self.repositories(), ["blobs", "manifests"])

    def test_kept_in_step(self) -> None:
        """The first content adds a repository, and the last takes it away."""
        self.repositories()
        self.fill("a/b")
        self.reconciler.added(NAME)
        self.assertEqual(self.repositories(), ["a/b"])
        self.successResultOf(self.reconciler.removed(NAME))
        self.assertEqual(self.repositories(), ["a/b"])
        self.successResultOf(
            self.driver.delete(f"{layout.repository(NAME)}/_manifests")
        )
        self.successResultOf(self.reconciler.removed(NAME))
        self.assertEqual(self.repositories(), [])
        self.fill("a/b")
        self.reconciler.added(NAME)
        self.assertEqual(self.repositories(), ["a/b"])

    def test_gone_between_processes(self) -> None:
        """What is not in the tree any more is forgotten."""
        self.path = os.path.join(self.mktemp(), "index.sqlite3")
        self.start_anew()
        self.fill("a", "b")
        self.assertEqual(self.repositories(), ["a", "b"])
        self.successResultOf(self.driver.delete(f"{layout.REPOSITORIES}/a"))
        self.start_anew()
        self.assertEqual(self.repositories(), ["b"])
