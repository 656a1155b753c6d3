"""The middleware of ``docs/extending.md``, in a registry."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.locating import STORE, LocatingDriver
from tests.middleware.services import services
from tests.offers import offer
from txregistry.interfaces.driver import IStorageDriver
from txregistry.interfaces.manifests import IManifestStore
from txregistry.interfaces.namespace import INamespace, ISignedRepository
from txregistry.middleware.chain import wrap_namespace
from txregistry.middleware.maker import make_middleware
from txregistry.middleware.offered import MIDDLEWARE
from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.tree import layout
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest
from txregistry.web.http.peers import PeerRequest

GROUP = MIDDLEWARE.group


class MiddlewareCase(SynchronousTestCase):
    """Middleware of each kind, in a registry."""

    def setUp(self) -> None:
        offer(
            self,
            MIDDLEWARE,
            EntryPoint("registry.hidden", "tests.examples.hidden:make", GROUP),
            EntryPoint("repository.frozen", "tests.examples.frozen:make", GROUP),
            EntryPoint("storage.lan", "tests.examples.lan:make", GROUP),
        )
        self.clock = Clock()

    def make(self, kind: str, name: str, **options: object) -> Any:
        return make_middleware(kind, name, options, services(self.clock))

    def refuse(self, kind: str, name: str, key: str, **options: object) -> None:
        error = self.assertRaises(ValueError, lambda: self.make(kind, name, **options))
        self.assertTrue(str(error).startswith(f"options.{key}: "))

    def serve(self, registry: Any = (), repository: Any = (), **house: Any) -> None:
        """Serve a registry with middleware around it."""
        self.house = TestHouse(clock=self.clock, **house)
        self.namespace = wrap_namespace(self.house.local, registry, repository)
        verifyObject(INamespace, self.namespace)
        self.house.local = self.namespace
        self.house.serve_registry()

    def push_blob(self, name: str = "a/b") -> int:
        path = f"/v2/{name}/blobs/uploads/?digest={Digest.of(b'{}')}"
        return self.house.send("POST", path, b"{}").status

    def push(self, tag: str, kind: int = 0, name: str = "a/b") -> int:
        """Push an image; of each number there is another one."""
        manifest = image_manifest(note=str(kind))
        path, media_type = f"/v2/{name}/manifests/{tag}", mediatypes.OCI_MANIFEST
        self.put = self.house.send("PUT", path, manifest, Content_Type=media_type)
        return self.put.status


class HiddenTests(MiddlewareCase):
    """Registry middleware: repositories that nobody is to know of."""

    def setUp(self) -> None:
        super().setUp()
        hidden = self.make("registry", "hidden", below=["secret"])
        self.serve(registry=[hidden])

    def test_refused(self) -> None:
        """They are no repositories, whether there are any or not."""
        path = "/v2/secret/app/tags/list"
        got = self.house.send("GET", path)
        self.assertEqual((got.status, self.push_blob("secret/app")), (404, 404))
        (error,) = json.loads(got.body)["errors"]
        self.assertEqual(error["code"], "NAME_UNKNOWN")
        self.assertEqual(error["detail"], {"name": "secret/app"})
        self.assertEqual(self.push_blob("secrets/app"), 201)

    def test_catalogue(self) -> None:
        """They are in no page of the catalogue, and pages are as long as asked for."""
        self.serve()
        for name in ("a", "secret/1", "secret/2", "secret/3", "z/1", "z/2"):
            self.assertEqual(self.push_blob(name), 201)
        self.house.local = self.make("registry", "hidden", below=["secret"]).wrap(
            namespace=self.namespace
        )
        self.house.serve_registry()
        for query, names in (
            ("", ["a", "z/1", "z/2"]),
            ("?n=2", ["a", "z/1"]),
            ("?n=2&last=z/1", ["z/2"]),
        ):
            got = self.house.send("GET", f"/v2/_catalog{query}")
            self.assertEqual(json.loads(got.body)["repositories"], names, query)

    def test_mounts(self) -> None:
        """Nothing can be mounted out of them."""
        self.serve()
        self.assertEqual(self.push_blob("secret/app"), 201)
        self.house.local = self.make("registry", "hidden", below=["secret"]).wrap(
            namespace=self.namespace
        )
        self.house.serve_registry()
        mount = f"/v2/open/blobs/uploads/?mount={Digest.of(b'{}')}"
        for path in (mount, f"{mount}&from=secret/app"):
            self.assertEqual(self.house.send("POST", path).status, 202)

    def test_options(self) -> None:
        """It wants names."""
        for below in (None, "secret", [1]):
            self.refuse("registry", "hidden", "below", below=below)


class FrozenTests(MiddlewareCase):
    """Repository middleware: tags that never move."""

    def setUp(self) -> None:
        super().setUp()
        self.serve(repository=[self.make("repository", "frozen", tags="v*")])
        self.assertEqual(self.push_blob(), 201)

    def test_frozen(self) -> None:
        """Such a tag is pushed once, or again as it is."""
        self.assertEqual([self.push("v1"), self.push("v1")], [201, 201])
        self.assertEqual(self.push("v1", 2), 403)
        (error,) = json.loads(self.put.body)["errors"]
        self.assertEqual(error["code"], "DENIED")
        self.assertEqual(error["detail"]["tag"], "v1")

    def test_others(self) -> None:
        """Other tags move, and so does nothing that has none."""
        self.assertEqual([self.push("latest"), self.push("latest", 2)], [201, 201])

    def test_powers(self) -> None:
        """The repository keeps its powers."""
        name = RepositoryName.parse("a/b")
        found = self.successResultOf(self.namespace.repository(name=name))
        verifyObject(ISignedRepository, found)
        verifyObject(IManifestStore, found.manifests)


class LanTests(MiddlewareCase):
    """Storage middleware: clients of a network read from its own server."""

    def location(self, driver: Any, network: str) -> str | None:
        lan = self.make("storage", "lan", network=network, url="http://lan.example")
        wrapped = lan.wrap(driver=driver)
        verifyObject(IStorageDriver, wrapped)
        self.serve(driver=wrapped)
        self.assertEqual(self.push_blob(), 201)
        path = f"/v2/a/b/blobs/{Digest.of(b'{}')}"
        return self.house.send("GET", path).header("Location")

    def test_near(self) -> None:
        """They are sent to it."""
        self.patch(PeerRequest, "hop", "10.0.0.7")
        url = self.location(MemoryDriver(self.clock), "10.0.0.0/8")
        path = layout.blob_data(Digest.of(b"{}"))
        self.assertEqual(url, f"http://lan.example{path}")

    def test_far(self) -> None:
        """Others read from where the storage says, or through the registry."""
        self.patch(PeerRequest, "hop", "192.0.2.1")
        self.assertIsNone(self.location(MemoryDriver(self.clock), "10.0.0.0/8"))
        url = self.location(LocatingDriver(self.clock), "10.0.0.0/8")
        self.assertTrue(url and url.startswith(STORE))

    def test_options(self) -> None:
        """It wants a network."""
        self.refuse("storage", "lan", "network", network="here")
