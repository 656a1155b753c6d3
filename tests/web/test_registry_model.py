"""Manifests, tags, deletes, referrers and lists against a model."""

from __future__ import annotations

import json
from hashlib import new as new_hash
from urllib.parse import parse_qs, urlsplit

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from tests.web.test_upload_model import budget
from txregistry.spec import mediatypes
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.testing.answers import Got
from txregistry.testing.house import TestHouse

ROOT = "/docker/registry/v2/repositories"

#: In the order of the catalogue: a slash sorts before anything else.
REPOSITORIES = ("a", "a/b", "a-b", "a-b/c", "b")
TAGS = ("1", "A", "_x", "a", "a-b", "a.b", "latest", "z")
LAYER_BYTES = (b"first layer", b"second layer", b"")
CONFIG = b"{}"
CONFIG_TYPES = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.oci.empty.v1+json",
)
ARTIFACT_TYPES = ("application/vnd.sbom", "application/vnd.signature+json")
ALGORITHMS = ("sha256", "sha512")

repositories = st.sampled_from(REPOSITORIES)
tag_names = st.sampled_from(TAGS)
algorithms = st.sampled_from(ALGORITHMS)
artifact_types = st.none() | st.sampled_from(ARTIFACT_TYPES)
annotations = st.sampled_from([None, {}, {"org.example": "ä \U0001f40b"}, {"a": ""}])


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    """Give the digest of some content."""
    return f"{algorithm}:{new_hash(algorithm, content).hexdigest()}"


@attrs.frozen(eq=False)
class Document:
    """A manifest that a client has made, whether it was pushed or not."""

    content: bytes
    media_type: str
    blobs: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    subject: str | None = None
    artifact_type: str | None = None
    annotations: dict[str, str] | None = None
    listed: tuple[dict[str, object], ...] = ()

    def descriptor(self, algorithm: str = "sha256") -> dict[str, object]:
        """Give what an index or a ``subject`` says of it."""
        return {
            "mediaType": self.media_type,
            "digest": digest_of(self.content, algorithm),
            "size": len(self.content),
        }

    def entry(self, digest: str) -> dict[str, object]:
        """Give what a list of referrers says of it."""
        found = {**self.descriptor(), "digest": digest}
        if self.artifact_type:
            found["artifactType"] = self.artifact_type
        if self.annotations:
            found["annotations"] = self.annotations
        return found


@attrs.define(eq=False)
class Repository:
    """What a repository holds, as the model has it."""

    blobs: set[str] = attrs.field(factory=set)
    manifests: dict[str, Document] = attrs.field(factory=dict)
    tags: dict[str, str] = attrs.field(factory=dict)

    @property
    def is_there(self) -> bool:
        """Tell whether it holds anything."""
        return bool(self.blobs or self.manifests or self.tags)


def blob_descriptor(content: bytes, media_type: str) -> dict[str, object]:
    """Give the descriptor of a blob."""
    return {
        "mediaType": media_type,
        "digest": digest_of(content),
        "size": len(content),
    }


