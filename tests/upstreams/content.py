"""What is believed: heads, tags that move, manifests, parts, lists, referrers."""

from __future__ import annotations

import json

import attrs

from tests.upstreams.odd import NOT_FOUND, Answer, Asked, Case, redirect
from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.testing.repositories import image_manifest


class BlobHeadRefused(Case):
    """A blob whose HEAD is refused is there if GET gives it."""

    statuses = (401, 403, 404, 400, 405, 501)

    def answer(self, asked: Asked) -> Answer:
        if asked.method == "HEAD" and "/blobs/" in asked.path:
            return Answer(self.statuses[self.count("HEAD", "/blobs/") % 6])
        return self.plain(asked)

    async def run(self) -> None:
        for _ in self.statuses:
            got = await self.head(self.blob_path)
            found = (got.status, got.header("Content-Length"))
            self.check(found, (200, str(len(self.blob))))
        await self.pull_blob()


class SecondRepositoryWithoutHead(BlobHeadRefused):
    """A second repository may have what is here, though HEAD is refused."""

    async def run(self) -> None:
        await self.pull_blob()
        other = f"/v2/{self.name}/other/blobs/{self.digest}"
        got = await self.get(other)
        self.check((got.status, got.body == self.blob), (200, True))


class HeadSignedForGet(Case):
    """URLs that are signed for GET alone refuse HEAD."""

    def answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/storage/"):
            return Answer(403) if asked.method == "HEAD" else self.whole()
        if "/blobs/" in asked.path:
            return redirect(f"{self.place.there}/storage/{self.name}?sig=1")
        return self.plain(asked)

    async def run(self) -> None:
        got = await self.head(self.blob_path)
        found = (got.status, got.header("Content-Length"))
        self.check(found, (200, str(len(self.blob))))


class HeadLies(Case):
    """What HEAD says of lengths is told to nobody once the content is known."""

    def answer(self, asked: Asked) -> Answer:
        found = self.plain(asked)
        if asked.method != "HEAD":
            return found
        lie = "0" if "/manifests/" in asked.path else "77"
        return attrs.evolve(found, headers={**found.headers, "Content-Length": lie})

    async def run(self) -> None:
        await self.pull()
        for _ in range(2):
            got = await self.head(self.path("manifests/v1"))
            self.check(got.header("Content-Length"), str(len(self.manifest)))
            await self.wait_for_tag()
        got = await self.get(f"/v2/{self.name}/other/blobs/{self.digest}")
        self.check((got.status, got.body == self.blob), (200, True))
        self.check(self.count("GET", "/blobs/"), 1)


class ManifestHeadUnknown(Case):
    """HEAD of a manifest that is not known costs one question, not one each time."""

    status = 405

    def answer(self, asked: Asked) -> Answer:
        if asked.method == "HEAD":
            return Answer(self.status)
        return self.plain(asked)

    async def run(self) -> None:
        for _ in range(3):
            await self.pull()
            await self.wait_for_tag()
        self.check(self.count("HEAD", "/manifests/"), 1)
        self.check(self.count("GET", "/manifests/"), 3)


class ManifestHeadFails(ManifestHeadUnknown):
    """The same of an upstream that fails on HEAD."""

    status = 500


class GetFailsForAWhile(Case):
    """A manifest whose HEAD fails always is had as soon as its GET is."""

    is_well = False

    def answer(self, asked: Asked) -> Answer:
        if asked.method == "HEAD" or not self.is_well:
            return Answer(500)
        return self.plain(asked)

    async def run(self) -> None:
        for _ in range(7):
            got = await self.get(self.path("manifests/v1"))
            self.check(got.status in (502, 503), True, got.status)
        self.is_well = True
        await self.place.wait(11)
        await self.pull()


class ManifestHeadDenied(Case):
    """A manifest that HEAD is refused for is asked for by GET before a client hears."""

    def answer(self, asked: Asked) -> Answer:
        if asked.method == "HEAD":
            return Answer((404, 403)[self.count("HEAD", "") % 2])
        return self.plain(asked)

    async def run(self) -> None:
        for _ in range(2):
            await self.pull()
            await self.wait_for_tag()


