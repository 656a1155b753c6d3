"""Where the daemon listens: addresses, sockets in the file system, inherited ones."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import attrs
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import (
    AdoptedStreamServerEndpoint,
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    UNIXServerEndpoint,
    serverFromString,
)
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.config.fields import host_and_port
from txregistry.config.http import Http
from txregistry.daemon.tls import wrap_endpoint

_log = Logger(namespace="txregistry.daemon.endpoints")

#: Connections that wait to be accepted; the kernel may permit fewer.
_BACKLOG = 1024


def inherited_sockets(reactor: Any) -> list[int]:
    """Give the descriptors of the sockets that systemd passes (sd_listen_fds(3)).

    Twisted has already read the environment, and emptied it: it is asked for each one.
    """
    found: list[int] = []
    with suppress(IndexError):
        while True:
            description = f"systemd:domain=INET:index={len(found)}"
            found.append(serverFromString(reactor, description).fileno)
    return found


def main_endpoints(
    reactor: Any, http: Http, protocols: Sequence[bytes], inherited: Sequence[int] = ()
) -> list[IStreamServerEndpoint]:
    """Make the endpoints on which the registry answers, with TLS if it has a key.

    :param protocols: what is offered inside TLS, best first.
    :param inherited: sockets that already listen; they replace the address, and a
        warning tells if none of them has it.
    :raise OSError: a file of TLS cannot be read, or an inherited descriptor is no
        socket.
    :raise ValueError: a file of TLS is malformed, or a port is to be shared that is
        inherited.
    """
    if http.reuseport and inherited:
        raise ValueError(
            "http.reuseport: systemd has bound the address already, for one process:"
            " disable the socket unit, or this key"
        )
    endpoints = _adopted(reactor, http, inherited) or [_plain(reactor, http)]
    if not http.tls.certificate:
        return endpoints
    return [wrap_endpoint(plain, http.tls, protocols, reactor) for plain in endpoints]


def _plain(reactor: Any, http: Http) -> IStreamServerEndpoint:
    if http.net == "unix":
        remove_stale_socket(http.addr)
        mode = int(http.socketmode, 8)
        return UNIXServerEndpoint(reactor, http.addr, mode=mode, wantPID=False)
    if http.reuseport:
        return SharedPortEndpoint(reactor, *_address(http.addr))
    return tcp_endpoint(reactor, http.addr)


def _adopted(
    reactor: Any, http: Http, inherited: Sequence[int]
) -> list[IStreamServerEndpoint]:
    endpoints: list[IStreamServerEndpoint] = []
    addresses = []
    for descriptor in inherited:
        with socket.socket(fileno=os.dup(descriptor)) as probe:
            family = probe.family
            addresses.append(_bound(probe))
        endpoints.append(AdoptedStreamServerEndpoint(reactor, descriptor, family))
    if addresses and _wanted(http) not in addresses:
        _log.warn(
            "systemd's socket unit decides where to listen: {bound}; http.addr"
            " ({wanted}) has no effect. Change ListenStream= of the socket unit, or"
            " disable that unit",
            bound=", ".join(addresses),
            wanted=http.addr,
        )
    return endpoints


def _bound(bound: socket.socket) -> str:
    """Give the address of a socket, in the form of :func:`_wanted`."""
    if bound.family == socket.AF_UNIX:
        return str(bound.getsockname())
    host, port = bound.getsockname()[:2]
    return _joined(host, port)


def _wanted(http: Http) -> str:
    if http.net == "unix":
        return http.addr
    host, port = host_and_port(http.addr)
    return _joined(_interface(host), port)


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _interface(host: str) -> str:
    return {"": "::", "localhost": "127.0.0.1"}.get(host, host)


def _address(address: str) -> tuple[str, int]:
    host, port = host_and_port(address)
    return _interface(host), port


def tcp_endpoint(reactor: Any, address: str) -> IStreamServerEndpoint:
    """Make an endpoint from ``host:port``; an empty host is every address."""
    interface, port = _address(address)
    if ":" in interface:
        return TCP6ServerEndpoint(reactor, port, interface=interface)
    return TCP4ServerEndpoint(reactor, port, interface=interface)


@implementer(IStreamServerEndpoint)
@attrs.frozen
class SharedPortEndpoint:
    """Listens on a port together with other processes of the same user.

    The kernel gives each connection to one of them (``SO_REUSEPORT``), and one that
    ends loses only its own.

    :param interface: an address of IPv4 or IPv6.
    """

    _reactor: Any
    _interface: str
    _port: int

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen; fires with the port, or fails with ``OSError``."""
        return maybeDeferred(self._listen, factory)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        family = socket.AF_INET6 if ":" in self._interface else socket.AF_INET
        with socket.socket(family) as bound:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            bound.bind((self._interface, self._port))
            bound.listen(_BACKLOG)
            bound.setblocking(False)
            port: IListeningPort = self._reactor.adoptStreamPort(
                bound.fileno(), family, factory
            )
        return port


@implementer(IStreamServerEndpoint)
@attrs.frozen
class LinkedEndpoint:
    """Listens on a socket in the file system, and links to it from another place.

    :param target: the path of the socket.
    :param link: where those look who do not know the target.
    """

    _endpoint: IStreamServerEndpoint
    _target: str
    _link: str

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen; fires and fails as the endpoint does.

        A link that cannot be made, as on a full disk, is told in the log.
        """
        try:
            with suppress(FileNotFoundError):
                os.unlink(self._link)
            os.symlink(self._target, self._link)
        except OSError as error:
            _log.warn("no link to {target}: {error}", target=self._target, error=error)
        return self._endpoint.listen(factory)


def remove_stale_socket(path: str) -> None:
    """Remove a stale socket, or a link to one; one that answers stays."""
    if os.path.islink(path) and not os.path.exists(path):
        os.unlink(path)
    if not os.path.exists(path) or not stat.S_ISSOCK(os.stat(path).st_mode):
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
