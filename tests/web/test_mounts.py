"""What a POST asks to mount, and from where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unittest.mock import Mock

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txregistry.interfaces.access import Access, Grant
from txregistry.interfaces.blobs import BlobMount
from txregistry.interfaces.namespace import IBlobFinder
from txregistry.spec.digest import Digest
from txregistry.spec.errors import (
    BlobUnknown,
    Denied,
    NameInvalid,
    NameUnknown,
    UpstreamUnavailable,
)
from txregistry.spec.reference import RepositoryName
from txregistry.spec.upstreams import UpstreamNames, UpstreamTable
from txregistry.web.mounts import requested_mount

DIGEST = Digest.parse("sha256:" + "a" * 64)
HOLDER = RepositoryName.parse("team/base")


@implementer(IBlobFinder)
class Finder:
    """A namespace in which one repository has every blob.

    :ivar refusal: what it fails with when it is asked for a repository.
    """

    def __init__(self) -> None:
        self.candidates: list[Any] = []
        self.refusal: Exception | None = None

    def repository(self, name: RepositoryName) -> Deferred[object]:
        return succeed(object()) if self.refusal is None else fail(self.refusal)

    def holder(self, digest: Digest, candidates: Any) -> Deferred[RepositoryName]:
        self.candidates.append(candidates)
        return succeed(HOLDER)


class MountTests(SynchronousTestCase):
    """A client that cannot mount uploads the blob instead."""

    def setUp(self) -> None:
        self.finder = Finder()
        self.upstreams = UpstreamTable()

    def mount(
        self, query: Mapping[str, str], *access: Access, namespace: Any = None
    ) -> BlobMount | None:
        """Return what a POST with this query is to mount."""
        request = Mock(query=query.get)
        grant = Grant("user", not access, frozenset(access))
        work = requested_mount(request, grant, namespace or self.finder, self.upstreams)
        return self.successResultOf(Deferred.fromCoroutine(work))

    def test_named(self) -> None:
        """A source that is named is not searched for."""
        found = self.mount({"mount": str(DIGEST), "from": "a/b"})
        self.assertEqual(found, BlobMount(DIGEST, RepositoryName.parse("a/b")))
        self.assertEqual(self.finder.candidates, [])

    def test_of_an_upstream(self) -> None:
        """A cached source has its stored name, and is asked for the blob."""
        self.upstreams = UpstreamTable(
            UpstreamNames("", ("docker.io",)),
            {"corp": UpstreamNames("corp", ("corp.example",))},
        )
        blobs = Mock()
        self.patch(self.finder, "repository", lambda name: succeed(Mock(blobs=blobs)))
        for source, stored in (
            ("alpine", "library/alpine"),
            ("corp.example/a", "corp/a"),
        ):
            query = {"mount": str(DIGEST), "from": source}
            blobs.stat = Mock(return_value=succeed(None))
            mount = BlobMount(DIGEST, RepositoryName.parse(stored))
            self.assertEqual(self.mount(query), mount)
            blobs.stat.assert_called_once_with(digest=DIGEST)
            for refusal in (BlobUnknown(), Denied(), UpstreamUnavailable()):
                blobs.stat = Mock(side_effect=lambda digest, r=refusal: fail(r))
                self.assertIsNone(self.mount(query))
        blobs.stat = Mock()
        self.assertIsNone(self.mount({"mount": str(DIGEST), "from": "quay.io/a"}))
        blobs.stat.assert_not_called()

    def test_refused(self) -> None:
        """Nothing comes out of a repository that the namespace refuses."""
        for refusal in (NameUnknown(), Denied(), NameInvalid()):
            self.finder.refusal = refusal
            for query in ({"from": "a/b"}, {}):
                self.assertIsNone(self.mount({"mount": str(DIGEST), **query}))

    def test_none(self) -> None:
        """Without a valid digest, or with an invalid source, nothing is mounted."""
        for query in (
            {},
            {"from": "a/b"},
            {"mount": "sha256:x", "from": "a/b"},
            {"mount": str(DIGEST), "from": "A/../b"},
        ):
            self.assertIsNone(self.mount(query))
        self.assertEqual(self.finder.candidates, [])

    def test_found(self) -> None:
        """Without a source, all repositories are searched for who may pull all."""
        self.assertEqual(self.mount({"mount": str(DIGEST)}), BlobMount(DIGEST, HOLDER))
        self.assertEqual(self.finder.candidates, [None])

    def test_found_by_right(self) -> None:
        """Else those that the client may pull from; other rights count for nothing."""
        rights = (
            Access("repository", "a/b", "pull"),
            Access("repository", "a/c", "*"),
            Access("repository", "a/d", "push"),
            Access("repository", "NOT//A/NAME", "pull"),
            Access("registry", "catalog", "*"),
        )
        self.mount({"mount": str(DIGEST)}, *rights)
        (candidates,) = self.finder.candidates
        self.assertEqual(sorted(str(name) for name in candidates), ["a/b", "a/c"])

    def test_no_search(self) -> None:
        """A namespace that cannot search has no source."""
        found = self.mount({"mount": str(DIGEST)}, namespace=object())
        self.assertIsNone(found)
