"""The access controllers by name (Note [Named, then imported] in ``flow/offered``)."""

from __future__ import annotations

from txregistry.flow.offered import Offered

#: Each is called as ``(parameters, disk, clock)``; it raises ``ValueError`` or
#: ``OSError`` for unusable parameters.
ACCESS_CONTROLLERS = Offered(
    "txregistry.access_controllers",
    {
        "silly": "txregistry.auth.silly:silly",
        "htpasswd": "txregistry.auth.htpasswd:htpasswd",
        "token": "txregistry.auth.token:token",
    },
)
