"""TLS and HTTP/2 with real sockets: curl, OpenSSL and our daemon."""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import bcrypt
import yaml
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessOutputAndValue

from tests.auth.keys import Identity, authority, ec_key, identity
from tests.integration.support import (
    TWISTD,
    IntegrationCase,
    Registry,
    free_port,
    require,
    sleep,
    start_daemon,
    which,
)

MIB = 1024 * 1024


class TlsCase(IntegrationCase):
    """A daemon with a certificate for 127.0.0.1, and curl."""

    def setUp(self) -> None:
        super().setUp()
        require("curl")
        self.authority = authority("authority", ec_key())
        self.authorities = self.directory / "authorities.pem"
        self.authorities.write_bytes(self.authority.pem)
        self.certificate, self.key = self.issue("server").write(
            self.directory, "server"
        )

    def issue(self, name: str, number: int = 1) -> Identity:
        hosts = ["127.0.0.1", "localhost"]
        return identity(name, ec_key(number), self.authority, hosts=hosts)

    async def serve(
        self, tls: dict[str, Any] | None = None, **changes: Any
    ) -> Registry:
        """Start our daemon and wait until its port takes connections."""
        port, debug_port = free_port(), free_port()
        root = self.directory / "registry"
        http = {
            "addr": f"127.0.0.1:{port}",
            "debug": {"addr": f"127.0.0.1:{debug_port}"},
            "http2": {"prefer": True},
            **changes.pop("http", {}),
        }
        if tls is not None:
            given = {"certificate": self.certificate, "key": self.key}
            http["tls"] = {**given, **tls}
        config = {
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": str(root)}},
            "http": http,
            **changes,
        }
        path = self.directory / "registry.yml"
        path.write_text(yaml.safe_dump(config))
        process = self.keep(
            await start_daemon(
                *("-n", "--pidfile=", "registry", "-c", str(path)),
                cwd=str(self.directory),
            )
        )
        for _ in range(300):
            assert process.running, process.text()
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", port)):
                    return Registry(process, port, root, debug_port)
            await sleep(0.05)
        raise AssertionError(f"does not listen: {process.text()}")

    async def curl(self, *options: str) -> tuple[int, list[str], bytes]:
        """Run curl; give its exit status, what it says of the answer, and the body."""
        body = self.directory / "body"
        body.unlink(missing_ok=True)
        said = "%{http_code} %{http_version} %{size_upload}"
        out, _, code = await getProcessOutputAndValue(
            which("curl"),
            [
                *("-sS", "--max-time", "60", "--noproxy", "*"),
                *("--cacert", str(self.authorities)),
                *("-o", str(body), "-w", said),
                *options,
            ],
            os.environ,
        )
        content = body.read_bytes() if body.exists() else b""
        return code, out.decode().split(), content

    def url(self, registry: Registry, path: str = "/v2/", scheme: str = "https") -> str:
        return f"{scheme}://127.0.0.1:{registry.port}{path}"

    def content(self, size: int) -> tuple[Path, str]:
        path = self.directory / "content"
        content = os.urandom(size)
        path.write_bytes(content)
        return path, "sha256:" + hashlib.sha256(content).hexdigest()

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authorities))


class HealthTests(TlsCase):
    """``txregistry health`` where each client needs a certificate."""

    async def test_by_the_control_socket(self) -> None:
        """A daemon is well, and one that was ended is not."""
        tls = {"clientcas": [str(self.authorities)]}
        registry = await self.serve(tls, http={"debug": {}})
        code, _, _ = await self.curl(self.url(registry))
        self.assertNotEqual(code, 0)
        path = str(self.directory / "registry.yml")
        command = str(Path(TWISTD).with_name("txregistry"))
        for expected in (0, 1):
            _, err, status = await getProcessOutputAndValue(
                command, ("health", path), os.environ
            )
            self.assertEqual(status, expected, err)
            await registry.process.end()


