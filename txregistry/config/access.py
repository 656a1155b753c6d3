"""``auth``: the access controllers that come with the house."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen
class Silly:
    """``auth.silly``: any credentials will do."""

    realm: str
    service: str


@attrs.frozen
class Htpasswd:
    """``auth.htpasswd``."""

    realm: str
    path: str


@attrs.frozen
class TokenSection:
    """``auth.token``."""

    realm: str
    service: str
    issuer: str
    rootcertbundle: str = ""
    jwks: str = ""
    signingalgorithms: tuple[str, ...] = ()
    autoredirect: bool = False
    autoredirectpath: str = "/auth/token"


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
