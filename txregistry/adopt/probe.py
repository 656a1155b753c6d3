"""Where a registry answers, and waiting until it does."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException

import attrs

from txregistry.config.fields import host_and_port
from txregistry.config.model import Config

#: What a registry that works says to ``/v2/``: welcome, or who are you.
_ANSWERS = (200, 401)

#: Seconds that one question may take.
_PATIENCE = 10

_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


@attrs.frozen
class Probe:
    """How a registry is asked whether it works.

    :ivar address: host and port, or the path of a Unix socket.
    :ivar wants_ours: it asks for certificates of clients.
    """

    net: str
    address: str
    is_tls: bool = False
    path: str = "/v2/"
    wants_ours: bool = False

    @classmethod
    def of(cls, config: Config) -> Probe:
        """Give the one for a configuration."""
        http = config.http
        prefix = http.prefix.strip("/")
        path = f"/{prefix}/v2/" if prefix else "/v2/"
        is_tls, wants_ours = bool(http.tls.certificate), bool(http.tls.clientcas)
        return cls(http.net, http.addr, is_tls, path, is_tls and wants_ours)

    @property
    def url(self) -> str:
        """Give what is asked, for messages."""
        scheme = "https" if self.is_tls else "http"
        return f"{scheme}://{self.address}{self.path}"

    def answers(self) -> bool:
        """Ask once; tell if it is answered as by a registry that works."""
        try:
            return self._has_shaken() if self.wants_ours else self._has_welcomed()
        except (OSError, HTTPException):
            return False

    def _has_shaken(self) -> bool:
        """Tell if somebody speaks TLS, who ends it as we have no certificate."""
        try:
            self._connect().close()
        except ssl.SSLError as error:
            return "ALERT" in str(error.reason)
        return True

    def _has_welcomed(self) -> bool:
        connection = HTTPConnection("localhost", timeout=_PATIENCE)
        connection.sock = self._connect()
        try:
            connection.request("GET", self.path, headers={"Connection": "close"})
            return connection.getresponse().status in _ANSWERS
        finally:
            connection.close()

    def _connect(self) -> socket.socket:
        if self.net == "unix":
            plain = socket.socket(socket.AF_UNIX)
            plain.settimeout(_PATIENCE)
            plain.connect(self.address)
            return plain
        host, port = host_and_port(self.address)
        plain = socket.create_connection((_EVERYWHERE.get(host, host), port), _PATIENCE)
        return _unverified().wrap_socket(plain) if self.is_tls else plain


def _unverified() -> ssl.SSLContext:
    """Give a context for asking our own machine, by an address and no name."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class NoAnswer(Exception):
    """A registry does not answer; the message says what is the matter."""


def wait(
    probe: Probe,
    failed: Callable[[], bool],
    patience: float,
    now: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    """Wait until a registry answers.

    :param failed: tells that it never will.
    :param patience: in seconds.
    :raise NoAnswer: it does not.
    """
    end = now() + patience
    while not probe.answers():
        if failed():
            raise NoAnswer(f"the service failed before {probe.url} answered")
        if now() >= end:
            raise NoAnswer(f"{probe.url} did not answer within {patience:g} s")
        sleep(0.2)
