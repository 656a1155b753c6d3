"""Middleware around middleware."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.flow.wrapper import Wrapper
from txregistry.interfaces.driver import IStorageDriver
from txregistry.interfaces.namespace import IBlobFinder, INamespace, ISignedRepository
from txregistry.middleware.chain import wrap_driver, wrap_namespace
from txregistry.spec.reference import RepositoryName
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.testing.house import TestHouse

NAME = RepositoryName.parse("a/b")


class Named(Wrapper):
    """Adds its name to those of what it is around."""

    def __init__(self, wrapped: Any, name: str) -> None:
        super().__init__(wrapped)
        self.names = [*getattr(wrapped, "names", []), name]


class Names:
    """Middleware of any kind."""

    def __init__(self, name: str) -> None:
        self.name, self.wrapped = name, 0

    def wrap(self, **around: Any) -> Named:
        self.wrapped += 1
        (found,) = around.values()
        return Named(found, self.name)


class Nothing:
    """Middleware that gives nothing."""

    def wrap(self, **around: Any) -> None:
        return None


class ChainTests(SynchronousTestCase):
    """The first is the innermost."""

    def setUp(self) -> None:
        self.local = TestHouse().local
        self.first, self.second = Names("first"), Names("second")

    def repository(self, namespace: Any) -> Any:
        return self.successResultOf(namespace.repository(name=NAME))

    def test_driver(self) -> None:
        """Storage."""
        wrapped: Any = wrap_driver(MemoryDriver(Clock()), [self.first, self.second])
        verifyObject(IStorageDriver, wrapped)
        self.assertEqual(wrapped.names, ["first", "second"])

    def test_registry(self) -> None:
        """A namespace keeps its powers."""
        wrapped: Any = wrap_namespace(self.local, [self.first, self.second], [])
        self.assertEqual(wrapped.names, ["first", "second"])
        for interface in (INamespace, IBlobFinder):
            verifyObject(interface, wrapped)
        self.assertIs(self.repository(wrapped), self.repository(self.local))

    def test_repository(self) -> None:
        """So do repositories, each of which is wrapped once."""
        chain = [self.first, self.second]
        wrapped = wrap_namespace(self.local, [], chain)
        verifyObject(INamespace, wrapped)
        found = self.repository(wrapped)
        verifyObject(ISignedRepository, found)
        self.assertEqual((found.name, found.names), (NAME, ["first", "second"]))
        self.assertIs(self.repository(wrapped), found)
        self.assertEqual(self.first.wrapped, 1)

    def test_another_repository(self) -> None:
        """A namespace that gives another object has that one wrapped."""
        wrapped: Any = wrap_namespace(self.local, [], [self.first])
        before = self.repository(wrapped)
        wrapped.wrapped = TestHouse().local
        self.assertIsNot(self.repository(wrapped), before)
        self.assertEqual(self.first.wrapped, 2)

    def test_nothing(self) -> None:
        """Without middleware it is the other one; what gives none is told."""
        self.assertIs(wrap_namespace(self.local, [], []), self.local)
        driver = MemoryDriver(Clock())
        self.assertIs(wrap_driver(driver, []), driver)
        error = self.assertRaises(ValueError, wrap_driver, driver, [Nothing()])
        self.assertEqual(str(error), "Nothing gives no IStorageDriver")
        error = self.assertRaises(
            ValueError, wrap_namespace, self.local, [Nothing()], []
        )
        self.assertEqual(str(error), "Nothing gives no INamespace")
        failing: Any = wrap_namespace(self.local, [], [Nothing()])
        self.failureResultOf(failing.repository(name=NAME), ValueError)