class TagMovesMeanwhile(Case):
    """A tag that moves between HEAD and GET is what it stands for now."""

    def prepare(self) -> None:
        self.gone = Digest.of(b"what the tag stood for")

    def answer(self, asked: Asked) -> Answer:
        found = self.plain(asked)
        if asked.method == "HEAD" and "/manifests/v1" in asked.path:
            return attrs.evolve(
                found,
                headers={**found.headers, "Docker-Content-Digest": str(self.gone)},
            )
        if str(self.gone) in asked.path:
            statuses = (404, 429, 500, 401, 403, 400)
            return Answer(statuses[self.count("GET", str(self.gone)) % 6])
        return found

    async def run(self) -> None:
        for _ in range(6):
            await self.pull()
            await self.wait_for_tag()


class OddManifests(Case):
    """Manifests are the upstream's business, where the digest agrees."""

    def prepare(self) -> None:
        config = json.loads(image_manifest())["config"]
        image = json.loads(image_manifest(note=self.name))
        documents = [
            {**image, "config": None},
            {**image, "config": {**config, "size": -1}},
            {**image, "config": {**config, "size": "2"}},
            {key: value for key, value in image.items() if key != "config"},
            {**image, "annotations": {"n": 5, "t": "x"}},
            {**image, "layers": [{"digest": "sha256:short"}]},
            {
                "mediaType": "application/vnd.oci.artifact.manifest.v1+json",
                "artifactType": "application/x",
                "blobs": [config],
            },
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.new+json",
                "x": self.name,
            },
            {**image, "mediaType": image["mediaType"].upper()},
        ]
        self.documents = [json.dumps(item).encode() for item in documents]
        self.documents.append(b"\xef\xbb\xbf" + image_manifest(note=self.name + " bom"))
        self.kinds = [
            mediatypes.OCI_MANIFEST,
            mediatypes.OCI_MANIFEST.upper(),
            mediatypes.DOCKER_LIST,
            "text/plain; charset=utf-8",
            "application/vnd.who.knows+json",
        ]

    def answer(self, asked: Asked) -> Answer:
        for number, content in enumerate(self.documents):
            if asked.path.endswith((f"/v{number}", str(Digest.of(content)))):
                return self.document(content, self.kinds[number % len(self.kinds)])
        return NOT_FOUND

    async def run(self) -> None:
        for number, content in enumerate(self.documents):
            digest = Digest.of(content)
            for reference in (f"v{number}", digest, f"v{number}"):
                got = await self.get(self.path(f"manifests/{reference}"))
                found = (number, got.status, got.body)
                self.check(found, (number, 200, content))


class TagMovesToOddManifest(OddManifests):
    """A tag that moves to such a manifest does not serve the old image."""

    turn = 0

    def answer(self, asked: Asked) -> Answer:
        content = self.documents[self.turn]
        if asked.path.endswith(("/moving", str(Digest.of(content)))):
            return self.document(content)
        return NOT_FOUND

    def document(self, content: bytes, kind: str = "") -> Answer:
        return super().document(content, mediatypes.OCI_MANIFEST)

    async def run(self) -> None:
        for turn, content in enumerate(self.documents):
            self.turn = turn
            got = await self.get(self.path("manifests/moving"))
            found = (got.status, got.body, got.header("Warning"))
            self.check(found, (200, content, None))
            await self.wait_for_tag()


class PageInsteadOfManifest(Case):
    """A page of HTML is no manifest."""

    def answer(self, asked: Asked) -> Answer:
        return Answer(
            body=b"<html>log in</html>", headers={"Content-Type": "text/html"}
        )

    async def run(self) -> None:
        got = await self.get(self.path("manifests/v1"))
        self.check(got.status, 502)


class ResumingDoesNotWork(Case):
    """An answer to a range that cannot be used is followed by the whole."""

    def odd(self, start: int) -> Answer:
        size = len(self.blob)
        return Answer(206, self.blob[:99], {"Content-Range": f"bytes 0-98/{size}"})

    def answer(self, asked: Asked) -> Answer:
        if "/blobs/" not in asked.path:
            return self.plain(asked)
        wanted = asked.headers.get("range")
        if wanted is not None:
            return self.odd(int(wanted[6:].rstrip("-")))
        turn = sum("range" not in a.headers for a in self.asked)
        return Answer(body=self.blob, cut_after=200_000) if turn == 1 else self.whole()

    async def run(self) -> None:
        await self.pull_blob()


class ResumingByMultipart(ResumingDoesNotWork):
    """The same of a body in parts."""

    def odd(self, start: int) -> Answer:
        kind = {"Content-Type": "multipart/byteranges; boundary=x"}
        return Answer(206, b"--x\r\n\r\nabc\r\n--x--\r\n", kind)


