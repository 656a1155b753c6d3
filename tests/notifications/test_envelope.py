"""The envelope of an event, as distribution writes it."""

from __future__ import annotations

import json
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.events import Action, Event, EventTarget, Requested
from txregistry.notifications.envelope import (
    MEDIA_TYPE,
    EventSource,
    Filter,
    write_envelope,
)
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag

HEX = "0123456789abcdef" * 4
DIGEST = Digest.parse(f"sha256:{HEX}")
OTHER = Digest.parse("sha256:" + "f" * 64)
IMAGE = "application/vnd.oci.image.manifest.v1+json"
NAME = RepositoryName.parse("library/test")

#: 2006-01-02T15:04:05Z.
NOW = 1136214245.0

REQUESTED = Requested("rid", "client.local", "reg.local", "PUT", "test/0.1", "ann")
SOURCE = EventSource("hostname.local:5000", "instance")

PUSH = Event(
    Action.PUSH,
    EventTarget(
        NAME,
        Descriptor(DIGEST, 7143, IMAGE),
        url=f"http://example.com/v2/library/test/manifests/{DIGEST}",
        tag=Tag.parse("latest"),
        references=(Descriptor(OTHER, 3),),
    ),
    REQUESTED,
)

WHOLE = """\
{
   "events": [
      {
         "id": "asdf",
         "timestamp": "2006-01-02T15:04:05Z",
         "action": "push",
         "target": {
            "mediaType": "IMAGE",
            "digest": "sha256:HEX",
            "size": 7143,
            "length": 7143,
            "repository": "library/test",
            "url": "http://example.com/v2/library/test/manifests/sha256:HEX",
            "tag": "latest",
            "references": [
               {
                  "mediaType": "application/octet-stream",
                  "digest": "sha256:OTHER",
                  "size": 3
               }
            ]
         },
         "request": {
            "id": "rid",
            "addr": "client.local",
            "host": "reg.local",
            "method": "PUT",
            "useragent": "test/0.1"
         },
         "actor": {
            "name": "ann"
         },
         "source": {
            "addr": "hostname.local:5000",
            "instanceID": "instance"
         }
      }
   ]
}"""


def write(event: Event, references: bool = True, now: float = NOW) -> bytes:
    return write_envelope(event, "asdf", now, SOURCE, references)


def target(event: Event, references: bool = True) -> dict[str, Any]:
    (found,) = json.loads(write(event, references))["events"]
    return found["target"]


class EnvelopeTests(SynchronousTestCase):
    """One event, whole or with little to tell."""

    def test_whole(self) -> None:
        """All fields stand in distribution's order, three spaces deep."""
        expected = WHOLE
        for word, text in (("IMAGE", IMAGE), ("HEX", HEX), ("OTHER", "f" * 64)):
            expected = expected.replace(word, text)
        self.assertEqual(write(PUSH).decode(), expected)

    def test_media_type(self) -> None:
        """The envelope has the media type of distribution 3."""
        self.assertEqual(
            MEDIA_TYPE, "application/vnd.docker.distribution.events.v2+json"
        )

    def test_references_on_request(self) -> None:
        """What a manifest is made of is told only to those who want it."""
        self.assertNotIn("references", target(PUSH, False))

    def test_mount(self) -> None:
        """A mounted blob says where from."""
        source = RepositoryName.parse("other/place")
        blob = EventTarget(NAME, Descriptor(DIGEST, 5), source=source, url="http://x/y")
        self.assertEqual(
            target(Event(Action.MOUNT, blob, REQUESTED)),
            {
                "mediaType": "application/octet-stream",
                "digest": str(DIGEST),
                "size": 5,
                "length": 5,
                "repository": "library/test",
                "fromRepository": "other/place",
                "url": "http://x/y",
            },
        )

    def test_deleted_digest(self) -> None:
        """What was deleted by its digest has a digest and a repository only."""
        gone = Event(Action.DELETE, EventTarget(NAME, digest=DIGEST), REQUESTED)
        expected = {"digest": str(DIGEST), "repository": "library/test"}
        self.assertEqual(target(gone), expected)

    def test_deleted_tag(self) -> None:
        """A deleted tag has a name and a repository only."""
        gone = Event(Action.DELETE, EventTarget(NAME, tag=Tag.parse("v1")), REQUESTED)
        self.assertEqual(target(gone), {"repository": "library/test", "tag": "v1"})

    def test_nobody(self) -> None:
        """Where nobody in particular asked, the actor is an empty object."""
        event = attrs.evolve(PUSH, requested=attrs.evolve(REQUESTED, user=""))
        (found,) = json.loads(write(event))["events"]
        self.assertEqual(found["actor"], {})

    def test_request_without_a_user_agent(self) -> None:
        """A request says its method and user agent also where that is empty."""
        event = attrs.evolve(PUSH, requested=Requested("rid", method="GET"))
        (found,) = json.loads(write(event))["events"]
        self.assertEqual(found["request"].get("method"), "GET")
        self.assertEqual(found["request"].get("useragent"), "")

    def test_actions(self) -> None:
        """Each action has distribution's word."""
        for action, word in (
            (Action.PUSH, "push"),
            (Action.PULL, "pull"),
            (Action.MOUNT, "mount"),
            (Action.DELETE, "delete"),
        ):
            (found,) = json.loads(write(attrs.evolve(PUSH, action=action)))["events"]
            self.assertEqual(found["action"], word)

    def test_fraction_of_a_second(self) -> None:
        """The time is UTC with its fraction (RFC 3339)."""
        (found,) = json.loads(write(PUSH, now=NOW + 0.25))["events"]
        self.assertRegex(found["timestamp"], r"^2006-01-02T15:04:05\.250*Z$")

    def test_hostile_text(self) -> None:
        """Text of a client cannot break out of its field."""
        requested = attrs.evolve(REQUESTED, user_agent='"},\n{"x": "\u2028\x00é')
        event = attrs.evolve(PUSH, requested=requested)
        (found,) = json.loads(write(event))["events"]
        self.assertEqual(found["request"]["useragent"], requested.user_agent)


class FilterTests(SynchronousTestCase):
    """What an endpoint does not want to hear of."""

    def passes(self, event: Event, kinds: Any = (), actions: Any = ()) -> bool:
        return Filter(frozenset(kinds), frozenset(actions)).passes(event)

    def test_matrix(self) -> None:
        """Either the media type or the action is enough to be left out."""
        for kinds, actions, expected in (
            ((), (), True),
            ((IMAGE,), (), False),
            ((), ("push",), False),
            ((IMAGE,), ("push",), False),
            (("text/plain",), ("pull", "delete"), True),
            ((IMAGE,), ("pull",), False),
            (("text/plain",), ("push",), False),
        ):
            found = self.passes(PUSH, kinds, actions)
            self.assertEqual(found, expected, (kinds, actions))

    def test_without_a_media_type(self) -> None:
        """An event that has no media type is left out by its action only."""
        gone = Event(Action.DELETE, EventTarget(NAME, digest=DIGEST), REQUESTED)
        self.assertTrue(self.passes(gone, (IMAGE,)))
        self.assertFalse(self.passes(gone, (), ("delete",)))