class RegistryMachine(RuleBasedStateMachine):
    """Clients of a registry that may be started anew at any time, and a model."""

    documents = Bundle("documents")

    def __init__(self) -> None:
        super().__init__()
        self.house = TestHouse()
        self.held = {name: Repository() for name in REPOSITORIES}

    # What clients make, before they push it

    @initialize(target=documents)
    def first_document(self) -> Document:
        """Make an image to begin with."""
        return self._image(mediatypes.OCI_MANIFEST, (0,), CONFIG_TYPES[0], None)

    @rule(
        target=documents,
        layers=st.lists(st.integers(0, 2), max_size=3),
        config=st.sampled_from(CONFIG_TYPES),
        kind=st.sampled_from((mediatypes.OCI_MANIFEST, mediatypes.DOCKER_MANIFEST)),
        named=st.booleans(),
        subject=st.none() | documents,
        algorithm=algorithms,
        artifact_type=artifact_types,
        notes=annotations,
    )
    def make_image(
        self,
        layers: list[int],
        config: str,
        kind: str,
        named: bool,
        subject: Document | None,
        algorithm: str,
        artifact_type: str | None,
        notes: dict[str, str] | None,
    ) -> Document:
        """Make an image or an artifact, perhaps about another document."""
        about = None if subject is None else subject.descriptor(algorithm)
        return self._image(
            kind, tuple(layers), config, about, artifact_type, notes, named
        )

    @rule(
        target=documents,
        children=st.lists(st.tuples(documents, algorithms), max_size=3),
        kind=st.sampled_from((mediatypes.OCI_INDEX, mediatypes.DOCKER_LIST)),
        subject=st.none() | documents,
        artifact_type=artifact_types,
        notes=annotations,
    )
    def make_index(
        self,
        children: list[tuple[Document, str]],
        kind: str,
        subject: Document | None,
        artifact_type: str | None,
        notes: dict[str, str] | None,
    ) -> Document:
        """Make an index of documents that may or may not have been pushed."""
        listed = [
            {**child.entry(""), **child.descriptor(algorithm)}
            for child, algorithm in children
        ]
        fields: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": kind,
            "manifests": listed,
        }
        if subject is not None:
            fields["subject"] = subject.descriptor()
        if artifact_type is not None:
            fields["artifactType"] = artifact_type
        if notes is not None:
            fields["annotations"] = notes
        return Document(
            json.dumps(fields).encode("utf-8"),
            kind,
            children=tuple(str(item["digest"]) for item in listed),
            subject=None if subject is None else digest_of(subject.content),
            artifact_type=artifact_type,
            annotations=notes,
            listed=tuple(listed),
        )

    # Changes

    @rule(document=documents, name=repositories, tag=tag_names, blobs=st.booleans())
    def push_by_tag(self, document: Document, name: str, tag: str, blobs: bool) -> None:
        """A manifest is taken if all it is made of is there, and then tagged."""
        self._push(document, name, tag, "sha256", [tag], blobs)

    @rule(
        document=documents,
        name=repositories,
        algorithm=algorithms,
        tags=st.lists(tag_names, max_size=3),
        blobs=st.sampled_from([True, True, False]),
    )
    def push_by_digest(
        self,
        document: Document,
        name: str,
        algorithm: str,
        tags: list[str],
        blobs: bool,
    ) -> None:
        """By digest there may be any number of tags, none included."""
        digest = digest_of(document.content, algorithm)
        self._push(document, name, digest, algorithm, tags, blobs)

    @rule(document=documents, name=repositories, subject=documents, alg=algorithms)
    def push_as_referrers_tag(
        self, document: Document, name: str, subject: Document, alg: str
    ) -> None:
        """Clients of older registries list referrers under a tag of that form."""
        hexadecimal = digest_of(subject.content, alg).partition(":")[2]
        tag = f"{alg}-{hexadecimal[:64]}"
        self._push(document, name, tag, "sha256", [tag], True)

    @rule(document=documents, other=documents, name=repositories, alg=algorithms)
    def push_under_a_wrong_digest(
        self, document: Document, other: Document, name: str, alg: str
    ) -> None:
        """Content of another digest is refused, and its tags are not set."""
        if document.content == other.content:
            return
        digest = digest_of(other.content, alg)
        got = self._put(document, name, f"{digest}?tag=latest")
        self._refused(got, 400, "DIGEST_INVALID")

    @rule(name=repositories, tag=tag_names)
    def delete_tag(self, name: str, tag: str) -> None:
        """A tag goes alone; its manifest stays."""
        got = self.house.send("DELETE", f"/v2/{name}/manifests/{tag}")
        known = self.held[name].tags.pop(tag, None) is not None
        assert got.status == (202 if known else 404), got

    @rule(name=repositories, document=documents, algorithm=algorithms)
    def delete_manifest(self, name: str, document: Document, algorithm: str) -> None:
        """A manifest goes with the tags that stand for it, and no others."""
        digest = digest_of(document.content, algorithm)
        held = self.held[name]
        got = self.house.send("DELETE", f"/v2/{name}/manifests/{digest}")
        if held.manifests.pop(digest, None) is None:
            self._refused(got, 404, "MANIFEST_UNKNOWN")
            return
        assert got.status == 202, got
        held.tags = {tag: of for tag, of in held.tags.items() if of != digest}

    @precondition(lambda self: any(held.tags for held in self.held.values()))
    @rule(pick=st.integers(0, 1000))
    def delete_what_a_tag_stands_for(self, pick: int) -> None:
        """A manifest that has tags goes with all of them."""
        tagged = [
            (name, digest)
            for name, held in self.held.items()
            for digest in held.tags.values()
        ]
        name, digest = tagged[pick % len(tagged)]
        algorithm = digest.partition(":")[0]
        self.delete_manifest(name, self.held[name].manifests[digest], algorithm)

    @rule(name=repositories, content=st.sampled_from((*LAYER_BYTES, CONFIG)))
    def delete_blob(self, name: str, content: bytes) -> None:
        """Manifests stay when what they are made of is deleted."""
        digest = digest_of(content)
        got = self.house.send("DELETE", f"/v2/{name}/blobs/{digest}")
        assert got.status == (202 if digest in self.held[name].blobs else 404), got
        self.held[name].blobs.discard(digest)

    @rule()
    def start_anew(self) -> None:
        """Another process has to find everything in the tree."""
        old = self.house
        old.settle(old.pending_uploads.stopService())
        old.clock.advance(100)  # too late for what it might have lost
        self.house = TestHouse(driver=old.driver, clock=old.clock)

    # Questions

    @rule(name=repositories, document=documents, algorithm=algorithms)
    def get_by_digest(self, name: str, document: Document, algorithm: str) -> None:
        """Bytes out are bytes in."""
        digest = digest_of(document.content, algorithm)
        self._get(name, digest, self.held[name].manifests.get(digest), digest)

    @rule(name=repositories, tag=tag_names)
    def get_by_tag(self, name: str, tag: str) -> None:
        """A tag stands for what was pushed under it last."""
        digest = self.held[name].tags.get(tag, "")
        self._get(name, tag, self.held[name].manifests.get(digest), digest)

    @rule(
        name=repositories, n=st.none() | st.integers(0, 9), last=st.none() | tag_names
    )
    def list_tags(self, name: str, n: int | None, last: str | None) -> None:
        """Pages of tags are in code point order and leave none out."""
        held = self.held[name]
        path = f"/v2/{name}/tags/list"
        if not held.is_there:
            self._refused(self.house.send("GET", path), 404, "NAME_UNKNOWN")
            return
        wanted = [tag for tag in sorted(held.tags) if tag > (last or "")]
        assert self._pages(path, "tags", n, last) == (wanted if n != 0 else [])

    @rule(n=st.none() | st.integers(0, 6), last=st.none() | repositories)
    def list_repositories(self, n: int | None, last: str | None) -> None:
        """The catalogue has what holds something, in the order of components."""
        names = [name for name in REPOSITORIES if self.held[name].is_there]
        if last is not None:
            place = REPOSITORIES.index(last)
            names = [name for name in names if REPOSITORIES.index(name) > place]
        found = self._pages("/v2/_catalog", "repositories", n, last)
        assert found == (names if n != 0 else []), (found, names)

    @rule(
        name=repositories,
        subject=documents,
        algorithm=algorithms,
        wanted=artifact_types,
        n=st.none() | st.integers(1, 3),
    )
    def list_referrers(
        self,
        name: str,
        subject: Document,
        algorithm: str,
        wanted: str | None,
        n: int | None,
    ) -> None:
        """Who refers to a manifest is listed, whether that one is there or not."""
        digest = digest_of(subject.content, algorithm)
        self._compare_referrers(name, digest, wanted, n)

    @precondition(lambda self: any(held.manifests for held in self.held.values()))
    @rule(pick=st.integers(0, 1000), wanted=artifact_types)
    def list_referrers_that_are_there(self, pick: int, wanted: str | None) -> None:
        """Whatever some manifest refers to has that one among its referrers."""
        about = [
            (name, document.subject)
            for name, held in self.held.items()
            for document in held.manifests.values()
            if document.subject is not None
        ]
        if about:
            name, subject = about[pick % len(about)]
            self._compare_referrers(name, subject, wanted, None)

    # What always holds

    @invariant()
    def tree_agrees(self) -> None:
        """The links in the tree are those of the model."""
        paths = self.house.paths()
        for name, held in self.held.items():
            below = [
                path.removeprefix(f"{ROOT}/{name}/")
                for path in paths
                if path.startswith(f"{ROOT}/{name}/_")
            ]
            revisions = _named(below, "_manifests/revisions/", "/link")
            assert revisions == set(held.manifests), (name, revisions)
            assert _named(below, "_layers/", "/link") == held.blobs
            tags = _named(below, "_manifests/tags/", "/current/link")
            assert tags == set(held.tags), (name, tags)
            for tag, digest in held.tags.items():
                link = f"{ROOT}/{name}/_manifests/tags/{tag}/current/link"
                assert self._read(link) == digest.encode("ascii")

    @invariant()
    def nothing_leaks(self) -> None:
        """No reader, lock, request, connection or timer is left."""
        house = self.house
        assert not house.content.leases._readers
        assert not house.content.locks._locks
        assert not house.registry.active
        assert house.registry_wire.open_connections == 0
        assert not house.timers()
        assert not [path for path in house.paths() if "/_uploads/" in path]

    # Tools

    def _image(
        self,
        kind: str,
        layers: tuple[int, ...],
        config: str,
        subject: dict[str, object] | None,
        artifact_type: str | None = None,
        notes: dict[str, str] | None = None,
        named: bool = True,
    ) -> Document:
        parts = [LAYER_BYTES[index] for index in layers]
        fields: dict[str, object] = {
            "schemaVersion": 2,
            "config": blob_descriptor(CONFIG, config),
            "layers": [
                blob_descriptor(part, "application/vnd.oci.image.layer.v1.tar")
                for part in parts
            ],
        }
        if named or kind == mediatypes.DOCKER_MANIFEST:
            fields["mediaType"] = kind
        if subject is not None:
            fields["subject"] = subject
        if artifact_type is not None:
            fields["artifactType"] = artifact_type
        if notes is not None:
            fields["annotations"] = notes
        return Document(
            json.dumps(fields).encode("utf-8"),
            kind,
            blobs=tuple(dict.fromkeys(map(digest_of, (CONFIG, *parts)))),
            subject=None if subject is None else str(subject["digest"]),
            artifact_type=artifact_type or config,
            annotations=notes,
        )

    def _push(
        self,
        document: Document,
        name: str,
        reference: str,
        algorithm: str,
        tags: list[str],
        blobs: bool,
    ) -> None:
        held = self.held[name]
        if blobs:
            self._push_blobs(document, name)
        by_digest = ":" in reference
        query = "&".join(f"tag={tag}" for tag in tags) if by_digest else ""
        got = self._put(document, name, f"{reference}?{query}")
        missing = [digest for digest in document.blobs if digest not in held.blobs]
        missing += [
            digest
            for digest in dict.fromkeys(document.children)
            if digest not in held.manifests
        ]
        if missing:
            self._refused(got, 400, "MANIFEST_BLOB_UNKNOWN")
            errors = json.loads(got.body)["errors"]
            assert [error["detail"]["digest"] for error in errors] == missing
            return
        digest = digest_of(document.content, algorithm)
        assert got.status == 201, got
        assert got.header("Docker-Content-Digest") == digest
        assert (got.header("Location") or "").endswith(f"/v2/{name}/manifests/{digest}")
        assert got.header("OCI-Subject") == document.subject
        named = got.headers.getRawHeaders("OCI-Tag")
        assert named == (list(dict.fromkeys(tags)) or None if by_digest else None)
        held.manifests[digest] = document
        held.tags.update(dict.fromkeys(tags, digest))

    def _push_blobs(self, document: Document, name: str) -> None:
        for content in (*LAYER_BYTES, CONFIG):
            digest = digest_of(content)
            if digest in document.blobs and digest not in self.held[name].blobs:
                path = f"/v2/{name}/blobs/uploads/?digest={digest}"
                assert self.house.send("POST", path, content).status == 201
                self.held[name].blobs.add(digest)

    def _put(self, document: Document, name: str, reference: str) -> Got:
        path = f"/v2/{name}/manifests/{reference}"
        return self.house.send(
            "PUT", path, document.content, Content_Type=document.media_type
        )

    def _get(
        self, name: str, reference: str, document: Document | None, digest: str
    ) -> None:
        path = f"/v2/{name}/manifests/{reference}"
        got, head = self.house.send("GET", path), self.house.send("HEAD", path)
        if document is None:
            self._refused(got, 404, "MANIFEST_UNKNOWN")
            assert head.status == 404
            return
        assert (got.status, got.body) == (200, document.content), got
        for answer in (got, head):
            assert answer.header("Docker-Content-Digest") == digest
            assert answer.header("Content-Type") == document.media_type
        assert got.length == len(document.content)
        assert head.header("Content-Length") == str(got.length)
        known = self.house.send("GET", path, If_None_Match=f'"{digest}"')
        assert known.status == 304, known

    def _compare_referrers(
        self, name: str, digest: str, wanted: str | None, n: int | None
    ) -> None:
        path = f"/v2/{name}/referrers/{digest}"
        if wanted is not None:
            path += "?artifactType=" + wanted.replace("+", "%2B")
        expected = self._referrers(name, digest, wanted)
        got = self._pages(path, "manifests", n, None)
        assert got == expected, (got, expected)

    def _referrers(
        self, name: str, subject: str, wanted: str | None
    ) -> list[dict[str, object]]:
        held = self.held[name]
        found: dict[str, dict[str, object]] = {}
        algorithm, _, hexadecimal = subject.partition(":")
        listed = held.tags.get(f"{algorithm}-{hexadecimal[:64]}", "")
        older = held.manifests.get(listed)
        if older is not None and older.media_type == mediatypes.OCI_INDEX:
            for item in older.listed:
                if item["digest"] in held.manifests:
                    entry = dict(item)
                    if not entry.get("annotations"):
                        entry.pop("annotations", None)
                    found[str(item["digest"])] = entry
        for digest, document in held.manifests.items():
            if document.subject == subject:
                found[digest] = document.entry(digest)
        return [
            found[digest]
            for digest in sorted(found)
            if wanted in (None, found[digest].get("artifactType"))
        ]

    def _pages(self, path: str, field: str, n: int | None, last: str | None) -> object:
        """Follow a list from page to page, however the registry cuts it."""
        query = [f"n={n}"] if n is not None else []
        query += [f"last={last}"] if last is not None else []
        path += ("&" if "?" in path else "?") + "&".join(query)
        found: list[object] = []
        for _ in range(100):
            got = self.house.send("GET", path)
            assert got.status == 200, got
            page = json.loads(got.body)[field]
            assert n is None or len(page) <= n
            found += page
            link = got.header("Link")
            if link is None:
                return found
            assert page, "a page that leads on is not empty"
            path = link.partition("<")[2].partition(">")[0]
            assert parse_qs(urlsplit(path).query)["n"] == [str(n)]
        raise AssertionError("the pages have no end")

    def _read(self, path: str) -> bytes:
        assert isinstance(self.house.driver, MemoryDriver)
        return self.house.settle(self.house.driver.get(path))

    def _refused(self, got: Got, status: int, code: str) -> None:
        found = got.status, json.loads(got.body)["errors"][0]["code"]
        assert found == (status, code), (found, status, code)


