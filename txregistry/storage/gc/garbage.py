"""Collect content that nothing refers to, while the registry serves.

Three stages. *Mark*: in each repository decide which manifests stay, and mark what they
reference. *Sweep*: delete content without a mark. *Links*: remove the links to deleted
content. Content used meanwhile is safe: see Note [Pins] in
:mod:`txregistry.storage.content.pins`; content written or linked within the grace
period is marked, referenced or not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import cast

import attrs
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.blobs import IBlobDeleter
from txregistry.interfaces.collection import (
    CollectionBusy,
    CollectOptions,
    CollectReport,
    ICollector,
    Progress,
)
from txregistry.interfaces.driver import FileStat, IStorageDriver
from txregistry.interfaces.namespace import INamespace
from txregistry.spec.digest import HEX_LENGTHS, Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.content.store import Content
from txregistry.storage.gc.marking import MAX_NAMED, Marker, Run, Tell, layer_links
from txregistry.storage.tree import layout
from txregistry.storage.tree.shape import is_ours
from txregistry.storage.tree.walk import (
    walk_repositories,
)
from txregistry.storage.uploads.purge import LEFTOVER_SECONDS, sweep_leftovers

_DATA = re.compile(
    rf"{layout.BLOBS}/(?P<algorithm>[^/]+)/[^/]+/(?P<hex>[0-9a-f]+)/data"
)


@implementer(ICollector)
@attrs.define(eq=False)
class Collector:
    """Collects in one store; one collection at a time.

    :param is_local: tells which repositories are collected, in a cache that has others:
        what those link stays until it expires. ``None`` for all.
    """

    _driver: IStorageDriver
    _content: Content
    _namespace: INamespace
    _clock: IReactorTime
    _is_local: Callable[[RepositoryName], bool] | None = None
    _busy: bool = False

    @deferred
    async def collect(self, options: CollectOptions, tell: Tell) -> CollectReport:
        """Collect once; see :class:`ICollector`."""
        if self._busy:
            raise CollectionBusy("a collection is under way already")
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
        run = Run(
            self._driver,
            self._content,
            self._namespace,
            self._clock,
            options,
            tell,
            began - options.grace_seconds,
            is_local=self._is_local,
        )
        await Marker(run).mark()
        sweeper = Sweeper(run)
        await sweeper.sweep()
        await sweeper.remove_links()
        run.report.seconds = self._clock.seconds() - began
        return run.report


@attrs.define(eq=False)
class Sweeper:
    """Deletes content without a mark, and then the links to what is gone."""

    _run: Run

    @deferred
    async def sweep(self) -> None:
        """Delete content without a mark, and leftovers of interrupted writes."""
        looked = 0
        async for item in self._run.driver.walk(path=layout.BLOBS, only=is_ours):
            digest = _digest_of(item)
            if digest is None:
                continue
            looked += 1
            await self._run.turns.take()
            await self._sweep(digest, item)
            if looked % 100 == 0:
                self._run.tell(Progress("sweep", looked))
        self._run.tell(Progress("sweep", looked))
        if not self._run.options.dry_run:
            before = self._run.clock.seconds() - LEFTOVER_SECONDS
            self._run.report.leftovers_deleted = await sweep_leftovers(
                self._run.driver, before
            )

    @deferred
    async def remove_links(self) -> None:
        """Remove links to content that is gone."""
        if self._run.options.dry_run:
            return
        looked = 0
        async for name in walk_repositories(self._run.driver):
            if not self._run.collects(name):
                continue
            async for link, _ in layer_links(self._run.driver, name):
                await self._run.turns.take()
                await self._remove_if_dangling(name, link)
            looked += 1
            self._run.tell(Progress("links", looked))

    @deferred
    async def _sweep(self, digest: Digest, item: FileStat) -> None:
        if self._run.is_marked(digest) or item.modified_at >= self._run.since:
            self._run.report.blobs_kept += 1
            return
        if self._run.options.dry_run:
            held = self._run.content.leases.held(digest)
            gone = not held and not self._run.content.pins.spares(
                digest, self._run.since
            )
        else:
            gone = await self._run.content.discard(digest, self._run.since)
        if not gone:
            self._run.report.blobs_kept += 1
            return
        self._run.report.blobs_deleted += 1
        self._run.report.bytes_deleted += item.size
        if len(self._run.report.deleted) < MAX_NAMED:
            self._run.report.deleted.append(str(digest))

    @deferred
    async def _remove_if_dangling(self, name: RepositoryName, link: Digest) -> None:
        if link in self._run.damaged:
            return  # the operator may restore it
        repository = await self._run.namespace.repository(name=name)
        blobs = repository.blobs
        removed = await cast(IBlobDeleter, blobs).delete_dangling(digest=link)
        self._run.report.links_deleted += removed


def _digest_of(item: FileStat) -> Digest | None:
    match = _DATA.fullmatch(item.path)
    if match is None or HEX_LENGTHS.get(match["algorithm"]) != len(match["hex"]):
        return None
    return Digest(match["algorithm"], match["hex"])
