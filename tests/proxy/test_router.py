"""Several upstreams and local repositories behind one address."""

from __future__ import annotations

import json
import os

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.several import Several, table
from txregistry.interfaces.expiry import NEVER, Entry, EntryKey, Kind
from txregistry.interfaces.namespace import IBlobFinder, INamespace, ITagAnswers
from txregistry.spec.digest import Digest
from txregistry.spec.mediatypes import OCI_MANIFEST
from txregistry.spec.reference import RepositoryName
from txregistry.spec.upstreams import DEFAULT
from txregistry.storage.tree import layout
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest
from txregistry.testing.upstream import Fault

KEYS = (DEFAULT, "ghcr.io", "corp")
PATHS = {DEFAULT: "org/app", "ghcr.io": "ghcr.io/org/app", "corp": "corp/org/app"}


class RouterCase(SynchronousTestCase):
    """Three upstreams, each with a repository of the same name."""

    def setUp(self) -> None:
        self.several = Several()
        self.contents = {key: os.urandom(1000) for key in KEYS}
        self.digests = {}
        for key, content in self.contents.items():
            upstream = self.several.upstream(key)
            self.digests[key] = upstream.add_blob("org/app", content)
            upstream.add_manifest("org/app", image_manifest(note=f"at {key}"), "v1")

    def blob(self, key: str, of: str | None = None):
        digest = self.digests[key if of is None else of]
        return self.several.get(f"/v2/{PATHS[key]}/blobs/{digest}")

    def asked(self) -> list[int]:
        return [len(self.several.upstream(key).asked) for key in KEYS]

    def send(self, method: str, path: str, body: bytes = b"", **headers: str):
        house = self.several.house
        house.registry_wire, kept = house.wire, house.registry_wire
        try:
            return house.send(method, path, body, **headers)
        finally:
            house.registry_wire = kept

    def push(self, name: str, content: bytes) -> Digest:
        digest = Digest.of(content)
        got = self.send("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", content)
        self.assertEqual(got.status, 201, got.body)
        return digest


class UpstreamTests(RouterCase):
    """Who is asked for what."""

    def test_interfaces(self) -> None:
        """It is a namespace that finds blobs."""
        verifyObject(INamespace, self.several.house.proxy)
        verifyObject(IBlobFinder, self.several.house.proxy)
        verifyObject(ITagAnswers, self.several.house.proxy)

    def test_each_is_asked_for_its_own(self) -> None:
        """One name at three upstreams is three repositories."""
        for key in KEYS:
            before = self.asked()
            self.assertEqual(self.blob(key).body, self.contents[key])
            more = [
                after - was for after, was in zip(self.asked(), before, strict=True)
            ]
            self.assertEqual([bool(count) for count in more], [k == key for k in KEYS])
        for key in KEYS:
            got = self.several.get(f"/v2/{PATHS[key]}/manifests/v1")
            self.assertEqual(got.body, image_manifest(note=f"at {key}"))

    def test_not_of_another(self) -> None:
        """What one upstream has is not served as of another."""
        self.assertEqual(self.blob("corp").status, 200)
        self.assertEqual(self.blob("ghcr.io", of="corp").status, 404)
        self.assertEqual(self.blob(DEFAULT, of="corp").status, 404)

    def test_by_namespace(self) -> None:
        """``ns=`` and the path lead to one repository, which is fetched once."""
        path = f"/v2/org/app/blobs/{self.digests['corp']}?ns=corp.example:5000"
        got = self.several.get(path)
        self.assertEqual(got.body, self.contents["corp"])
        self.assertEqual(got.header("OCI-Namespace"), "corp.example:5000")
        before = self.asked()
        self.assertEqual(self.blob("corp").body, self.contents["corp"])
        self.assertEqual(self.asked(), before)

    def test_nobody(self) -> None:
        """Who is not listed is not asked; the client is told why."""
        got = self.several.get("/v2/org/app/manifests/v1?ns=quay.io")
        self.assertEqual(got.status, 404)
        (error,) = json.loads(got.body)["errors"]
        self.assertIn("quay.io", error["detail"]["reason"])
        self.assertEqual(self.asked(), [0, 0, 0])

    def test_shared(self) -> None:
        """Content of one upstream is linked once another has confirmed it."""
        content = os.urandom(5000)
        for key in KEYS:
            self.digests[key] = self.several.upstream(key).add_blob("org/app", content)
        for key in KEYS:
            self.assertEqual(self.blob(key).body, content)
        part = str(self.digests["corp"])
        counts = [self.several.upstream(key).count("GET", part) for key in KEYS]
        self.assertEqual(counts, [1, 0, 0])
        for key in KEYS[1:]:
            self.assertEqual(self.several.upstream(key).count("HEAD", part), 1)

    def test_one_fill(self) -> None:
        """Clients of two upstreams that ask at once share one download."""
        content = os.urandom(300_000)
        for key in KEYS:
            upstream = self.several.upstream(key)
            self.digests[key] = upstream.add_blob("org/app", content)
            upstream.rate = 100_000
        house = self.several.house
        asked = [
            house.ask("GET", f"/v2/{PATHS[key]}/blobs/{self.digests[key]}")
            for key in KEYS
        ]
        for answer in asked:
            self.assertEqual(house.settle(answer).body, content)
        part = str(self.digests[DEFAULT])
        gets = sum(self.several.upstream(key).count("GET", part) for key in KEYS)
        self.assertEqual(gets, 1)

    def test_one_is_down(self) -> None:
        """The others go on, and what is cached of it is served."""
        for key in KEYS:
            path = f"/v2/{PATHS[key]}/manifests/v1"
            self.assertEqual(self.several.get(path).status, 200)
        faults = self.several.upstream("corp").faults
        faults.append(Fault("/v2/", times=1000, status=503))
        self.several.house.clock.advance(3600)
        for key in KEYS:
            path = f"/v2/{PATHS[key]}/manifests/v1"
            self.assertEqual(self.several.get(path).status, 200)
        self.assertEqual(self.several.get("/v2/corp/other/manifests/v1").status, 502)
        self.assertEqual(self.blob("ghcr.io").status, 200)

    def test_denied(self) -> None:
        """A rule refuses names, and is named; the upstream is not asked."""
        got = self.several.get("/v2/ghcr.io/secret/a/manifests/v1")
        self.assertEqual(got.status, 403)
        (error,) = json.loads(got.body)["errors"]
        self.assertEqual(error["code"], "DENIED")
        self.assertIn("proxy.upstreams.ghcr.io.deny", error["detail"]["rule"])
        self.assertEqual(self.asked(), [0, 0, 0])

    def test_catalog(self) -> None:
        """It has what is stored, of all."""
        for key in KEYS:
            self.several.get(f"/v2/{PATHS[key]}/manifests/v1")
        got = self.several.get("/v2/_catalog")
        names = json.loads(got.body)["repositories"]
        self.assertEqual(names, sorted(PATHS.values()))


