"""Objects that stand in for others."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface, implementer
from zope.interface.verify import verifyObject

from txregistry.flow.wrapper import Wrapper


class ISpeaker(Interface):
    def speak() -> str: ...


class IListener(Interface):
    def listen() -> str: ...


class IRunner(Interface):
    def run() -> str: ...


@implementer(ISpeaker, IListener)
class Person:
    name = "Person"

    def speak(self) -> str:
        return "hello"

    def listen(self) -> str:
        return f"{self.name} listens"


@implementer(IRunner)
class Loud(Wrapper):
    def speak(self) -> str:
        return self.wrapped.speak().upper()

    def run(self) -> str:
        return "runs"


class WrapperTests(SynchronousTestCase):
    """What is wrapped, once and twice."""

    def test_changed(self) -> None:
        """A method of its own is its own; everything else is the other's."""
        loud = Loud(Person())
        self.assertEqual((loud.speak(), loud.listen()), ("HELLO", "Person listens"))
        self.assertEqual(loud.name, "Person")
        self.assertRaises(AttributeError, lambda: loud.other)

    def test_interfaces(self) -> None:
        """It provides what the other provides, and what it implements itself."""
        twice = Wrapper(Loud(Person()))
        for interface in (ISpeaker, IListener, IRunner):
            self.assertTrue(verifyObject(interface, twice), interface)
        self.assertEqual(twice.speak(), "HELLO")

    def test_nothing_else(self) -> None:
        """What the other does not provide it does not."""
        self.assertFalse(IRunner.providedBy(Wrapper(Person())))
        self.assertFalse(ISpeaker.providedBy(Wrapper(object())))