def _named(paths: list[str], start: str, end: str) -> set[str]:
    """Give what stands between two parts of paths, as a digest or a tag."""
    return {
        path[len(start) : -len(end)].replace("/", ":")
        for path in paths
        if path.startswith(start) and path.endswith(end)
    }


class RegistryModelTests(SynchronousTestCase):
    """The machine, run."""

    def test_registry_agrees_with_the_model(self) -> None:
        """No order of pushes, deletes and restarts makes the two differ."""
        run_state_machine_as_test(RegistryMachine, settings=budget(30, 40))
        self.assertEqual(self.flushLoggedErrors(), [])


class ManifestOrBlobTests(SynchronousTestCase):
    """The same bytes may be a blob and a manifest of one repository."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.config, self.index = b"{}", b'{"schemaVersion":2,"manifests":[]}'
        for content in (self.config, self.index):
            path = f"/v2/a/blobs/uploads/?digest={digest_of(content)}"
            self.assertEqual(self.house.send("POST", path, content).status, 201)

    def ask(self, method: str, kind: str, content: bytes) -> int:
        path = f"/v2/a/{kind}/{digest_of(content)}"
        return self.house.send(method, path).status

    def test_a_blob_is_no_manifest_to_delete(self) -> None:
        """A blob is not deleted by way of the manifests."""
        self.assertEqual(self.ask("DELETE", "manifests", self.config), 404)
        self.assertEqual(self.ask("HEAD", "blobs", self.config), 200)

    def test_deleting_a_manifest_keeps_the_blob(self) -> None:
        """What was pushed as both stays a blob when the manifest is deleted."""
        path = f"/v2/a/manifests/{digest_of(self.index)}"
        pushed = self.house.send(
            "PUT", path, self.index, Content_Type=mediatypes.OCI_INDEX
        )
        self.assertEqual(pushed.status, 201)
        self.assertEqual(self.ask("HEAD", "blobs", self.index), 200)
        self.assertEqual(self.ask("DELETE", "manifests", self.index), 202)
        self.assertEqual(self.ask("GET", "blobs", self.index), 200)
        again = TestHouse(driver=self.house.driver, clock=self.house.clock)
        path = f"/v2/a/blobs/{digest_of(self.index)}"
        self.assertEqual(again.send("GET", path).status, 200)

    def test_deleting_a_blob_keeps_the_manifest(self) -> None:
        """And the other way round."""
        path = f"/v2/a/manifests/{digest_of(self.index)}"
        self.house.send("PUT", path, self.index, Content_Type=mediatypes.OCI_INDEX)
        self.assertEqual(self.ask("DELETE", "blobs", self.index), 202)
        self.assertEqual(self.ask("GET", "manifests", self.index), 200)
        self.assertEqual(self.ask("GET", "blobs", self.index), 404)


class ReferrersTagTests(SynchronousTestCase):
    """Lists of referrers under a tag, which anybody may push."""

    def test_a_broken_list_does_not_hide_the_referrers(self) -> None:
        """What is wrong in a list under a tag spoils no answer of the API."""
        house = TestHouse()
        subject = "sha256:" + "a" * 64
        body = b'{"schemaVersion":2,"manifests":[]}'
        path = f"/v2/a/manifests/{digest_of(body)}"
        house.send("PUT", path, body, Content_Type=mediatypes.OCI_INDEX)
        item = {
            "mediaType": mediatypes.OCI_INDEX,
            "digest": digest_of(body),
            "size": len(body),
            "artifactType": 5,
            "annotations": ["none"],
        }
        listed = json.dumps({"schemaVersion": 2, "manifests": [item]}).encode()
        house.send(
            "PUT",
            f"/v2/a/manifests/sha256-{'a' * 64}",
            listed,
            Content_Type=mediatypes.OCI_INDEX,
        )
        got = house.send("GET", f"/v2/a/referrers/{subject}")
        self.assertEqual(got.status, 200, got.body)
