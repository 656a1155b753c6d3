"""Uploads against a model: whatever is done in whatever order, both agree."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from hashlib import new as new_hash

import attrs
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from tests.tries import tries
from tests.web.raw import Line
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.testing.answers import Got
from txregistry.testing.house import TestHouse

ROOT = "/docker/registry/v2"
REPOSITORIES = ("a", "a/b", "other")
ALGORITHMS = ("sha256", "sha384", "sha512")
HEX_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}

repositories = st.sampled_from(REPOSITORIES)
algorithms = st.sampled_from(ALGORITHMS)
sizes = st.one_of(st.integers(0, 300), st.sampled_from([63, 64, 65, 127, 128, 9000]))


def piece(size: int, seed: int) -> bytes:
    """Give bytes that are the same for the same seed."""
    return random.Random(seed).randbytes(size)


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    """Give the digest of some content."""
    return f"{algorithm}:{new_hash(algorithm, content).hexdigest()}"


@attrs.define(eq=False)
class Begun:
    """An upload as a client that remembers everything knows it.

    :ivar places: every URL that was given for it, with the offset it speaks of.
    :ivar open: neither committed nor cancelled.
    """

    repository: str
    upload_id: str
    content: bytes = b""
    places: list[tuple[int, str]] = attrs.field(factory=list)
    open: bool = True

    @property
    def bare(self) -> str:
        """Give the URL without a state."""
        return f"/v2/{self.repository}/blobs/uploads/{self.upload_id}"

    @property
    def range(self) -> str:
        """Give the ``Range`` header of an answer about it."""
        return f"0-{max(0, len(self.content) - 1)}"


class UploadMachine(RuleBasedStateMachine):
    """Clients, a registry that may be started anew at any time, and a model."""

    uploads = Bundle("uploads")
    contents = Bundle("contents")

    def __init__(self) -> None:
        super().__init__()
        self.house = TestHouse()
        #: Kept, as what is collected would clean up: the dead do not.
        self.dead: list[TestHouse] = []
        self.begun: list[Begun] = []
        #: By repository: digest by which a blob is known, and its content.
        self.blobs: dict[str, dict[str, bytes]] = {name: {} for name in REPOSITORIES}
        self.stored: dict[str, bytes] = {}

    # Beginning

    @rule(target=uploads, name=repositories, algorithm=st.none() | algorithms)
    def begin(self, name: str, algorithm: str | None) -> Begun:
        """POST gives a place to send to."""
        query = "" if algorithm is None else f"?digest-algorithm={algorithm}"
        got = self.house.send("POST", f"/v2/{name}/blobs/uploads/{query}")
        return self._new_upload(name, got)

    @rule(name=repositories, bad=st.sampled_from(["md5", "", "sha256:", "SHA256"]))
    def begin_with_an_unknown_algorithm(self, name: str, bad: str) -> None:
        """An algorithm that is not known begins nothing."""
        path = f"/v2/{name}/blobs/uploads/?digest-algorithm={bad}"
        self._refused(self.house.send("POST", path), 400, "DIGEST_INVALID")

    @rule(
        target=contents,
        name=repositories,
        algorithm=algorithms,
        size=sizes,
        seed=st.integers(0, 3),
        right=st.sampled_from([True, True, False]),
    )
    def post_the_whole(
        self, name: str, algorithm: str, size: int, seed: int, right: bool
    ) -> object:
        """POST with a digest takes a blob at once, or refuses it and keeps nothing."""
        content = piece(size, seed)
        digest = digest_of(content if right else content + b"!", algorithm)
        path = f"/v2/{name}/blobs/uploads/?digest={digest}"
        got = self.house.send("POST", path, content)
        if not right:
            self._refused(got, 400, "DIGEST_INVALID")
            return multiple()
        self._committed(name, got, content, algorithm)
        return content

    # Going on

    @rule(
        upload=uploads,
        size=sizes,
        seed=st.integers(0, 1000),
        place=st.sampled_from(["newest", "newest", "newest", "bare", "any"]),
        pick=st.integers(0, 1000),
        ranged=st.sampled_from(
            ["no", "no", "right", "right", "ahead", "behind", "repeated", "wrong size"]
        ),
        chunked=st.booleans(),
    )
    def patch_upload(
        self,
        upload: Begun,
        size: int,
        seed: int,
        place: str,
        pick: int,
        ranged: str,
        chunked: bool,
    ) -> None:
        """PATCH appends, or changes nothing and says where to go on."""
        data = piece(size, seed)
        offset, url = self._place(upload, place, pick)
        there = len(upload.content)
        header, start, length = self._content_range(ranged, there, size)
        got = self._send("PATCH", url, data, header, chunked)
        if not upload.open:
            self._unknown(got)
        elif offset is None:
            self._refused(got, 404, "BLOB_UPLOAD_INVALID")
        elif header and length != size and not chunked:
            self._refused(got, 400, "SIZE_INVALID")
        elif {there, offset, start} != {there}:
            self._out_of_place(upload, got)
        elif header and length != size:
            # Only the end of the body shows that it is not as long as it was said.
            self._adopt(upload, data)
            assert got.status in (202, 400), got
        else:
            assert got.status == 202, got
            upload.content += data
            self._told(upload, got)

    @rule(upload=uploads, place=st.sampled_from(["newest", "bare", "any"]), pick=sizes)
    def ask_for_status(self, upload: Begun, place: str, pick: int) -> None:
        """GET and HEAD say how much is there, whichever URL of ours was used."""
        offset, url = self._place(upload, place, pick)
        for method in ("GET", "HEAD"):
            got = self.house.send(method, url)
            if not upload.open or offset is None:
                assert got.status == 404, got
                continue
            assert got.status == 204, got
            self._told(upload, got)

    @rule(
        upload=uploads,
        size=sizes,
        sent=st.floats(0, 1),
        again=st.booleans(),
        seed=st.integers(0, 1000),
    )
    def lose_the_connection(
        self, upload: Begun, size: int, sent: float, again: bool, seed: int
    ) -> None:
        """A PATCH that breaks off leaves a beginning of what was sent."""
        data = piece(size + 1, seed)
        part = data[: int(size * sent)]
        line = self._begin_patch(upload, data, part)
        line.hang_up()
        assert line.received == b"" or not upload.open, line.received
        if upload.open:
            self._adopt(upload, part)

    @rule(upload=uploads, size=sizes, sent=st.floats(0, 1), seed=st.integers(0, 1000))
    def take_over(self, upload: Begun, size: int, sent: float, seed: int) -> None:
        """Who comes later goes on; a request that is stuck gets no say any more."""
        if not upload.open:
            return
        data = piece(size + 2, seed)
        half = 1 + int(size * sent)
        stuck = self._begin_patch(upload, data, data[:half])
        asked_at = self.house.clock.seconds()
        got = self.house.send("PATCH", self._newest(upload), b"next")
        while got.status == 416:
            got = self.house.send("PATCH", got.header("Location") or "", b"next")
        assert got.status == 202, got
        assert self.house.clock.seconds() - asked_at < 10, "it waited for the other"
        stuck.send(data[half:])
        assert not [a for a in stuck.answers("PATCH") if a.status < 400]
        stuck.hang_up()
        state = self._on_disk(upload)
        before = len(upload.content)
        assert state.endswith(b"next") and len(state) >= before + 4
        assert state[:-4] == (upload.content + data)[: len(state) - 4]
        upload.content = state
        self._told(upload, got)

    @rule(
        upload=uploads, size=sizes, sent=st.integers(0, 200), seed=st.integers(0, 1000)
    )
    def start_anew_in_the_middle(
        self, upload: Begun, size: int, sent: int, seed: int
    ) -> None:
        """What a process took in before it died is a beginning of what was sent."""
        data = piece(size + 1, seed)
        self._begin_patch(upload, data, data[:sent][:size])
        self.start_anew()
        if upload.open:
            self._adopt(upload, data[:sent][:size])

    @rule()
    def start_anew(self) -> None:
        """Another process goes on with what is on disk."""
        old = self.house
        self.dead.append(old)
        old.settle(old.pending_uploads.stopService())
        old.clock.advance(100)  # too late for what it might have lost
        self.house = TestHouse(driver=old.driver, clock=old.clock)
        for call in list(old.clock.getDelayedCalls()):
            call.cancel()  # died with it

    # Ending

    @rule(
        target=contents,
        upload=uploads,
        algorithm=algorithms,
        size=sizes,
        seed=st.integers(0, 1000),
        digest=st.sampled_from(["right"] * 4 + ["wrong", "missing", "malformed"]),
        place=st.sampled_from(["newest", "newest", "bare", "any"]),
        pick=st.integers(0, 1000),
    )
    def commit(
        self,
        upload: Begun,
        algorithm: str,
        size: int,
        seed: int,
        digest: str,
        place: str,
        pick: int,
    ) -> object:
        """PUT makes a blob of it, or refuses and keeps or drops it as it should."""
        data = piece(size, seed)
        offset, url = self._place(upload, place, pick)
        url += "&" if "?" in url else "?"
        whole = upload.content + data
        named = {
            "right": "digest=" + digest_of(whole, algorithm),
            "wrong": "digest=" + digest_of(whole + b"!", algorithm),
            "missing": "",
            "malformed": "digest=sha256:12",
        }[digest]
        got = self.house.send("PUT", url + named, data)
        if digest in ("missing", "malformed"):
            self._refused(got, 400, "DIGEST_INVALID")
        elif not upload.open:
            self._unknown(got)
        elif offset is None:
            self._refused(got, 404, "BLOB_UPLOAD_INVALID")
        elif offset != len(upload.content):
            self._out_of_place(upload, got)
        elif digest == "wrong":
            self._refused(got, 400, "DIGEST_INVALID")
            upload.open = False
        else:
            upload.open = False
            self._committed(upload.repository, got, whole, algorithm)
            return whole
        return multiple()

    @rule(upload=consumes(uploads))
    def cancel(self, upload: Begun) -> None:
        """DELETE throws it away; a second one finds nothing."""
        assert self.house.send("DELETE", upload.bare).status == 404
        _, url = upload.places[-1]
        got = self.house.send("DELETE", url)
        assert got.status == (204 if upload.open else 404), got
        upload.open = False
        assert self.house.send("DELETE", url).status == 404

    @rule(upload=uploads, name=repositories)
    def ask_elsewhere(self, upload: Begun, name: str) -> None:
        """An upload belongs to one repository; its URL is no good in another."""
        if name == upload.repository:
            return
        path = f"/v2/{name}/blobs/uploads/{upload.upload_id}"
        _, state = upload.places[-1]
        for url in (path, f"{path}?{state.partition('?')[2]}"):
            assert self.house.send("PATCH", url, b"x").status == 404
        assert self.house.send("DELETE", path).status == 404

    # Blobs

    @rule(
        target=uploads,
        content=contents,
        algorithm=algorithms,
        source=repositories,
        name=repositories,
    )
    def mount(self, content: bytes, algorithm: str, source: str, name: str) -> object:
        """What another repository holds is linked; for the rest there is an upload."""
        digest = digest_of(content, algorithm)
        path = f"/v2/{name}/blobs/uploads/?mount={digest}&from={source}"
        got = self.house.send("POST", path)
        if digest not in self.blobs[source]:
            return self._new_upload(name, got)
        self._committed(name, got, content, algorithm)
        return multiple()

    @rule(target=uploads, content=contents, algorithm=algorithms, name=repositories)
    def mount_from_anywhere(self, content: bytes, algorithm: str, name: str) -> object:
        """Without a source it may be found, if there is one at all."""
        digest = digest_of(content, algorithm)
        got = self.house.send("POST", f"/v2/{name}/blobs/uploads/?mount={digest}")
        if got.status == 202:
            return self._new_upload(name, got)
        assert any(digest in held for held in self.blobs.values())
        self._committed(name, got, content, algorithm)
        return multiple()

    @rule(content=contents, algorithm=algorithms, name=repositories)
    def get_blob(self, content: bytes, algorithm: str, name: str) -> None:
        """What is there is whole, under each name that it has."""
        digest = digest_of(content, algorithm)
        path = f"/v2/{name}/blobs/{digest}"
        got, head = self.house.send("GET", path), self.house.send("HEAD", path)
        if digest not in self.blobs[name]:
            self._refused(got, 404, "BLOB_UNKNOWN")
            assert head.status == 404
            return
        assert (got.status, got.body) == (200, content)
        assert got.header("Docker-Content-Digest") == digest
        assert (head.status, head.header("Content-Length")) == (200, str(len(content)))

    @rule(content=contents, algorithm=algorithms, name=repositories)
    def delete_blob(self, content: bytes, algorithm: str, name: str) -> None:
        """A blob is taken out of one repository, by the name that is given."""
        digest = digest_of(content, algorithm)
        got = self.house.send("DELETE", f"/v2/{name}/blobs/{digest}")
        known = self.blobs[name].pop(digest, None) is not None
        assert got.status == (202 if known else 404), got

    # What always holds

    @invariant()
    def uploads_are_whole(self) -> None:
        """Each open upload has what was acknowledged, and nothing else is left."""
        there = {upload.upload_id for upload in self.begun if upload.open}
        found = {
            path.partition("/_uploads/")[2].partition("/")[0]
            for path in self.house.paths()
            if "/_uploads/" in path
        }
        found |= {upload_id for _, upload_id in self.house.pending_uploads._held}
        assert found == there, (found, there)
        for upload in self.begun:
            if upload.open:
                assert self._on_disk(upload) == upload.content

    @invariant()
    def links_are_right(self) -> None:
        """Each blob is linked under its names, and its content is there."""
        for name, held in self.blobs.items():
            prefix = f"{ROOT}/repositories/{name}/_layers/"
            found = {
                path.removeprefix(prefix).removesuffix("/link").replace("/", ":")
                for path in self.house.paths()
                if path.startswith(prefix)
            }
            assert found == set(held), (name, found, set(held))
        for digest, content in self.stored.items():
            path = f"{ROOT}/blobs/sha256/{digest[7:9]}/{digest[7:]}/data"
            assert self._driver.paths().count(path) == 1
            assert self.house.settle(self._driver.get(path)) == content

    @invariant()
    def nothing_leaks(self) -> None:
        """No reader, writer, request, connection or timer is left."""
        house = self.house
        assert not any(house.content.leases.held(d) for d in house.content.locks._locks)
        assert not house.content.leases._readers
        assert not house.content.locks._locks
        assert len(house.local._sessions) == 0
        assert not house.registry.active
        assert house.registry_wire.open_connections == 0
        assert not house.timers()

    # Tools

    @property
    def _driver(self) -> MemoryDriver:
        assert isinstance(self.house.driver, MemoryDriver)
        return self.house.driver

    def _new_upload(self, name: str, got: Got) -> Begun:
        assert got.status == 202, got
        upload = Begun(name, got.header("Docker-Upload-UUID") or "")
        self.begun.append(upload)
        self._told(upload, got)
        return upload

    def _told(self, upload: Begun, got: Got) -> None:
        """Compare what an answer says of an upload with the model."""
        assert got.header("Range") == upload.range, (got, upload.range)
        assert got.header("Docker-Upload-UUID") == upload.upload_id
        location = got.header("Location") or ""
        assert f"{upload.bare}?_state=" in location
        upload.places.append((len(upload.content), location))

    def _place(self, upload: Begun, place: str, pick: int) -> tuple[int | None, str]:
        if place == "bare":
            return None, upload.bare
        places = upload.places
        return places[-1] if place == "newest" else places[pick % len(places)]

    def _newest(self, upload: Begun) -> str:
        """Ask how far it has come, as who has lost a connection does."""
        _, url = upload.places[-1]
        return self.house.send("GET", url).header("Location") or url

    def _content_range(
        self, ranged: str, there: int, size: int
    ) -> tuple[str, int, int]:
        """Give a ``Content-Range``, where it begins, and how long it says it is."""
        if ranged == "no" or size == 0:
            return "", there, size
        start = {
            "ahead": there + 1,
            "behind": max(0, there - 1),
            "repeated": 0,
        }.get(ranged, there)
        length = size + 1 if ranged == "wrong size" else size
        return f"{start}-{start + length - 1}", start, length

    def _send(
        self, method: str, url: str, data: bytes, content_range: str, chunked: bool
    ) -> Got:
        headers = {"Content_Range": content_range} if content_range else {}
        if not chunked:
            return self.house.send(method, url, data, **headers)
        line = Line(self.house)
        path = url.removeprefix("http://registry.example")
        head = f"{method} {path} HTTP/1.1\r\nHost: registry.example\r\n"
        head += f"Content-Range: {content_range}\r\n" if content_range else ""
        line.send(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for start in range(0, len(data), 1000):
            part = data[start : start + 1000]
            line.send(b"%x\r\n%b\r\n" % (len(part), part))
        line.send(b"0\r\n\r\n")
        (answer,) = line.answers(method)
        line.hang_up()
        return Got(answer.status, _Headers(answer.headers), answer.body, None)

    def _begin_patch(self, upload: Begun, data: bytes, part: bytes) -> Line:
        """Send the head of a PATCH and part of its body."""
        path = self._newest(upload).removeprefix("http://registry.example")
        head = f"PATCH {path} HTTP/1.1\r\nHost: registry.example\r\n"
        line = Line(self.house)
        line.send(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + part)
        return line

    def _adopt(self, upload: Begun, sent: bytes) -> None:
        """Learn how much of what was sent without an acknowledgement is there."""
        there = self._on_disk(upload)
        assert len(there) >= len(upload.content)
        assert there == (upload.content + sent)[: len(there)]
        upload.content = there

    def _on_disk(self, upload: Begun) -> bytes:
        path = f"{ROOT}/repositories/{upload.repository}/_uploads/{upload.upload_id}"
        if f"{path}/data" not in self.house.paths():
            return b""
        return self.house.settle(self._driver.get(f"{path}/data"))

    def _committed(self, name: str, got: Got, content: bytes, algorithm: str) -> None:
        digest = digest_of(content, algorithm)
        assert got.status == 201, got
        assert got.header("Docker-Content-Digest") == digest
        assert (got.header("Location") or "").endswith(f"/v2/{name}/blobs/{digest}")
        canonical = digest_of(content)
        self.blobs[name].update({digest: content, canonical: content})
        self.stored[canonical] = content

    def _out_of_place(self, upload: Begun, got: Got) -> None:
        self._refused(got, 416, "RANGE_INVALID")
        assert got.header("Range") == upload.range
        assert upload.bare in (got.header("Location") or "")

    def _unknown(self, got: Got) -> None:
        self._refused(got, 404, "BLOB_UPLOAD_UNKNOWN")

    def _refused(self, got: Got, status: int, code: str) -> None:
        found = got.status, json.loads(got.body)["errors"][0]["code"]
        assert found == (status, code), (found, status, code)


@attrs.frozen
class _Headers:
    """Headers that were read by hand, behind the face that ``Got`` knows."""

    _values: dict[str, str]

    def getRawHeaders(self, name: str) -> list[str] | None:
        """Give the values of a header."""
        value = self._values.get(name.lower())
        return None if value is None else [value]


def budget(examples: int, steps: int) -> settings:
    """Say how much is tried: the same each time where a build must not be a lottery."""
    return settings(
        max_examples=tries(examples),
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize="CI" in os.environ,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )


class UploadModelTests(SynchronousTestCase):
    """The machine, run."""

    def check(self, machine: Callable[[], RuleBasedStateMachine]) -> None:
        run_state_machine_as_test(machine, settings=budget(30, 30))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_uploads_agree_with_the_model(self) -> None:
        """No order of requests, failures and restarts makes the two differ."""
        self.check(UploadMachine)
