"""Create the access controller that the configuration names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from twisted.internet.interfaces import IReactorTime

from txregistry.auth.offered import ACCESS_CONTROLLERS
from txregistry.auth.open import OpenAccess
from txregistry.flow.disk import Disk
from txregistry.interfaces.access import IAccessController

Maker = Callable[[Mapping[str, Any], Disk, IReactorTime], IAccessController]


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
    if name not in ACCESS_CONTROLLERS:
        known = ", ".join(sorted(ACCESS_CONTROLLERS))
        raise ValueError(f"auth.{name}: expected one of {known}")
    maker = cast(Maker, ACCESS_CONTROLLERS.load(name))
    return maker(parameters, disk, clock)