class OutageTests(RouterCase):
    """One upstream is down, and its manifests name what others have."""

    path = "/v2/ghcr.io/org/app"

    def name(self, *digests: Digest) -> None:
        """Have a manifest of the upstream here that names content as blobs."""
        manifests = [image_manifest(digest) for digest in digests]
        for number, manifest in enumerate(manifests):
            tag = f"names{number}"
            self.several.upstream("ghcr.io").add_manifest("org/app", manifest, tag)
            got = self.several.get(f"{self.path}/manifests/{tag}")
            self.assertEqual(got.status, 200)

    def break_down(self) -> None:
        faults = self.several.upstream("ghcr.io").faults
        faults.append(Fault("/v2/", times=10**6, status=503))

    def status(self, part: str) -> int:
        self.several.house.clock.advance(60)
        return self.several.get(f"{self.path}/{part}").status

    def test_blobs(self) -> None:
        """What it has given to a repository others get; nothing else is linked."""
        own = self.several.upstream("ghcr.io").add_blob("org/base", b"own")
        self.assertEqual(
            self.several.get(f"/v2/ghcr.io/org/base/blobs/{own}").body, b"own"
        )
        self.assertEqual(self.blob("corp").status, 200)
        foreign, local = self.digests["corp"], self.push("team/a", b"secret")
        self.name(own, foreign, local)
        self.break_down()
        self.assertEqual(self.status(f"blobs/{own}"), 200)
        for digest in (foreign, local):
            self.assertIn(self.status(f"blobs/{digest}"), (502, 503))

    def test_manifests(self) -> None:
        """Likewise for the manifests that an index names."""
        own = image_manifest(note="own")
        digest = self.several.upstream("ghcr.io").add_manifest("org/base", own, "v1")
        self.several.get("/v2/ghcr.io/org/base/manifests/v1")
        self.several.get("/v2/corp/org/app/manifests/v1")
        foreign = Digest.of(image_manifest(note="at corp"))
        self.name(digest, foreign)
        self.break_down()
        self.assertEqual(self.status(f"manifests/{digest}"), 200)
        self.assertIn(self.status(f"manifests/{foreign}"), (502, 503))


class ForgottenTests(RouterCase):
    """One upstream is another one, or has other credentials, during a download."""

    def setUp(self) -> None:
        super().setUp()
        self.content = os.urandom(500_000)
        for key in ("ghcr.io", "corp"):
            self.several.upstream(key).rate = 250_000
            self.digest = self.several.upstream(key).add_blob("org/app", self.content)

    def begin(self, key: str):
        path = f"/v2/{PATHS[key]}/blobs/{self.digest}"
        done = self.several.house.ask("GET", path)
        self.pass_time()
        return done

    def pass_time(self) -> None:
        for _ in range(10):
            self.several.house.pump()
            self.several.house.clock.advance(0.05)

    def holders(self, forgotten: str) -> set[str]:
        """Download for two upstreams, forget what one confirmed; give who has it."""
        asked = [self.begin("ghcr.io"), self.begin("corp")]
        self.several.fills[forgotten].forget()
        for done in asked:
            self.assertEqual(self.several.house.settle(done).body, self.content)
        self.pass_time()
        entries = self.several.house.settle(self.several.house.ledger.entries())
        return {entry.key.repository.text for entry in entries}

    def test_who_began_it(self) -> None:
        """What another upstream has confirmed stays."""
        self.assertEqual(self.holders("ghcr.io"), {PATHS["corp"]})

    def test_who_joined_it(self) -> None:
        """What it has confirmed of the downloads of another one is forgotten."""
        self.assertEqual(self.holders("corp"), {PATHS["ghcr.io"]})

    def test_a_third_one(self) -> None:
        """One that has nothing to do with it changes nothing."""
        self.assertEqual(self.holders(DEFAULT), {PATHS["ghcr.io"], PATHS["corp"]})


