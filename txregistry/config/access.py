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

    realm: str = required("Realm in the challenge.", "2.0")
    service: str = required("Service in the challenge.", "2.0")


@attrs.frozen
class Htpasswd:
    """``auth.htpasswd``."""

    realm: str = required(
        "Realm in the challenge, which clients show to their users.", "2.0"
    )
    path: str = file_path(
        attrs.NOTHING,
        "Password file with bcrypt hashes (up to cost 18). Read again when it "
        "changes; created with one user and a random password, which is logged, if "
        "it is missing.",
        "2.0",
    )


@attrs.frozen
class TokenSection:
    """``auth.token``."""

    realm: str = required("URL of the token service.", "2.0")
    service: str = required(
        "Name of this registry at the token service; a token must be issued for it.",
        "2.0",
    )
    issuer: str = required("Issuer that a token must name.", "2.0")
    rootcertbundle: str = file_path(
        "",
        "File with the certificates whose keys may sign tokens. Either this or jwks"
        " is required.",
        "2.0",
    )
    jwks: str = file_path(
        "",
        "File with the JSON web keys that may sign tokens. Either this or "
        "rootcertbundle is required.",
        "3.0",
    )
    signingalgorithms: tuple[str, ...] = setting(
        (), "Accepted signature algorithms.", "3.0", unset="all", choices=ALGORITHMS
    )
    autoredirect: bool = setting(
        False, "Build the realm from the host name of each request.", "2.7"
    )
    autoredirectpath: str = setting(
        "/auth/token", "Path of the realm with autoredirect.", "3.0"
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
    "silly": "Accepts any credentials; for testing clients only.",
    "htpasswd": "Users and passwords from a file.",
    "token": "Bearer tokens from a token service.",
}
