"""Who visits the admin listener, and what they may do there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from enum import Enum
from typing import Any

import attrs

from txregistry.flow.deferred import deferred
from txregistry.interfaces.access import IAccessController, RequestFacts
from txregistry.interfaces.audit import Requester
from txregistry.spec.errors import Denied
from txregistry.web.console.hosts import is_ours
from txregistry.web.http.request import RegistryRequest

#: In the list of users, all who are not in it.
EVERYBODY = "*"


class Role(Enum):
    """What somebody may do: to operate is to read and to act."""

    READ = "read"
    OPERATE = "operate"


@attrs.frozen
class Visitor:
    """Somebody who may look.

    :ivar who: for the audit trail.
    :ivar may_act: whether they may do more than look.
    """

    who: Requester
    may_act: bool


@attrs.frozen
class Reception:
    """Lets visitors in.

    :param controller: asks who somebody is.
    :param roles: by the names of users; :data:`EVERYBODY` stands for all others.
    :param hosts: names by which we are asked, see :mod:`txregistry.web.console.hosts`.
    :param name_peer: names who is at the other end of a Unix socket, whose mode decides
        who may do everything; ``None`` where the listener has an address.
    """

    _controller: IAccessController
    _roles: Mapping[str, str]
    _hosts: Collection[str] = ()
    _name_peer: Callable[[Any], Requester] | None = None

    @deferred
    async def admit(self, request: RegistryRequest) -> Visitor:
        """Let a visitor in.

        :return: fires with who it is. Fails with ``Unauthorized``, which asks for a
            login, or with ``Denied`` for a user who has no role, or who asks by a name
            that is not ours.
        """
        if not is_ours(request.header("Host"), self._hosts):
            raise Denied("this name is not in http.admin.hosts")
        if self._name_peer is not None:
            assert request.channel is not None
            return Visitor(self._name_peer(request.channel.transport), True)
        forwarded = request.forwarded("X-Forwarded-Proto")
        scheme = forwarded or ("https" if request.isSecure() else "http")
        facts = RequestFacts(
            request.header("Authorization"),
            scheme,
            request.header("Host"),
            request.peer,
            forwarded,
        )
        grant = await self._controller.authorize(facts=facts, wanted=())
        request.actor = grant.user
        role = self._roles.get(grant.user) or self._roles.get(EVERYBODY)
        if role is None:
            raise Denied("http.admin.users does not name you")
        return Visitor(
            Requester(grant.user or "anybody", request.peer), role == Role.OPERATE.value
        )
