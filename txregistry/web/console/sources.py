"""What the admin listener shows, and where it comes from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from txregistry.interfaces.anatomy import IAnatomist
from txregistry.interfaces.commands import Command
from txregistry.interfaces.eviction import IEvictionPlan, IPinList
from txregistry.interfaces.history import IActivity, IHistory
from txregistry.interfaces.images import IImages
from txregistry.interfaces.namespace import INamespace
from txregistry.interfaces.offline import IOfflineSwitch
from txregistry.interfaces.overview import IOverlook
from txregistry.interfaces.readiness import IReadinessSurvey
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag


@attrs.frozen
class Sources:
    """The parts of a daemon that are shown.

    :ivar clock: shows the time of day.
    :ivar local: what is stored.
    :ivar problems: fires with what is wrong, by name; never fails.
    :ivar commands: what can be done, by name.
    :ivar reports: commands that only look, likewise.
    :ivar earlier: visits what a tag has stood for.
    :ivar host: gives what clients call the registry, as far as it is known.
    :ivar cache: what only a cache has; ``None`` for a registry.
    """

    clock: IReactorTime
    local: INamespace
    anatomist: IAnatomist
    history: IHistory
    activity: IActivity
    problems: Callable[[], Deferred[Mapping[str, str]]]
    commands: Mapping[str, Command]
    reports: Mapping[str, Command]
    earlier: Callable[[RepositoryName, Tag], AsyncIterator[Digest]]
    host: Callable[[], str]
    cache: CacheSources | None = None


@attrs.frozen
class CacheSources:
    """The parts that only a cache has."""

    overlook: IOverlook
    room: IEvictionPlan
    pins: IPinList
    images: IImages
    readiness: IReadinessSurvey
    offline: IOfflineSwitch


#: Values of JSON.
Values = dict[str, Any]