class LocalTests(RouterCase):
    """Repositories that belong to no upstream."""

    def test_push_and_delete(self) -> None:
        """They are as in a registry, and no upstream hears of them."""
        manifest = image_manifest(self.push("team/a", b"{}"))
        path = "/v2/team/a/manifests/v1"
        got = self.send("PUT", path, manifest, Content_Type=OCI_MANIFEST)
        self.assertEqual(got.status, 201, got.body)
        self.assertEqual(self.several.get(path).body, manifest)
        tags = self.several.get("/v2/team/a/tags/list")
        self.assertEqual(json.loads(tags.body)["tags"], ["v1"])
        digest = got.header("Docker-Content-Digest")
        gone = self.send("DELETE", f"/v2/team/a/manifests/{digest}")
        self.assertEqual(gone.status, 202)
        self.assertEqual(self.several.get(path).status, 404)
        self.assertEqual(self.asked(), [0, 0, 0])

    def test_cached_ones_stay_read_only(self) -> None:
        """Nobody pushes to what is an upstream's."""
        for name in ("org/app", "ghcr.io/org/app"):
            got = self.send("POST", f"/v2/{name}/blobs/uploads/")
            self.assertEqual(got.status, 405)
            self.assertNotIn("POST", got.header("Allow"))

    def test_mount(self) -> None:
        """A cached blob can be mounted into a local repository."""
        digest = self.digests["ghcr.io"]
        mount = f"/v2/team/a/blobs/uploads/?mount={digest}&from=ghcr.io/org/app"
        self.assertEqual(self.send("POST", mount).status, 202)
        self.blob("ghcr.io")
        self.assertEqual(self.send("POST", mount).status, 201)
        for odd in ("unknown.example/a", "corp/org/app"):
            other = mount.replace("ghcr.io/org/app", odd)
            self.assertEqual(self.send("POST", other).status, 202)
        got = self.several.get(f"/v2/team/a/blobs/{digest}")
        self.assertEqual(got.body, self.contents["ghcr.io"])

    def test_expiry(self) -> None:
        """What is cached goes; local repositories stay, and what they share with it."""
        self.house = self.several.house
        self.house.scheduler.startService()
        self.addCleanup(self.house.scheduler.stopService)
        shared = self.contents["ghcr.io"]
        for key in KEYS:
            self.blob(key)
        self.push("team/a", shared)
        self.push("team/b", b"own")
        for _ in range(70):
            self.house.clock.advance(60)
            self.house.pump()
        stored = self.house.paths()
        for digest, stays in (
            (self.digests["ghcr.io"], True),
            (Digest.of(b"own"), True),
            (self.digests["corp"], False),
            (self.digests[DEFAULT], False),
        ):
            self.assertEqual(layout.blob_data(digest) in stored, stays)
        linked = layout.layer_link(RepositoryName("ghcr.io/org/app"), Digest.of(shared))
        self.assertNotIn(linked, stored)
        for key in KEYS:
            label = key or "upstream.example"
            counted = self.house.count(
                "registry_proxy_evicted_total", type="blob", upstream=label
            )
            self.assertEqual(counted, 1, label)

    def test_expiry_after_a_restart(self) -> None:
        """The scan of the tree records local content as used for ever."""
        self.push("team/b", b"own")
        self.blob("corp")
        house = self.several.house
        again = TestHouse(clock=house.clock, driver=house.driver, table=table())
        again.scheduler.startService()
        self.addCleanup(again.scheduler.stopService)
        uses = {
            entry.key.repository.text: entry.last_use
            for entry in self.successResultOf(again.ledger.entries())
        }
        self.assertEqual(uses["team/b"], NEVER)
        self.assertLess(uses["corp/org/app"], NEVER)

    def test_became_local(self) -> None:
        """What an earlier configuration cached stays when it is local now.

        Its tags are not recorded any more.
        """
        house = TestHouse(table=table())
        name = RepositoryName("team/a")
        blob = EntryKey(name, Kind.BLOB, str(Digest.of(b"x")))
        house.scheduler.startService()
        self.addCleanup(house.scheduler.stopService)
        for key in (blob, EntryKey(name, Kind.TAG, "v1")):
            house.ledger.add(Entry(key, 0, house.clock.seconds()))
        for _ in range(70):
            house.clock.advance(60)
        (entry,) = self.successResultOf(house.ledger.entries())
        self.assertEqual((entry.key, entry.last_use), (blob, NEVER))
        self.assertEqual(
            house.count(
                "registry_proxy_evicted_total", type="tag", upstream="upstream.example"
            ),
            0,
        )
