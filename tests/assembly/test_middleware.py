"""Middleware of a whole daemon in memory."""

from __future__ import annotations

import json
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.assembly.test_reload import CACHE, DaemonCase
from tests.offers import Point, offer
from txregistry.assembly.context import make_context
from txregistry.assembly.makers import complaint, maker_problems
from txregistry.assembly.middleware import Chains, build_middleware
from txregistry.config.read import ConfigurationError, read_config
from txregistry.config.table import restart_of
from txregistry.flow.disk import InlineDisk
from txregistry.flow.wrapper import Wrapper
from txregistry.interfaces.middleware import (
    IRegistryMiddleware,
    IRepositoryMiddleware,
    IStorageMiddleware,
)
from txregistry.interfaces.namespace import IRepository
from txregistry.middleware.offered import MIDDLEWARE
from txregistry.spec.errors import Denied
from txregistry.spec.reference import RepositoryName
from txregistry.storagedriver.inmemory import MemoryDriver

#: What was made, in order, and what it was around.
made: list[tuple[str, Any]] = []


class Watching(Service):
    """Lives as long as the daemon."""


WATCHING = Watching()


class Refusing(Wrapper):
    def repository(self, name: RepositoryName) -> Deferred[IRepository]:
        if str(name).startswith("secret/"):
            return fail(Denied({"repository": str(name)}))
        return self.wrapped.repository(name=name)


class Noting:
    """Writes down what it is around, and refuses some repositories."""

    def __init__(self, options: Any, services: Any) -> None:
        self.name = options["name"]
        if self.name == "watching":
            services.start(WATCHING)

    def note(self, wrapped: Any) -> Any:
        made.append((self.name, wrapped))
        return Wrapper(wrapped)


@implementer(IStorageMiddleware)
class Storage(Noting):
    def wrap(self, driver: Any) -> Any:
        return self.note(driver)


@implementer(IRepositoryMiddleware)
class Repository(Noting):
    def wrap(self, repository: Any) -> Any:
        return self.note(repository)


@implementer(IRegistryMiddleware)
class Registry(Noting):
    def wrap(self, namespace: Any) -> Any:
        return Refusing(self.note(namespace))


def item(kind: str, name: str = "x", **more: Any) -> dict[str, Any]:
    return {"name": kind, "options": {"name": name}, **more}


class MiddlewareCase(DaemonCase):
    """Around registry, repositories and storage."""

    def setUp(self) -> None:
        made.clear()
        offer(
            self,
            MIDDLEWARE,
            Point("storage.a", Storage),
            Point("repository.a", Repository),
            Point("registry.a", Registry),
        )

    def names(self) -> list[str]:
        return [name for name, _ in made]


