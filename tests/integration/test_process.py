"""The daemon as a process: configuration, signals, logs, TLS, expiry in real time."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import Certificate, CertificateOptions, optionsForClientTLS
from twisted.web.client import Agent
from twisted.web.iweb import IPolicyForHTTPS
from twisted.web.server import Site
from zope.interface import implementer

from tests.integration.support import (
    TWISTD,
    IntegrationCase,
    free_port,
    sleep,
    start,
    until,
)
from txregistry.config.http import Tls
from txregistry.daemon.tls import make_options
from txregistry.testing.upstream import FakeUpstream


def make_certificate(directory: Path, name: str) -> tuple[Path, Path]:
    """Make a self-signed certificate for 127.0.0.1."""
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName([address, x509.DNSName("localhost")]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    paths = directory / f"{name}.crt", directory / f"{name}.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


@implementer(IPolicyForHTTPS)
class Trusting:
    """Trusts one certificate."""

    def __init__(self, pem: bytes) -> None:
        self.root = Certificate.loadPEM(pem)

    def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
        return optionsForClientTLS(hostname.decode(), trustRoot=self.root)


class Relay(Protocol):
    """An egress proxy: CONNECT, and requests by absolute URI."""

    def connectionMade(self) -> None:
        self.head, self.other = b"", None

    def dataReceived(self, data: bytes) -> None:
        if self.other is not None:
            # The next question on a connection that was kept.
            self.other.transport.write(re.sub(rb"^(\w+ )http://[^/]+", rb"\1", data))
            return
        self.head += data
        if b"\r\n\r\n" in self.head:
            self.factory.heads.append(self.head)
            self.transport.pauseProducing()
            method, target = self.head.split(b" ", 2)[:2]
            authority = target.split(b"/")[2] if b"//" in target else target
            host, _, port = authority.decode().partition(":")
            host = self.factory.names.get(host, host)
            endpoint = TCP4ClientEndpoint(reactor, host, int(port))
            there = endpoint.connect(Factory.forProtocol(lambda: Back(self)))
            there.addCallback(self.join, method)

    def join(self, other: Back, method: bytes) -> None:
        self.other = other
        if method == b"CONNECT":
            self.transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            target = self.head.split(b" ", 2)[1]
            origin = b"/" + target.split(b"/", 3)[3]
            other.transport.write(self.head.replace(target, origin, 1))
        self.transport.resumeProducing()

    def connectionLost(self, reason: Any = None) -> None:
        if self.other is not None:
            self.other.transport.loseConnection()


class Back(Protocol):
    """The way back through a :class:`Relay`."""

    def __init__(self, front: Relay) -> None:
        self.front = front

    def dataReceived(self, data: bytes) -> None:
        self.front.transport.write(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.front.transport.loseConnection()


#: What systemd does: open the sockets, say so, become the program.
class ProcessTests(IntegrationCase):
    """``twistd registry``."""

    async def ended(self, *argv: str, **env: str) -> tuple[int, str]:
        process = self.keep(start(TWISTD, *argv, env=env, cwd=str(self.directory)))
        await process.output.ended
        return process.output.status.exitCode, process.text()

    def write(self, **config: Any) -> str:
        path = self.directory / "config.yml"
        path.write_text(yaml.safe_dump(config))
        return str(path)

    async def test_problems_are_told_before_anything_starts(self) -> None:
        """All of them, one line each, and nothing listens."""
        path = self.write(version="0.1", storage={}, http={"addr": 7, "net": []})
        code, text = await self.ended("-n", "--pidfile=", "registry", "-c", path)
        self.assertEqual(code, 78)
        lines = text.strip().splitlines()
        self.assertEqual(
            [line.partition(":")[0] for line in lines],
            ["storage", "http.net", "http.addr"],
        )

    async def test_missing_file(self) -> None:
        """A file that is not there is told by its path."""
        code, text = await self.ended("-n", "registry", "-c", "/nowhere.yml")
        self.assertEqual(code, 78)
        self.assertIn("/nowhere.yml: No such file", text)

    async def test_check(self) -> None:
        """--check prints what the configuration comes to, and ends."""
        path = self.write(
            version="0.1",
            storage={"inmemory": None},
            proxy={"remoteurl": "https://x", "username": "me", "password": "hush"},
            htttp={},
        )
        code, text = await self.ended(
            "registry", "-c", path, "--check", REGISTRY_HTTP_ADDR="127.0.0.1:1"
        )
        self.assertEqual(code, 0)
        self.assertIn("warning: htttp: is not a known key", text)
        self.assertIn("did you mean http?", text)
        self.assertIn("addr: 127.0.0.1:1", text)
        self.assertNotIn("hush", text)

    async def test_taken_port_ends_the_process(self) -> None:
        """A process that cannot listen ends, and not with 0."""
        first = await self.daemon("one")
        path = self.write(
            version="0.1", storage="inmemory", http={"addr": f"127.0.0.1:{first.port}"}
        )
        code, text = await self.ended("-n", "--pidfile=", "registry", "-c", path)
        self.assertEqual(code, 1)
        self.assertIn("cannot start", text)

    def on_storage(self, root: str) -> str:
        return self.write(
            version="0.1",
            storage={"filesystem": {"rootdirectory": root}},
            http={"addr": f"127.0.0.1:{free_port()}"},
        )

    async def test_unwritable_storage_ends_the_process(self) -> None:
        """Storage that cannot be written is told before anything listens."""
        path = self.on_storage("/proc/registry")
        code, text = await self.ended("-n", "--pidfile=", "registry", "-c", path)
        self.assertEqual(code, 1)
        self.assertIn("cannot start: filesystem", text)

    async def test_storage_on_a_file(self) -> None:
        """A root that is a file is told by its key, by a check and by a start."""
        file = self.directory / "file"
        file.write_text("not a directory")
        path = self.on_storage(str(file / "below"))
        expected = f"storage.filesystem.rootdirectory: {file} is no directory\n"
        for options in ((), ("--check",)):
            command = ("-n", "--pidfile=", "registry", "-c", path, *options)
            self.assertEqual(await self.ended(*command), (78, expected))

    async def test_starts_while_the_upstream_is_away(self) -> None:
        """Ready when the storage is; credentials that cannot be tried are a warning."""
        nobody = f"http://127.0.0.1:{free_port()}"
        cache = await self.cache(nobody, username="me", password="hush")
        code, _, body = await self.get(f"{cache.url}/v2/a/manifests/v1")
        self.assertEqual(code, 502)
        self.assertIn(nobody.removeprefix("http://"), body.decode())
        text = cache.process.text()
        self.assertEqual(text.count("cannot authenticate"), 1)
        self.assertNotIn("hush", text)

    async def test_terminate_finishes_what_is_under_way(self) -> None:
        """SIGTERM lets an answer end, and then the process does, by that signal."""
        upstream, url = self.fake_upstream()
        upstream.rate = 2_000_000
        content = os.urandom(2_000_000)
        digest = upstream.add_blob("a", content)
        cache = await self.cache(url)
        asked = Deferred.fromCoroutine(self.get(f"{cache.url}/v2/a/blobs/{digest}"))
        await until(lambda: upstream.count("GET", "blobs") == 1)
        cache.process.transport.signalProcess("TERM")
        await sleep(0.1)
        code, _, body = await asked
        self.assertEqual((code, body), (200, content))
        await cache.process.output.ended
        self.assertEqual(cache.process.output.status.signal, 15)

    async def test_daemon(self) -> None:
        """Without -n it goes into the background and writes a log."""
        port = free_port()
        path = self.write(
            version="0.1",
            storage={"filesystem": {"rootdirectory": str(self.directory / "d")}},
            http={"addr": f"127.0.0.1:{port}"},
            log={"formatter": "json", "fields": {"service": "edge"}},
        )
        code, _ = await self.ended("--pidfile=d.pid", "registry", "-c", path)
        self.assertEqual(code, 0)
        pid = int((self.directory / "d.pid").read_text())
        try:
            log = self.directory / "twistd.log"
            await until(lambda: log.exists() and "ready on" in log.read_text())
            code, _, _ = await self.get(f"http://127.0.0.1:{port}/v2/")
            self.assertEqual(code, 200)
        finally:
            os.kill(pid, 15)
        await until(lambda: not Path(f"/proc/{pid}").exists())
        lines = (self.directory / "twistd.log").read_text().splitlines()
        events = [json.loads(line) for line in lines if line.startswith("{")]
        self.assertTrue(any("ready on" in event["message"] for event in events))
        self.assertEqual({event["service"] for event in events}, {"edge"})
        self.assertIn("GET /v2/ HTTP/1.1 200", [event["message"] for event in events])

    async def test_expiry_end_to_end(self) -> None:
        """With a time to live of seconds, the disk is empty again soon after."""
        upstream, url = self.fake_upstream()
        digest = upstream.add_blob("a/b", os.urandom(100_000))
        cache = await self.cache(url, ttl="2s")
        target = f"{cache.url}/v2/a/b/blobs/{digest}"
        self.assertEqual((await self.get(target))[0], 200)
        data = cache.root / "docker/registry/v2/blobs/sha256" / digest.hex[:2]
        # It is stored behind the answer.
        await until((data / digest.hex / "data").exists)
        # Not by rglob, which fails when a directory goes while it looks.
        tree = cache.root / "docker"
        await until(lambda: not any("data" in names for *_, names in os.walk(tree)))
        left = [p for p in (cache.root / "docker").rglob("*") if p.is_file()]
        self.assertEqual(left, [])
        self.assertEqual((await self.get(target))[0], 200)
        self.assertEqual(upstream.count("GET", "/blobs/"), 2)

    async def test_tls(self) -> None:
        """Our listener speaks TLS, and large answers are whole without sendfile."""
        certificate, key = make_certificate(self.directory, "server")
        upstream, url = self.fake_upstream()
        content = os.urandom(3_000_000)
        digest = upstream.add_blob("a", content)
        port = free_port()
        path = self.write(
            version="0.1",
            storage={"filesystem": {"rootdirectory": str(self.directory / "tls")}},
            http={
                "addr": f"127.0.0.1:{port}",
                "tls": {"certificate": str(certificate), "key": str(key)},
            },
            proxy={"remoteurl": url},
        )
        process = self.keep(
            start(
                TWISTD,
                "-n",
                "--pidfile=",
                "registry",
                "-c",
                path,
                cwd=str(self.directory),
                env={"NO_PROXY": "*"},
            )
        )
        policy = Trusting(certificate.read_bytes())
        self.http = HTTPClient(Agent(reactor, policy))
        await self.wait_for(f"https://127.0.0.1:{port}/v2/", process)
        for _ in range(2):
            code, _, body = await self.get(
                f"https://127.0.0.1:{port}/v2/a/blobs/{digest}"
            )
            self.assertEqual((code, body == content), (200, True))

    async def test_upstream_with_its_own_authority(self) -> None:
        """proxy.tls.ca is trusted, an unknown authority is not, insecure takes any."""
        certificate, key = make_certificate(self.directory, "upstream")
        upstream = FakeUpstream(reactor)
        digest = upstream.add_blob("a", b"over TLS")
        options = make_options(Tls(certificate=str(certificate), key=str(key)), ())
        self.assertIsInstance(options, CertificateOptions)
        port = reactor.listenSSL(0, Site(upstream), options, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        url = f"https://127.0.0.1:{port.getHost().port}"
        for name, tls, expected in (
            ("trusted", {"ca": str(certificate)}, 200),
            ("unknown", {}, 502),
            ("insecure", {"insecure": True}, 200),
        ):
            cache = await self.cache(url, name, tls=tls)
            code, _, body = await self.get(f"{cache.url}/v2/a/blobs/{digest}")
            self.assertEqual((name, code), (name, expected), body)

    async def test_unix_socket(self) -> None:
        """A socket file serves as well, also over one that a crash left behind."""
        import socket

        path = self.directory / "sock"
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
        config = self.write(
            version="0.1", storage="inmemory", http={"net": "unix", "addr": str(path)}
        )
        process = self.keep(start(TWISTD, "-n", "--pidfile=", "registry", "-c", config))

        class Local:
            def endpointForURI(self, uri: Any) -> Any:
                return UNIXClientEndpoint(reactor, str(path))

        self.http = HTTPClient(Agent.usingEndpointFactory(reactor, Local()))
        await until(lambda: "ready on" in process.text())
        code, _, body = await self.get("http://localhost/v2/")
        self.assertEqual((code, body), (200, b"{}"))

    async def test_client_certificate(self) -> None:
        """An upstream that demands a certificate gets ours, verified or not."""
        certificate, key = make_certificate(self.directory, "both")
        paths = {"certificate": str(certificate), "key": str(key)}
        upstream = FakeUpstream(reactor)
        digest = upstream.add_blob("a", b"for friends")
        options = make_options(Tls(**paths, clientcas=(str(certificate),)), ())
        port = reactor.listenSSL(0, Site(upstream), options, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        url = f"https://127.0.0.1:{port.getHost().port}"
        for name, tls, expected in (
            ("verified", {"ca": str(certificate), **paths}, 200),
            ("insecure", {"insecure": True, **paths}, 200),
            ("nobody", {"ca": str(certificate)}, 502),
        ):
            cache = await self.cache(url, name, tls=tls)
            code, _, body = await self.get(f"{cache.url}/v2/a/blobs/{digest}")
            self.assertEqual((name, code), (name, expected), body)

    async def test_egress_proxy(self) -> None:
        """HTTP_PROXY carries http by absolute URI, HTTPS_PROXY https by CONNECT."""
        certificate, key = make_certificate(self.directory, "upstream")
        upstream = FakeUpstream(reactor)
        digest = upstream.add_blob("a", os.urandom(500_000))
        options = make_options(Tls(certificate=str(certificate), key=str(key)), ())
        plain = reactor.listenTCP(0, Site(upstream), interface="127.0.0.1")
        secure = reactor.listenSSL(0, Site(upstream), options, interface="127.0.0.1")
        relay = Factory.forProtocol(Relay)
        relay.heads = []
        proxy = reactor.listenTCP(0, relay, interface="127.0.0.1")
        for port in (plain, secure, proxy):
            self.addCleanup(port.stopListening)
        address = f"http://u:p@127.0.0.1:{proxy.getHost().port}"
        env = {"HTTP_PROXY": address, "HTTPS_PROXY": address, "NO_PROXY": ""}
        # What is on the loopback by its address is never asked of a proxy, which here
        # is the only one to know where this name leads.
        relay.names = {"upstream.test": "127.0.0.1"}
        for name, port, first in (
            ("http", plain, b"GET http:"),
            ("https", secure, b"CONNECT"),
        ):
            url = f"{name}://upstream.test:{port.getHost().port}"
            cache = await self.cache(
                url,
                name,
                env=env,
                # The certificate is for an address, not for a name.
                tls={"insecure": True} if name == "https" else {},
            )
            code, _, body = await self.get(f"{cache.url}/v2/a/blobs/{digest}")
            self.assertEqual((name, code, len(body)), (name, 200, 500_000))
            self.assertTrue(relay.heads[-1].startswith(first), relay.heads)
            self.assertIn(b"Proxy-Authorization: Basic dTpw", relay.heads[-1])
            before = len(relay.heads)
            for missing in "abc":
                code, _, _ = await self.get(f"{cache.url}/v2/a/manifests/{missing}")
                self.assertEqual((name, code), (name, 404))
            self.assertEqual(relay.heads[before:], [], "connections are kept")

    async def test_credential_helper(self) -> None:
        """proxy.exec gives the credentials; it is told the host of the service."""
        helper = self.directory / "helper"
        helper.write_text(
            '#!/bin/sh\nread server\necho "$1 $server" >> "$0.log"\n'
            'echo \'{"Username": "robot", "Secret": "s3cret"}\'\n'
        )
        helper.chmod(0o755)
        upstream, url = self.fake_upstream()
        upstream.basic = "Basic cm9ib3Q6czNjcmV0"
        upstream.challenge = 'Basic realm="x"'
        digest = upstream.add_blob("a", b"secret")
        cache = await self.cache(url, exec={"command": str(helper)})
        code, _, body = await self.get(f"{cache.url}/v2/a/blobs/{digest}")
        self.assertEqual((code, body), (200, b"secret"))
        asked = (self.directory / "helper.log").read_text()
        self.assertEqual(asked, f"get {url.removeprefix('http://')}\n")

    async def test_health_and_metrics(self) -> None:
        """The debug listener says what is well, and counts."""
        cache = await self.cache("http://127.0.0.1:1")
        debug = f"http://127.0.0.1:{cache.debug_port}"
        code, _, body = await self.get(f"{debug}/debug/health")
        self.assertEqual((code, body), (200, b"{}"))
        code, _, body = await self.get(f"{debug}/metrics")
        self.assertIn(b"registry_proxy_fills_in_flight 0.0", body)
        self.assertIn(b'registry_http_requests_total{code="200",handler="base"', body)
