"""Which manifests may be pushed."""

from __future__ import annotations

import json
from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec import mediatypes
from txregistry.spec.descriptor import Platform
from txregistry.spec.digest import Digest
from txregistry.spec.errors import ManifestInvalid
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.manifest.push import (
    PushPolicy,
    Requirements,
    read_pushed,
    requirements_of,
)

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
DOCKER_FOREIGN = mediatypes.DOCKER_FOREIGN_LAYER

#: One host is allowed, and a path below it is denied.
POLICY = PushPolicy(allow=("^https?://foo",), deny=("^https?://foo/nope",))

#: URLs of a layer that is not stored, and whether they are taken under ``POLICY``.
URLS = (
    (["http://foo/bar"], True),
    (["https://foo/bar"], True),
    (["https://foo/bar", "http://foo/bar"], True),
    (["HTTP://foo/bar"], False),
    (["file:///local/file"], False),
    (["http://foo/bar#baz"], False),
    (["http://foo/bar#"], True),
    ([""], False),
    (["https://foo/bar", ""], False),
    (["", "https://foo/bar"], False),
    (["http://nope/bar"], False),
    (["http://foo/nope"], False),
    (["http://foo/nope/x"], False),
    (["https://foo/bar", "http://foo/nope"], False),
    (["foo/bar"], False),
    (["//foo/bar"], False),
    (["http:"], False),
    (["http://"], False),
    (["http://[foo"], False),
    (["ftp://foo/bar"], False),
    (["javascript:alert(1)//http://foo"], False),
    (["mailto:http://foo/bar"], False),
)


def digest(number: int) -> Digest:
    """Give some digest."""
    return Digest("sha256", f"{number:064x}")


def descriptor(number: int, kind: str, **more: object) -> dict[str, object]:
    """Give a descriptor as JSON has it."""
    return {"mediaType": kind, "digest": str(digest(number)), "size": 1, **more}


def image(
    *layers: dict[str, object],
    kind: str = mediatypes.OCI_MANIFEST,
    config: str = CONFIG_TYPE,
) -> Manifest:
    """Give an image; its configuration has number 0."""
    document = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": descriptor(0, config),
        "layers": layers,
    }
    return read_pushed(json.dumps(document).encode(), kind, "sha256")


def index(*children: dict[str, object], kind: str = mediatypes.OCI_INDEX) -> Manifest:
    """Give an index."""
    document = {"schemaVersion": 2, "mediaType": kind, "manifests": children}
    return read_pushed(json.dumps(document).encode(), kind, "sha256")


def numbers(found: Requirements) -> list[int]:
    """Give the numbers of the blobs that have to be there."""
    return [int(blob.digest.hex, 16) for blob in found.blobs]


def children(found: Requirements) -> list[int]:
    """Give the numbers of the manifests that have to be there."""
    return [int(child.digest.hex, 16) for child in found.manifests]


