"""A whole daemon in memory that takes changed configurations."""

from __future__ import annotations

import gc
import io
import os
from typing import Any

import bcrypt
import yaml
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.context import make_context
from txregistry.assembly.loading import load
from txregistry.assembly.registry import build_registry
from txregistry.config.model import Log
from txregistry.flow.disk import DiskPool, InlineDisk
from txregistry.interfaces.audit import Requester
from txregistry.interfaces.reload import ReloadRefused, ReloadReport
from txregistry.storage.scrub.service import Scrubbing
from txregistry.testing.wire import Wire
from txregistry.web.api import Api
from txregistry.web.http.site import RegistrySite

CACHE = {"remoteurl": "http://upstream.example", "username": "u", "password": "p"}
GOOD = {"Authorization": "Basic dTpw"}


class Reactor(MemoryReactorClock):
    """A reactor in memory that runs what others leave to it."""

    def callFromThread(self, work: Any, *args: Any, **named: Any) -> None:
        work(*args, **named)


class DaemonCase(SynchronousTestCase):
    """A daemon, its file, and clients on a wire."""

    def start(self, **config: Any) -> None:
        self.patch(DiskPool, "run", InlineDisk.run)
        self.path, self.reactor = self.mktemp(), Reactor()
        self.write(**config)
        found, _ = load(self.path, {})
        self.logs: list[Log] = []
        self.access = io.StringIO()
        context = make_context(found, self.reactor, {}, lambda: 0.5)
        self.context = context
        self.registry, self.reloader = build_registry(
            context, self.access, lambda: None, self.logs.append, self.path
        )
        self.registry.startService()
        (self.site,) = (
            site for site, _ in self.registry.listeners if type(site) is RegistrySite
        )
        self.wire = Wire(self.site, self.reactor)
        self.addCleanup(self.stop)

    def stop(self) -> None:
        if self.registry.running:
            self.end()

    def end(self) -> None:
        """Stop, and look that nothing is left."""
        self.successResultOf(self.registry.stopService())
        self.reactor.advance(0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def write(self, **config: Any) -> None:
        with open(self.path, "w") as file:
            yaml.safe_dump({"version": "0.1", "storage": "inmemory", **config}, file)

    def reload(self, **config: Any) -> ReloadReport:
        """Change the file and have it read."""
        self.write(**config)
        report: ReloadReport = self.successResultOf(
            self.reloader.reload(who=Requester("test"))
        )
        return report

    def ask(self, method: str, path: str, **headers: str) -> Deferred[Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        asked: Deferred[Any] = HTTPClient(self.wire).request(
            method, f"http://registry.example{path}", headers=named, unbuffered=True
        )
        return asked

    def send(self, method: str, path: str, **headers: str) -> Any:
        asked = self.ask(method, path, **headers)
        for _ in range(20):
            while self.wire.pump():
                pass
            self.reactor.advance(0.01)
        return self.successResultOf(asked)


class RegistryTests(DaemonCase):
    """A registry."""

    def test_nothing(self) -> None:
        """The same file."""
        self.start()
        self.assertEqual(self.reload(), ReloadReport())

    def test_gate(self) -> None:
        """What may be changed."""
        self.start()
        uploads = "/v2/a/blobs/uploads/"
        self.assertEqual(self.send("POST", uploads).code, 202)
        readonly = {"inmemory": {}, "maintenance": {"readonly": {"enabled": True}}}
        report = self.reload(storage=readonly)
        self.assertEqual(report.changed, ("storage.maintenance.readonly.enabled",))
        self.assertEqual(self.send("POST", uploads).code, 405)
        self.reload()
        self.assertEqual(self.send("POST", uploads).code, 202)

    def test_site(self) -> None:
        """Headers, the prefix, and who is logged."""
        self.start()
        self.reload(http={"prefix": "/p/", "headers": {"X-Here": ["yes"]}})
        self.assertEqual(self.send("GET", "/v2/").code, 404)
        answer = self.send("GET", "/p/v2/")
        self.assertEqual(answer.code, 200)
        self.assertEqual(answer.headers.getRawHeaders("X-Here"), ["yes"])
        written = self.access.getvalue()
        self.reload(log={"accesslog": {"disabled": True}})
        self.send("GET", "/v2/")
        self.assertEqual(self.access.getvalue(), written)

    def test_uploads_that_have_begun(self) -> None:
        """They count against a limit that is set later."""
        self.start()
        for _ in range(3):
            self.send("POST", "/v2/a/blobs/uploads/")
        self.reload(http={"limits": {"uploads": {"total": 3}}})
        self.assertEqual(self.send("POST", "/v2/a/blobs/uploads/").code, 429)
        self.reload(http={"limits": {"uploads": {"total": 4}}})
        self.assertEqual(self.send("POST", "/v2/a/blobs/uploads/").code, 202)

    def test_access(self) -> None:
        """A controller is another one only if its section is."""
        self.start()
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(b"u:" + bcrypt.hashpw(b"p", bcrypt.gensalt(4)) + b"\n")
        auth = {"htpasswd": {"realm": "r", "path": path}}
        self.assertEqual(self.reload(auth=auth).changed, ("auth.htpasswd",))
        self.assertEqual(self.send("GET", "/v2/").code, 401)
        checked: list[object] = []
        real = bcrypt.checkpw
        self.patch(bcrypt, "checkpw", lambda *a: (checked.append(a), real(*a))[1])
        for level in ("debug", "info"):
            self.assertEqual(self.send("GET", "/v2/", **GOOD).code, 200)
            self.reload(auth=auth, log={"level": level})
        self.assertEqual(len(checked), 1)

    def test_health(self) -> None:
        """Checks that have failed and are there no more hold nobody up."""
        self.start(health={"file": [{"file": os.getcwd(), "interval": "1s"}]})
        self.reactor.advance(1)
        self.assertEqual(self.send("GET", "/v2/").code, 503)
        self.reload()
        self.assertEqual(self.send("GET", "/v2/").code, 200)
        self.reactor.advance(5)
        self.assertEqual(self.send("GET", "/v2/").code, 200)
        self.reload(health={"file": [{"file": os.getcwd(), "interval": "1s"}]})
        self.reactor.advance(1)
        self.assertEqual(self.send("GET", "/v2/").code, 503)

    def test_times(self) -> None:
        """How long a stop waits, how often uploads are purged; the log is told."""
        self.start()
        self.reload(
            http={"draintimeout": "3s"},
            log={"level": "debug"},
            storage={
                "inmemory": {},
                "maintenance": {"uploadpurging": {"enabled": False}},
            },
        )
        self.assertEqual(self.registry.drain_seconds, 3.0)
        self.assertEqual([log.level for log in self.logs], ["debug"])

    def test_scrub(self) -> None:
        """Whether, how often and how fast what is stored is read."""
        self.start()
        (service,) = (p for p in self.registry._parts if isinstance(p, Scrubbing))
        for section, expected in (
            ({"enabled": True, "interval": "7d"}, (7 * 86400.0, 20 << 20)),
            (
                {"enabled": True, "interval": "7d", "rate": "1MiB"},
                (7 * 86400.0, 1 << 20),
            ),
        ):
            self.reload(storage={"inmemory": {}, "maintenance": {"scrub": section}})
            assert service._plan is not None
            self.assertEqual((service._plan.interval, service._plan.rate), expected)
        self.reload()
        self.assertIsNone(service._plan)

    def test_endpoints(self) -> None:
        """Where events are posted, and as whom."""

        def config(url: str) -> dict[str, Any]:
            return {"endpoints": [{"name": "a", "url": url}], "queuelimit": 7}

        self.start(notifications=config("http://a.example"))
        report = self.reload(notifications=config("http://u:p@b.example"))
        self.assertEqual(report.changed, ("notifications.endpoints",))
        report = self.reload(notifications={"endpoints": []})
        self.assertEqual([*report.restart], ["notifications.endpoints"])

    def test_refused(self) -> None:
        """Whatever is wrong, all is as before, also what is right."""
        self.start()
        report = self.reload(http={"prefix": "/p/"}, log={"level": "loud"})
        self.assertEqual(len(report.problems), 1)
        self.assertEqual(self.send("GET", "/v2/").code, 200)

        def refuse(_: Api) -> None:
            raise ValueError("cannot be made")

        self.patch(Api, "resource", refuse)
        report = self.reload(http={"prefix": "/p/"}, log={"level": "debug"})
        self.assertEqual(report.problems, ("cannot be made",))
        self.assertEqual((self.logs, self.send("GET", "/v2/").code), ([], 200))

    def test_values_that_do_not_fit_what_stays(self) -> None:
        """The key that waits and the one that does not exclude each other."""
        self.start(http={"tls": {}})
        report = self.reload(proxy={**CACHE, "exec": {"command": "x"}})
        self.assertEqual(
            report.problems, ("proxy.exec.command: excludes proxy.username",)
        )

    def test_local_waits_alone(self) -> None:
        """A key of ``proxy`` that needs a restart holds no other one back."""
        self.start(proxy=CACHE)
        changed = {**CACHE, "local": ["team/**"], "upstreams": {"corp.example": {}}}
        report = self.reload(proxy=changed)
        self.assertEqual([*report.restart], ["proxy.local"])
        self.assertIn("proxy.upstreams", report.changed)
        self.assertIn("corp.example", self.context.metrics.exposition().decode())

    def test_restart(self) -> None:
        """Each time it is told what waits; back again, nothing waits."""
        self.start()
        for _ in range(2):
            report = self.reload(http={"addr": "127.0.0.1:9"}, tags={"maxtags": 5})
            self.assertEqual([*report.restart], ["http.addr"])
        self.assertEqual(report.changed, ())
        self.assertEqual(self.reload(), ReloadReport(("tags.maxtags",)))

    def test_before_and_after(self) -> None:
        """No reload while it starts, none while it stops."""
        self.start()
        self.end()
        self.failureResultOf(self.reloader.reload(who=Requester("test")), ReloadRefused)
        context = make_context(self.context.config, Reactor(), {}, lambda: 0.5)
        _, reloader = build_registry(context, self.access, lambda: None)
        self.failureResultOf(reloader.reload(who=Requester("test")), ReloadRefused)


class CacheTests(DaemonCase):
    """A cache."""

    def test_life_of_content(self) -> None:
        """``proxy.ttl`` holds for the scheduler, and for what is written at the end."""
        self.start(proxy=CACHE)
        report = self.reload(proxy={**CACHE, "ttl": "10s"})
        self.assertEqual(report.changed, ("proxy.ttl",))
        (told,) = report.warnings
        self.assertIn("is cached already: what was not used for 10s is deleted", told)
        self.reactor.advance(60)

    def test_files_of_the_upstream(self) -> None:
        """Another content of ``proxy.tls.ca`` is a change; none is none."""
        from tests.auth.keys import authority, ec_key

        path = self.mktemp()

        def write(name: str) -> None:
            with open(path, "wb") as file:
                file.write(authority(name, ec_key()).pem)

        write("first")
        proxy = {**CACHE, "tls": {"ca": path}}
        self.start(proxy=proxy)
        self.assertEqual(self.reload(proxy=proxy).changed, ())
        write("second")
        self.assertEqual(self.reload(proxy=proxy).changed, ("proxy.tls",))
        self.assertEqual(self.reload(proxy=proxy).changed, ())

    def test_files_that_have_gone(self) -> None:
        """A section that waits for a restart may lose its files before that."""
        from tests.auth.keys import authority, ec_key

        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(authority("a", ec_key()).pem)
        self.start(proxy={**CACHE, "tls": {"ca": path}})
        os.unlink(path)
        report = self.reload(log={"level": "debug"})
        self.assertEqual((report.changed, report.problems), (("log.level",), ()))
        self.assertIn("proxy.tls.ca", report.restart)

    def test_a_registry_stays_one(self) -> None:
        """Nothing of the section is taken, and it is told why."""
        self.start()
        report = self.reload(proxy=CACHE)
        self.assertIn("proxy.remoteurl", report.restart)
        self.assertEqual(report.changed, ())

    def test_many(self) -> None:
        """What is replaced goes; nothing is timed that was not before."""
        self.start(proxy=CACHE)
        self.reload(proxy={**CACHE, "password": "q"})
        self.reactor.advance(1)
        counts = []
        for number in range(20):
            self.reload(
                proxy={**CACHE, "password": str(number), "tagttl": f"{number}s"},
                http={"limits": {"idletime": f"{number + 1}s"}},
                health={"storagedriver": {"enabled": bool(number % 2)}},
            )
            self.reactor.advance(1)
            gc.collect()
            counts.append((len(gc.get_objects()), len(self.reactor.getDelayedCalls())))
        objects, timers = zip(*counts[2:], strict=True)
        self.assertLess(max(timers) - min(timers), 3)
        # One of them has thousands of objects.
        self.assertLess(max(objects) - min(objects), 3000)
