"""A verification in this process."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.context import make_context
from txregistry.cli import verify_offline as module
from txregistry.cli.verify_offline import verify_here
from txregistry.config.read import read_config
from txregistry.interfaces.scrub import ScrubOptions, ScrubProgress, ScrubReport


class Scrubber:
    """Has made progress, and read all of what was wanted."""

    def scrub(self, options: ScrubOptions, tell: Any) -> Deferred[ScrubReport]:
        tell(ScrubProgress(0.5, 1, 9, 0))
        return succeed(ScrubReport(complete=True, contents=len(options.repositories)))


class VerifyHereTests(SynchronousTestCase):
    """With a storage that is open."""

    def setUp(self) -> None:
        self.closed: list[bool] = []
        self.caches: list[bool] = []

    def verify(self, **config: object) -> list[dict[str, Any]]:
        """Verify; give the progress that was told, and the report."""
        ledger = SimpleNamespace(close=lambda: succeed(self.closed.append(True)))
        local = SimpleNamespace(databases=SimpleNamespace(ledger=ledger))

        def assemble(local: Any, healer: Any, is_cache: bool, *_: Any) -> Scrubber:
            self.caches.append(is_cache)
            return Scrubber()

        def work_offline(
            config: Any, work: Any, unlocked: bool, action: str
        ) -> ScrubReport:
            context = make_context(config, MemoryReactorClock(), {}, lambda: 0.5)
            done = work(context, SimpleNamespace(local=local))
            return self.successResultOf(Deferred.fromCoroutine(done))

        self.patch(module, "assemble_scrubber", assemble)
        self.patch(module, "work_offline", work_offline)
        found, _ = read_config({"version": "0.1", "storage": "inmemory", **config})
        told: list[Any] = []
        report = verify_here(found, ScrubOptions(0, ("a", "b")), told.append, True)
        return [*told, report]

    def test_reads(self) -> None:
        """What was wanted is read; progress and report are given on."""
        made, report = self.verify()
        self.assertEqual((made["fraction"], made["size"]), (0.5, 9))
        self.assertEqual((report["complete"], report["contents"]), (True, 2))
        self.assertEqual((self.caches, self.closed), ([False], []))

    def test_cache(self) -> None:
        """The ledger of a cache was open for it, and is closed."""
        self.verify(proxy={"remoteurl": "https://a"})
        self.assertEqual((self.caches, self.closed), ([True], [True]))