class MediaTypeTests(SynchronousTestCase):
    """What a request and its document say they are."""

    def read(self, content_type: str, media_type: str | None, kind: str) -> Manifest:
        document: dict[str, object] = {"schemaVersion": 2}
        if media_type is not None:
            document["mediaType"] = media_type
        if kind == "image":
            document |= {"config": descriptor(0, CONFIG_TYPE), "layers": []}
        else:
            document |= {"manifests": []}
        return read_pushed(json.dumps(document).encode(), content_type, "sha256")

    def test_both_agree(self) -> None:
        """What both say is what it is, whatever follows a semicolon."""
        for kind, family in (
            (mediatypes.OCI_MANIFEST, "image"),
            (mediatypes.DOCKER_MANIFEST, "image"),
            (mediatypes.OCI_INDEX, "index"),
            (mediatypes.DOCKER_LIST, "index"),
        ):
            for given in (kind, kind + "; charset=utf-8", kind.upper(), f" {kind} ;"):
                found = self.read(given, kind, family)
                self.assertEqual(
                    (found.media_type, found.states_media_type), (kind, True)
                )

    def test_oci_need_not_name_itself(self) -> None:
        """An OCI document may leave it to the request."""
        for kind, family in (
            (mediatypes.OCI_MANIFEST, "image"),
            (mediatypes.OCI_INDEX, "index"),
        ):
            self.assertEqual(self.read(kind, None, family).media_type, kind)

    def test_docker_has_to(self) -> None:
        """A Docker document has to name itself."""
        for kind, family in (
            (mediatypes.DOCKER_MANIFEST, "image"),
            (mediatypes.DOCKER_LIST, "index"),
        ):
            self.assertRaises(ManifestInvalid, self.read, kind, None, family)

    def test_without_content_type(self) -> None:
        """A request may leave it to the document, but not both to each other."""
        found = self.read("", mediatypes.OCI_MANIFEST, "image")
        self.assertEqual(found.media_type, mediatypes.OCI_MANIFEST)
        self.assertRaises(ManifestInvalid, self.read, "", None, "image")

    def test_json(self) -> None:
        """``application/json`` leaves it to the document, by its own type or shape."""
        for given, (inside, family, found) in product(
            ("application/json", "application/json; charset=utf-8", "Application/JSON"),
            (
                (mediatypes.OCI_MANIFEST, "image", mediatypes.OCI_MANIFEST),
                (mediatypes.OCI_INDEX, "index", mediatypes.OCI_INDEX),
                (mediatypes.DOCKER_MANIFEST, "image", mediatypes.DOCKER_MANIFEST),
                (mediatypes.DOCKER_LIST, "index", mediatypes.DOCKER_LIST),
                (None, "image", mediatypes.OCI_MANIFEST),
                (None, "index", mediatypes.OCI_INDEX),
            ),
        ):
            self.assertEqual(self.read(given, inside, family).media_type, found)

    def test_json_of_nothing(self) -> None:
        """A document that neither says nor shows what it is stays refused."""
        for text in (b"{}", b'{"schemaVersion":2}', b'{"schemaVersion":2,"layers":[]}'):
            with self.assertRaises(ManifestInvalid):
                read_pushed(text, "application/json", "sha256")

    def test_contradictions(self) -> None:
        """Two that differ are refused, as is a type that nobody knows."""
        oci, docker = mediatypes.OCI_MANIFEST, mediatypes.DOCKER_MANIFEST
        for given, inside in (
            (oci, docker),
            (docker, oci),
            (mediatypes.OCI_INDEX, oci),
            ("application/json", "application/json"),
            ("application/json", "application/x-thing"),
            ("application/json", mediatypes.OCI_INDEX),
            ("application/json", mediatypes.DOCKER_SCHEMA1),
            ("application/octet-stream", oci),
            ("text/plain", oci),
            ("*/*", oci),
            ("application/vnd.oci.artifact.manifest.v1+json", oci),
        ):
            self.assertRaises(ManifestInvalid, self.read, given, inside, "image")

    def test_algorithm(self) -> None:
        """The digest is of the algorithm that is asked for."""
        content = b'{"schemaVersion":2,"manifests":[]}'
        for algorithm in ("sha256", "sha384", "sha512"):
            found = read_pushed(content, mediatypes.OCI_INDEX, algorithm)
            self.assertEqual(found.digest, Digest.of(content, algorithm))
            self.assertEqual(found.content, content)


