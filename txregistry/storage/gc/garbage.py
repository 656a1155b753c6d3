"""Collect content that nothing refers to, while the registry serves.

Three stages. *Mark*: in each repository decide which manifests stay, and mark what they
reference. *Sweep*: delete content without a mark. *Links*: remove the links to deleted
content. Content used meanwhile is safe: see Note [Pins] in
:mod:`txregistry.storage.content.pins`; content written or linked within the grace
period is marked, referenced or not.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import cast

import attrs
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.turns import Turns
from txregistry.interfaces.blobs import IBlobDeleter
from txregistry.interfaces.collection import (
    CollectionBusy,
    CollectOptions,
    CollectReport,
    ICollector,
    Progress,
)
from txregistry.interfaces.driver import FileStat, IStorageDriver, PathNotFound
from txregistry.interfaces.manifests import IManifestStore
from txregistry.interfaces.namespace import INamespace
from txregistry.spec.digest import HEX_LENGTHS, Digest
from txregistry.spec.errors import ManifestInvalid
from txregistry.spec.manifest.parse import parse
from txregistry.spec.reference import RepositoryName
from txregistry.storage.content.store import Content
from txregistry.storage.gc.reachability import References, reachable
from txregistry.storage.tree import layout
from txregistry.storage.tree.links import Links
from txregistry.storage.tree.shape import is_ours
from txregistry.storage.tree.walk import (
    revisions_in_tree,
    tags_in_tree,
    walk_repositories,
)
from txregistry.storage.uploads.purge import LEFTOVER_SECONDS, sweep_leftovers

#: Files that are examined before other work gets its turn.
_PER_TURN = 32

#: Digests that a report names at most.
MAX_NAMED = 1000

_DATA = re.compile(
    rf"{layout.BLOBS}/(?P<algorithm>[^/]+)/[^/]+/(?P<hex>[0-9a-f]+)/data"
)

Tell = Callable[[Progress], None]


@implementer(ICollector)
@attrs.define(eq=False)
class Collector:
    """Collects in one store; one collection at a time."""

    _driver: IStorageDriver
    _content: Content
    _namespace: INamespace
    _clock: IReactorTime
    _busy: bool = False

    @deferred
    async def collect(self, options: CollectOptions, tell: Tell) -> CollectReport:
        """Collect once; see :class:`ICollector`."""
        if self._busy:
            raise CollectionBusy()
        self._busy = True
        pins = self._content.pins
        pins.begin()
        try:
            return await self._run_over(options, tell)
        finally:
            pins.end()
            self._busy = False

    @deferred
    async def _run_over(self, options: CollectOptions, tell: Tell) -> CollectReport:
        began = self._clock.seconds()
        run = _Run(
            self._driver,
            self._content,
            self._namespace,
            self._clock,
            options,
            tell,
            began - options.grace_seconds,
        )
        await run.mark()
        await run.sweep()
        await run.remove_links()
        run.report.seconds = self._clock.seconds() - began
        return run.report


@attrs.define(eq=False)
class _Run:
    """One collection under way.

    :ivar since: content written or used from then on stays.
    """

    _driver: IStorageDriver
    _content: Content
    _namespace: INamespace
    _clock: IReactorTime
    _options: CollectOptions
    _tell: Tell
    _since: float
    _marks: set[bytes] = attrs.field(factory=set)
    _unsure: set[RepositoryName] = attrs.field(factory=set)
    _damaged: set[Digest] = attrs.field(factory=set)
    _turns: Turns = attrs.field(init=False)
    report: CollectReport = attrs.field(factory=CollectReport)

    def __attrs_post_init__(self) -> None:
        self._turns = Turns(self._clock, _PER_TURN)

    @deferred
    async def mark(self) -> None:
        """Decide what stays in each repository, and drop the manifests that do not."""
        self.report.dry_run = self._options.dry_run
        self._damaged = await self._content.damage.digests()
        async for name in walk_repositories(self._driver):
            await self._mark_repository(name)
            self.report.repositories += 1
            self._tell(Progress("mark", self.report.repositories))

    @deferred
    async def sweep(self) -> None:
        """Delete content without a mark, and leftovers of interrupted writes."""
        looked = 0
        async for item in self._driver.walk(path=layout.BLOBS, only=is_ours):
            digest = _digest_of(item)
            if digest is None:
                continue
            looked += 1
            await self._turns.take()
            await self._sweep(digest, item)
            if looked % 100 == 0:
                self._tell(Progress("sweep", looked))
        self._tell(Progress("sweep", looked))
        if not self._options.dry_run:
            before = self._clock.seconds() - LEFTOVER_SECONDS
            self.report.leftovers_deleted = await sweep_leftovers(self._driver, before)

    @deferred
    async def remove_links(self) -> None:
        """Remove links to content that is gone."""
        if self._options.dry_run:
            return
        looked = 0
        async for name in walk_repositories(self._driver):
            async for link, _ in self._layers(name):
                await self._turns.take()
                await self._remove_if_dangling(name, link)
            looked += 1
            self._tell(Progress("links", looked))

    @deferred
    async def _mark_repository(self, name: RepositoryName) -> None:
        known = await self._read_manifests(name)
        stays = set(known)
        if self._options.delete_untagged:
            stays = await reachable(known, await self._roots(name, known), self._turns)
        aliases = await self._mark_layers(name)
        for digest in stays:
            await self._mark_manifest(name, digest, known[digest], aliases)
        self.report.manifests_kept += len(stays)
        gone = set()
        for digest in sorted(set(known) - stays, key=str):
            await self._turns.take()
            if digest in stays:
                continue  # a manifest that was just pushed again refers to it
            if await self._drop(name, digest):
                gone.add(digest)
                continue
            spared = await reachable(known, [digest], self._turns) - stays - gone
            for child in spared:
                await self._mark_manifest(name, child, known[child], aliases)
            stays |= spared
            self.report.manifests_kept += len(spared)
        if gone and not self._options.dry_run:
            await self._drop_history(name, gone)

    @deferred
    async def _read_manifests(self, name: RepositoryName) -> dict[Digest, References]:
        known: dict[Digest, References] = {}
        async for digest in revisions_in_tree(self._driver, name):
            await self._turns.take()
            known[digest] = await self._read(name, digest)
        return known

    @deferred
    async def _read(self, name: RepositoryName, digest: Digest) -> References:
        try:
            content = await self._driver.get(path=layout.blob_data(digest))
            if Digest.of(content, digest.algorithm) != digest:
                raise ManifestInvalid(str(digest))
            manifest = parse(content, algorithm=digest.algorithm)
        except PathNotFound:
            self._tell_broken(name, digest)
            if digest in self._damaged:
                self._unsure.add(name)
            return References()
        except ManifestInvalid:
            # Its references are unknown: nothing of this repository is deleted.
            self._tell_broken(name, digest)
            self._unsure.add(name)
            return References()
        subject = None if manifest.subject is None else manifest.subject.digest
        references = tuple(reference.digest for reference in manifest.references)
        return References(references, subject)

    def _tell_broken(self, name: RepositoryName, digest: Digest) -> None:
        if len(self.report.broken) < MAX_NAMED:
            self.report.broken.append(f"{name}@{digest}")

    @deferred
    async def _roots(
        self, name: RepositoryName, known: dict[Digest, References]
    ) -> set[Digest]:
        """Give the manifests that are roots: tagged, young or pinned."""
        roots = set()
        async for tag in tags_in_tree(self._driver, name):
            await self._turns.take()
            link = layout.tag_current(name, tag)
            digest = await Links(self._driver).read(link)
            if digest is not None:
                roots.add(digest)
        for digest in known:
            await self._turns.take()
            young = await self._is_young(layout.revision_link(name, digest))
            if young or self._content.pins.spares(digest, self._since):
                roots.add(digest)
        return roots

    @deferred
    async def _is_young(self, path: str) -> bool:
        try:
            found = await self._driver.stat(path=path)
        except PathNotFound:
            return False
        return found.modified_at >= self._since

    @deferred
    async def _mark_layers(self, name: RepositoryName) -> dict[Digest, Digest]:
        """Mark recently linked content; give what aliases stand for."""
        aliases: dict[Digest, Digest] = {}
        async for link, item in self._layers(name):
            await self._turns.take()
            young = item.modified_at >= self._since or name in self._unsure
            if link.algorithm == "sha256" and not young:
                continue
            path = layout.layer_link(name, link)
            target = await Links(self._driver).read(path)
            if target is not None:
                aliases[link] = target
            if young:
                self._mark(target or link)
        return aliases

    async def _layers(
        self, name: RepositoryName
    ) -> AsyncIterator[tuple[Digest, FileStat]]:
        """Visit the layer links of a repository."""
        async for item in self._driver.walk(path=layout.layers(name), only=is_ours):
            parts = item.path.split("/")
            if item.is_directory or parts[-1] != "link":
                continue
            algorithm, digits = parts[-3], parts[-2]
            if HEX_LENGTHS.get(algorithm) == len(digits):
                yield Digest(algorithm, digits), item

    @deferred
    async def _mark_manifest(
        self,
        name: RepositoryName,
        digest: Digest,
        manifest: References,
        aliases: dict[Digest, Digest],
    ) -> None:
        await self._turns.take()
        self._mark(digest)
        for reference in manifest.references:
            self._mark(aliases.get(reference, reference))
        directory = layout.signatures(name, digest)
        async for item in self._driver.walk(path=directory, only=is_ours):
            if item.path.endswith("/link"):
                target = await Links(self._driver).read(item.path)
                if target is not None:
                    self._mark(target)

    def _mark(self, digest: Digest) -> None:
        self._marks.add(_short(digest))

    @deferred
    async def _drop(self, name: RepositoryName, digest: Digest) -> bool:
        """Unlink a manifest, unless it was just pushed or used again."""
        gone = True
        if not self._options.dry_run:
            repository = await self._namespace.repository(name=name)
            manifests = repository.manifests
            assert IManifestStore.providedBy(manifests)
            gone = await manifests.collect(digest=digest, since=self._since)
        self.report.manifests_deleted += gone
        return gone

    @deferred
    async def _drop_history(self, name: RepositoryName, gone: set[Digest]) -> None:
        """Remove deleted manifests from the history of tags."""
        links = Links(self._driver)
        async for tag in tags_in_tree(self._driver, name):
            await self._turns.take()
            current = await links.read(layout.tag_current(name, tag))
            directory = f"{layout.tag(name, tag)}/index"
            async for item in self._driver.walk(path=directory, only=is_ours):
                if not item.path.endswith("/link"):
                    continue
                target = await links.read(item.path)
                if target in gone and target != current:
                    await links.remove(item.path, layout.REPOSITORIES, durable=False)
                    self.report.links_deleted += 1

    @deferred
    async def _sweep(self, digest: Digest, item: FileStat) -> None:
        if _short(digest) in self._marks or item.modified_at >= self._since:
            self.report.blobs_kept += 1
            return
        if self._options.dry_run:
            held = self._content.leases.held(digest)
            gone = not held and not self._content.pins.spares(digest, self._since)
        else:
            gone = await self._content.discard(digest, self._since)
        if not gone:
            self.report.blobs_kept += 1
            return
        self.report.blobs_deleted += 1
        self.report.bytes_deleted += item.size
        if len(self.report.deleted) < MAX_NAMED:
            self.report.deleted.append(str(digest))

    @deferred
    async def _remove_if_dangling(self, name: RepositoryName, link: Digest) -> None:
        if link in self._damaged:
            return  # the operator may restore it
        repository = await self._namespace.repository(name=name)
        blobs = repository.blobs
        removed = await cast(IBlobDeleter, blobs).delete_dangling(digest=link)
        self.report.links_deleted += removed


def _short(digest: Digest) -> bytes:
    # Half a digest tells content apart, and a million of them fit into memory. A
    # collision would only keep content that could be deleted.
    return bytes.fromhex(digest.hex[:32])


def _digest_of(item: FileStat) -> Digest | None:
    match = _DATA.fullmatch(item.path)
    if match is None or HEX_LENGTHS.get(match["algorithm"]) != len(match["hex"]):
        return None
    return Digest(match["algorithm"], match["hex"])
