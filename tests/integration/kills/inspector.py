"""Look at a registry that was started again: is everything as it may be?"""

from __future__ import annotations

import json
import random
from pathlib import Path

import attrs

from tests.integration.kills import tree
from tests.integration.kills.client import Answer, Client
from tests.integration.kills.documents import ACCEPT
from tests.integration.kills.facts import Facts, Key
from tests.integration.kills.model import Model, Pending


@attrs.define(eq=False)
class Inspector:
    """Compares a registry with the model, which then knows what was not certain.

    :ivar started_at: when the registry started, at the latest; seconds since the epoch.
    """

    root: Path
    client: Client
    model: Model
    dice: random.Random
    started_at: float

    def settle(self) -> None:
        """Look at everything.

        :raise AssertionError: something is not as it may be.
        """
        for key, values in self.model.manifests.known():
            content = self.model.documents[key[1]].content
            self._settle(self.model.manifests, "manifests", key, values, content)
        for key, values in self.model.blobs.known():
            content = self.model.contents[key[1]]
            self._settle(self.model.blobs, "blobs", key, values, content)
        for key, values in self.model.tags.known():
            self._settle_tag(key, values)
        for pending in list(self.model.uploads.values()):
            self.settle_upload(pending)
        self._check_whole()
        self._check_lists()
        self._check_referrers()
        self.model.forget()

    def _settle(
        self,
        facts: Facts,
        kind: str,
        key: Key,
        values: frozenset[bool],
        content: bytes,
    ) -> None:
        answer = self._get(f"/v2/{key[0]}/{kind}/{key[1]}")
        found = answer.status == 200
        self._expect(found or answer.status == 404, answer, key)
        self._expect(found in values, answer, key, values)
        self._expect(not found or answer.body == content, answer, key)
        facts.narrow(key, found)

    def _settle_tag(self, key: Key, values: frozenset[str | None]) -> None:
        answer = self._get(f"/v2/{key[0]}/manifests/{key[1]}")
        found = answer.headers["Docker-Content-Digest"]
        self._expect(answer.status in (200, 404), answer, key)
        self._expect(found in values, answer, key, values)
        if found is not None:
            content = self.model.documents[found].content
            self._expect(answer.body == content, answer, key)
        self.model.tags.narrow(key, found)

    def settle_upload(self, pending: Pending) -> None:
        """See where an upload stands, and perhaps bring it to its end."""
        about = (pending.upload_id, pending.digest)
        path = pending.location  # which may be older than what has come
        answer = self.client.ask("GET", path)
        forgotten = pending.ending or pending.may_be_forgotten(self.started_at)
        if answer.status == 404 and forgotten:
            del self.model.uploads[pending.upload_id]
            return
        self._expect(answer.status == 204, answer, about, path)
        there = self._bytes_there(pending)
        ranged = f"0-{max(0, there - 1)}"
        self._expect(answer.headers["Range"] == ranged, answer, about, ranged)
        possible = pending.acknowledged <= there <= pending.sent
        # A commit takes the bytes away before it is acknowledged; cancelling does too.
        self._expect(possible or (pending.ending and not there), answer, about, there)
        pending.acknowledged, pending.sent = there, there
        pending.location, pending.ending = answer.location, False
        if self.dice.random() < 0.5:
            self._finish(pending)

    def _bytes_there(self, pending: Pending) -> int:
        directory = self.root / tree.V2 / "repositories" / pending.repository
        path = directory / "_uploads" / pending.upload_id / "data"
        content = path.read_bytes() if path.exists() else b""
        about = (pending.upload_id, pending.digest)
        self._expect(pending.content.startswith(content), "other bytes", about)
        return len(content)

    def _finish(self, pending: Pending) -> None:
        about = (pending.upload_id, pending.digest)
        rest = pending.content[pending.acknowledged :]
        path = f"{pending.location}&digest={pending.digest}"
        answer = self.client.ask("PUT", path, rest)
        self._expect(answer.status == 201, answer, about, path)
        path = f"/v2/{pending.repository}/blobs/{pending.digest}"
        answer = self.client.ask("GET", path)
        self._expect(answer.body == pending.content, answer, about, path)
        self.model.blobs.narrow((pending.repository, pending.digest), True)
        del self.model.uploads[pending.upload_id]

    def _check_whole(self) -> None:
        """What a manifest refers to is there with it.

        A collection that was broken off may leave an index that no tag keeps without
        its children, which it would have deleted next.
        """
        model = self.model
        stay, _ = model.kept()
        for key, _ in model.manifests.known():
            if not model.manifests.is_certainly(key, True):
                continue
            document = model.documents[key[1]]
            self._check_there(model.blobs, key, document.blobs)
            if key in stay:
                self._check_there(model.manifests, key, document.children)

    def _check_there(self, facts: Facts, key: Key, references: tuple[str, ...]) -> None:
        for reference in references:
            there = facts.is_certainly((key[0], reference), True)
            self._expect(there, f"{key} lacks {reference}", (key[1], reference))

    def _check_lists(self) -> None:
        names = self._list("/v2/_catalog?n=1000", "repositories")
        self._expect(names == sorted(names, key=_components), names, ())
        listed = set(names)
        holding = {
            key[0]
            for facts in (self.model.blobs, self.model.manifests)
            for key, _ in facts.known()
            if facts.is_certainly(key, True)
        }
        # What was begun in a repository and broken off may leave its name.
        about = holding ^ listed
        self._expect(holding <= listed <= self.model.repositories, listed, about)
        for repository in self.model.repositories:
            self._check_tags(repository, repository in listed)

    def _check_tags(self, repository: str, is_there: bool) -> None:
        path = f"/v2/{repository}/tags/list?n=1000"
        answer = self.client.ask("GET", path)
        status = 200 if is_there else 404
        self._expect(answer.status == status, answer, (repository,), status)
        listed = json.loads(answer.body)["tags"] if is_there else []
        tags = sorted(
            key[1]
            for key, _ in self.model.tags.known()
            if key[0] == repository and self.model.tags.certain(key) is not None
        )
        self._expect(listed == tags, answer, {*listed} ^ {*tags}, tags)

    def _check_referrers(self) -> None:
        wanted: dict[Key, list[str]] = {}
        for key, _ in self.model.manifests.known():
            subject = self.model.documents[key[1]].subject
            if subject is not None:
                found = wanted.setdefault((key[0], subject), [])
                if self.model.manifests.is_certainly(key, True):
                    found.append(key[1])
        for (repository, subject), digests in wanted.items():
            path = f"/v2/{repository}/referrers/{subject}"
            listed = self._list(path, "manifests")
            found = sorted(item["digest"] for item in listed)
            self._expect(found == sorted(digests), found, (subject, *found), digests)

    def _list(self, path: str, field: str) -> list:
        answer = self.client.ask("GET", path)
        self._expect(answer.status == 200, answer, (), path)
        return json.loads(answer.body)[field]

    def _get(self, path: str) -> Answer:
        return self.client.ask("GET", path, Accept=ACCEPT)

    def _expect(self, good: bool, found: object, about, *more: object) -> None:
        if not good:
            shown = repr(found)[:600]
            said = " ".join(map(str, (*about, *more)))
            raise AssertionError(f"{said}: {shown}\n{self.model.story(*about)}")


def _components(name: str) -> list[str]:
    return name.split("/")
