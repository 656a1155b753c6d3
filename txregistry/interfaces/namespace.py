"""Contracts for a registry as a whole and for one repository."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from txregistry.interfaces.blobs import IBlobService
from txregistry.interfaces.manifests import IManifestService
from txregistry.interfaces.referrers import IReferrerService
from txregistry.interfaces.signatures import ISignatureService
from txregistry.interfaces.tags import ITagService
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName


class IRepository(Interface):
    """One repository: blobs, manifests and tags under one name.

    Optional powers are interfaces that these services provide or not.
    """

    name: RepositoryName = Attribute("Its name.")
    blobs: IBlobService = Attribute("Its blobs.")
    manifests: IManifestService = Attribute("Its manifests.")
    tags: ITagService = Attribute("Its tags.")
    referrers: IReferrerService = Attribute("Who refers to its manifests.")


class ISignedRepository(IRepository):
    """Optional: a repository that keeps schema 1 signatures beside its manifests."""

    signatures: ISignatureService = Attribute("Its signatures.")


class INamespace(Interface):
    """A set of repositories: local storage, an upstream, or a cache of one."""

    def repository(name: RepositoryName) -> Deferred[IRepository]:
        """Fire with a repository, which need not hold anything yet.

        May refuse a name with ``NameInvalid``, ``NameUnknown`` or ``Denied``.
        """

    def repositories(
        after: str = "", limit: int | None = None
    ) -> Deferred[list[RepositoryName]]:
        """Fire with the names that sort after ``after``, sorted, at most ``limit``.

        Names sort component by component, so ``a/b`` comes before ``a-b``.
        """


class IBlobFinder(Interface):
    """Optional: finds a repository that holds a blob."""

    def holder(
        digest: Digest, candidates: Sequence[RepositoryName] | None = None
    ) -> Deferred[RepositoryName | None]:
        """Fire with a repository that links a blob, or ``None``.

        :param candidates: where to look; ``None`` for anywhere, which is a bounded
            look and may not find it.
        """


class ITagAnswers(Interface):
    """Optional: remembers for a while what an upstream answered about tags."""

    def forget_answers(is_meant: Callable[[RepositoryName], bool]) -> None:
        """Have the upstream asked anew about all tags of some repositories.

        :param is_meant: tells of a stored name whether it is one of them.
        """