class TlsTests(TlsCase):
    """The handshake."""

    async def test_http2_where_it_is_needed(self) -> None:
        """A client that offers both is answered by HTTP/1.1, unless told otherwise."""
        registry = await self.serve({}, http={"http2": {}})
        _, said, body = await self.curl("--http2", self.url(registry))
        self.assertEqual((said[:2], body), (["200", "1.1"], b"{}"))
        context = self.context()
        context.set_alpn_protocols(["h2"])
        chosen = await deferToThread(_chosen, registry.port, context)
        self.assertEqual(chosen, "h2")

    async def test_http2_preferred(self) -> None:
        """A client that can is answered by HTTP/2, another by HTTP/1.1."""
        registry = await self.serve({})
        _, said, body = await self.curl("--http2", self.url(registry))
        self.assertEqual((said[:2], body), (["200", "2"], b"{}"))
        _, said, body = await self.curl("--http1.1", self.url(registry))
        self.assertEqual((said[:2], body), (["200", "1.1"], b"{}"))

    async def test_http2_disabled(self) -> None:
        """Where HTTP/2 is disabled it is not offered."""
        registry = await self.serve({}, http={"http2": {"disabled": True}})
        _, said, _ = await self.curl("--http2", self.url(registry))
        self.assertEqual(said[:2], ["200", "1.1"])

    async def test_minimum_version(self) -> None:
        """A minimum of TLS 1.3 shuts out whoever stops at 1.2."""
        registry = await self.serve({"minimumtls": "tls1.3"})
        code, _, _ = await self.curl("--tls-max", "1.2", self.url(registry))
        self.assertNotEqual(code, 0)
        code, said, _ = await self.curl("--tlsv1.3", self.url(registry))
        self.assertEqual((code, said[0]), (0, "200"))

    async def test_cipher_suites(self) -> None:
        """Of TLS 1.2 only the suites that are listed are spoken."""
        registry = await self.serve(
            {"ciphersuites": ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"]}
        )
        wanted = ("--tls-max", "1.2", "--ciphers")
        code, _, _ = await self.curl(
            *wanted, "ECDHE-ECDSA-AES128-GCM-SHA256", self.url(registry)
        )
        self.assertNotEqual(code, 0)
        code, said, _ = await self.curl(
            *wanted, "ECDHE-ECDSA-AES256-GCM-SHA384", self.url(registry)
        )
        self.assertEqual((code, said[0]), (0, "200"))

    async def test_client_certificates(self) -> None:
        """Each mode of client certificates lets in whom it says."""
        stranger = authority("stranger", ec_key(7))
        known = self.issue("known", 8).write(self.directory, "known")
        other = identity("other", ec_key(9), stranger).write(self.directory, "other")
        shown = {
            "nobody": (),
            "known": ("--cert", known[0], "--key", known[1]),
            "other": ("--cert", other[0], "--key", other[1]),
        }
        for mode, expected in (
            ("request-client-cert", {"nobody", "known", "other"}),
            ("require-any-client-cert", {"known", "other"}),
            ("verify-client-cert-if-given", {"nobody", "known"}),
            ("require-and-verify-client-cert", {"known"}),
        ):
            registry = await self.serve(
                {"clientcas": [str(self.authorities)], "clientauth": mode}
            )
            found = set()
            for name, options in shown.items():
                _, said, _ = await self.curl(*options, self.url(registry))
                if said[0] == "200":
                    found.add(name)
            self.assertEqual(found, expected, mode)
            await registry.process.end()

    async def test_reload(self) -> None:
        """A renewed certificate is shown soon; open connections go on."""
        registry = await self.serve({})
        context = self.context()

        def connect() -> ssl.SSLSocket:
            plain = socket.create_connection(("127.0.0.1", registry.port), 10)
            return context.wrap_socket(plain, server_hostname="127.0.0.1")

        def ask(line: ssl.SSLSocket) -> bytes:
            line.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
            return line.recv(1000)

        def serial() -> int:
            with connect() as line:
                return int(line.getpeercert()["serialNumber"], 16)

        old = await deferToThread(connect)
        self.addCleanup(old.close)
        self.assertIn(b"200", await deferToThread(ask, old))
        renewed = self.issue("renewed", 2)
        renewed.write(self.directory, "server")
        wanted = renewed.certificate.serial_number
        for _ in range(600):
            if await deferToThread(serial) == wanted:
                break
            await sleep(0.1)
        self.assertEqual(await deferToThread(serial), wanted)
        self.assertIn(b"200", await deferToThread(ask, old))
        # The keys of this session are older than the certificate.
        shown = int(old.getpeercert()["serialNumber"], 16)
        self.assertNotEqual(shown, wanted)

    async def test_plain_http_to_a_tls_port(self) -> None:
        """A client that forgets TLS gets no answer, and does not wait for one."""
        registry = await self.serve({})
        code, said, _ = await self.curl(self.url(registry, scheme="http"))
        self.assertNotEqual(code, 0)
        self.assertEqual(said[0], "000")
        code, said, _ = await self.curl(self.url(registry))
        self.assertEqual((code, said[0]), (0, "200"))

    async def test_pair_that_does_not_fit(self) -> None:
        """A key of another certificate keeps the daemon from starting."""
        self.issue("other", 3).write(self.directory, "other")
        os.replace(self.directory / "other.key", self.key)
        try:
            registry = await self.serve({})
        except AssertionError as error:
            self.assertIn("server", str(error))
        else:
            await sleep(0.5)
            self.assertFalse(registry.process.running, "it serves nobody")


class UploadTests(TlsCase):
    """Bodies by HTTP/2 on TLS."""

    async def push(
        self, registry: Registry, *options: str, size: int = 10 * MIB
    ) -> tuple[int, list[str], str]:
        path, digest = self.content(size)
        url = self.url(registry, f"/v2/a/b/blobs/uploads/?digest={digest}")
        code, said, _ = await self.curl("--http2", *body_of(path), *options, url)
        return code, said, digest

    async def test_upload(self) -> None:
        """A large blob goes up and comes down the same."""
        registry = await self.serve({})
        code, said, digest = await self.push(registry)
        self.assertEqual((code, said[:2]), (0, ["201", "2"]))
        url = self.url(registry, f"/v2/a/b/blobs/{digest}")
        _, said, body = await self.curl("--http2", url)
        self.assertEqual(said[:2], ["200", "2"])
        self.assertEqual("sha256:" + hashlib.sha256(body).hexdigest(), digest)

    async def test_upload_of_unknown_length(self) -> None:
        """A body without a length is taken as well."""
        registry = await self.serve({})
        path, digest = self.content(8 * MIB)
        url = self.url(registry, f"/v2/a/b/blobs/uploads/?digest={digest}")
        script = 'cat "$1" | "$2" -sS --http2 --cacert "$3" -X POST -T - "$4"'
        script += ' --noproxy "*" --max-time 60 -o /dev/null -w "%{http_code}"'
        out, err, code = await getProcessOutputAndValue(
            "/bin/sh",
            [
                *("-c", script, "sh"),
                *(str(path), which("curl"), str(self.authorities), url),
            ],
            os.environ,
        )
        self.assertEqual((code, out), (0, b"201"), err)

    async def test_memory(self) -> None:
        """What an upload takes of memory does not grow with its length."""
        registry = await self.serve({})
        await self.push(registry, size=MIB)
        before = registry.process.resident_bytes()
        code, said, _ = await self.push(registry, size=48 * MIB)
        self.assertEqual((code, said[0]), (0, "201"))
        grown = registry.process.resident_bytes() - before
        self.assertLess(grown, 24 * MIB)

    async def test_refused_for_its_length(self) -> None:
        """A body that is announced as too long is refused before it is sent."""
        limits = {"http": {"limits": {"uploadbytes": MIB}}}
        registry = await self.serve({}, **limits)
        _, said, _ = await self.push(registry)
        self.assertEqual(said[0], "413")
        self.assertLess(int(said[2]), 4 * MIB)
        _, said, _ = await self.push(registry, size=MIB)
        self.assertEqual(said[0], "201")
        self.assertNotIn("Traceback", registry.process.text())

    async def test_refused_client_that_sends_on(self) -> None:
        """One that sends all of its body finds the answer; one without end is cut."""
        limits = {"limits": {"uploadbytes": MIB}}
        for tls in (None, {}):
            registry = await self.serve(tls, http=limits)
            context = None if tls is None else self.context()
            said = await deferToThread(_send_all, registry.port, context, 16 * MIB)
            self.assertEqual(said, b"HTTP/1.1 413", f"tls: {tls}")
            with self.assertRaises(OSError, msg=f"tls: {tls}"):
                await deferToThread(_send_all, registry.port, context, 400 * MIB)
            self.assertNotIn("Traceback", registry.process.text())
            await registry.process.end()

    async def test_refused_for_want_of_a_password(self) -> None:
        """A body of nobody we know is refused, and one of somebody is taken."""
        path = self.directory / "htpasswd"
        hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
        path.write_text(f"ann:{hashed}\n")
        auth = {"htpasswd": {"realm": "r", "path": str(path)}}
        registry = await self.serve({}, auth=auth)
        _, said, _ = await self.push(registry)
        self.assertEqual(said[0], "401")
        self.assertLess(int(said[2]), 4 * MIB)
        _, said, _ = await self.push(registry, "-u", "ann:right")
        self.assertEqual(said[0], "201")
        self.assertNotIn("Traceback", registry.process.text())

    async def test_refused_among_others(self) -> None:
        """One connection goes on after a body on it was refused."""
        registry = await self.serve({}, http={"limits": {"uploadbytes": MIB}})
        path, digest = self.content(8 * MIB)
        url = self.url(registry, f"/v2/a/b/blobs/uploads/?digest={digest}")
        _, said, body = await self.curl(
            *("--http2", *body_of(path), url),
            *("--next", "-sS", "--http2", "--cacert", str(self.authorities)),
            *("--noproxy", "*", "-o", str(self.directory / "body")),
            *("-w", " %{http_code} %{num_connects}", self.url(registry)),
        )
        self.assertEqual(said[0], "413")
        self.assertEqual((said[-2], body), ("200", b"{}"))

    async def test_client_that_breaks_the_protocol(self) -> None:
        """TLS says goodbye to it as well, so that it knows that it has heard all."""
        registry = await self.serve({})
        last = await deferToThread(_break_http2, registry.port, self.context())
        self.assertEqual(last[3:4], b"\7", "no GOAWAY")
        self.assertNotIn("Traceback", registry.process.text())

    async def test_http1_upload(self) -> None:
        """HTTP/1.1 on TLS takes bodies as well."""
        registry = await self.serve({})
        path, digest = self.content(10 * MIB)
        url = self.url(registry, f"/v2/a/b/blobs/uploads/?digest={digest}")
        code, said, _ = await self.curl("--http1.1", *body_of(path), url)
        self.assertEqual((code, said[:2]), (0, ["201", "1.1"]))
        url = self.url(registry, f"/v2/a/b/blobs/{digest}")
        _, _, body = await self.curl("--http1.1", url)
        self.assertEqual("sha256:" + hashlib.sha256(body).hexdigest(), digest)


class CleartextTests(TlsCase):
    """HTTP/2 without TLS, and limits on plain sockets."""

    async def test_prior_knowledge(self) -> None:
        """A client that knows of it speaks HTTP/2 at once; another HTTP/1.1."""
        registry = await self.serve(http={"h2c": {"enabled": True}})
        url = self.url(registry, scheme="http")
        _, said, body = await self.curl("--http2-prior-knowledge", url)
        self.assertEqual((said[:2], body), (["200", "2"], b"{}"))
        _, said, body = await self.curl("--http1.1", url)
        self.assertEqual((said[:2], body), (["200", "1.1"], b"{}"))

    async def test_upload(self) -> None:
        """A blob goes up and down by it."""
        registry = await self.serve(http={"h2c": {"enabled": True}})
        path, digest = self.content(8 * MIB)
        where = f"/v2/a/b/blobs/uploads/?digest={digest}"
        how = ("--http2-prior-knowledge", *body_of(path))
        _, said, _ = await self.curl(*how, self.url(registry, where, "http"))
        self.assertEqual(said[:2], ["201", "2"])
        url = self.url(registry, f"/v2/a/b/blobs/{digest}", "http")
        _, _, body = await self.curl("--http2-prior-knowledge", url)
        self.assertEqual("sha256:" + hashlib.sha256(body).hexdigest(), digest)

    async def test_off_by_default(self) -> None:
        """Unless it is enabled, such a client is refused."""
        registry = await self.serve()
        url = self.url(registry, scheme="http")
        code, _, _ = await self.curl("--http2-prior-knowledge", url)
        self.assertNotEqual(code, 0)
        _, said, _ = await self.curl(url)
        self.assertEqual(said[0], "200")

    async def test_client_that_does_not_read(self) -> None:
        """A client whose window is full costs next to nothing while it waits."""
        registry = await self.serve(http={"h2c": {"enabled": True}})
        path, digest = self.content(MIB)
        where = f"/v2/a/b/blobs/uploads/?digest={digest}"
        await self.curl(*body_of(path), self.url(registry, where, "http"))
        line = await deferToThread(
            _fill_window, registry.port, f"/v2/a/b/blobs/{digest}"
        )
        self.addCleanup(line.close)
        began, used = reactor.seconds(), registry.process.cpu_seconds()
        await sleep(2)
        share = (registry.process.cpu_seconds() - used) / (reactor.seconds() - began)
        self.assertLess(share, 0.2)

    async def test_stalled_download(self) -> None:
        """A client that takes nothing of its answer is let go; what it read, too."""
        for tls in (None, {}):
            registry = await self.serve(tls, http={"limits": {"stalltime": "1s"}})
            context = None if tls is None else self.context()
            path, digest = self.content(24 * MIB)
            where = f"/v2/a/b/blobs/uploads/?digest={digest}"
            scheme = "http" if tls is None else "https"
            await self.curl(*body_of(path), self.url(registry, where, scheme))
            line = await deferToThread(_hold, registry.port, context)
            self.addCleanup(line.close)
            asked = f"GET /v2/a/b/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n"
            line.sendall(asked.encode("ascii"))
            await self.until_open(registry, True)
            await self.until_open(registry, False)
            self.assertNotIn("Traceback", registry.process.text())
            await registry.process.end()

    async def until_open(self, registry: Registry, wanted: bool) -> None:
        """Wait until the daemon reads a blob, or none."""
        files = Path(f"/proc/{registry.process.pid}/fd")
        for _ in range(300):
            names = [os.path.realpath(file) for file in files.iterdir()]
            if any(name.endswith("/data") for name in names) == wanted:
                return
            await sleep(0.1)
        self.fail(f"a blob is {'not ' if wanted else ''}read")

    async def test_header_time(self) -> None:
        """A head that takes too long is cut off."""
        limits = {"limits": {"headertime": "1s", "idletime": "30s"}}
        registry = await self.serve(http=limits)

        def drip() -> bool:
            with socket.create_connection(("127.0.0.1", registry.port), 5) as line:
                line.sendall(b"GET /v2/ HTTP/1.1\r\n")
                for _ in range(100):
                    try:
                        line.sendall(b"X: y\r\n")
                        line.settimeout(0.1)
                        if line.recv(100) == b"":
                            return True
                    except TimeoutError:
                        continue
                    except OSError:
                        return True
            return False

        self.assertTrue(await deferToThread(drip))
        self.assertNotIn("Traceback", registry.process.text())

    async def test_connection_limit(self) -> None:
        """One connection too many is closed; when one goes there is room again."""
        for tls in (None, {}):
            registry = await self.serve(tls, http={"limits": {"connections": 2}})
            context = None if tls is None else self.context()
            held = [
                await deferToThread(_hold, registry.port, context) for _ in range(2)
            ]
            url = self.url(registry, scheme="http" if tls is None else "https")
            code, said, _ = await self.curl(url)
            self.assertNotEqual((code, said[0]), (0, "200"), f"tls: {tls}")
            held.pop().close()
            for _ in range(300):
                _, said, _ = await self.curl(url)
                if said[0] == "200":
                    break
                await sleep(0.1)
            self.assertEqual(said[0], "200")
            held.pop().close()
            self.assertNotIn("Traceback", registry.process.text())
            await registry.process.end()


def _hold(port: int, context: ssl.SSLContext | None) -> socket.socket:
    """Make a connection on which a request was answered, and keep it."""
    for _ in range(600):
        line = socket.create_connection(("127.0.0.1", port), 10)
        try:
            if context is not None:
                line = context.wrap_socket(line, server_hostname="127.0.0.1")
            line.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
            if line.recv(1000):
                return line
        except OSError:
            # The connection before this one has not gone yet.
            pass
        line.close()
        time.sleep(0.05)
    raise AssertionError("no connection is answered")


def _send_all(port: int, context: ssl.SSLContext | None, size: int) -> bytes:
    """Send a body to its end, then read what was answered."""
    path = f"/v2/a/b/blobs/uploads/?digest=sha256:{'0' * 64}"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
    line = socket.create_connection(("127.0.0.1", port), 10)
    if context is not None:
        line = context.wrap_socket(line, server_hostname="127.0.0.1")
    with line:
        line.sendall(head.encode("ascii"))
        for _ in range(size // MIB):
            line.sendall(bytes(MIB))
            time.sleep(0.01)
        return line.recv(12)


def _chosen(port: int, context: ssl.SSLContext) -> str | None:
    """Give the protocol that a server chooses."""
    plain = socket.create_connection(("127.0.0.1", port), 10)
    with context.wrap_socket(plain, server_hostname="127.0.0.1") as secured:
        return secured.selected_alpn_protocol()


def _break_http2(port: int, context: ssl.SSLContext) -> bytes:
    """Open a window by nothing (RFC 9113, 6.9); give the last that is said to it.

    :raise ssl.SSLError: TLS was not ended.
    """
    context.set_alpn_protocols(["h2"])
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    client = H2Connection(H2Configuration())
    client.initiate_connection()
    nothing = b"\0\0\4\10\0\0\0\0\0" + bytes(4)
    last = b""
    with socket.create_connection(("127.0.0.1", port), 60) as plain:
        line = context.wrap_socket(
            plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False
        )
        line.sendall(client.data_to_send() + nothing)
        while received := line.recv(65_536):
            last = received[-17:]
    return last


def body_of(path: Path) -> tuple[str, ...]:
    """Say to curl that it is to post a file as it is."""
    kind = "Content-Type: application/octet-stream"
    return ("-X", "POST", "-H", kind, "--data-binary", f"@{path}")


def _fill_window(port: int, path: str) -> socket.socket:
    """Ask for something large by HTTP/2, and read until the window is full."""
    line = socket.create_connection(("127.0.0.1", port), 10)
    client = H2Connection(H2Configuration(header_encoding="utf-8"))
    client.initiate_connection()
    client.send_headers(
        1,
        [
            (":method", "GET"),
            (":path", path),
            (":scheme", "http"),
            (":authority", "x"),
        ],
        end_stream=True,
    )
    line.sendall(client.data_to_send())
    read = 0
    while read < 65_535:
        for event in client.receive_data(line.recv(65_536)):
            if isinstance(event, DataReceived):
                read += len(event.data)
        line.sendall(client.data_to_send())
    return line
