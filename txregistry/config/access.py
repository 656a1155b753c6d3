"""``auth``: the access controllers that come with the house."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from txregistry.config.declare import file_path, required, setting
from txregistry.spec.signing import ALGORITHMS


@attrs.frozen
class Silly:
    """``auth.silly``: any credentials will do."""

    realm: str = required("The realm of the challenge.", "2.0")
    service: str = required("The service of the challenge.", "2.0")


@attrs.frozen
class Htpasswd:
    """``auth.htpasswd``."""

    realm: str = required("The realm that a client shows its user.", "2.0")
    path: str = file_path(
        attrs.NOTHING,
        "The file of users, with bcrypt hashes up to cost 18; it is read again when it"
        " changes, and made with a random password if it is missing.",
        "2.0",
    )


@attrs.frozen
class TokenSection:
    """``auth.token``."""

    realm: str = required("The URL of the token service.", "2.0")
    service: str = required("The name of this registry at the token service.", "2.0")
    issuer: str = required("The issuer that a token has to name.", "2.0")
    rootcertbundle: str = file_path(
        "",
        "The file of the certificates whose keys may sign tokens; this or jwks.",
        "2.0",
    )
    jwks: str = file_path(
        "",
        "The file of the JSON web keys that may sign tokens; this or rootcertbundle.",
        "3.0",
    )
    signingalgorithms: tuple[str, ...] = setting(
        (), "The algorithms of signatures.", "3.0", unset="all", choices=ALGORITHMS
    )
    autoredirect: bool = setting(
        False, "Make the realm of the host that the client has asked.", "2.7"
    )
    autoredirectpath: str = setting(
        "/auth/token", "The path of that realm, with autoredirect.", "3.0"
    )


@attrs.frozen
class Auth:
    """``auth``: one access controller and its parameters.

    :ivar controller: its name; empty for none.
    """

    controller: str = ""
    parameters: Mapping[str, object] = attrs.field(factory=dict)


#: The parameters of the access controllers that come with the house.
CONTROLLERS: Mapping[str, type[Any]] = {
    "silly": Silly,
    "htpasswd": Htpasswd,
    "token": TokenSection,
}

#: What each of them does.
CONTROLLER_DOCS: Mapping[str, str] = {
    "silly": "Any credentials will do; for tests of clients only.",
    "htpasswd": "Users and passwords in a file.",
    "token": "Tokens of a token service.",
}
