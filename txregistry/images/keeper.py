"""The images of one cache, for the control socket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.turns import Turns
from txregistry.images.explain import (
    named_image,
    stale_until,
    stored_digest,
    tag_times,
)
from txregistry.images.findings import BLOBS_AT_ONCE, Findings
from txregistry.images.purge import Purger
from txregistry.images.ready import why_not_ready
from txregistry.images.warm import Warmer, described, resolve
from txregistry.interfaces.answers import IAnswers, LastAnswer
from txregistry.interfaces.expiry import EntryKey, IExpiryLedger, Kind
from txregistry.interfaces.images import (
    IFindings,
    IImages,
    ImageReport,
    ImagesRefused,
    PurgedImages,
    TellWarm,
    WarmReport,
)
from txregistry.interfaces.namespace import INamespace, ITagAnswers
from txregistry.spec.errors import Denied, RegistryError
from txregistry.spec.imagename import ImageName, find_repository
from txregistry.spec.manifest_uri import manifest_in
from txregistry.spec.platforms import WantedPlatform
from txregistry.spec.reference import RepositoryName
from txregistry.spec.upstreams import UpstreamTable

#: Tells whether a repository is one of those that are purged.
IsMeant = Callable[[RepositoryName], bool]

#: Gives when content of a repository that was last used at a time expires.
ExpiryOf = Callable[[RepositoryName, float], float | None]


@implementer(IImages)
@attrs.define(eq=False)
class Images:
    """Warms, explains and purges.

    :param namespace: gives that of the cache, which a reload changes.
    :param upstreams: likewise.
    :param local: what is stored.
    :param answers: what clients were told.
    """

    _namespace: Callable[[], INamespace]
    _upstreams: Callable[[], UpstreamTable]
    _local: INamespace
    _warmer: Warmer
    _purger: Purger
    _ledger: IExpiryLedger
    _expiry_of: ExpiryOf
    _answers: IAnswers
    _clock: IReactorTime

    def named(self, text: str) -> ImageName:
        """Return an image; see :class:`IImages`."""
        return named_image(text, self._upstreams())

    def repository_named(self, text: str) -> RepositoryName:
        """Return a repository; see :class:`IImages`."""
        try:
            return find_repository(text, self._upstreams())
        except ValueError as error:
            raise ImagesRefused(str(error)) from error

    def warm(
        self, image: ImageName, platforms: Sequence[WantedPlatform], tell: TellWarm
    ) -> Deferred[WarmReport]:
        """Fetch an image; see :class:`IImages`."""
        return self._warmer.warm(image, platforms, tell)

    @deferred
    async def explain(self, image: ImageName) -> ImageReport:
        """Look at what is here of an image; see :class:`IImages`."""
        report = await self._look(image)
        report = attrs.evolve(report, answer=self._answer(image))
        if report.is_local or not report.digest:
            return report
        return await self._with_times(image, report)

    @deferred
    async def findings(self, name: RepositoryName) -> IFindings:
        """Fire with nothing found yet; see :class:`IImages`."""
        turns = Turns(self._clock, BLOBS_AT_ONCE)
        return Findings(await self._local.repository(name=name), turns)

    @deferred
    async def _look(
        self, image: ImageName, findings: IFindings | None = None
    ) -> ImageReport:
        """Look at what is here, without its times and what clients were told."""
        found = findings or await self.findings(image.repository)
        stored = found.repository
        upstream = self._upstreams().upstream_of(image.repository)
        report = ImageReport(
            str(image),
            "" if upstream is None else upstream.hosts[0],
            is_local=upstream is None,
        )
        top = await stored_digest(stored, image)
        if top is None or not await stored.manifests.exists(digest=top):
            return report
        platforms = await found.platforms(top=top)
        return attrs.evolve(report, digest=str(top), platforms=platforms)

    def _answer(self, image: ImageName) -> LastAnswer | None:
        """Find what the last client was told, by whichever name it asked."""
        reference, upstreams = str(image.tag or image.digest), self._upstreams()
        meant, last = (image.repository.text, reference), None
        # A colon may be percent-encoded.
        for uri, answer in self._answers.answers(reference.rpartition(":")[2]):
            if manifest_in(uri, upstreams) == meant:
                last = answer
        return last

    @deferred
    async def _with_times(self, image: ImageName, report: ImageReport) -> ImageReport:
        times = await tag_times(self._namespace(), image)
        if times is not None:
            report = attrs.evolve(report, **attrs.asdict(times))
        key = EntryKey(image.repository, Kind.MANIFEST, report.digest)
        entry = await self._ledger.find(key=key)
        last_use = None if entry is None else entry.last_use
        expires_at = (
            None if last_use is None else self._expiry_of(image.repository, last_use)
        )
        return attrs.evolve(report, last_use=last_use, expires_at=expires_at)

    @deferred
    async def lacks(
        self,
        image: ImageName,
        platforms: Sequence[WantedPlatform],
        findings: IFindings | None = None,
    ) -> str:
        """Tell what a pull would lack; see :class:`IImages`."""
        upstream = self._upstreams().upstream_of(image.repository)
        if upstream is not None:
            try:
                upstream.check(upstream.at_upstream(image.repository))
            except Denied as error:
                return described(error)
        report = await self._look(image, findings)
        if report.digest and upstream is not None:
            until = await stale_until(self._namespace(), image)
            report = attrs.evolve(report, stale_until=until)
        return why_not_ready(report, platforms, self._clock.seconds())

    @deferred
    async def refresh(self, image: ImageName) -> ImageReport:
        """Ask for a tag anew; see :class:`IImages`."""
        if image.tag is None:
            raise ImagesRefused(f"{image}: a digest always stands for the same")
        self._check_cached(image.repository)
        try:
            cached = await self._namespace().repository(name=image.repository)
            digest = await resolve(cached, attrs.evolve(image, digest=None))
            await cached.manifests.get(digest=digest)
        except RegistryError as error:
            raise ImagesRefused(f"{image}: {described(error)}") from error
        return await self.explain(attrs.evolve(image, digest=None))

    def purge(self, image: ImageName) -> Deferred[PurgedImages]:
        """Remove an image; see :class:`IImages`."""
        name = image.repository
        self._check_cached(name)
        return self._purged(self._purger.purge(image), lambda found: found == name)

    def preview_purge(self, image: ImageName) -> Deferred[PurgedImages]:
        """Tell what would go; see :class:`IImages`."""
        self._check_cached(image.repository)
        return self._purger.preview(image)

    def purge_repository(self, name: RepositoryName) -> Deferred[PurgedImages]:
        """Remove a repository; see :class:`IImages`."""
        self._check_cached(name)
        return self._purge_under(name.text, lambda found: found == name)

    def purge_upstream(self, key: str) -> Deferred[PurgedImages]:
        """Remove all of an upstream; see :class:`IImages`."""
        upstreams = self._upstreams()
        upstream = upstreams.upstreams.get(key)
        if upstream is None:
            known = ", ".join(sorted(upstreams.upstreams)) or "none"
            raise ImagesRefused(f"{key!r} is no key of proxy.upstreams ({known})")
        return self._purge_under(
            key, lambda found: upstreams.upstream_of(found) is upstream
        )

    def _purge_under(self, name: str, is_meant: IsMeant) -> Deferred[PurgedImages]:
        return self._purged(self._purger.purge_under(name, is_meant), is_meant)

    @deferred
    async def _purged(
        self, work: Deferred[PurgedImages], is_meant: IsMeant
    ) -> PurgedImages:
        """Purge, then forget what tags stood for: it is not here any more."""
        try:
            return await work
        finally:
            namespace = self._namespace()
            if ITagAnswers.providedBy(namespace):
                cast(ITagAnswers, namespace).forget_answers(is_meant)

    def _check_cached(self, name: RepositoryName) -> None:
        if self._upstreams().is_local(name):
            raise ImagesRefused(f"{name} is local: it is not cached of any upstream")
