"""Builds the access controller."""

from __future__ import annotations

import attrs

from txregistry.assembly.context import Context
from txregistry.auth.maker import make_controller
from txregistry.flow.disk import DiskPool
from txregistry.interfaces.access import IAccessController

#: Threads for passwords, apart from other work: checks are slow by design.
AUTH_THREADS = 2


@attrs.frozen
class AccessParts:
    """The access controller, and its threads."""

    controller: IAccessController
    disk: DiskPool


def build_access(context: Context) -> AccessParts:
    """Build the access controller of a configuration.

    :raise OSError: a file that it names cannot be read.
    :raise ValueError: the configuration cannot be used.
    """
    disk = DiskPool.create(context.reactor, AUTH_THREADS, "auth")
    auth = context.config.auth
    controller = make_controller(auth.controller, auth.parameters, disk, context.clock)
    return AccessParts(controller, disk)
