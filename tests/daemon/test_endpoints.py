"""Sockets that systemd hands over, and links to sockets."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from twisted.internet.defer import succeed
from twisted.internet.endpoints import AdoptedStreamServerEndpoint, TCP4ServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from txregistry.config.http import Http
from txregistry.daemon.endpoints import (
    LinkedEndpoint,
    main_endpoints,
    remove_stale_socket,
)


class InheritedTests(SynchronousTestCase):
    """Sockets that listen already."""

    def setUp(self) -> None:
        self.events: list[Any] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def bound(self, family: int, address: Any) -> socket.socket:
        opened = socket.socket(family)
        self.addCleanup(opened.close)
        opened.bind(address)
        return opened

    def adopt(self, http: Http, *sockets: socket.socket) -> list[int]:
        """Give the families of the endpoints."""
        inherited = [opened.fileno() for opened in sockets]
        endpoints = main_endpoints(Clock(), http, (), inherited)
        for endpoint in endpoints:
            self.assertIsInstance(endpoint, AdoptedStreamServerEndpoint)
        return [endpoint.addressFamily for endpoint in endpoints]

    def warnings(self) -> list[tuple[str, str]]:
        return [(x["bound"], x["wanted"]) for x in self.events if "bound" in x]

    def test_none(self) -> None:
        """Without one, the address decides."""
        (endpoint,) = main_endpoints(Clock(), Http(addr="127.0.0.1:5000"), ())
        self.assertIsInstance(endpoint, TCP4ServerEndpoint)

    def test_same_address(self) -> None:
        """A socket at the address, however it is written, is no news."""
        four = self.bound(socket.AF_INET, ("127.0.0.1", 0))
        port = four.getsockname()[1]
        for addr in (f"127.0.0.1:{port}", f"localhost:{port}"):
            self.assertEqual(self.adopt(Http(addr=addr), four), [socket.AF_INET])
        path = os.path.relpath(Path(self.mktemp()).with_name("s"))
        there = self.bound(socket.AF_UNIX, path)
        http = Http(net="unix", addr=path)
        self.assertEqual(self.adopt(http, there), [socket.AF_UNIX])
        self.assertEqual(self.warnings(), [])

    def test_every_address(self) -> None:
        """An address without a host is that of IPv6, which takes IPv4 as well."""
        six = self.bound(socket.AF_INET6, ("::", 0))
        http = Http(addr=f":{six.getsockname()[1]}")
        self.assertEqual(self.adopt(http, six), [socket.AF_INET6])
        self.assertEqual(self.warnings(), [])

    def test_other_address(self) -> None:
        """The socket wins, and the log names both."""
        four = self.bound(socket.AF_INET, ("127.0.0.1", 0))
        six = self.bound(socket.AF_INET6, ("::1", 0))
        families = self.adopt(Http(addr="192.0.2.1:1"), four, six)
        self.assertEqual(families, [socket.AF_INET, socket.AF_INET6])
        bound = f"127.0.0.1:{four.getsockname()[1]}, [::1]:{six.getsockname()[1]}"
        self.assertEqual(self.warnings(), [(bound, "192.0.2.1:1")])

    def test_one_of_several(self) -> None:
        """Several serve, and it is enough if the address is that of one."""
        four = self.bound(socket.AF_INET, ("127.0.0.1", 0))
        six = self.bound(socket.AF_INET6, ("::1", 0))
        http = Http(addr=f"[::1]:{six.getsockname()[1]}")
        self.assertEqual(len(self.adopt(http, four, six)), 2)
        self.assertEqual(self.warnings(), [])


class Listens:
    """An endpoint that listens nowhere."""

    def listen(self, factory: Any) -> Any:
        return succeed("a port")


class LinkTests(SynchronousTestCase):
    """A socket at one place, and its name at another."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.link = self.directory / "link"

    def listen(self, link: Path) -> None:
        endpoint = LinkedEndpoint(Listens(), "/run/x/target", str(link))
        listening = endpoint.listen(Factory())
        self.assertEqual(self.successResultOf(listening), "a port")

    def test_link(self) -> None:
        """The link is made, and again over an old one."""
        for _ in range(2):
            self.listen(self.link)
            self.assertEqual(os.readlink(self.link), "/run/x/target")

    def test_no_room(self) -> None:
        """Without a link it listens all the same."""
        self.listen(self.directory / "missing" / "link")

    def test_stale_link(self) -> None:
        """A daemon without such a directory takes the place of a link to nothing."""
        self.listen(self.link)
        remove_stale_socket(str(self.link))
        self.assertFalse(self.link.is_symlink())


class Adopting:
    """A reactor that takes sockets, as far as these tests want it."""

    def __init__(self) -> None:
        self.taken: list[socket.socket] = []

    def adoptStreamPort(self, descriptor: int, family: int, factory: Any) -> Any:
        taken = socket.socket(family, fileno=os.dup(descriptor))
        self.taken.append(taken)
        return taken


class SharedPortTests(SynchronousTestCase):
    """A port on which several processes listen."""

    def setUp(self) -> None:
        self.reactor = Adopting()

    def listen(self, addr: str) -> socket.socket:
        http = Http(addr=addr, reuseport=True)
        (endpoint,) = main_endpoints(self.reactor, http, ())
        taken = self.successResultOf(endpoint.listen(Factory()))
        self.addCleanup(taken.close)
        return taken

    def test_two(self) -> None:
        """Both have it; who connects gets one of them, and the other one's is his own
        when that has gone."""
        first = self.listen("127.0.0.1:0")
        address = first.getsockname()
        second = self.listen(f"127.0.0.1:{address[1]}")
        self.assertEqual(second.getsockname(), address)
        first.close()
        with socket.create_connection(address, 5):
            accepted, _ = second.accept()
            accepted.close()

    def test_taken_by_one_who_does_not_share(self) -> None:
        """That is an error."""
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            http = Http(addr=f"127.0.0.1:{other.getsockname()[1]}", reuseport=True)
            (endpoint,) = main_endpoints(self.reactor, http, ())
            failure = self.failureResultOf(endpoint.listen(Factory()), OSError)
            self.assertIn("in use", str(failure.value))

    def test_version_six(self) -> None:
        """All addresses, or one of IPv6."""
        taken = self.listen("[::1]:0")
        self.assertEqual(taken.family, socket.AF_INET6)

    def test_inherited(self) -> None:
        """A socket of systemd is for one process."""
        http = Http(addr="127.0.0.1:0", reuseport=True)
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            with self.assertRaisesRegex(ValueError, "disable the socket unit"):
                main_endpoints(self.reactor, http, (), [bound.fileno()])
