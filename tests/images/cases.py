"""A cache of several upstreams with images, and what is asked of them."""

from __future__ import annotations

import json
import os

from twisted.trial.unittest import SynchronousTestCase

from tests.several import Several
from txregistry.images.keeper import Images
from txregistry.images.purge import Purger
from txregistry.images.warm import Warmer
from txregistry.interfaces.images import WarmProgress
from txregistry.observe.answers import LastAnswers
from txregistry.proxy.fills import written
from txregistry.spec import mediatypes
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.manifest.parse import parse
from txregistry.spec.platforms import WantedPlatform
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.content.inventory import Inventory

#: As Go writes it, and as seconds.
BUILT, BUILT_AT = "2023-11-01T00:00:00.123456789Z", 1_698_796_800.123456

#: Of the configuration for linux/amd64.
CONFIG_BYTES = 96

PLATFORMS = ("linux/amd64", "linux/arm64/v8", "windows/amd64")


class ImagesCase(SynchronousTestCase):
    """Images of three platforms at each upstream."""

    def setUp(self) -> None:
        self.several = Several()
        self.house = house = self.several.house
        self.told: list[WarmProgress] = []
        self.answers = LastAnswers(house.clock)
        house.settle(house.rebuild.run())
        inventory = Inventory(house.driver, house.content)
        remove = house.scheduler._reaper.functions()
        self.images = Images(
            lambda: house.proxy,
            lambda: house.table,
            house.local,
            Warmer(
                lambda: house.proxy,
                house.local,
                lambda digest: written(self.several.running, digest),
                house.clock,
            ),
            Purger(house.local, inventory, house.ledger, remove, self.is_ready),
            house.ledger,
            lambda name, last_use: last_use + house.ttl,
            self.answers,
            house.clock,
        )
        self.shared = os.urandom(3000)

    def is_ready(self) -> bool:
        return self.house.rebuild.knows_links()

    def put_image(self, key: str, tag: str = "v1", size: int = 2000) -> Digest:
        """Let an upstream have an index of images, one for each platform."""
        children = []
        for platform in PLATFORMS:
            child = self.put_child(key, platform, size)
            os_name, architecture, *variant = platform.split("/")
            child["platform"] = {"os": os_name, "architecture": architecture}
            if variant:
                child["platform"]["variant"] = variant[0]
            children.append(child)
        index = {"schemaVersion": 2, "mediaType": mediatypes.OCI_INDEX}
        content = json.dumps({**index, "manifests": children}).encode()
        return self.several.upstream(key).add_manifest("org/app", content, tag)

    def put_child(self, key: str, platform: str, size: int) -> dict[str, object]:
        upstream = self.several.upstream(key)
        config = {"os": platform, "created": BUILT, "salt": os.urandom(9).hex()}
        blobs = [json.dumps(config).encode(), os.urandom(size), self.shared]
        described = [
            {
                "mediaType": "application/octet-stream",
                "digest": str(upstream.add_blob("org/app", blob)),
                "size": len(blob),
            }
            for blob in blobs
        ]
        manifest = {
            "schemaVersion": 2,
            "mediaType": mediatypes.OCI_MANIFEST,
            "config": described[0],
            "layers": described[1:],
        }
        content = json.dumps(manifest).encode()
        digest = upstream.add_manifest("org/app", content)
        return {
            "mediaType": mediatypes.OCI_MANIFEST,
            "digest": str(digest),
            "size": len(content),
        }

    def put_signature(self, key: str, subject: object) -> Digest:
        """Let an upstream have a manifest that refers to another one."""
        upstream = self.several.upstream(key)
        blob = upstream.add_blob("org/app", b"signed")
        part = {"mediaType": "application/x", "digest": str(blob), "size": 6}
        manifest = {
            "schemaVersion": 2,
            "mediaType": mediatypes.OCI_MANIFEST,
            "artifactType": "application/x-signature",
            "config": part,
            "layers": [part],
            "subject": {**part, "digest": str(subject)},
        }
        return upstream.add_manifest("org/app", json.dumps(manifest).encode())

    def push_local(self, name: str, tag: str) -> Digest:
        """Push an image of one blob into a local repository."""
        repository = self.stored(name)
        writer = self.house.settle(repository.blobs.create())
        writer.write(b"local")
        blob = Descriptor(Digest.of(b"local"), 5)
        self.house.settle(writer.commit(blob))
        part = {"mediaType": "application/x", "digest": str(blob.digest), "size": 5}
        manifest = parse(
            json.dumps(
                {
                    "schemaVersion": 2,
                    "mediaType": mediatypes.OCI_MANIFEST,
                    "config": part,
                    "layers": [],
                }
            ).encode()
        )
        self.house.settle(repository.manifests.put(manifest, [Tag.parse(tag)]))
        return manifest.digest

    def stored(self, name: str):
        """Give a repository of the storage."""
        return self.house.settle(
            self.house.local.repository(RepositoryName.parse(name))
        )

    def warm(self, name: str, *platforms: str):
        image = self.images.named(name)
        wanted = [WantedPlatform.parse(platform) for platform in platforms]
        return self.house.settle(self.images.warm(image, wanted, self.told.append))

    def explain(self, name: str):
        return self.house.settle(self.images.explain(self.images.named(name)))

    def asked(self, key: str) -> int:
        return len(self.several.upstream(key).asked)
