"""The first stage of a collection: what stays in each repository, and what that needs.

Marks are of content. A manifest that does not stay is unlinked at once, so that a push
meanwhile is either seen or told to send again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import attrs
from twisted.internet.interfaces import IReactorTime

from txregistry.flow.deferred import deferred
from txregistry.flow.turns import Turns
from txregistry.interfaces.collection import CollectOptions, CollectReport, Progress
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

#: Files that are examined before other work gets its turn.
_PER_TURN = 32

#: Digests that a report names at most.
MAX_NAMED = 1000

Tell = Callable[[Progress], None]


@attrs.define(eq=False)
class Run:
    """What the stages of one collection share.

    :ivar since: content written or used from then on stays.
    :ivar damaged: content that was set aside when the collection began.
    :ivar is_local: tells which repositories are collected; ``None`` for all.
    """

    driver: IStorageDriver
    content: Content
    namespace: INamespace
    clock: IReactorTime
    options: CollectOptions
    tell: Tell
    since: float
    damaged: set[Digest] = attrs.field(factory=set)
    is_local: Callable[[RepositoryName], bool] | None = None
    turns: Turns = attrs.field(init=False)
    report: CollectReport = attrs.field(factory=CollectReport)
    _marks: set[bytes] = attrs.field(factory=set)

    def __attrs_post_init__(self) -> None:
        self.turns = Turns(self.clock, _PER_TURN)
        self.report.dry_run = self.options.dry_run

    def collects(self, name: RepositoryName) -> bool:
        """Return whether a repository is collected; of others all stays."""
        return self.is_local is None or self.is_local(name)

    def mark(self, digest: Digest) -> None:
        """Mark content, which then stays."""
        self._marks.add(_short(digest))

    def is_marked(self, digest: Digest) -> bool:
        """Return whether content is marked."""
        return _short(digest) in self._marks


def _short(digest: Digest) -> bytes:
    # Half a digest tells content apart, and a million of them fit into memory. A
    # collision would only keep content that could be deleted.
    return bytes.fromhex(digest.hex[:32])


@attrs.define(eq=False)
class Marker:
    """Marks what stays, and drops the manifests that do not."""

    _run: Run
    _unsure: set[RepositoryName] = attrs.field(factory=set)

    @deferred
    async def mark(self) -> None:
        """Decide what stays in each repository, and drop the manifests that do not."""
        self._run.damaged = await self._run.content.damage.digests()
        async for name in walk_repositories(self._run.driver):
            if self._run.collects(name):
                await self._mark_repository(name)
            else:
                await self._mark_all(name)
            self._run.report.repositories += 1
            self._run.tell(Progress("mark", self._run.report.repositories))

    @deferred
    async def _mark_all(self, name: RepositoryName) -> None:
        """Mark all that a repository links, which expires by itself."""
        async for link, _ in layer_links(self._run.driver, name):
            await self._run.turns.take()
            path = layout.layer_link(name, link)
            self._run.mark(await Links(self._run.driver).read(path) or link)
        async for digest in revisions_in_tree(self._run.driver, name):
            await self._mark_manifest(name, digest, References(), {})

    @deferred
    async def _mark_repository(self, name: RepositoryName) -> None:
        known = await self._read_manifests(name)
        stays = set(known)
        if self._run.options.delete_untagged:
            stays = await reachable(
                known, await self._roots(name, known), self._run.turns
            )
        aliases = await self._mark_layers(name)
        for digest in stays:
            await self._mark_manifest(name, digest, known[digest], aliases)
        self._run.report.manifests_kept += len(stays)
        gone = set()
        for digest in sorted(set(known) - stays, key=str):
            await self._run.turns.take()
            if digest in stays:
                continue  # a manifest that was just pushed again refers to it
            if await self._drop(name, digest):
                gone.add(digest)
                continue
            spared = await reachable(known, [digest], self._run.turns) - stays - gone
            for child in spared:
                await self._mark_manifest(name, child, known[child], aliases)
            stays |= spared
            self._run.report.manifests_kept += len(spared)
        if gone and not self._run.options.dry_run:
            await self._drop_history(name, gone)

    @deferred
    async def _read_manifests(self, name: RepositoryName) -> dict[Digest, References]:
        known: dict[Digest, References] = {}
        async for digest in revisions_in_tree(self._run.driver, name):
            await self._run.turns.take()
            known[digest] = await self._read(name, digest)
        return known

    @deferred
    async def _read(self, name: RepositoryName, digest: Digest) -> References:
        try:
            content = await self._run.driver.get(path=layout.blob_data(digest))
            if Digest.of(content, digest.algorithm) != digest:
                raise ManifestInvalid(str(digest))
            manifest = parse(content, algorithm=digest.algorithm)
        except PathNotFound:
            self._tell_broken(name, digest)
            if digest in self._run.damaged:
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
        if len(self._run.report.broken) < MAX_NAMED:
            self._run.report.broken.append(f"{name}@{digest}")

    @deferred
    async def _roots(
        self, name: RepositoryName, known: dict[Digest, References]
    ) -> set[Digest]:
        """Give the manifests that are roots: tagged, young or pinned."""
        roots = set()
        async for tag in tags_in_tree(self._run.driver, name):
            await self._run.turns.take()
            link = layout.tag_current(name, tag)
            digest = await Links(self._run.driver).read(link)
            if digest is not None:
                roots.add(digest)
        for digest in known:
            await self._run.turns.take()
            young = await self._is_young(layout.revision_link(name, digest))
            if young or self._run.content.pins.spares(digest, self._run.since):
                roots.add(digest)
        return roots

    @deferred
    async def _is_young(self, path: str) -> bool:
        try:
            found = await self._run.driver.stat(path=path)
        except PathNotFound:
            return False
        return found.modified_at >= self._run.since

    @deferred
    async def _mark_layers(self, name: RepositoryName) -> dict[Digest, Digest]:
        """Mark recently linked content; give what aliases stand for."""
        aliases: dict[Digest, Digest] = {}
        async for link, item in layer_links(self._run.driver, name):
            await self._run.turns.take()
            young = item.modified_at >= self._run.since or name in self._unsure
            if link.algorithm == "sha256" and not young:
                continue
            path = layout.layer_link(name, link)
            target = await Links(self._run.driver).read(path)
            if target is not None:
                aliases[link] = target
            if young:
                self._run.mark(target or link)
        return aliases

    @deferred
    async def _mark_manifest(
        self,
        name: RepositoryName,
        digest: Digest,
        manifest: References,
        aliases: dict[Digest, Digest],
    ) -> None:
        await self._run.turns.take()
        self._run.mark(digest)
        for reference in manifest.references:
            self._run.mark(aliases.get(reference, reference))
        directory = layout.signatures(name, digest)
        async for item in self._run.driver.walk(path=directory, only=is_ours):
            if item.path.endswith("/link"):
                target = await Links(self._run.driver).read(item.path)
                if target is not None:
                    self._run.mark(target)

    @deferred
    async def _drop(self, name: RepositoryName, digest: Digest) -> bool:
        """Unlink a manifest, unless it was just pushed or used again."""
        gone = True
        if not self._run.options.dry_run:
            repository = await self._run.namespace.repository(name=name)
            manifests = repository.manifests
            assert IManifestStore.providedBy(manifests)
            gone = await manifests.collect(digest=digest, since=self._run.since)
        self._run.report.manifests_deleted += gone
        return gone

    @deferred
    async def _drop_history(self, name: RepositoryName, gone: set[Digest]) -> None:
        """Remove deleted manifests from the history of tags."""
        links = Links(self._run.driver)
        async for tag in tags_in_tree(self._run.driver, name):
            await self._run.turns.take()
            current = await links.read(layout.tag_current(name, tag))
            directory = f"{layout.tag(name, tag)}/index"
            async for item in self._run.driver.walk(path=directory, only=is_ours):
                if not item.path.endswith("/link"):
                    continue
                target = await links.read(item.path)
                if target in gone and target != current:
                    await links.remove(item.path, layout.REPOSITORIES, durable=False)
                    self._run.report.links_deleted += 1


async def layer_links(
    driver: IStorageDriver, name: RepositoryName
) -> AsyncIterator[tuple[Digest, FileStat]]:
    """Visit the layer links of a repository."""
    async for item in driver.walk(path=layout.layers(name), only=is_ours):
        parts = item.path.split("/")
        if item.is_directory or parts[-1] != "link":
            continue
        algorithm, digits = parts[-3], parts[-2]
        if HEX_LENGTHS.get(algorithm) == len(digits):
            yield Digest(algorithm, digits), item
