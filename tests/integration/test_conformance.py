"""Every case of the conformance table against a real daemon, on kept connections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.web.client import Agent, HTTPConnectionPool

from tests.conformance import form
from tests.conformance.cases import CASES
from tests.conformance.client import AgentClient
from tests.conformance.form import Case
from tests.integration.support import IntegrationCase, Registry, free_port

#: A case that takes longer than this hangs.
PATIENCE = 60.0

DELETES = {"delete": {"enabled": True}}
READ_ONLY = {"maintenance": {"readonly": {"enabled": True}}}
SILLY = {"realm": form.SILLY_REALM, "service": form.SILLY_SERVICE}
LENIENT = {
    "urls": {"allow": [form.ALLOWED_URLS], "deny": [form.DENIED_URLS]},
    "indexes": {"platforms": "none"},
}

#: What each setting adds to the storage section and to the whole.
SETTINGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    form.PLAIN: (DELETES, {}),
    form.NO_DELETES: ({}, {}),
    form.READ_ONLY: (DELETES | READ_ONLY, {}),
    form.CACHE: (DELETES, {}),
    form.SILLY: (DELETES, {"auth": {"silly": SILLY}}),
    form.LENIENT: (DELETES, {"validation": {"manifests": LENIENT}}),
}


class ConformanceTests(IntegrationCase):
    """What the table says of a registry, said of a process."""

    timeout = 600

    async def serve(self, setting: str) -> Registry:
        """Start a registry of a setting."""
        storage, more = SETTINGS[setting]
        driver = {"filesystem": {"rootdirectory": str(self.directory / "registry")}}
        merge = {"storage": {**driver, **storage}, **more}
        if setting == form.CACHE:
            merge["proxy"] = {"remoteurl": f"http://127.0.0.1:{free_port()}"}
        return await self.daemon("registry", merge=merge)

    async def prove(self, cases: Sequence[Case]) -> None:
        """Run cases one after another; tell all that fail."""
        registry = await self.serve(cases[0].setting)
        pool = HTTPConnectionPool(reactor)
        self.addCleanup(pool.closeCachedConnections)
        agent = Agent(reactor, pool=pool)
        failed = []
        for case in cases:
            client = AgentClient(agent, registry.url, case.repository)
            ran = Deferred.fromCoroutine(case.run(client))
            try:
                await ran.addTimeout(PATIENCE, reactor)
            except Exception as error:  # told below, with all others
                failed.append(f"{case.name}: {case.sentence}\n  {error!r}")
        self.assertEqual(failed, [], "\n" + "\n".join(failed))
        self.assertTrue(registry.process.running, registry.process.text())
        self.assertNotIn("Traceback", registry.process.text())


def _test_of(cases: Sequence[Case], what: str) -> Callable[[ConformanceTests], Any]:
    async def test(self: ConformanceTests) -> None:
        await self.prove(cases)

    test.__doc__ = f"A daemon does what the {len(cases)} cases of {what} say."
    return test


def _add_tests() -> None:
    for setting in SETTINGS:
        chosen = [case for case in CASES if case.setting == setting]
        name = setting.replace(" ", "_").replace("-", "_")
        setattr(ConformanceTests, f"test_{name}", _test_of(chosen, setting))


_add_tests()
