"""Create the access controller that the configuration names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any, cast

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txregistry.auth.htpasswd import HtpasswdAccess
from txregistry.auth.key_files import keys_of_set, watch_bundle
from txregistry.auth.keys import KeySource, TrustedKeys
from txregistry.auth.open import OpenAccess
from txregistry.auth.passwords import create_file, watch_entries
from txregistry.auth.silly import SillyAccess
from txregistry.auth.token import TokenAccess, TokenSettings
from txregistry.flow.disk import Disk
from txregistry.flow.watched import WatchedFile
from txregistry.interfaces.access import IAccessController
from txregistry.spec.signing import ALGORITHMS

#: Entry points of this group are called as ``(parameters, disk, clock)``; they raise
#: ``ValueError`` or ``OSError`` for unusable parameters.
GROUP = "txregistry.access_controllers"

Maker = Callable[[Mapping[str, Any], Disk, IReactorTime], IAccessController]

_log = Logger(namespace="txregistry.auth")


def known_controllers() -> frozenset[str]:
    """Return the names of all controllers of installed packages."""
    return frozenset(point.name for point in entry_points(group=GROUP))


def make_controller(
    name: str, parameters: Mapping[str, Any], disk: Disk, clock: IReactorTime
) -> IAccessController:
    """Create an access controller; its package is imported now.

    :param name: empty for no access control.
    :raise ValueError: no package has it, or its parameters are unusable.
    :raise OSError: a file that it needs cannot be read.
    """
    if not name:
        return OpenAccess()
    offered = {point.name: point for point in entry_points(group=GROUP)}
    if name not in offered:
        raise ValueError(f"auth.{name}: expected one of {', '.join(sorted(offered))}")
    maker = cast(Maker, offered[name].load())
    return maker(parameters, disk, clock)


def silly(
    parameters: Mapping[str, Any], disk: Disk, clock: IReactorTime
) -> IAccessController:
    """Create the controller that accepts any credentials."""
    return SillyAccess(parameters["realm"], parameters["service"])


def htpasswd(
    parameters: Mapping[str, Any], disk: Disk, clock: IReactorTime
) -> IAccessController:
    """Create the controller of a password file; a missing file is created."""
    path = str(parameters["path"])
    password = create_file(path)
    if password is not None:
        # Logged once, as distribution does: the password is stored nowhere else.
        _log.warn(
            "password file {path} did not exist: created it for user docker with"
            " password {password}",
            path=path,
            password=password,
        )
    file = watch_entries(path)
    file.read()
    return HtpasswdAccess(str(parameters["realm"]), file, disk)


def token(
    parameters: Mapping[str, Any], disk: Disk, clock: IReactorTime
) -> IAccessController:
    """Create the controller of a token server; its parameters were checked before."""
    settings = TokenSettings(
        str(parameters["realm"]),
        str(parameters["service"]),
        str(parameters["issuer"]),
        tuple(parameters.get("signingalgorithms") or ALGORITHMS),
        bool(parameters.get("autoredirect")),
        str(parameters.get("autoredirectpath") or "/auth/token"),
    )
    return TokenAccess(settings, _key_source(parameters), clock)


def _key_source(parameters: Mapping[str, Any]) -> Callable[[], TrustedKeys]:
    """Return a function that returns the current keys.

    :raise OSError: a file cannot be read.
    :raise ValueError: a file is invalid.
    """
    files = []
    if parameters.get("rootcertbundle"):
        files.append(watch_bundle(str(parameters["rootcertbundle"])))
    if parameters.get("jwks"):
        files.append(WatchedFile(str(parameters["jwks"]), keys_of_set))
    source = KeySource(files)
    source.read()
    return source.read
