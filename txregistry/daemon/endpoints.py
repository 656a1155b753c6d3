"""Where the daemon listens: addresses, sockets in the file system, inherited ones."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.endpoints import (
    AdoptedStreamServerEndpoint,
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    UNIXServerEndpoint,
    serverFromString,
)
from twisted.internet.interfaces import IStreamServerEndpoint

from txregistry.config.fields import host_and_port
from txregistry.config.http import Http
from txregistry.daemon.tls import wrap_endpoint


def inherited_sockets(reactor: Any) -> list[int]:
    """Give the descriptors passed by systemd (sd_listen_fds), two at most.

    Twisted has already read the environment: it is asked for each one.
    """
    found: list[int] = []
    with suppress(IndexError):
        while len(found) < 2:
            description = f"systemd:domain=INET:index={len(found)}"
            found.append(serverFromString(reactor, description).fileno)
    return found


def main_endpoint(
    reactor: Any, http: Http, protocols: Sequence[bytes], inherited: Sequence[int] = ()
) -> IStreamServerEndpoint:
    """Make the endpoint on which the registry answers, with TLS if it has a key.

    :param protocols: what is offered inside TLS, best first.
    :param inherited: sockets that already listen; one replaces the address.
    :raise OSError: a file of TLS cannot be read, or an inherited descriptor is no
        socket.
    :raise ValueError: a file of TLS is malformed, or there are several sockets.
    """
    endpoint = _plain(reactor, http, inherited)
    if not http.tls.certificate:
        return endpoint
    return wrap_endpoint(endpoint, http.tls, protocols, reactor)


def _plain(reactor: Any, http: Http, inherited: Sequence[int]) -> IStreamServerEndpoint:
    if inherited:
        return _adopted(reactor, inherited)
    if http.net == "unix":
        remove_stale_socket(http.addr)
        mode = int(http.socketmode, 8)
        return UNIXServerEndpoint(reactor, http.addr, mode=mode, wantPID=False)
    return tcp_endpoint(reactor, http.addr)


def _adopted(reactor: Any, inherited: Sequence[int]) -> IStreamServerEndpoint:
    if len(inherited) > 1:
        raise ValueError("systemd handed over several sockets: name one in the unit")
    with socket.socket(fileno=os.dup(inherited[0])) as probe:
        family = probe.family
    return AdoptedStreamServerEndpoint(reactor, inherited[0], family)


def tcp_endpoint(reactor: Any, address: str) -> IStreamServerEndpoint:
    """Make an endpoint from ``host:port``; an empty host is every address."""
    host, port = host_and_port(address)
    if ":" in host or not host:
        return TCP6ServerEndpoint(reactor, port, interface=host or "::")
    interface = "127.0.0.1" if host == "localhost" else host
    return TCP4ServerEndpoint(reactor, port, interface=interface)


def remove_stale_socket(path: str) -> None:
    """Remove a stale socket; one that answers stays."""
    if not os.path.exists(path) or not stat.S_ISSOCK(os.stat(path).st_mode):
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
