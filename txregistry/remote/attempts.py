"""One attempt to authenticate: which authorizations were tried, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IResponse

from txregistry.flow.deferred import deferred
from txregistry.remote.login import Login
from txregistry.remote.origin import Origin
from txregistry.remote.responses import drain
from txregistry.spec.challenge import Challenge
from txregistry.spec.errors import Denied, RegistryError, Unauthorized

#: Statuses of a registry that wants another authorization.
REFUSED = (401, 403)

#: Sends the request with an authorization, or without one.
Ask = Callable[[str | None], Deferred[IResponse]]


@attrs.frozen
class AuthTarget:
    """The target of a request, and the login for it.

    :ivar scope: of a token, derived from the path; empty for no scope, ``None`` to use
        the scope of the challenge.
    """

    url: str
    origin: Origin
    scope: str | None
    login: Login

    @property
    def key(self) -> tuple[Origin, str]:
        """Return the key under which challenges are cached."""
        return self.origin, self.scope or ""


@attrs.define(eq=False)
class Attempt:
    """Asks with one authorization after another, until one is accepted.

    :ivar response: the last refusal, without its body.
    :ivar tried: authorizations that were sent.
    :ivar failed: challenges for which no authorization could be had.
    :ivar error: of the last of these, unless a later authorization was sent.
    """

    target: AuthTarget
    ask: Ask
    _clock: IReactorTime
    response: IResponse | None = None
    tried: set[str] = attrs.field(factory=set)
    failed: list[Challenge] = attrs.field(factory=list)
    error: RegistryError | None = None

    def result(self) -> IResponse:
        """Return the refusal for the client, or raise the error that caused it."""
        if self.error is not None:
            raise self.error
        assert self.response is not None
        return self.response

    @deferred
    async def try_each(self, challenges: Sequence[Challenge]) -> IResponse | None:
        """Try challenges in order; fire with the first response that is no refusal."""
        for challenge in challenges:
            authorization = await self.authorization_for(challenge)
            if authorization is None or authorization in self.tried:
                continue
            self.tried.add(authorization)
            response = await self.ask(authorization)
            if response.code not in REFUSED:
                return response
            self.error = None
            self.response = drain(response, self._clock)
        return None

    @deferred
    async def authorization_for(self, challenge: Challenge) -> str | None:
        """Fire with the authorization for a challenge, or ``None``; record an error."""
        if challenge in self.failed:
            return None
        target = self.target
        try:
            return await target.login.authorization(
                challenge, target.origin.authority, target.scope, self.tried
            )
        except RegistryError as error:
            self.failed.append(challenge)
            self.error = error
            return None

    def renew_credentials(self) -> bool:
        """Forget refused credentials; return whether a retry may get others."""
        if not isinstance(self.error, Unauthorized | Denied | None):
            return False
        if not self.target.login.renew(self.target.origin.authority):
            return False
        self.failed.clear()
        return True
