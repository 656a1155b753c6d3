"""Contracts for telling others what happened (distribution's notifications)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag


class Action(Enum):
    """What was done."""

    PUSH = "push"
    PULL = "pull"
    MOUNT = "mount"
    DELETE = "delete"


@attrs.frozen
class EventTarget:
    """What it was done to.

    :ivar descriptor: of the content; ``None`` where only a name is known.
    :ivar digest: of what was deleted, where there is no descriptor.
    :ivar source: the repository that a blob was mounted from.
    :ivar url: where it can be fetched.
    :ivar tag: by which it was addressed.
    """

    repository: RepositoryName
    descriptor: Descriptor | None = None
    digest: Digest | None = None
    source: RepositoryName | None = None
    url: str = ""
    tag: Tag | None = None
    references: Sequence[Descriptor] = ()


@attrs.frozen
class Requested:
    """The request by which it was done, and who sent it."""

    request_id: str = ""
    address: str = ""
    host: str = ""
    method: str = ""
    user_agent: str = ""
    user: str = ""


@attrs.frozen
class Event:
    """One thing that happened."""

    action: Action
    target: EventTarget
    requested: Requested


class IEventSink(Interface):
    """Is told of events."""

    listening: bool = Attribute("Whether anybody wants to know.")

    def emit(event: Event) -> Deferred[None]:
        """Take an event for everybody who listens.

        :return: fires when it is as safe as a queue makes it; never fails: what was
            done is done, whoever could not be told.
        """
