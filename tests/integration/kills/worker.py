"""A client that pushes, tags and deletes at random until the registry is killed."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence

import attrs

from tests.integration.kills import documents
from tests.integration.kills.client import Client, Gone
from tests.integration.kills.documents import ACCEPT, Document
from tests.integration.kills.facts import Facts, Key
from tests.integration.kills.model import Model, Pending

#: What a round is about: how often what is done.
THEMES: dict[str, dict[str, int]] = {
    "push": {"blob": 5, "image": 2, "part": 4, "resume": 4, "big": 2, "mount": 2},
    "commit": {"blob": 8, "image": 2, "resume": 4, "part": 3},
    "tags": {"image": 3, "index": 3, "artifact": 2, "retag": 6},
    "delete": {"image": 3, "untag": 4, "unlink": 5, "delete": 4, "blob": 3}
    | {"part": 2, "cancel": 2, "artifact": 2},
    "everything": {"blob": 2, "image": 3, "index": 2, "artifact": 1, "retag": 2}
    | {"untag": 3, "unlink": 1, "delete": 1, "part": 2, "resume": 2, "cancel": 1}
    | {"read": 4, "mount": 1, "big": 1},
}

#: Manifests that one worker keeps, about; and uploads it leaves open.
MANY, OPEN = 12, 4

#: Content that all workers push, in all of their repositories.
BASES = [bytes([number]) * (1000 << number) for number in range(6)] + [b""]

OCTETS = "application/octet-stream"


@attrs.define(eq=False)
class Worker:
    """Does things to what is its own, one after another; notes what it may have done.

    Digests and tags are its own, so that their order is known; repositories and some
    contents it shares with others.
    """

    number: int
    client: Client
    model: Model
    dice: random.Random
    _asked: int = 0

    def work(self, theme: str) -> None:
        """Go on until the registry is gone."""
        things = THEMES[theme]
        while True:
            chosen = self.dice.choices(list(things), list(things.values()))[0]
            if chosen in ("image", "index") and self._has_many():
                chosen = self.dice.choice(("untag", "untag", "unlink", "delete"))
            before = self._asked
            getattr(self, f"do_{chosen}")()
            if self._asked == before:
                # There was nothing to do it to; but a kill has to be noticed.
                self.client.ask("GET", "/v2/")

    def do_blob(self) -> None:
        self.push(self._repository(), self._content(), self._algorithm())

    def do_big(self) -> None:
        content = self.dice.randbytes(self.dice.randrange(1 << 20, 3 << 20))
        self.push(self._repository(), content)

    def do_mount(self) -> None:
        source = self._pick(self.model.blobs)
        if source is None:
            return
        key, fresh = (self._repository(), source[1]), self.model.seen
        with self.model.lock:
            self.model.blobs.widen(key, True)
        path = f"/v2/{key[0]}/blobs/uploads/?mount={key[1]}&from={source[0]}"
        asked_at = time.time()
        answer = self._ask("POST", path)
        with self.model.lock:
            if answer.status == 201:
                self.model.acknowledged(self.model.blobs, key, fresh)
                return
        # It has been collected in between, so it is an upload like any other.
        self._expect(answer.status == 202 and self._unsure(source), answer, source)
        content = self.model.contents[key[1]]
        pending = self._begun(key[0], content, key[1], answer.location, asked_at)
        self._finish(pending)

    def do_image(self) -> None:
        repository = self._repository()
        document = self._image(repository, self._tag())
        tags = self._tags(repository) if self.dice.random() < 0.8 else []
        self.put(repository, document, tags)

    def do_index(self) -> None:
        repository = self._repository()
        children = [self._image(repository, "child") for _ in range(2)]
        for child in children:
            if not self.put(repository, child, []):
                return
        document = documents.index(str(self.dice.random()), children)
        self.put(repository, document, self._tags(repository))

    def do_artifact(self) -> None:
        key = self._pick(self.model.manifests)
        if key is None or self._has_many():
            return
        subject = self.model.documents[key[1]]
        self.put(key[0], self._image(key[0], "about", subject), [])

    def do_retag(self) -> None:
        key = self._pick(self.model.manifests)
        if key is not None:
            self.put(key[0], self.model.documents[key[1]], self._tags(key[0]))

    def do_untag(self) -> None:
        with self.model.lock:
            mine = [
                key
                for key, _ in self.model.tags.known()
                if key[1].startswith(f"w{self.number}-")
                and self.model.tags.certain(key) is not None
            ]
            if not mine:
                return
            key = self.dice.choice(mine)
            self.model.tags.widen(key, None)
            self.model.reconsider()
        answer = self._ask("DELETE", f"/v2/{key[0]}/manifests/{key[1]}")
        self._expect(answer.status == 202, answer, key)
        with self.model.lock:
            self.model.tags.narrow(key, None)
            self.model.reconsider()

    def do_unlink(self) -> None:
        """Delete a manifest that no other refers to, and with it its tags."""
        with self.model.lock:
            key = self._pick(self.model.manifests)
            if key is None or self.model.referring(*key):
                return
            tags = self.model.tags_on(*key)
            for tag in tags:
                self.model.tags.widen(tag, None)
            self.model.manifests.widen(key, False)
            self.model.reconsider()
            unsure = self.model.collecting
        answer = self._ask("DELETE", f"/v2/{key[0]}/manifests/{key[1]}")
        with self.model.lock:
            unsure |= self.model.collecting
            good = answer.status == 202 or (answer.status == 404 and unsure)
            self._expect(good, answer, key)
            self.model.manifests.narrow(key, False)
            for tag in tags:
                self.model.tags.narrow(tag, None)
            self.model.reconsider()

    def do_delete(self) -> None:
        """Delete a blob of a repository that no manifest there refers to."""
        with self.model.lock:
            key = self._pick(self.model.blobs)
            if key is None or self.model.referring(*key):
                return
            self.model.blobs.widen(key, False)
            unsure = self.model.collecting
        answer = self._ask("DELETE", f"/v2/{key[0]}/blobs/{key[1]}")
        with self.model.lock:
            unsure |= self.model.collecting
            good = answer.status == 202 or (answer.status == 404 and unsure)
            self._expect(good, answer, key)
            self.model.blobs.narrow(key, False)

    def do_part(self) -> None:
        """Push a part of a blob, and leave it."""
        if len(self._open()) >= OPEN:
            self.do_resume()
            return
        content = self.dice.randbytes(self.dice.randrange(1, 400_000))
        pending = self._begin(self._repository(), content)
        for _ in range(self.dice.randrange(1, 4)):
            self._patch(pending)

    def do_resume(self) -> None:
        """Go on with an upload, perhaps to its end."""
        if pending := self._some_open():
            if self.dice.random() < 0.5:
                self._patch(pending)
            if self.dice.random() < 0.7:
                self._finish(pending)

    def do_cancel(self) -> None:
        pending = self._some_open()
        if pending is None:
            return
        pending.ending = True
        answer = self._ask("DELETE", pending.location)
        self._expect(answer.status == 204, answer, (pending.upload_id,))
        with self.model.lock:
            del self.model.uploads[pending.upload_id]

    def do_read(self) -> None:
        """Read something that is certainly there: it is, whatever goes on."""
        facts = self.dice.choice((self.model.blobs, self.model.manifests))
        key = self._pick(facts)
        if key is None:
            return
        kind, content = "blobs", self.model.contents.get(key[1], b"")
        if facts is self.model.manifests:
            kind, content = "manifests", self.model.documents[key[1]].content
        answer = self._ask("GET", f"/v2/{key[0]}/{kind}/{key[1]}", Accept=ACCEPT)
        good = answer.status == 200 and answer.body == content
        gone = answer.status == 404 and self._unsure(key, facts)
        self._expect(good or gone, answer, key)

    def push(self, repository: str, content: bytes, algorithm: str = "sha256") -> str:
        """Push a blob in one of the ways there are."""
        digest = self.model.learn(content, self.number, algorithm)
        if content in BASES:
            self.model.owners[digest] = -1
        if self.dice.random() < 0.3:
            self._push_at_once(repository, content, digest)
            return digest
        pending = self._begin(repository, content, digest)
        for _ in range(self.dice.randrange(0, 3)):
            self._patch(pending)
        self._finish(pending)
        return digest

    def put(self, repository: str, document: Document, tags: Sequence[str]) -> bool:
        """Put a manifest; give whether it was taken.

        It may be refused for what a collection has taken away.
        """
        model, key = self.model, (repository, document.digest)
        with model.lock:
            model.learn_document(document, self.number)
            fresh, unsure = model.seen, self._lacks(repository, document)
            was_there = model.manifests.may_be_there(key)
            was = {tag: model.tags.of((repository, tag)) for tag in tags}
            model.manifests.widen(key, True)
            for tag in tags:
                model.tags.widen((repository, tag), document.digest)
            model.reconsider()
        path = f"/v2/{repository}/manifests/{self._reference(document, tags)}"
        answer = self._ask("PUT", path, document.content, Content_Type=document.kind)
        with model.lock:
            if answer.status == 201:
                for tag in tags:
                    model.tags.narrow((repository, tag), document.digest)
                model.accepted(repository, document, fresh)
                return True
            refused = answer.status == 400 and b"BLOB_UNKNOWN" in answer.body
            unsure |= self._lacks(repository, document)
            self._expect(refused and unsure, answer, key)
            if not was_there:
                model.manifests.narrow(key, False)
            for tag, values in was.items():
                model.tags.set((repository, tag), values)
            return False

    def _reference(self, document: Document, tags: Sequence[str]) -> str:
        if len(tags) == 1 and self.dice.random() < 0.6:
            return tags[0]
        return f"{document.digest}?" + "&".join(f"tag={tag}" for tag in tags)

    def _image(
        self, repository: str, note: str, subject: Document | None = None
    ) -> Document:
        blobs = []
        contents = [self._content() for _ in range(self.dice.randrange(1, 3))]
        contents += self.dice.sample(BASES, self.dice.randrange(0, 3))
        for content in contents:
            digest = documents.digest_of(content)
            if not self.model.blobs.is_certainly((repository, digest), True):
                self.push(repository, content)
            blobs.append((digest, len(content)))
        return documents.image(f"{note} {self.dice.random()}", blobs, subject)

    def _push_at_once(self, repository: str, content: bytes, digest: str) -> None:
        fresh = self.model.seen
        with self.model.lock:
            self.model.blobs.widen((repository, digest), True)
        path = f"/v2/{repository}/blobs/uploads/?digest={digest}"
        answer = self._ask("POST", path, content, Content_Type=OCTETS)
        self._expect(answer.status == 201, answer, (repository, digest))
        with self.model.lock:
            self.model.acknowledged(self.model.blobs, (repository, digest), fresh)

    def _begin(self, repository: str, content: bytes, digest: str = "") -> Pending:
        digest = digest or self.model.learn(content, self.number)
        asked_at = time.time()
        answer = self._ask("POST", f"/v2/{repository}/blobs/uploads/")
        self._expect(answer.status == 202, answer, (repository, digest))
        return self._begun(repository, content, digest, answer.location, asked_at)

    def _begun(
        self,
        repository: str,
        content: bytes,
        digest: str,
        location: str,
        asked_at: float,
    ) -> Pending:
        upload_id = location.partition("?")[0].rpartition("/")[2]
        pending = Pending(
            self.number, repository, upload_id, location, content, digest, asked_at
        )
        with self.model.lock:
            self.model.uploads[upload_id] = pending
        return pending

    def _patch(self, pending: Pending) -> None:
        left = len(pending.content) - pending.acknowledged
        size = self.dice.randint(0, left)
        start, end = pending.acknowledged, pending.acknowledged + size
        chunk = pending.content[start:end]
        headers = {"Content_Type": OCTETS}
        if size and self.dice.random() < 0.5:
            headers["Content_Range"] = f"{start}-{end - 1}"
        pending.sent = end
        streamed = self.dice.random() < 0.4 and size > 0
        body = _pieces(chunk) if streamed else chunk
        answer = self._ask("PATCH", pending.location, body, **headers)
        good = answer.status == 202
        self._expect(good, answer, (pending.upload_id, pending.digest))
        pending.acknowledged, pending.location = end, answer.location

    def _finish(self, pending: Pending) -> None:
        key, fresh = (pending.repository, pending.digest), self.model.seen
        with self.model.lock:
            self.model.blobs.widen(key, True)
        pending.sent, pending.ending = len(pending.content), True
        tail = pending.content[pending.acknowledged :]
        joined = "&" if "?" in pending.location else "?"
        path = f"{pending.location}{joined}digest={pending.digest}"
        answer = self._ask("PUT", path, tail, Content_Type=OCTETS)
        self._expect(answer.status == 201, answer, (pending.upload_id, *key))
        with self.model.lock:
            del self.model.uploads[pending.upload_id]
            self.model.acknowledged(self.model.blobs, key, fresh)

    def _ask(
        self, method: str, path: str, body: bytes | Iterator[bytes] = b"", **more: str
    ):
        self._asked += 1
        self.model.repositories.add(_repository_of(path))
        what = f"  {self.number} {method} {path[:180]}"
        self.model.note(what)
        try:
            answer = self.client.ask(method, path, body, **more)
        except Gone:
            self.model.note(what, "GONE")
            raise
        self.model.note(what, answer.status)
        return answer

    def _expect(self, good: bool, answer: object, about: Sequence[str]) -> None:
        if not good:
            raise AssertionError(f"{answer}\n{self.model.story(*about)}")

    def _pick(self, facts: Facts) -> Key | None:
        """Choose something of this worker's that is certainly there."""
        with self.model.lock:
            mine = [
                key
                for key, _ in facts.known()
                if facts.is_certainly(key, True)
                and self.model.owners.get(key[1]) == self.number
            ]
            return self.dice.choice(mine) if mine else None

    def _lacks(self, repository: str, document: Document) -> bool:
        """Tell whether something that a manifest refers to may be gone."""
        blobs = [(repository, digest) for digest in document.blobs]
        children = [(repository, digest) for digest in document.children]
        return any(self._unsure(key) for key in blobs) or any(
            self._unsure(key, self.model.manifests) for key in children
        )

    def _unsure(self, key: Key, facts: Facts | None = None) -> bool:
        return not (facts or self.model.blobs).is_certainly(key, True)

    def _open(self) -> list[Pending]:
        with self.model.lock:
            every = self.model.uploads.values()
            return [pending for pending in every if pending.owner == self.number]

    def _some_open(self) -> Pending | None:
        found = self._open()
        return self.dice.choice(found) if found else None

    def _has_many(self) -> bool:
        with self.model.lock:
            there = [
                key[1]
                for key, _ in self.model.manifests.known()
                if self.model.manifests.is_certainly(key, True)
            ]
        return sum(self.model.owners.get(name) == self.number for name in there) > MANY

    def _repository(self) -> str:
        if self.dice.random() < 0.4:
            return "kills/shared"
        return f"kills/w{self.number}/r{self.dice.randrange(4)}"

    def _tag(self) -> str:
        return f"w{self.number}-{self.dice.randrange(6)}"

    def _tags(self, repository: str) -> list[str]:
        return list({self._tag() for _ in range(self.dice.choice((1, 1, 1, 2, 3)))})

    def _content(self) -> bytes:
        most = self.dice.choice((200, 5000, 60_000, 300_000))
        return self.dice.randbytes(self.dice.randrange(1, most))

    def _algorithm(self) -> str:
        return self.dice.choice(("sha256", "sha256", "sha256", "sha512"))


def _pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), 50_000):
        yield content[start : start + 50_000]


def _repository_of(path: str) -> str:
    """Give the repository that a path is about."""
    name = path.removeprefix("/v2/")
    return name.partition("/blobs/")[0].partition("/manifests/")[0]