class ImageTests(SynchronousTestCase):
    """What an image needs."""

    def test_all_it_is_made_of(self) -> None:
        """Configuration and layers have to be there, each asked for once."""
        found = requirements_of(
            image(descriptor(1, LAYER), descriptor(2, LAYER), descriptor(1, LAYER)),
            PushPolicy(),
        )
        self.assertEqual((numbers(found), children(found)), ([0, 1, 2], []))
        self.assertEqual(list(found.problems), [])

    def test_types_that_nobody_knows(self) -> None:
        """A layer of any type is taken, if it is there: artifacts have such."""
        found = requirements_of(
            image(descriptor(1, "application/x-anything")), PushPolicy()
        )
        self.assertEqual((numbers(found), list(found.problems)), ([0, 1], []))

    def test_ordinary_layers_may_have_urls(self) -> None:
        """URLs do not free an ordinary layer from having to be there."""
        layer = descriptor(1, LAYER, urls=["http://foo/bar"])
        found = requirements_of(image(layer), POLICY)
        self.assertEqual((numbers(found), list(found.problems)), ([0, 1], []))

    def test_urls_of_ordinary_layers(self) -> None:
        """URLs of an ordinary OCI layer are held to the rule of a foreign one's."""
        plain = "application/vnd.oci.image.layer.v1.tar"
        for kind in (plain, f"{plain}+gzip", f"{plain}+zstd"):
            for urls, is_taken in URLS:
                found = requirements_of(image(descriptor(1, kind, urls=urls)), POLICY)
                self.assertEqual(not found.problems, is_taken, (kind, urls))
                self.assertEqual(numbers(found), [0, 1], (kind, urls))

    def test_urls_of_other_layers(self) -> None:
        """URLs of what is neither are for its clients to judge, as in distribution."""
        for kind in ("application/x-anything", DOCKER_LAYER):
            layer = descriptor(1, kind, urls=["http://nope/bar"])
            self.assertEqual(list(requirements_of(image(layer), POLICY).problems), [])

    def test_no_layer_hides_behind_another(self) -> None:
        """A bad URL is found however often the same layer is named without it."""
        bad = descriptor(1, LAYER, urls=["http://nope/bar"])
        good = descriptor(1, LAYER)
        for layers in ((bad, good), (good, bad), (bad, good, bad)):
            found = requirements_of(image(*layers), POLICY)
            self.assertEqual((len(found.problems), numbers(found)), (1, [0, 1]))

    def test_subject_need_not_be_there(self) -> None:
        """A subject may come later (distribution-spec, pushing with subject)."""
        document = {
            "schemaVersion": 2,
            "config": descriptor(0, CONFIG_TYPE),
            "layers": [],
            "subject": descriptor(9, mediatypes.OCI_MANIFEST),
        }
        manifest = read_pushed(
            json.dumps(document).encode(), mediatypes.OCI_MANIFEST, "sha256"
        )
        found = requirements_of(manifest, PushPolicy())
        self.assertEqual((numbers(found), children(found)), ([0], []))


