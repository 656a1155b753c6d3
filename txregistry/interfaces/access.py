"""Contracts for who may do what."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface


@attrs.frozen
class Access:
    """One thing that somebody wants to do.

    :ivar kind: ``repository`` or ``registry``.
    :ivar action: ``pull``, ``push``, ``delete`` or ``*``.
    """

    kind: str
    name: str
    action: str


@attrs.frozen
class RequestFacts:
    """What an access controller may know of a request.

    :ivar authorization: the header, or empty; never logged.
    :ivar scheme: by which the client reaches us.
    :ivar host: by which it does.
    :ivar forwarded_scheme: what a proxy in front of us says of it, if there is one.
    """

    authorization: str = ""
    scheme: str = "http"
    host: str = ""
    peer: str = ""
    forwarded_scheme: str = ""


@attrs.frozen
class Grant:
    """Leave to do what was asked for.

    :ivar user: empty for nobody in particular.
    :ivar everything: also anything else that anybody may do.
    :ivar access: what else is granted, where it is not everything.
    """

    user: str = ""
    everything: bool = True
    access: frozenset[Access] = frozenset()


class IAccessController(Interface):
    """Decides who may do what."""

    def authorize(facts: RequestFacts, wanted: Sequence[Access]) -> Deferred[Grant]:
        """Fire with a grant of all that is wanted.

        :param wanted: empty to learn only who somebody is.
        :return: fails with ``Unauthorized``, whose challenge tells how to come by
            what is missing, with ``Denied``, with ``TooManyRequests`` where too many
            wait and this peer or user has the most of them, or with ``Unavailable``
            where it cannot be decided now.
        """


class IPeerless(Interface):
    """Optional, without verbs: a controller that decides whoever the client is.

    What it has granted to an ``Authorization`` header it grants for a second more, to
    any other request with the same header, host and path, from any address.
    """
