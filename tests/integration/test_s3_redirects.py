"""Clients that are sent to an object store."""

from __future__ import annotations

import os
import uuid
from typing import Any

from twisted.internet import reactor

from tests.integration.ceph import shared_ceph
from tests.integration.support import Registry, require
from tests.integration.test_clients import MULTI, SINGLE, Clients, PullCase
from tests.integration.test_s3 import sha
from txregistry.flow.disk import InlineDisk
from txregistry.storagedriver.s3.make import make_s3


class S3RedirectTests(PullCase):
    """Before Ceph, which checks each signature."""

    async def begin(self, **more: Any) -> Registry:
        require("ceph-mon", "ceph-osd", "radosgw")
        ceph = shared_ceph()
        name = f"b-{uuid.uuid4()}"
        driver = make_s3(ceph.section(name), InlineDisk(), reactor)
        driver.connect(reactor)
        self.addCleanup(driver.disconnect)
        await ceph.make_bucket(driver)
        storage = {"s3": ceph.section(name), "cache": {"blobdescriptor": "inmemory"}}
        return await self.daemon("registry", merge={"storage": storage, **more})

    def statuses(self, registry: Registry) -> set[str]:
        lines = registry.process.text().splitlines()
        lines = [line for line in lines if "/blobs/sha256:" in line and '"GET ' in line]
        return {line.partition('" ')[2].split()[0] for line in lines}

    async def test_clients(self) -> None:
        """All clients pull what it has."""
        require("skopeo", "podman", "containerd", "ctr", "dockerd")
        layout, single, multi, id_ = self.make_images()
        registry = await self.begin()
        await self.push(layout, registry)
        clients = Clients(self, registry)
        self.assertEqual(await clients.skopeo(SINGLE), single)
        self.assertEqual(await clients.skopeo(MULTI, "--all"), multi)
        self.assertEqual(await clients.podman(SINGLE), single)
        self.assertEqual(await clients.containerd(SINGLE), single)
        self.assertEqual(await clients.dockerd(SINGLE), id_)
        self.assertEqual(self.statuses(registry), {"307"})

    async def test_url(self) -> None:
        """The URL honours its signature and a Range, for its method alone."""
        registry = await self.begin()
        content = os.urandom(100_000)
        start = f"{registry.url}/v2/a/b/blobs/uploads/?digest={sha(content)}"
        self.assertEqual((await self.http.post(start, data=content)).code, 201)
        blob = f"{registry.url}/v2/a/b/blobs/{sha(content)}"
        status, _, part = await self.get(blob, Range="bytes=10-19")
        self.assertEqual((status, part), (206, content[10:20]))
        self.assertEqual((await self.http.head(blob)).code, 200)
        got = await self.http.get(blob, allow_redirects=False)
        (url,) = got.headers.getRawHeaders("Location")
        self.assertEqual((got.code, (await self.get(url))[2]), (307, content))
        self.assertEqual((await self.get(url[:-4] + "0000"))[0], 403)
        self.assertEqual((await self.http.head(url)).code, 403)
