"""The examples of ``docs/extending.md`` do what the page says of them."""

from __future__ import annotations

import base64
from importlib.metadata import EntryPoint

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.examples import access, observer
from tests.examples.suite import DictDriverTests
from tests.offers import offer
from txregistry.auth.maker import make_controller
from txregistry.auth.offered import ACCESS_CONTROLLERS
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.access import IAccessController
from txregistry.interfaces.driver import IStorageDriver
from txregistry.interfaces.observe import IExchangeObserver
from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.storagedriver.maker import make_driver
from txregistry.storagedriver.offered import STORAGE_DRIVERS
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest
from txregistry.testing.upstream import Fault

__all__ = ["DictDriverTests"]  # trial runs it here as well


class DriverTests(SynchronousTestCase):
    """The driver in a registry."""

    def setUp(self) -> None:
        point = EntryPoint("dict", "tests.examples.driver:make", STORAGE_DRIVERS.group)
        offer(self, STORAGE_DRIVERS, point)
        self.clock = Clock()
        self.driver = make_driver("dict", {}, InlineDisk(), self.clock)

    def test_found_by_name(self) -> None:
        """Its entry point makes it."""
        self.assertEqual(STORAGE_DRIVERS.others, {"dict"})
        verifyObject(IStorageDriver, self.driver)

    def test_registry(self) -> None:
        """A whole registry keeps its tree in it."""
        house = TestHouse(clock=self.clock, driver=self.driver)
        manifest = image_manifest()
        start = house.send("POST", "/v2/a/b/blobs/uploads/").header("Location")
        blob = house.send("PUT", f"{start}&digest={Digest.of(b'{}')}", b"{}")
        self.assertEqual(blob.status, 201)
        kind, path = mediatypes.OCI_MANIFEST, "/v2/a/b/manifests/v1"
        put = house.send("PUT", path, manifest, Content_Type=kind)
        self.assertEqual(put.status, 201)
        self.assertEqual(house.send("GET", path, Accept=kind).body, manifest)


class AccessTests(SynchronousTestCase):
    """The access controller, on the wire of a registry."""

    def setUp(self) -> None:
        group = ACCESS_CONTROLLERS.group
        point = EntryPoint("teams", "tests.examples.access:make", group)
        offer(self, ACCESS_CONTROLLERS, point)
        given = {"realm": "test", "passwords": {"red": "secret"}}
        clock = Clock()
        made = make_controller("teams", given, InlineDisk(), clock)
        verifyObject(IAccessController, made)
        self.house = TestHouse(clock=clock, controller=made)

    def status(self, method: str, path: str, credentials: str = "") -> int:
        headers = {}
        if credentials:
            encoded = base64.b64encode(credentials.encode()).decode()
            headers["Authorization"] = f"Basic {encoded}"
        return self.house.send(method, path, **headers).status

    def test_nobody(self) -> None:
        """Without a password, or with a wrong one, it asks for one."""
        for credentials in ("", "red:wrong", "blue:secret", ":"):
            self.assertEqual(self.status("GET", "/v2/", credentials), 401)

    def test_challenge(self) -> None:
        """The answer says how to come in."""
        challenge = self.house.send("GET", "/v2/").header("WWW-Authenticate")
        self.assertEqual(challenge, 'Basic realm="test"')

    def test_own_name(self) -> None:
        """A team pushes below its name, and nowhere else."""
        for name, expected in (("red/app", 202), ("blue/app", 403), ("redder/x", 403)):
            path = f"/v2/{name}/blobs/uploads/"
            self.assertEqual(self.status("POST", path, "red:secret"), expected, name)

    def test_reading(self) -> None:
        """A team may read everything: what is missing is 404 and not 403."""
        path = "/v2/blue/app/manifests/v1"
        self.assertEqual(self.status("GET", path, "red:secret"), 404)

    def test_parameters(self) -> None:
        """What cannot be used is refused when it is made."""
        for given in ({}, {"passwords": ["red"]}, {"passwords": {"red": ""}}):
            with self.assertRaises(ValueError):
                access.make(given, InlineDisk(), Clock())


class Lines(list):
    write = list.append


class ObserverTests(SynchronousTestCase):
    """The observer, told by a whole cache."""

    def setUp(self) -> None:
        self.lines = Lines()
        observed = observer.WrongAnswers(self.lines)
        verifyObject(IExchangeObserver, observed)
        self.house = TestHouse(recorder=observed)
        self.house.upstream.add_manifest("lib/x", image_manifest(), "v1")

    def test_good_answers(self) -> None:
        """What went right, and what is not there, is not worth a line."""
        self.assertEqual(self.house.get("/v2/lib/x/manifests/v1").status, 200)
        self.assertEqual(self.house.get("/v2/lib/x/manifests/none").status, 404)
        self.assertEqual(self.lines, [])

    def test_wrong_answer(self) -> None:
        """An upstream that fails is a line, in which nobody else's text breaks out."""
        self.house.upstream.faults.append(Fault("/manifests/", times=99, status=500))
        got = self.house.get('/v2/lib/x/manifests/v1?"%0a')
        self.assertGreaterEqual(got.status, 500)
        (line,) = self.lines
        self.assertTrue(line.startswith(f'{got.status} GET "/v2/lib/x/manifests/v1?'))
        self.assertEqual(line.count("\n"), 1)
