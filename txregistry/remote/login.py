"""How the challenges of a registry are answered with credentials or tokens."""

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
    """Credentials, tokens obtained with them, and the token services that are trusted.

    :param is_trusted: returns whether a registry may name the token service at a URL.
    """

    _credentials: ICredentialStore
    _tokens: Tokens
    _is_trusted: Callable[[Origin, str], bool]

    def trusts(self, challenge: Challenge, registry: Origin) -> bool:
        """Return whether a challenge may be answered; its token service is trusted."""
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
        """Fire with the ``Authorization`` for a challenge.

        :param host: of the registry, for Basic.
        :param scope: of a token; ``None`` for the challenge's own.
        :param refused: authorizations that the registry has refused.
        :return: fires with ``None`` if there are no credentials for Basic. Fails as
            :meth:`Tokens.get`.
        """
        if challenge.scheme == "basic":
            credentials = await self._credentials.credentials(host)
            return (
                None
                if credentials is None or not credentials.username
                else basic(credentials)
            )
        parameters = challenge.parameters
        key = TokenKey(
            parameters["realm"],
            parameters.get("service", ""),
            parameters.get("scope", "") if scope is None else scope,
        )
        tokens = {item.partition(" ")[2] for item in refused}
        return f"Bearer {await self._tokens.get(key, refused=tokens)}"

    def renew(self, host: str) -> bool:
        """Forget refused credentials and their tokens.

        :return: whether a new lookup may find others.
        """
        renewed = self._credentials.forget(host)
        if renewed:
            self._tokens.forget()
        return renewed


def is_no_downgrade(registry: Origin, realm: str) -> bool:
    """Return whether a token service may be asked without credentials.

    It may, unless a registry on https names one on http.
    """
    try:
        found = Origin.of(realm)
    except ValueError:
        return False
    return (registry.scheme, found.scheme) != ("https", "http")