class DaemonTests(MiddlewareCase):
    """In a daemon."""

    def test_order(self) -> None:
        """The first is the innermost; storage stands under everything else."""
        storage = [item("a", "s1"), item("a", "off", disabled=True), item("a", "s2")]
        registry = [item("a", "r1"), item("a", "r2")]
        self.start(middleware={"storage": storage, "registry": registry})
        self.assertEqual(self.names(), ["s1", "s2", "r1", "r2"])
        self.assertIsInstance(made[0][1], MemoryDriver)
        self.assertIs(made[1][1].wrapped, made[0][1])

    def test_repositories(self) -> None:
        """Each that is asked for is wrapped, once."""
        repository = [item("a", "one"), item("a", "two")]
        self.start(middleware={"repository": repository})
        for name in ("a/b", "a/b", "c"):
            got = self.send("GET", f"/v2/{name}/tags/list")
            self.assertEqual(got.code, 404)
        self.assertEqual(self.names(), ["one", "two"] * 2)
        self.assertEqual(str(made[-1][1].name), "c")

    def test_refused_repository(self) -> None:
        """The client is told why, whatever it wants; others notice nothing."""
        self.start(middleware={"registry": [item("a")]})
        for method, path in (
            ("GET", "/v2/secret/app/manifests/v1"),
            ("PUT", "/v2/secret/app/manifests/v1"),
            ("POST", "/v2/secret/app/blobs/uploads/"),
            ("GET", "/v2/secret/app/tags/list"),
        ):
            got = self.send(method, path)
            self.assertEqual(got.code, 403, path)
            error = json.loads(self.successResultOf(got.content()))["errors"][0]
            self.assertEqual(error["code"], "DENIED")
            self.assertEqual(error["detail"], {"repository": "secret/app"})
        self.assertEqual(self.send("POST", "/v2/open/blobs/uploads/").code, 202)

    def test_services(self) -> None:
        """What lives beside a middleware starts and stops with the daemon."""
        self.assertFalse(WATCHING.running)
        self.start(middleware={"storage": [item("a", "watching")]})
        self.assertTrue(WATCHING.running)
        self.end()
        self.assertFalse(WATCHING.running)

    def test_reload(self) -> None:
        """A change waits for a restart; a cache that is renewed stays wrapped."""
        section = {"registry": [item("a", "r")]}
        self.start(proxy=CACHE, middleware=section)
        changed = {"registry": [item("a", "other")]}
        proxy = {**CACHE, "tagttl": "5m"}
        report = self.reload(proxy=proxy, middleware=changed)
        self.assertEqual(report.changed, ("proxy.tagttl",))
        self.assertEqual(
            dict(report.restart),
            {"middleware.registry": restart_of("middleware")},
        )
        self.assertEqual(self.names(), ["r", "r"])
        self.assertEqual(self.send("GET", "/v2/secret/x/tags/list").code, 403)

    def test_redirects_reloaded(self) -> None:
        """Redirects are turned off and on while the daemon runs."""
        self.start()
        storage = {"inmemory": {}, "redirect": {"disable": True}}
        report = self.reload(storage=storage)
        self.assertEqual(report.changed, ("storage.redirect.disable",))

    def test_unknown(self) -> None:
        """A name that nobody offers is refused, with those that there are."""
        error = self.assertRaises(
            ConfigurationError,
            self.start,
            middleware={"storage": [item("a"), item("b")], "repository": [item("")]},
        )
        repository, storage = error.problems
        self.assertEqual(repository, "middleware.repository[0].name: expected a")
        told = "middleware.storage[1].name: expected a or cloudfront or redirect or"
        self.assertTrue(storage.startswith(told))


class BuildTests(MiddlewareCase):
    """What cannot be made."""

    def config(self, **middleware: Any) -> Any:
        stated = {"version": "0.1", "storage": "inmemory", "middleware": middleware}
        return read_config(stated)[0]

    def build(self, **middleware: Any) -> Chains:
        context = make_context(self.config(**middleware), Clock(), {}, lambda: 0.5)
        return build_middleware(context, InlineDisk())

    def test_none(self) -> None:
        """Without any, everything stays as it is."""
        chains, driver = self.build(), object()
        self.assertIs(chains.around_driver(driver), driver)
        self.assertIs(chains.around_namespace(driver), driver)
        self.assertEqual(chains.services, [])

    def test_failing(self) -> None:
        """A check tells the same as a start, with the key."""
        problems = maker_problems(self.config(storage=[{"name": "a"}]))
        told = "middleware.storage[0]: cannot be made: KeyError: 'name'"
        self.assertEqual(problems, [told])
        error = self.assertRaises(ValueError, self.build, storage=[item("b")])
        told = "middleware.storage[0].name: expected a or cloudfront"
        self.assertTrue(str(error).startswith(told))
        self.assertEqual(made, [])


class ComplaintTests(SynchronousTestCase):
    """The key of what a maker complains of."""

    def test_keys(self) -> None:
        """It is that of the option, if the maker names one."""
        for told, expected in (
            ("options.a: is missing", "m[0].options.a: is missing"),
            ("options.a[1].b: is missing", "m[0].options.a[1].b: is missing"),
            ("options: expected a", "m[0].options: expected a"),
            ("name: expected a", "m[0].name: expected a"),
            ("m[0].options.a: is missing", "m[0].options.a: is missing"),
            ("no such options: a", "m[0]: no such options: a"),
        ):
            self.assertEqual(complaint("m[0]", told), expected)
