"""SIGKILL at any moment: what was acknowledged stays, the rest is absent or goes on.

``TXREGISTRY_KILLS`` says how often to kill, ``TXREGISTRY_KILLS_SEED`` repeats the
choices of another run.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path
from unittest import mock

from twisted.internet import reactor
from twisted.internet.threads import deferToThreadPool
from twisted.trial.unittest import SynchronousTestCase

from tests.integration.kills.arena import Arena
from tests.integration.kills.client import Answer
from tests.integration.kills.documents import ACCEPT
from tests.integration.kills.inspector import Inspector
from tests.integration.kills.model import Model, Pending
from tests.integration.support import IntegrationCase, Registry, require

ROUNDS = int(os.environ.get("TXREGISTRY_KILLS") or 15)
LONG = "TXREGISTRY_KILLS" in os.environ

#: Rounds after which everything is collected and docker-registry has a look.
CHUNK = 100


class ForgottenTests(SynchronousTestCase):
    """Uploads that a registry may have forgotten when it starts."""

    def inspector(self, status: int, started_at: float, acknowledged: int) -> Inspector:
        """Look at an upload that began 30.5 s after the epoch."""
        pending = Pending(0, "a/b", "u", "/v2/a/b/blobs/uploads/u", b"xy", "d", 30.5)
        pending.acknowledged = pending.sent = acknowledged
        model = Model(uploads={"u": pending})
        client = mock.Mock()
        client.ask.return_value = Answer(status, {}, b"")
        dice = random.Random(1)
        return Inspector(Path(self.mktemp()), client, model, dice, started_at)

    def test_forgotten(self) -> None:
        """One without bytes may be gone after more than a minute: the promise ends."""
        inspector = self.inspector(404, 90.1, acknowledged=0)
        inspector.settle_upload(inspector.model.uploads["u"])
        self.assertEqual(inspector.model.uploads, {})

    def test_promised(self) -> None:
        """Within a minute none may, and none with bytes ever."""
        for started_at, acknowledged in ((90.0, 0), (9000.0, 1)):
            inspector = self.inspector(404, started_at, acknowledged)
            pending = inspector.model.uploads["u"]
            self.assertRaises(AssertionError, inspector.settle_upload, pending)


class KillTests(IntegrationCase):
    """A registry that is killed while it is written to."""

    timeout = 300 + 20 * ROUNDS

    async def test_what_was_acknowledged_outlives_kills(self) -> None:
        """After every kill all that was acknowledged is there whole, nothing is half
        written, uploads go on, lists agree, and in the end docker-registry serves all
        of it."""
        require("docker-registry")
        given = os.environ.get("TXREGISTRY_KILLS_SEED")
        seed = given or f"{random.SystemRandom().randrange(1 << 32)}"
        arena = Arena(self.directory, seed)
        self.addCleanup(arena.end)
        for first in range(0, ROUNDS, CHUNK):
            numbers = range(first, min(first + CHUNK, ROUNDS))
            pool = reactor.getThreadPool()
            await deferToThreadPool(reactor, pool, self.kill, arena, numbers)
            theirs = await self.debian_registry("theirs", root=arena.root)
            await self.check_images(theirs, arena)
            await theirs.process.end()

    def kill(self, arena: Arena, numbers: range) -> None:
        """Kill in each of several rounds; in long runs tell how far it is."""
        began = time.monotonic()
        number = numbers.start
        try:
            for number in numbers:
                arena.round(number)
                if LONG and number % 10 == 9:
                    seconds = (time.monotonic() - began) / (number + 1 - numbers.start)
                    told = f"{number + 1} rounds, {seconds:.1f} s each: {arena.counts}"
                    sys.stderr.write(f"{told}\n")
                    sys.stderr.flush()
            arena.finish()
        except BaseException as error:
            told = f"TXREGISTRY_KILLS_SEED={arena.seed}, round {number}"
            raise AssertionError(f"{told}: {error}") from error

    async def check_images(self, theirs: Registry, arena: Arena) -> None:
        """Fetch every tag and all that belongs to it from another registry."""
        for (repository, tag), _ in arena.model.tags.known():
            digest = arena.model.tags.certain((repository, tag))
            if digest is None:
                continue
            await self.check_manifest(theirs, arena, repository, tag, digest)

    async def check_manifest(
        self, theirs: Registry, arena: Arena, repository: str, name: str, digest: str
    ) -> None:
        base = f"{theirs.url}/v2/{repository}"
        document = arena.model.documents[digest]
        code, _, body = await self.get(f"{base}/manifests/{name}", Accept=ACCEPT)
        self.assertEqual((code, body), (200, document.content))
        for child in document.children:
            await self.check_manifest(theirs, arena, repository, child, child)
        for blob in document.blobs:
            code, _, body = await self.get(f"{base}/blobs/{blob}")
            self.assertEqual(code, 200, (base, blob))
            self.assertTrue(body == arena.model.contents[blob], blob)
