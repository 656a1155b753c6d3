"""Every case on the in-memory wire, each with a registry of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.conformance import form
from tests.conformance.cases import CASES
from tests.conformance.client import AgentClient, Client
from tests.conformance.form import Case
from txregistry.auth.silly import SillyAccess
from txregistry.spec.gate import Gate
from txregistry.spec.manifest.push import PushPolicy
from txregistry.testing.conversations import REGISTRY
from txregistry.testing.house import ONE_UPSTREAM, TestHouse

_LENIENT = PushPolicy(
    allow=(form.ALLOWED_URLS,), deny=(form.DENIED_URLS,), platforms="none"
)

#: How each setting is served.
SERVED: dict[str, dict[str, Any]] = {
    form.PLAIN: {"gate": Gate(deletes=True)},
    form.NO_DELETES: {"gate": Gate()},
    form.READ_ONLY: {"gate": Gate(read_only=True, deletes=True)},
    form.CACHE: {"upstreams": ONE_UPSTREAM},
    form.SILLY: {"gate": Gate(deletes=True)},
    form.LENIENT: {"gate": Gate(deletes=True), "policy": _LENIENT},
}


def house_of(setting: str) -> TestHouse:
    """Build a registry of a setting."""
    if setting == form.SILLY:
        access = SillyAccess(form.SILLY_REALM, form.SILLY_SERVICE)
        house = TestHouse(controller=access)
    else:
        house = TestHouse()
    house.serve_registry(**SERVED[setting])
    return house


def client_of(house: TestHouse, case: Case) -> AgentClient:
    """Give what asks the registry of a house for a case."""
    return AgentClient(
        house.registry_wire,
        REGISTRY,
        case.repository,
        lambda done: succeed(house.settle(done)),
    )


def run(case: Case) -> None:
    """Run a case to its end."""
    finish(case, client_of(house_of(case.setting), case))


def finish(case: Case, client: Client) -> None:
    """Run a case with a client."""
    results: list[Any] = []
    Deferred.fromCoroutine(case.run(client)).addBoth(results.append)
    assert results, "the case waits for something that is no answer"
    if isinstance(results[0], Failure):
        results[0].raiseException()


class WireTests(SynchronousTestCase):
    """What the table says of a registry."""


class TableTests(SynchronousTestCase):
    """The table itself."""

    def test_names_are_unique(self) -> None:
        """No two cases have one name or one repository."""
        for field in ("name", "repository"):
            found = [getattr(case, field) for case in CASES]
            self.assertEqual(sorted(set(found)), sorted(found))

    def test_every_case_says_what_and_where_from(self) -> None:
        """A case has a sentence, a section, a word of the specification, a setting."""
        for case in CASES:
            self.assertRegex(case.sentence, r"(?s)^\S.*\.$", case.name)
            self.assertTrue(case.section, case.name)
            self.assertIn(case.word, (form.MUST, form.SHOULD, form.MAY), case.name)
            self.assertIn(case.setting, SERVED, case.name)


def add_cases(tests: type[SynchronousTestCase], run: Callable[[Case], None]) -> None:
    """Make each case a test."""
    for case in CASES:
        setattr(tests, "test_" + case.name.replace(".", "_"), _test_of(case, run))


def _test_of(case: Case, run: Callable[[Case], None]) -> Callable[[Any], None]:
    def test(self: SynchronousTestCase) -> None:
        try:
            run(case)
        except AssertionError as error:
            raise self.failureException(str(error)) from error

    test.__doc__ = f"{case.sentence} ({case.section}, {case.word})"
    return test


add_cases(WireTests, run)
