"""Who we are to a registry, and how its challenges are met."""

from __future__ import annotations

from collections.abc import Callable, Collection

import attrs

from txregistry.flow.deferred import deferred
from txregistry.remote.credentials import ICredentialStore
from txregistry.remote.origin import Origin
from txregistry.remote.tokens import TokenKey, Tokens, basic
from txregistry.spec.challenge import Challenge


@attrs.define(eq=False)
class Login:
    """Credentials, the tokens that were got for them, and who may be asked for one.

    :param is_trusted: tells of a token service's URL whether a registry may name it.
    """

    _credentials: ICredentialStore
    _tokens: Tokens
    _is_trusted: Callable[[Origin, str], bool]

    def trusts(self, challenge: Challenge, registry: Origin) -> bool:
        """Tell whether meeting a challenge gives nothing away to a stranger."""
        if challenge.scheme == "basic":
            return True
        realm = challenge.parameters["realm"]
        is_url = realm.isascii() and realm.isprintable() and " " not in realm
        return is_url and self._is_trusted(registry, realm)

    @deferred
    async def authorization(
        self,
        challenge: Challenge,
        host: str,
        scope: str | None,
        refused: Collection[str],
    ) -> str | None:
        """Fire with the ``Authorization`` that a challenge asks for.

        :param scope: of a token; ``None`` for what the challenge says.
        :param refused: authorizations that are not to be given again.
        :return: fires with ``None`` if we have nothing to show. Fails as
            :meth:`Tokens.get`.
        """
        if challenge.scheme == "basic":
            who = await self._credentials.credentials(host)
            return None if who is None or not who.username else basic(who)
        parameters = challenge.parameters
        key = TokenKey(
            parameters["realm"],
            parameters.get("service", ""),
            parameters.get("scope", "") if scope is None else scope,
        )
        tokens = {item.partition(" ")[2] for item in refused}
        return f"Bearer {await self._tokens.get(key, refused=tokens)}"

    def renew(self, host: str) -> bool:
        """Forget credentials that were refused; tell whether others can be had."""
        renewed = self._credentials.forget(host)
        if renewed:
            self._tokens.forget()
        return renewed


def is_no_downgrade(registry: Origin, realm: str) -> bool:
    """Tell whether a token service can be asked that is shown no credentials."""
    try:
        found = Origin.of(realm)
    except ValueError:
        return False
    return (registry.scheme, found.scheme) != ("https", "http")