class ResumingRefused(ResumingDoesNotWork):
    """The same of 416."""

    def odd(self, start: int) -> Answer:
        return Answer(416, b"", {"Content-Range": f"bytes */{len(self.blob)}"})


class ResumingFails(ResumingDoesNotWork):
    """The same of an upstream that fails on ranges."""

    def odd(self, start: int) -> Answer:
        return Answer(500)


class OddTagLists(Case):
    """Of a list, what is a tag is listed, in our order, whatever the upstream's is."""

    def prepare(self) -> None:
        self.lists = {
            "none": {},
            "null": {"tags": None},
            "mixed": {"tags": ["b", None, 5, "a", "a", "not a tag", {"x": 1}, "c"]},
        }
        self.order = ["z9", "m5", "a1", "k3", "b2", "y8", "c4", "x7"]

    def answer(self, asked: Asked) -> Answer:
        kind = asked.path.split("/")[3]
        if kind in self.lists:
            return Answer(body=json.dumps(self.lists[kind]).encode())
        start = int(asked.query.get("start", "0"))
        page = self.order[start : start + 2]
        there = "https://other.example:8443" if kind == "hosts" else ""
        url = f"{there}/v2/{self.name}/{kind}/tags/list?start={start + 2}"
        links = [f'<{url}>; title="a, b"; rel="next"'] if start < 6 else []
        if kind == "circle" and start == 6:
            links = [f"</v2/{self.name}/{kind}/tags/list?start=2>; rel=next"]
        return Answer(body=json.dumps({"tags": page}).encode(), headers={"Link": links})

    async def listed(self, kind: str, query: str = "") -> object:
        got = await self.get(f"/v2/{self.name}/{kind}/tags/list{query}")
        self.check(got.status, 200, got.body)
        return json.loads(got.body)["tags"]

    async def run(self) -> None:
        for kind, expected in (
            ("none", []),
            ("null", []),
            ("mixed", ["a", "b", "c"]),
            ("order", sorted(self.order)),
            ("hosts", sorted(self.order)),
            ("circle", sorted(self.order)),
        ):
            self.check((kind, await self.listed(kind)), (kind, expected))
        page = await self.listed("order", "?n=3&last=b2")
        self.check(page, ["c4", "k3", "m5"])


class OddReferrers(Case):
    """Whoever has no API for referrers is asked by the tag schema."""

    def prepare(self) -> None:
        self.subject = Digest.of(self.name.encode())
        entry = {
            "mediaType": mediatypes.OCI_MANIFEST,
            "digest": str(self.manifest_digest),
            "size": len(self.manifest),
            "artifactType": "application/x",
        }
        index = {"schemaVersion": 2, "mediaType": mediatypes.OCI_INDEX}
        self.listing = json.dumps({**index, "manifests": [entry]}).encode()
        self.odd = {
            "s400": Answer(400),
            "s404": Answer(404),
            "s405": Answer(405),
            "s406": Answer(406),
            "s501": Answer(501),
            "html": Answer(
                body=b"<!doctype html>", headers={"Content-Type": "text/html"}
            ),
            "login": redirect(f"{self.place.here}/login?next={self.name}", 302),
            "denied": redirect(f"{self.place.here}/denied?next={self.name}", 302),
        }

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/login":
            return self.odd["html"]
        if asked.path == "/denied":
            return Answer(401)
        if "/referrers/" in asked.path:
            return self.odd[asked.path.split("/")[3]]
        if asked.path.endswith(f"/manifests/sha256-{self.subject.hex}"):
            return self.document(self.listing)
        return NOT_FOUND

    async def run(self) -> None:
        for kind in self.odd:
            got = await self.get(f"/v2/{self.name}/{kind}/referrers/{self.subject}")
            self.check((kind, got.status), (kind, 200), got.body)
            listed = json.loads(got.body)["manifests"]
            self.check((kind, len(listed)), (kind, 1))


CASES = (
    BlobHeadRefused,
    SecondRepositoryWithoutHead,
    HeadSignedForGet,
    HeadLies,
    ManifestHeadUnknown,
    ManifestHeadFails,
    GetFailsForAWhile,
    ManifestHeadDenied,
    TagMovesMeanwhile,
    OddManifests,
    TagMovesToOddManifest,
    PageInsteadOfManifest,
    ResumingDoesNotWork,
    ResumingByMultipart,
    ResumingRefused,
    ResumingFails,
    OddTagLists,
    OddReferrers,
)
