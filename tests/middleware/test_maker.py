"""Middleware by kind and name."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.middleware.services import services
from tests.offers import Point, offer
from txregistry.interfaces.middleware import IRegistryMiddleware, IStorageMiddleware
from txregistry.middleware.maker import make_middleware
from txregistry.middleware.offered import MIDDLEWARE


@implementer(IStorageMiddleware)
class Some:
    def __init__(self, options, services):
        self.options, self.services = options, services

    def wrap(self, driver):
        return driver


@implementer(IRegistryMiddleware)
class Other:
    def __init__(self, options, services):
        raise ValueError("options.a: is missing")

    def wrap(self, namespace):
        return namespace


class MakerTests(SynchronousTestCase):
    """What packages offer."""

    def setUp(self) -> None:
        offer(
            self,
            MIDDLEWARE,
            Point("storage.b", Some),
            Point("registry.a", Other),
            Point("storage.odd", lambda options, services: {}),
        )

    def test_made(self) -> None:
        """It is given its options, and what it may use of the daemon."""
        given = services()
        made = make_middleware("storage", "b", {"a": 1}, given)
        self.assertEqual((made.options, made.services), ({"a": 1}, given))

    def test_refused(self) -> None:
        """A name that nobody offers is told with those that there are."""
        for kind, name, told in (
            ("storage", "c", "name: expected b or cloudfront or odd or redirect"),
            ("registry", "b", "name: expected a"),
            ("storage", "", "name: expected b or cloudfront or"),
            ("repository", "a", "name: no installed package offers"),
            ("registry", "a", "options.a: is missing"),
            ("storage", "odd", "name: 'odd' gives no IStorageMiddleware"),
        ):
            error = self.assertRaises(
                ValueError, make_middleware, kind, name, {}, services()
            )
            self.assertIn(told, str(error))