class ForeignLayerTests(SynchronousTestCase):
    """Layers that are elsewhere."""

    def test_urls(self) -> None:
        """All URLs of such a layer have to be allowed, and none denied."""
        for kind in (DOCKER_FOREIGN, NONDISTRIBUTABLE):
            for urls, is_taken in URLS:
                found = requirements_of(image(descriptor(1, kind, urls=urls)), POLICY)
                self.assertEqual(not found.problems, is_taken, (kind, urls))
                self.assertEqual(numbers(found), [0], (kind, urls))
                for problem in found.problems:
                    self.assertIsInstance(problem, ManifestInvalid)
                    self.assertEqual(problem.status, 400)

    def test_nothing_allowed(self) -> None:
        """Without any pattern no URL is taken."""
        layer = descriptor(1, DOCKER_FOREIGN, urls=["http://foo/bar"])
        self.assertEqual(len(requirements_of(image(layer), PushPolicy()).problems), 1)
        anything = PushPolicy(allow=("",))
        self.assertEqual(list(requirements_of(image(layer), anything).problems), [])

    def test_slow_pattern(self) -> None:
        """A pattern of distribution's manual meets a URL of many dots in no time."""
        policy = PushPolicy(allow=(r"^https?://([^/]+\.)*example\.com/",))
        for url, is_taken in (
            ("https://" + "a." * 60 + "example.com/", True),
            ("https://" + "a." * 60 + "example.net/", False),
            ("https://a.example.com/" + "a" * 4096, False),
        ):
            found = requirements_of(
                image(descriptor(1, DOCKER_FOREIGN, urls=[url])), policy
            )
            self.assertEqual(not found.problems, is_taken, url)

    def test_denied_alone(self) -> None:
        """With patterns that deny, and none that allows, all others are taken."""
        policy = PushPolicy(deny=("^https?://evil/", "/private/"))
        for url, is_taken in (
            ("http://foo/bar", True),
            ("https://good/evil", True),
            ("http://evil/bar", False),
            ("http://foo/private/x", False),
            ("ftp://foo/bar", False),
        ):
            for kind in (DOCKER_FOREIGN, NONDISTRIBUTABLE, LAYER):
                found = requirements_of(image(descriptor(1, kind, urls=[url])), policy)
                self.assertEqual(not found.problems, is_taken, (kind, url))

    def test_any_of_several_patterns(self) -> None:
        """One pattern that allows is enough, as is one that denies."""
        policy = PushPolicy(allow=("^http://a/", "^http://b/"), deny=("x$", "y$"))
        for url, is_taken in (
            ("http://a/1", True),
            ("http://b/1", True),
            ("http://c/1", False),
            ("http://a/x", False),
            ("http://b/y", False),
        ):
            found = requirements_of(
                image(descriptor(1, DOCKER_FOREIGN, urls=[url])), policy
            )
            self.assertEqual(not found.problems, is_taken, url)

    def test_docker_layer_without_url(self) -> None:
        """Docker's foreign layer has to say where it is, even if nobody looks."""
        for policy in (POLICY, PushPolicy(disabled=True)):
            found = requirements_of(image(descriptor(1, DOCKER_FOREIGN)), policy)
            self.assertEqual(len(found.problems), 1)

    def test_oci_layer_without_url(self) -> None:
        """One that says of no place where it is need not be here either: clients know
        where to find it (OCI image-spec, "Non-Distributable Layers")."""
        found = requirements_of(image(descriptor(1, NONDISTRIBUTABLE)), POLICY)
        self.assertEqual((numbers(found), list(found.problems)), ([0], []))

    def test_switched_off(self) -> None:
        """With validation switched off any URL is taken."""
        policy = PushPolicy(disabled=True)
        for urls, _ in URLS:
            layer = descriptor(1, DOCKER_FOREIGN, urls=urls)
            self.assertEqual(list(requirements_of(image(layer), policy).problems), [])

    def test_all_problems_at_once(self) -> None:
        """Each layer that is wrong is told."""
        layers = [
            descriptor(number, DOCKER_FOREIGN, urls=["file:///x"])
            for number in (1, 2, 3)
        ]
        found = requirements_of(image(*layers, descriptor(4, LAYER)), POLICY)
        self.assertEqual((len(found.problems), numbers(found)), (3, [0, 4]))


