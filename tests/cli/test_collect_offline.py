"""A collection in this process."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from txregistry.cli import collect_offline as module
from txregistry.cli.collect_offline import collect_here
from txregistry.config.read import read_config
from txregistry.interfaces.collection import CollectOptions, CollectReport, Progress
from txregistry.observe.audit import SilentAudit


class Collector:
    """Makes progress, and has collected."""

    def collect(self, options: CollectOptions, tell: Any) -> Deferred[CollectReport]:
        tell(Progress("mark", 3))
        return succeed(CollectReport(dry_run=options.dry_run, repositories=3))


class CollectHereTests(SynchronousTestCase):
    """With a storage that is open."""

    def test_collects(self) -> None:
        """The collector of the storage does it; progress and report are given on."""
        storage = SimpleNamespace(local=SimpleNamespace(collector=Collector()))

        def work_offline(
            config: Any, work: Any, unlocked: bool, action: str
        ) -> CollectReport:
            self.assertTrue(unlocked)
            return self.successResultOf(Deferred.fromCoroutine(work(context, storage)))

        context = SimpleNamespace(audit=SilentAudit())
        self.patch(module, "work_offline", work_offline)
        told: list[tuple[str, int]] = []
        config, _ = read_config({"version": "0.1", "storage": "inmemory"})
        found = collect_here(
            config, CollectOptions(dry_run=True), lambda *made: told.append(made), True
        )
        self.assertEqual(told, [("mark", 3)])
        expected = attrs.asdict(CollectReport(dry_run=True, repositories=3))
        self.assertEqual(found, expected)
