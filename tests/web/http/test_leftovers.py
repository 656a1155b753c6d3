"""What requests leave to the cycle collector, which stops everybody while it looks."""

from __future__ import annotations

import gc
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.digest import Digest
from txregistry.storage.uploads.upload_writer import Upload
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest
from txregistry.web.http.body import Body
from txregistry.web.http.request import RegistryRequest

CONFIG, LAYER = b"{}", b"layer"
OCI = "application/vnd.oci.image.manifest.v1+json"

#: All that is made anew for a request, or because something is not there.
OURS = (RegistryRequest, Body, Upload, Exception)


def left_by(work: Callable[[], object]) -> set[str]:
    """Name what of ours lies in circles after some work."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        work()
        gc.collect()
        return {type(item).__name__ for item in gc.garbage if isinstance(item, OURS)}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


class LeftoverTests(SynchronousTestCase):
    """What is done goes at once, without the collector's help."""

    def setUp(self) -> None:
        self.house = TestHouse()

    def send(
        self, status: int, method: str, path: str, body: bytes | None = None
    ) -> str:
        got = self.house.send(method, path, body, Content_Type=OCI)
        self.assertEqual(got.status, status)
        return str(got.headers.getRawHeaders("Location", [""])[0])

    def push(self, content: bytes) -> None:
        digest = Digest.of(content)
        self.send(404, "HEAD", f"/v2/a/b/blobs/{digest}")
        where = self.send(202, "POST", "/v2/a/b/blobs/uploads/")
        self.send(201, "PUT", f"{where}&digest={digest}", content)

    def push_image(self) -> None:
        self.push(CONFIG)
        self.push(LAYER)
        self.send(201, "PUT", "/v2/a/b/manifests/v1", image_manifest())

    def test_a_push(self) -> None:
        """Nothing is left of the pushing of an image."""
        self.assertEqual(left_by(self.push_image), set())

    def test_a_pull(self) -> None:
        """Nothing is left of a pull, nor of asking for what is not there."""
        self.push_image()

        def pull() -> None:
            self.send(200, "GET", "/v2/a/b/manifests/v1")
            self.send(200, "GET", f"/v2/a/b/blobs/{Digest.of(LAYER)}")
            self.send(404, "GET", "/v2/a/b/manifests/v2")

        self.assertEqual(left_by(pull), set())

    def test_an_upload_in_chunks(self) -> None:
        """Nothing is left of an upload that goes on and is thrown away."""

        def upload() -> None:
            where = self.send(202, "POST", "/v2/a/b/blobs/uploads/")
            where = self.send(202, "PATCH", where, b"x" * 100_000)
            self.send(204, "DELETE", where)

        self.assertEqual(left_by(upload), set())