class IndexTests(SynchronousTestCase):
    """What an index needs."""

    def setUp(self) -> None:
        self.index = index(
            descriptor(1, mediatypes.OCI_MANIFEST, platform=self.platform("amd64")),
            descriptor(2, mediatypes.OCI_MANIFEST, platform=self.platform("arm64")),
            descriptor(3, mediatypes.OCI_INDEX),
            descriptor(4, mediatypes.DOCKER_MANIFEST, platform=self.platform("amd64")),
        )

    def platform(self, architecture: str, system: str = "linux") -> dict[str, str]:
        return {"architecture": architecture, "os": system, "variant": "v8"}

    def test_all(self) -> None:
        """Unless it is said otherwise all children have to be there."""
        found = requirements_of(self.index, PushPolicy())
        self.assertEqual((children(found), numbers(found)), ([1, 2, 3, 4], []))

    def test_none(self) -> None:
        """A sparse index is taken where nothing is asked for."""
        for policy in (PushPolicy(platforms="none"), PushPolicy(disabled=True)):
            found = requirements_of(self.index, policy)
            self.assertEqual((children(found), numbers(found)), ([], []))

    def test_listed(self) -> None:
        """Of a list only the children of these platforms have to be there."""
        listed = frozenset([Platform("amd64", "linux"), Platform("arm64", "windows")])
        policy = PushPolicy(platforms="list", platform_list=listed)
        self.assertEqual(children(requirements_of(self.index, policy)), [1, 4])
        empty = PushPolicy(platforms="list")
        self.assertEqual(children(requirements_of(self.index, empty)), [])

    def test_children_of_other_types(self) -> None:
        """A child that is no manifest has to be there as a blob."""
        found = requirements_of(index(descriptor(1, "a/b")), PushPolicy())
        self.assertEqual((children(found), numbers(found)), ([], [1]))

    def test_empty(self) -> None:
        """An index of nothing needs nothing."""
        found = requirements_of(index(), PushPolicy())
        self.assertEqual((children(found), numbers(found)), ([], []))

    def test_each_once(self) -> None:
        """A child that is listed twice is asked for once."""
        twice = [descriptor(1, mediatypes.OCI_MANIFEST)] * 2
        self.assertEqual(children(requirements_of(index(*twice), PushPolicy())), [1])

    def test_twice_for_two_platforms(self) -> None:
        """A child that is listed for two platforms is wanted if either is."""
        both = index(
            descriptor(1, mediatypes.OCI_MANIFEST, platform=self.platform("amd64")),
            descriptor(1, mediatypes.OCI_MANIFEST, platform=self.platform("arm64")),
        )
        for architecture in ("amd64", "arm64"):
            listed = frozenset([Platform(architecture, "linux")])
            policy = PushPolicy(platforms="list", platform_list=listed)
            self.assertEqual(children(requirements_of(both, policy)), [1], architecture)


class ClassTests(SynchronousTestCase):
    """``policy.repository.classes``."""

    def problems(self, config: str, *classes: str) -> list[int]:
        kind = mediatypes.DOCKER_MANIFEST
        found = requirements_of(
            image(kind=kind, config=config), PushPolicy(classes=classes)
        )
        return [problem.status for problem in found.problems]

    def test_table(self) -> None:
        """The type of the configuration says of what class an image is."""
        docker = "application/vnd.docker.container.image.v1+json"
        plugin = "application/vnd.docker.plugin.v1+json"
        for config, classes, wanted in (
            (docker, (), []),
            (docker, ("image",), []),
            (docker, ("plugin",), [403]),
            (docker, ("image", "plugin"), []),
            (CONFIG_TYPE, ("image",), []),
            (plugin, ("plugin",), []),
            (plugin, ("image",), [403]),
            (plugin, (), []),
            ("a/b", (), []),
            ("a/b", ("image", "plugin"), [403]),
        ):
            self.assertEqual(self.problems(config, *classes), wanted, (config, classes))


class Schema1Tests(SynchronousTestCase):
    """Schema 1 is taken only where that is asked for."""

    def test_switch(self) -> None:
        """``compatibility.schema1.enabled`` decides."""
        document = {
            "schemaVersion": 1,
            "fsLayers": [{"blobSum": str(digest(1))}],
            "history": [{"v1Compatibility": "{}"}],
        }
        content = json.dumps(document).encode()
        manifest = read_pushed(content, mediatypes.DOCKER_SCHEMA1, "sha256")
        refused = requirements_of(manifest, PushPolicy())
        self.assertEqual([problem.status for problem in refused.problems], [400])
        taken = requirements_of(manifest, PushPolicy(schema1=True))
        self.assertEqual((numbers(taken), list(taken.problems)), ([1], []))
