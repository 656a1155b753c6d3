"""What carries images out of a registry or cache, and into it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
from twisted.internet.interfaces import IReactorTime

from txregistry.assembly.storage import LocalRegistry
from txregistry.config.model import Config
from txregistry.images.explain import named_image
from txregistry.images.export import Exporter
from txregistry.images.take import Importer
from txregistry.interfaces.eviction import IRoom
from txregistry.interfaces.namespace import INamespace
from txregistry.spec.imagename import ImageName
from txregistry.spec.upstreams import UpstreamTable

if TYPE_CHECKING:
    from txregistry.assembly.caches import Cache

_READ_ONLY = "this registry takes no changes (storage.maintenance.readonly)"


@attrs.frozen
class Transfers:
    """What carries images out and in.

    :ivar named: gives an image as clients name it, or raises ``ImagesRefused``.
    """

    named: Callable[[str], ImageName]
    exporter: Exporter
    importer: Importer

    def follow(self, config: Config) -> None:
        """Use another configuration."""
        is_read_only = config.storage.maintenance.readonly.enabled
        self.importer.refusal = _READ_ONLY if is_read_only else ""


def build_transfers(
    config: Config,
    local: LocalRegistry,
    cache: Cache | None,
    room: IRoom | None,
    clock: IReactorTime,
) -> Transfers:
    """Build what carries images.

    :param cache: ``None`` for a registry, all of whose repositories are local.
    :param room: on the disk of a cache.
    """
    if cache is None:
        table = UpstreamTable()
        made = _transfers(local, lambda: local.namespace, lambda: table, None, clock)
    else:
        current = cache.current
        made = _transfers(
            local,
            lambda: current.namespace,
            lambda: current.table,
            room,
            clock,
        )
    made.follow(config)
    return made


def _transfers(
    local: LocalRegistry,
    namespace: Callable[[], INamespace],
    upstreams: Callable[[], UpstreamTable],
    room: IRoom | None,
    clock: IReactorTime,
) -> Transfers:
    def named(text: str) -> ImageName:
        return named_image(text, upstreams())

    stored, content = local.namespace, local.content
    return Transfers(
        named,
        Exporter(namespace, upstreams, stored, content, clock),
        Importer(
            namespace,
            stored,
            content,
            room,
            None if room is None else local.partials,
            clock,
        ),
    )
