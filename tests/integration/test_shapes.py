"""Each configuration of ``tests/shapes`` starts, on loopback, and answers."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.defer import DeferredList, DeferredSemaphore
from twisted.web.client import Agent
from twisted.web.resource import Resource
from twisted.web.server import Site

from tests.integration.support import (
    IntegrationCase,
    Process,
    free_port,
    start_daemon,
)
from tests.shapes.environments import ENVIRONMENTS
from tests.shapes.files import FILES
from tests.shapes.shape import PASSWORD, USER, Shape, make_files
from txregistry.flow.deferred import deferred
from txregistry.remote.transport import TlsFiles, UpstreamPolicy

#: Daemons that start at the same time.
AT_ONCE = 4


def basic(user: str, password: str) -> str:
    """Give the header for a name and a password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Guarded(Resource):
    """An upstream that wants a password, and keeps what it was told."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.told: set[str] = set()

    def render(self, request: Any) -> bytes:
        """Ask for a password, or say that there is nothing."""
        given = request.getHeader("authorization")
        if given is None:
            request.setResponseCode(401)
            request.setHeader("WWW-Authenticate", 'Basic realm="r"')
        else:
            self.told.add(given)
            request.setResponseCode(404)
        return b""


class ShapeTests(IntegrationCase):
    """``twistd registry`` with each of them."""

    def setUp(self) -> None:
        """Trust any certificate: they name no address."""
        super().setUp()
        policy = UpstreamPolicy(TlsFiles(insecure=True))
        self.http = HTTPClient(Agent(reactor, policy))
        self.upstream = Guarded()
        port = reactor.listenTCP(0, Site(self.upstream), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.upstream_url = f"http://127.0.0.1:{port.getHost().port}"

    async def started(self, shape: Shape, directory: Path) -> tuple[Process, str]:
        """Start a daemon; give it and its URL."""
        directory.mkdir()
        make_files(directory)
        port = free_port()
        text, environment = shape.filled(
            address=f"127.0.0.1:{port}",
            debug=f"127.0.0.1:{free_port()}",
            dir=directory,
            upstream=self.upstream_url,
        )
        path = directory / "config.yml"
        path.write_text(text)
        arguments = ["-n", "--pidfile=", "registry"]
        arguments += ["-c", str(path)] if text else []
        env = {"NO_PROXY": "*", **environment}
        process = self.keep(await start_daemon(*arguments, env=env, cwd=str(directory)))
        url = f"{'https' if shape.is_tls else 'http'}://127.0.0.1:{port}"
        await self.wait_for(f"{url}/v2/", process)
        return process, url

    @deferred
    async def look_at(self, name: str, shape: Shape, directory: Path) -> None:
        """Start one, ask it who may come in, and read what it logs."""
        process, url = await self.started(shape, directory)
        code, _, _ = await self.get(f"{url}/v2/")
        self.assertEqual(code, shape.status, name)
        if shape.expected.get("auth.controller") == "htpasswd":
            await self.look_at_passwords(url, name, directory)
        await process.end()
        text = process.text()
        for ignored in shape.ignored:
            self.assertIn(f"{ignored}: ", text, name)
        self.assertNotIn("hush-hush", text, name)
        self.assertTrue((directory / "data").is_dir(), name)

    async def look_at_passwords(self, url: str, name: str, directory: Path) -> None:
        """Check that the user of the file comes in, and that a missing file is made."""
        made = directory / "etc" / "registry"
        if made.exists():
            self.assertTrue(made.read_bytes().startswith(b"docker:$2"), name)
            return
        for password, status in ((PASSWORD, 200), ("wrong", 401)):
            header = basic(USER, password)
            code, _, _ = await self.get(f"{url}/v2/", authorization=header)
            self.assertEqual(code, status, name)

    async def all_of(self, shapes: Mapping[str, Shape]) -> None:
        """Look at several, a few at a time."""
        few = DeferredSemaphore(AT_ONCE)
        looks = [
            few.run(self.look_at, name, shape, self.directory / str(number))
            for number, (name, shape) in enumerate(shapes.items())
        ]
        for is_fine, found in await DeferredList(looks, consumeErrors=True):
            if not is_fine:
                found.raiseException()

    async def test_files(self) -> None:
        """Files of others' products start as they are."""
        await self.all_of(FILES)

    async def test_environments(self) -> None:
        """Environments start, whatever else is in them."""
        await self.all_of(ENVIRONMENTS)
        self.assertNotIn(basic("robot", ""), self.upstream.told)

    async def test_secret_in_a_file_reaches_the_upstream(self) -> None:
        """The upstream is told the password that lies in a file."""
        shape = ENVIRONMENTS["a compose file with secrets"]
        _, url = await self.started(shape, self.directory / "one")
        await self.get(f"{url}/v2/a/b/manifests/v1")
        self.assertEqual(self.upstream.told, {basic("robot", "hush-hush")})
