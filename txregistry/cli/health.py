"""``txregistry health``: ask the daemon whether it is well."""

from __future__ import annotations

import json
import socket
import ssl
from http.client import HTTPConnection, HTTPException

import click

from txregistry.assembly.ownpaths import own_path
from txregistry.cli.daemon import DaemonFailed, connect
from txregistry.cli.daemon import ask as ask_daemon
from txregistry.cli.exits import FAILED, epilog, fail
from txregistry.cli.places import config_argument, place_of, usable
from txregistry.config.ciphers import OPTIONAL_CLIENT_AUTH
from txregistry.config.fields import host_and_port
from txregistry.config.http import Http

#: Seconds that the daemon may take to connect, and to answer.
PATIENCE = 5.0

#: Most bytes that are read of what is wrong.
_MOST_BYTES = 4096

_UNREACHABLE = (
    "http.tls.clientcas wants a certificate of each client, and storage that is no"
    " directory has no control socket: set http.debug.addr"
)

_EVERYWHERE = {"": "localhost", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


class DaemonUnhealthy(Exception):
    """The daemon is not well, or does not answer; the message says why."""


@click.command("health", epilog=epilog("health"))
@config_argument
def health(file: str | None) -> None:
    """Ask the daemon whether it is well; end with 1, and say why, if it is not.

    It is asked at http.debug.addr if that is set, else at http.addr; if that wants a
    certificate of each client, by the control socket. FILE is the configuration file of
    the daemon.
    """
    config = usable(place_of(file)).config
    try:
        if wants_certificate(config.http) and not config.http.debug.addr:
            ask_control(own_path(config, "control.sock", ""))
        else:
            ask(config.http)
    except (DaemonUnhealthy, DaemonFailed) as error:
        fail(str(error), status=getattr(error, "status", FAILED))


def wants_certificate(http: Http) -> bool:
    """Tell if the listener answers only clients that have a certificate (pure)."""
    tls = http.tls
    is_optional = tls.clientauth in OPTIONAL_CLIENT_AUTH
    return bool(tls.certificate and tls.clientcas) and not is_optional


def ask_control(path: str) -> None:
    """Ask by the control socket.

    :raise DaemonUnhealthy: it is not well, or nobody answers.
    :raise DaemonFailed: it cannot be asked.
    """
    if not path:
        raise DaemonUnhealthy(_UNREACHABLE)
    connection = connect(path)
    if connection is None:
        raise DaemonUnhealthy(f"it does not answer: nobody listens at {path}")
    with connection:
        connection.settimeout(PATIENCE)
        problems = ask_daemon(connection, "health", {}, lambda _: None)["problems"]
    if problems:
        raise DaemonUnhealthy(f"it is not well: {json.dumps(problems)}")


def ask(http: Http) -> None:
    """Ask ``/debug/health`` if there is a debug listener, else for ``/v2/``.

    A registry that wants a login is well. The certificate of the listener is not
    verified: it is ours, and has the name that clients know.

    :raise DaemonUnhealthy: it is not well, or nobody answers.
    """
    try:
        if http.debug.addr:
            _get(_tcp(http.debug.addr), "/debug/health", {200})
        else:
            prefix = http.prefix.strip("/")
            _get(_main(http), f"/{prefix}/v2/" if prefix else "/v2/", {200, 401})
    except (OSError, HTTPException) as error:
        raise DaemonUnhealthy(f"it does not answer: {error}") from error


def _tcp(address: str) -> socket.socket:
    host, port = host_and_port(address)
    return socket.create_connection((_EVERYWHERE.get(host, host), port), PATIENCE)


def _main(http: Http) -> socket.socket:
    if http.net == "unix":
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE)
        connection.connect(http.addr)
    else:
        connection = _tcp(http.addr)
    return _secure(connection) if http.tls.certificate else connection


def _secure(connection: socket.socket) -> socket.socket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)


def _get(connection: socket.socket, path: str, well: set[int]) -> None:
    with connection:
        http = HTTPConnection("localhost", timeout=PATIENCE)
        http.sock = connection
        http.request("GET", path, headers={"User-Agent": "txregistry-health"})
        answer = http.getresponse()
        if answer.status not in well:
            text = answer.read(_MOST_BYTES).decode("utf-8", "replace")
            raise DaemonUnhealthy(f"{path} is answered by {answer.status}: {text}")
