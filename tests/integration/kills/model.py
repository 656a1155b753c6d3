"""What a registry was told and what it acknowledged: what may be found after a kill."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable

import attrs

from tests.integration.kills.documents import Document, digest_of
from tests.integration.kills.facts import Facts, Key
from txregistry.storage.uploads.pending_uploads import LOST_SECONDS

#: Lines that are remembered of what was done, to explain a failure.
REMEMBERED = 20_000


@attrs.define(eq=False)
class Pending:
    """An upload that was begun and not ended.

    :ivar acknowledged: bytes that the registry has said it has.
    :ivar sent: bytes that it may have.
    :ivar ending: it is being committed or cancelled, so it may be gone.
    :ivar asked_at: when it was asked for, in seconds since the epoch; it began later.
    """

    owner: int
    repository: str
    upload_id: str
    location: str
    content: bytes
    digest: str
    asked_at: float
    acknowledged: int = 0
    sent: int = 0
    ending: bool = False

    def may_be_forgotten(self, started_at: float) -> bool:
        """Tell whether a registry may know nothing of it.

        Until a byte is acknowledged it may exist in memory only, and a registry that
        starts too long after it began does not believe its URL.

        :param started_at: when that registry started, at the latest.
        """
        age = started_at - int(self.asked_at)  # the URL has whole seconds
        return not self.acknowledged and age > LOST_SECONDS


@attrs.define(eq=False)
class Model:
    """All facts, shared by the threads that change them; hold ``lock`` for that.

    :ivar collecting: a collection without a grace may be under way.
    :ivar seen: it certainly is: what is begun from now on is spared.
    """

    lock: threading.RLock = attrs.field(factory=threading.RLock)
    blobs: Facts = attrs.field(factory=lambda: Facts(False))
    manifests: Facts = attrs.field(factory=lambda: Facts(False))
    tags: Facts = attrs.field(factory=lambda: Facts(None))
    uploads: dict[str, Pending] = attrs.field(factory=dict)
    contents: dict[str, bytes] = attrs.field(factory=dict)
    documents: dict[str, Document] = attrs.field(factory=dict)
    owners: dict[str, int] = attrs.field(factory=dict)
    repositories: set[str] = attrs.field(factory=set)
    collecting: bool = False
    seen: bool = False
    _spared: set[tuple[int, Key]] = attrs.field(factory=set)
    _trace: deque[str] = attrs.field(factory=lambda: deque(maxlen=REMEMBERED))

    def note(self, *words: object) -> None:
        """Remember what was done."""
        self._trace.append(" ".join(map(str, words)))

    def story(self, *about: str) -> str:
        """Tell what was done with digests, tags or uploads, and when kills came."""
        about = tuple(word for word in about if "/" not in word)
        lines = [
            line
            for line in list(self._trace)  # others go on noting
            if line.startswith("===") or any(word in line for word in about)
        ]
        return "\n".join(lines[-60:])

    def learn(self, content: bytes, owner: int, algorithm: str = "sha256") -> str:
        """Remember some bytes; give the digest that they are to have."""
        digest = digest_of(content, algorithm)
        with self.lock:
            self.contents[digest] = content
            self.owners.setdefault(digest, owner)
        return digest

    def learn_document(self, document: Document, owner: int) -> None:
        with self.lock:
            self.documents[document.digest] = document
            self.owners.setdefault(document.digest, owner)

    def acknowledged(self, facts: Facts, key: Key, fresh: bool) -> None:
        """Record that something is there.

        :param fresh: all of it happened while a collection was certainly under way.
        """
        facts.narrow(key, True)
        if fresh:
            self._spared.add((id(facts), key))
        self.reconsider()

    def accepted(self, repository: str, document: Document, fresh: bool) -> None:
        """Record that a manifest is there: so then is all that it refers to."""
        self.acknowledged(self.manifests, (repository, document.digest), fresh)
        for digest in document.blobs:
            self.acknowledged(self.blobs, (repository, digest), fresh)
        for digest in document.children:
            self.accepted(repository, self.documents[digest], fresh)

    def begin_collection(self) -> None:
        self.collecting, self.seen = True, False
        self._spared.clear()
        self.reconsider()

    def end_collection(self) -> None:
        self.collecting = self.seen = False

    def reconsider(self) -> None:
        """What nothing keeps may go, while a collection may be under way."""
        if not self.collecting:
            return
        stay, needed = self.kept()
        for key, _ in self.manifests.known():
            if key not in stay and (id(self.manifests), key) not in self._spared:
                self.manifests.widen(key, False)
        for key, _ in self.blobs.known():
            spared = (id(self.blobs), key) in self._spared
            if digest_of(self.contents[key[1]]) not in needed and not spared:
                self.blobs.widen(key, False)

    def kept(self) -> tuple[set[Key], set[str]]:
        """Give the manifests that tags certainly keep, and the content they need."""
        stay: set[Key] = set()
        for (repository, _), values in self.tags.known():
            if len(values) == 1 and None not in values:
                self._keep(repository, next(iter(values)), stay)
        needed = {digest for _, digest in stay}
        for _, digest in stay:
            for blob in self.documents[digest].blobs:
                needed.add(digest_of(self.contents[blob]))
        return stay, needed

    def _keep(self, repository: str, digest: str, stay: set[Key]) -> None:
        key = (repository, digest)
        if key in stay or not self.manifests.is_certainly(key, True):
            return
        stay.add(key)
        for child in self.documents[digest].children:
            self._keep(repository, child, stay)
        for other, document in self.documents.items():
            if document.subject == digest:
                self._keep(repository, other, stay)

    def referring(self, repository: str, digest: str) -> list[Document]:
        """Give the manifests that may be there and refer to something."""
        return [
            document
            for document in self.documents.values()
            if digest in (*document.blobs, *document.children, document.subject)
            and self.manifests.may_be_there((repository, document.digest))
        ]

    def tags_on(self, repository: str, digest: str) -> list[Key]:
        return [
            key
            for key, values in self.tags.known()
            if key[0] == repository and digest in values
        ]

    def forget(self) -> None:
        """Let go of bytes that nothing has to do with any more."""
        for facts in (self.manifests, self.blobs, self.tags):
            for key, _ in facts.known():
                if not facts.may_be_there(key):
                    facts.drop(key)
        used = {digest for (_, digest), _ in self.manifests.known()}
        self._only(self.documents, used)
        used |= {digest for (_, digest), _ in self.blobs.known()}
        used |= {pending.digest for pending in self.uploads.values()}
        self._only(self.contents, used)
        self._only(self.owners, used)

    def _only(self, of: dict[str, object], used: Iterable[str]) -> None:
        for digest in set(of) - set(used):
            del of[digest]
